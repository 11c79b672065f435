import { isAbsolute } from "node:path";
import * as z from "zod/mini";
import { SourceError } from "../domain/error.ts";
import {
  capFindings,
  type Details,
  type Finding,
  leakTitle,
  makeFinding,
  mergeFindings,
  type Severity,
  shownLine,
} from "../domain/finding.ts";
import { isSensitiveName } from "../domain/sensitive-site.ts";
import { subjectOf } from "../domain/subject.ts";
import { parseLeakYear } from "../domain/time.ts";
import { failureOf, isJsonAnswer, parseJsonAnswer } from "../egress/answer.ts";
import type { HttpResponse } from "../egress/client.ts";
import { breachEntry, type Catalogue, type CatalogueEntry } from "./breach-catalogue.ts";
import { partSignal } from "./part-signal.ts";
import { readRows, tellUnreadable } from "./rows.ts";
import type { LookupContext, SourceKind, SourceReply } from "./source.ts";

const settings = z.lazy(() =>
  z.strictObject({
    mode: z._default(z.enum(["account", "range"], "account or range"), "account"),
    pastes: z._default(z.boolean("true or false"), true),
    stealer_logs: z._default(z.boolean("true or false"), false),
    catalogue: z._default(
      z.nullable(z.string("an absolute path").check(z.refine(isAbsolute, "an absolute path"))),
      null,
    ),
  }),
);

type Settings = z.infer<typeof settings>;
type Context = LookupContext<Settings>;

const defaultBaseUrl = "https://haveibeenpwned.com/api/v3";

/** The data is licensed under CC BY 4.0, which requires naming the source wherever it is shown. */
const attribution = "Have I Been Pwned, CC BY 4.0, https://haveibeenpwned.com";

/** An address in hundreds of breaches, with descriptions, exceeds the usual megabyte (docs/pipeline.md 21.15). */
const maxBytes = 8 * 1024 * 1024;

/**
 * Have I Been Pwned, API v3 (haveibeenpwned.com/API/v3): breaches, pastes and stealer logs.
 *
 * Mode `account` sends the address. Mode `range` sends only six digits of its SHA-1; it leaves out pastes and stealer
 * logs, which cannot be queried by range. Breaches are the main part: without them the source has failed, even if other
 * parts succeeded. Unavailable pastes and stealer logs are listed in `missing` (docs/pipeline.md 21.11).
 */
export const hibp: SourceKind<Settings> = {
  kind: "hibp",
  hasCatalogue: true,
  // The service verifies its breaches and marks those it could not verify.
  confidence: 0.95,
  isOnline: true,
  auth: "key",
  defaultBaseUrl,
  ownHeaders: ["hibp-api-key"],
  settings,
  // The rate of the smallest plan (docs/contract.md 5.9).
  pace: { count: 10, windowMs: 60_000 },
  timeoutMs: 10_000,
  async lookup({ value: address }, context) {
    const listed = context.catalogue.refresh(context);
    if (context.settings.mode === "range") return replyOf([await askByRange(address, context, listed)]);
    // Ask for the main part first: if it fails, the other calls would only use up quota.
    const main = await askForBreaches(address, context);
    const others = optionalParts(address, context.settings).map((part) => askForPart(part, context));
    return replyOf([main, ...(await Promise.all(others))]);
  },
};

/** The result of one call; `missing` as in `SourceReply`. */
type Part = { readonly findings: readonly Finding[]; readonly missing: readonly string[] };

const nothing: Part = { findings: [], missing: [] };

function replyOf(parts: readonly Part[]): SourceReply {
  const findings = parts.flatMap((part) => part.findings);
  return { findings: capFindings(mergeFindings(findings)), missing: parts.flatMap((part) => part.missing) };
}

async function askForBreaches(address: string, context: Context): Promise<Part> {
  const name = "breachedaccount";
  const answer = await ask(`${name}/${encodeURIComponent(address)}?truncateResponse=false`, context);
  if (answer === null) return nothing;
  const { rows, unreadableCount } = readRows(breachEntry, listFrom(answer.value));
  return {
    findings: breachFindings(rows, address, context.catalogue),
    missing: tellUnreadable(unreadableCount, name),
  };
}

