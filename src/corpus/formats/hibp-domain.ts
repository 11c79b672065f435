import { canonicalDomain } from "../../domain/email.ts";
import { addressOf } from "../address.ts";
import { CorpusError } from "../error.ts";
import type { ParsedFields } from "../record.ts";
import { addressTextsIn } from "./addresses-in.ts";
import { columnName, isSecretKind, kindOfName } from "./column-names.ts";
import { cutTable, type Row, type TablePlan, tablePlanOf, tableReader } from "./csv-reader.ts";
import { tableOf } from "./csv-table.ts";
import { commonDefaults, type Format, type Plan, type RecordReader, type RecordSink, type Wishes } from "./format.ts";
import { countAddresses, isObject } from "./json-addresses.ts";
import { jsonShapeOf } from "./json-shape.ts";
import { JsonStream } from "./json-stream.ts";
import { knownLeaks } from "./known-leaks.ts";
import { areLeakNames, type LeakNames, leakFields } from "./leak-names.ts";
import type { Sample } from "./sample.ts";

/**
 * Exports of HIBP about the addresses of a domain: answers of `/breacheddomain` and `/stealerlogsbyemaildomain`, the
 * JSON of its dashboard, or a CSV saved from it (docs/corpus-formats.md 1). A record is one address in one leak.
 */
export const hibpDomain: Format<DomainPlan> = {
  name: "hibp-domain",
  confidence: 0.95,
  origin: "hibp",
  defaultsFor: (corpus) => ({
    ...commonDefaults(corpus),
    subjectTitle: { before: "Present in the ", after: " breach" },
  }),
  recognises: (sample, wishes) => planOf(sample, wishes, false),
  plan: (sample, wishes) => planOf(sample, wishes, true) ?? refuse(),
  cut: (bytes, start, end, { table }, isFirst = false) =>
    table === null ? start : cutTable(bytes, start, end, table, isFirst),
  open: openReader,
};

type DomainPlan = Plan &
  LeakNames & {
    /** The domain of the local parts, taken from the file name. */
    readonly domain: string | null;
    /** How to read a CSV; null for JSON. */
    readonly table: DomainTable | null;
  };

type DomainTable = TablePlan & { readonly alias: number; readonly domain: number; readonly leak: number };

/** The members of the dashboard's JSON. */
const resultNames: ReadonlySet<string> = new Set(["BreachSearchResults", "PasteSearchResults"]);

/** Null when the text is not from HIBP. Throws `CorpusError` when it looks like HIBP but must not be read as such. */
function planOf(sample: Sample, { leakNames }: Wishes, isForced: boolean): DomainPlan | null {
  const catalogueNames = [...(leakNames ?? [])].filter((name) => !knownLeaks.has(name));
  const names: LeakNames = { catalogueNames, keepsUnknown: isForced };
  const plan = { format: "hibp-domain" as const, columns: [], ...names, domain: domainIn(sample.fileName) };
  return jsonShapeOf(sample) === null ? tablePlan(sample, plan) : mapPlan(sample, plan, isForced);
}

type PlanBase = Omit<DomainPlan, "table">;

function mapPlan(sample: Sample, plan: PlanBase, isForced: boolean): DomainPlan | null {
  const roots = jsonShapeOf(sample)?.values ?? [];
  if (!roots.every(isObject)) return null;
  const entries = roots.flatMap(Object.entries) as [string, unknown][];
  const found = { ...plan, isOrdered: true, table: null };
  if (entries.some(([name]) => resultNames.has(name))) return found;
  const isMap = entries.length > 0 && entries.every(([name, value]) => !name.includes("@") && isTexts(value));
  if (!isMap && !isForced) return null;
  const values = entries.flatMap(([, value]) => (Array.isArray(value) ? value : []));
  const texts = values.filter((value) => typeof value === "string");
  if (!areLeakNames(texts, plan)) {
    // Settings of programs are maps of lists, too.
    const isLikely =
      plan.domain !== null || entries.filter(([name]) => /\w[._+-]\w/.test(name)).length > entries.length / 2;
    if (isForced ? texts.length > 0 : isLikely && texts.length > 0) throw notLeakNames();
    return isForced ? found : null;
  }
  if (plan.domain === null) throw noDomain();
  return found;
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "string" && !one.includes("@"));
}

function tablePlan(sample: Sample, plan: PlanBase): DomainPlan | null {
  const table = tableOf(sample);
  const names = table?.header?.map(columnName) ?? [];
  const column = (...wanted: string[]) => names.findIndex((name) => wanted.includes(name));
  const leak = column("breach", "breaches", "breachname", "breachnames", "pwnedbreaches");
  const email = column("email");
  const alias = email === -1 ? column("alias") : email;
  if (table === null || leak === -1 || alias === -1 || isOtherTable(names)) return null;
  const domain = column("domain", "domainname");
  const found = table.rows.flatMap((row) => namesIn(row[leak] ?? ""));
  if (found.length > 0 && !areLeakNames(found, plan)) return null;
  if (email === -1 && domain === -1 && plan.domain === null) throw noDomain();
  const columns = names.filter((_, at) => at === alias || at === domain || at === leak);
  return { ...plan, columns, table: { ...tablePlanOf(table, [alias]), alias, domain, leak } };
}

/**
 * Whether a table is from elsewhere. HIBP exports only the address, its leaks and their dates; other tables have a
 * column for breaches as well.
 */
function isOtherTable(names: readonly string[]): boolean {
  return names.length > 8 || names.some((name) => isSecretKind(kindOfName(name)) || kindOfName(name) === "login");
}