type OptionalPart = {
  /** The name of the call, also used in `missing`. */
  readonly name: string;
  readonly path: string;
  readonly read: (value: unknown) => { readonly findings: Finding[]; readonly unreadableCount: number };
};

function optionalParts(address: string, { pastes, stealer_logs }: Settings): OptionalPart[] {
  const account = encodeURIComponent(address);
  const pastePart: OptionalPart = {
    name: "pasteaccount",
    path: `pasteaccount/${account}`,
    read: (value) => pasteFindings(value, address),
  };
  const logPart: OptionalPart = {
    name: "stealerlogsbyemail",
    path: `stealerlogsbyemail/${account}`,
    read: (value) => stealerLogFindings(value, address),
  };
  return [...(pastes ? [pastePart] : []), ...(stealer_logs ? [logPart] : [])];
}

/** Asks for an optional part. If the plan lacks it, or it is rate limited or fails, the breaches are kept. */
async function askForPart({ name, path, read }: OptionalPart, context: Context): Promise<Part> {
  try {
    const answer = await ask(path, { ...context, signal: partSignal(context) }, name);
    if (answer === null) return nothing;
    const { findings, unreadableCount } = read(answer.value);
    return { findings, missing: tellUnreadable(unreadableCount, name) };
  } catch (error) {
    if (error instanceof SourceError) return { findings: [], missing: [name] };
    throw error;
  }
}

/** Digits of the SHA-1 that are sent. The answer lists the other 34 digits of each address in the range. */
const prefixLength = 6;

async function askByRange(address: string, context: Context, listed: Promise<void>): Promise<Part> {
  const name = "breachedaccount/range";
  const hash = new Bun.CryptoHasher("sha1").update(address).digest("hex").toUpperCase();
  const answer = await ask(`${name}/${hash.slice(0, prefixLength)}`, context);
  if (answer === null) return nothing;
  const values = listFrom(answer.value);
  const { unreadableCount } = readRows(rangeRow, values);
  // The row of this address is the whole answer; if it cannot be read, the source fails.
  const own = readRows(
    rangeRow,
    values.filter((row) => suffixOf(row) === hash.slice(prefixLength)),
  );
  const names = [...new Set(own.rows.flatMap(({ websites }) => websites))].filter((one) => !isSensitiveName(one));
  const missing = tellUnreadable(unreadableCount, name);
  if (names.length === 0) return { findings: [], missing };
  await listed;
  const described = await describeBreaches(names, context);
  return {
    findings: breachFindings(described, address, context.catalogue),
    missing: [...missing, ...tellUnknown(names.length - described.length)],
  };
}

function suffixOf(row: unknown): string | null {
  const isObject = typeof row === "object" && row !== null && "hashSuffix" in row;
  return isObject && typeof row.hashSuffix === "string" ? row.hashSuffix.toUpperCase() : null;
}

function tellUnknown(count: number): string[] {
  return count === 0 ? [] : [`${count} of the breaches: only their names are known`];
}

/** The list is fetched daily, and few breaches are added per day. */
const maxUnknownNames = 20;

/**
 * Looks up breaches that are given only by name. A name missing from the list is requested from the service: it could
 * belong to a sensitive site, so a bare name is never shown (docs/pipeline.md 21.17).
 */
async function describeBreaches(names: readonly string[], context: Context): Promise<CatalogueEntry[]> {
  const known = names.flatMap((name) => context.catalogue.find(name) ?? []);
  const unknown = names.filter((name) => context.catalogue.find(name) === null).slice(0, maxUnknownNames);
  const inTime = { ...context, signal: partSignal(context) };
  const described = await Promise.all(unknown.map((name) => describeBreach(name, inTime)));
  return [...known, ...described.filter((entry) => entry !== null)];
}

async function describeBreach(name: string, context: Context): Promise<CatalogueEntry | null> {
  try {
    const answer = await ask(`breach/${encodeURIComponent(name.toWellFormed())}`, context, "breach");
    const parsed = breachEntry.safeParse(answer?.value);
    // A cache that mixes up answers must not give a breach the flags of another.
    return parsed.success && parsed.data.Name.toLowerCase() === name.toLowerCase() ? parsed.data : null;
  } catch (error) {
    if (error instanceof SourceError) return null;
    throw error;
  }
}

/**
 * Requests a path. Returns the JSON of a 200, wrapped in an object; null for an empty 404, which means "unknown".
 * Throws `SourceError` for any other answer.
 */
async function ask(
  path: string,
  { baseUrl, apiKey, http, signal }: Context,
  part?: string,
): Promise<{ readonly value: unknown } | null> {
  if (apiKey === null) throw new SourceError("not_configured", "no API key");
  const response = await http.request({
    url: `${(baseUrl ?? defaultBaseUrl).replace(/\/+$/, "")}/${path}`,
    headers: { "hibp-api-key": apiKey, accept: "application/json" },
    signal,
    maxBytes,
    ...(part === undefined ? {} : { part }),
  });
  // A 404 with text comes from a wrong base_url or a filter in between and says nothing about the address.
  if (response.status === 404 && response.body.length === 0) return null;
  if (response.status === 200) return { value: parseJsonAnswer(response) };
  throw refusalOf(response, path);
}

/** Refines a failure by the words of the service: the plan lacks this call, or the address has an unsupported form. */
function refusalOf(response: HttpResponse, path: string): SourceError {
  const failure = failureOf(response);
  if (response.status === 403 && failure.reason === "auth") {
    return new SourceError("auth", "answered 403: the plan of the key lacks this call, or the caller is blocked");
  }
  const isAboutForm = response.status === 400 && !path.startsWith("breachedaccount/range/") && isJsonAnswer(response);
  return isAboutForm && /acceptable format/i.test(new TextDecoder().decode(response.body))
    ? new SourceError("unsupported", "the service does not accept an address of this form")
    : failure;
}

function listFrom(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw new SourceError("bad_answer", "not the shape of Have I Been Pwned, API v3");
}

// A suffix of another length would match no address and read as clean, so it is refused.
const rangeRow = z.lazy(() =>
  z.object({
    hashSuffix: z.string().check(z.regex(/^[0-9a-f]{34}$/i)),
    websites: z.array(z.string().check(z.minLength(1))),
  }),
);
const pasteRow = z.lazy(() =>
  z.object({
    Source: z.string().check(z.minLength(1)),
    // Some services number their pastes.
    Id: z.union([z.string().check(z.minLength(1)), z.pipe(z.int(), z.transform(String))]),
    Date: z.nullish(z.string()),
    EmailCount: z.nullish(z.number()),
  }),
);
const site = z.lazy(() => z.string().check(z.minLength(1)));

/**
 * Drops sensitive and retired breaches, which the public search hides and a range answer must not reveal either. Also
 * drops breaches of sites on our own list (docs/contract.md 11.6b).
 */
function breachFindings(entries: readonly CatalogueEntry[], asked: string, { aliases }: Catalogue): Finding[] {
  return entries
    .filter((entry) => !entry.IsSensitive && !entry.IsRetired && !isOfSensitiveSite(entry))
    .map((entry) =>
      makeFinding({
        category: entry.IsStealerLog ? "infostealer" : entry.IsSpamList ? "spam_list" : "breach",
        severity: severityOf(entry),
        title: titleOf(entry, asked),
        sourceUrl: pageOf(entry.Name),
        subject: siteIn(entry.Domain) ?? entry.Name,
        year: yearOf(entry),
        asked,
        aliases,
        details: detailsOf(entry, asked),
      }),
    );
}

function isOfSensitiveSite({ Name, Title, Domain }: CatalogueEntry): boolean {
  return [Name, Title, Domain ?? ""].some(isSensitiveName);
}

/** The text of a site; null when it is missing or an address. */
function siteIn(text: string | null | undefined): string | null {
  const name = text?.trim() ?? "";
  return name === "" || name.includes("@") ? null : name;
}

/** Data classes (haveibeenpwned.com/api/v3/dataclasses) that let someone log in, pay or identify as the person. */
const gravestDataClasses: ReadonlySet<string> = new Set([
  "Auth tokens",
  "Bank account numbers",
  "Biometric data",
  "Credit card CVV",
  "Credit cards",
  "Driver's licenses",
  "Encrypted keys",
  "Government issued IDs",
  "Historical passwords",
  "Mnemonic phrases",
  "Passport numbers",
  "Password hints",
  "Passwords",
  "PINs",
  "Security questions and answers",
  "Social security numbers",
]);