/** Splits a cell with several leak names. */
function namesIn(cell: string): string[] {
  return cell
    .split(/[,;|\n]/)
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function domainIn(fileName: string | null): string | null {
  const stem = fileName?.replace(/\.(?:json|csv|txt)$/i, "") ?? "";
  return stem.includes(".") ? canonicalDomain(stem) : null;
}

function refuse(): never {
  throw new CorpusError(
    "refused",
    "the file is not an export of Have I Been Pwned: neither its JSON nor a table with the columns Email or Alias, and Breach",
  );
}

function notLeakNames(): CorpusError {
  return new CorpusError(
    "refused",
    "the values are not leak names of the breach catalogue and may be secrets; hibp-domain wants an answer of /breacheddomain or /stealerlogsbyemaildomain. If the file is something else, give its --format",
  );
}

function noDomain(): CorpusError {
  return new CorpusError(
    "refused",
    "the file holds local parts only; name it after their domain, such as example.com.json",
  );
}

function openReader(plan: DomainPlan, sink: RecordSink, isFirst: boolean): RecordReader {
  const records = new DomainRecords(plan, sink);
  const { table } = plan;
  if (table !== null) return tableReader(table, sink, isFirst, { readRow: (row) => records.row(row, table) });
  /** Names of the containers on the current path. */
  const open: (string | null)[] = [];
  const stream = new JsonStream({
    root: (value) => records.root(value),
    enter: (_isArray, name) => open.push(name),
    member: (name, value) => (open.length === 1 ? records.member(name, value) : records.other(value)),
    element: (value) => (open.length === 2 ? records.member(open[1] ?? "", [value]) : records.other(value)),
    leave: () => open.pop(),
    fault: (reason, text) => {
      sink.noteFurtherAddresses(addressTextsIn(text).length);
      sink.add(reason);
    },
  });
  return { read: (bytes, start, end) => stream.push(bytes.subarray(start, end)), end: () => stream.end() };
}

/** The paste sources named by HIBP. Other source names are not kept. */
const pasteSources: ReadonlySet<string> = new Set(
  "Pastebin Pastie Slexy Ghostbin QuickLeak JustPaste AdHocUrl".split(" "),
);

class DomainRecords {
  readonly #plan: DomainPlan;
  readonly #sink: RecordSink;

  constructor(plan: DomainPlan, sink: RecordSink) {
    this.#plan = plan;
    this.#sink = sink;
  }

  root(value: unknown): void {
    if (isObject(value)) for (const [name, one] of Object.entries(value)) this.member(name, one);
    else this.other(value);
  }

  /** Reads a local part with its leaks, or the results of the dashboard. */
  member(name: string, value: unknown): void {
    if (resultNames.has(name) && Array.isArray(value)) {
      for (const result of value) this.#result(result);
      return;
    }
    // HIBP never writes a full address here, so the values may be anything.
    if (!Array.isArray(value) || name.includes("@")) {
      this.other({ [name]: value });
      return;
    }
    for (const leak of value) {
      if (typeof leak === "string" && !leak.includes("@"))
        this.#add(name, this.#plan.domain, leakFields(leak, this.#plan));
      else this.other(leak);
    }
  }

  /** Counts a value of unknown form as malformed. */
  other(value: unknown): void {
    this.#sink.noteFurtherAddresses(countAddresses(value, new Set()));
    this.#sink.add("malformed");
  }

  row({ cell, isShifted }: Row, { alias, domain, leak }: DomainTable): void {
    const local = cell(alias)?.trim() ?? "";
    const names = isShifted ? [] : namesIn(cell(leak) ?? "");
    if (local === "") this.#sink.add("no_email");
    else if (names.length === 0) this.#sink.add("malformed");
    for (const name of local === "" ? [] : names) {
      this.#add(local, cell(domain)?.trim() || this.#plan.domain, leakFields(name, this.#plan));
    }
  }

  #result(value: unknown): void {
    const { Alias: alias, DomainName: domain, Breaches: breaches, Pastes: pastes } = isObject(value) ? value : {};
    if (typeof alias !== "string") {
      this.other(value);
      return;
    }
    const at = typeof domain === "string" ? domain : this.#plan.domain;
    for (const breach of Array.isArray(breaches) ? breaches : []) {
      const { Name: name, BreachDate: date, IsSpamList: isSpamList } = isObject(breach) ? breach : {};
      const details = { date: typeof date === "string" ? date : null, isSpamList: isSpamList === true };
      if (typeof name === "string") this.#add(alias, at, leakFields(name, this.#plan, details));
      else this.other(breach);
    }
    for (const paste of Array.isArray(pastes) ? pastes : []) this.#add(alias, at, pasteFields(paste));
  }

  #add(alias: string, domain: string | null, { fields, droppedCount }: ParsedFields): void {
    const address = addressOf(alias.includes("@") ? alias : `${alias}@${domain ?? ""}`);
    this.#sink.add(address === null ? "invalid_email" : { address, fields, droppedCount });
  }
}

/** Fields of a paste, without its id: the id could be any text. */
function pasteFields(paste: unknown): ParsedFields {
  const { Source: source, Date: date } = isObject(paste) ? paste : {};
  const isKnown = typeof source === "string" && pasteSources.has(source);
  const { fields, droppedCount } = leakFields("", noNames, { date: typeof date === "string" ? date : null });
  return {
    fields: {
      ...fields,
      category: "paste",
      subject: "any-paste",
      title: isKnown ? `Present in a paste on ${source}` : "Present in a paste",
    },
    droppedCount: droppedCount - 1 + Number(!isKnown),
  };
}

const noNames: LeakNames = { catalogueNames: [], keepsUnknown: false };