/** Checked in this order (docs/pipeline.md 21.2): a fabricated breach is harmless whatever its data classes. */
function severityOf({ DataClasses, IsStealerLog, IsSpamList, IsFabricated }: CatalogueEntry): Severity {
  if (IsFabricated) return "low";
  if (IsStealerLog || DataClasses.some((dataClass) => gravestDataClasses.has(dataClass))) return "high";
  const isAddressOnly = DataClasses.length === 1 && DataClasses[0] === "Email addresses";
  return IsSpamList || isAddressOnly ? "low" : "medium";
}

/** Short enough that a title is never cut before its end, which may say "(unverified)". */
const maxNameLength = 150;

function titleOf(entry: CatalogueEntry, asked: string): string {
  const title = shownLine(entry.Title, maxNameLength, asked) || shownLine(entry.Name, maxNameLength, asked);
  return [
    leakTitle(title, yearOf(entry)),
    ...(entry.IsVerified ? [] : ["(unverified)"]),
    ...(entry.IsFabricated ? ["(fabricated)"] : []),
  ].join(" ");
}

function yearOf({ BreachDate }: CatalogueEntry): number | null {
  return parseLeakYear(BreachDate);
}

function pageOf(name: string): string {
  return `https://haveibeenpwned.com/Breach/${encodeURIComponent(name.toWellFormed())}`;
}

function detailsOf(entry: CatalogueEntry, asked: string): Details {
  const textOf = (text: string | null | undefined) => detailOf(text, asked);
  return {
    name: textOf(entry.Name),
    domain: textOf(entry.Domain),
    breach_date: textOf(entry.BreachDate),
    added_date: textOf(entry.AddedDate),
    modified_date: textOf(entry.ModifiedDate),
    pwn_count: entry.PwnCount ?? null,
    data_classes: entry.DataClasses.slice(0, maxDataClasses).map((text) => shownLine(text, maxNameLength, asked)),
    flags: flagNames.filter(([field]) => entry[field]).map(([, name]) => name),
    attribution,
  };
}

/** Far more than exist. */
const maxDataClasses = 500;

const flagNames = [
  ["IsVerified", "verified"],
  ["IsFabricated", "fabricated"],
  ["IsSpamList", "spam_list"],
  ["IsMalware", "malware"],
  ["IsStealerLog", "stealer_log"],
  ["IsSubscriptionFree", "subscription_free"],
] as const;

/** Findings of pastes. The title of a paste is left out: its author chose it, and it may contain leaked data. */
function pasteFindings(value: unknown, asked: string) {
  const { rows, unreadableCount } = readRows(pasteRow, listFrom(value));
  const findings = rows.map((paste) =>
    makeFinding({
      category: "paste",
      severity: "medium",
      title: `Present in a paste on ${shownLine(paste.Source, maxNameLength, asked)}`,
      subject: `paste ${paste.Source} ${paste.Id}`,
      asked,
      details: {
        id: detailOf(paste.Id, asked),
        date: detailOf(paste.Date, asked),
        email_count: paste.EmailCount ?? null,
        attribution,
      },
    }),
  );
  return { findings, unreadableCount };
}

/** Findings for the sites where malware caught a password of this address as it was typed. */
function stealerLogFindings(value: unknown, asked: string) {
  const { rows, unreadableCount } = readRows(site, listFrom(value));
  const findings = rows
    .filter((name) => !isSensitiveName(name))
    .map((name) => {
      // An address in place of the site: the site is unknown.
      const subject = siteIn(name) === null ? "any-infostealer" : subjectOf(name);
      return makeFinding({
        category: "infostealer",
        severity: "high",
        title: subject === "any-infostealer" ? "In infostealer logs" : `In infostealer logs for ${subject}`,
        subject,
        asked,
        details: { attribution },
      });
    });
  return { findings, unreadableCount };
}

const maxTextLength = 300;

/** One line of text; null when it is empty. */
function detailOf(text: string | null | undefined, asked: string): string | null {
  return shownLine(text ?? "", maxTextLength, asked) || null;
}
