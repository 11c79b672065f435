import { addressOf } from "../address.ts";
import type { Format, Plan, ReadRecord, RecordReader, RecordSink } from "./format.ts";
import { infostealerDefaults, loginRecord } from "./infostealer.ts";
import { lineFormatOf } from "./line-votes.ts";
import { isBlank, type Line, LineCutter } from "./lines.ts";
import { siteOf } from "./site.ts";

/** Credential files of stealer logs: blocks of labelled lines (local-corpus-formats.md, 4). */
export const stealer: Format = {
  name: "stealer",
  confidence: 0.7,
  origin: "stealer",
  defaultsFor: infostealerDefaults,
  recognises: (sample) => (lineFormatOf(sample.lines) === "stealer" ? plan : null),
  plan: () => plan,
  cut: null,
  open: (_plan, sink) => blockReader(sink),
};

const plan: Plan = { format: "stealer", columns: [] };

export type StealerLabel = "site" | "login" | "secret" | "other";

/** Spelling as the families have it. */
const labels: readonly (readonly [StealerLabel, RegExp])[] = [
  ["login", /^(?:user login|username|login|user|u53rn4m3)$/i],
  ["secret", /^(?:user password|password|pass|p455w0rd)$/i],
  ["site", /^(?:hostname|host|url|ur1)$/i],
  ["other", /^(?:soft|browser|application|storage|seller|log tools|free logs)$/i],
];

/** What the label of a line says, and the text after it; null for a line without a known label. */
export function parseLabel(line: string): { label: StealerLabel; value: string } | null {
  const colon = line.indexOf(":");
  const word = line.slice(0, Math.max(0, colon)).trim();
  const label = labels.find(([, spelling]) => spelling.test(word))?.[0];
  return label === undefined ? null : { label, value: line.slice(colon + 1).trim() };
}

const separatorRow = /^\s*[=\-_*#~]{3,}\s*$/;

type Block = { readonly site: string | null; readonly login: string | null; readonly hasSecret: boolean };

function blockReader(sink: RecordSink): RecordReader {
  const cutter = new LineCutter();
  const blocks = new BlockReader();
  const add = (lines: readonly Line[]) => {
    for (const record of lines.flatMap((line) => blocks.read(line))) sink.add(record);
  };
  return {
    read: (bytes, start, end) => add(cutter.push(bytes.subarray(start, end))),
    end() {
      add(cutter.end());
      for (const record of blocks.end()) sink.add(record);
    },
  };
}

/** Collects labelled lines into blocks; each method returns the records of the blocks that it ends. */
class BlockReader {
  #block: Block | null = null;
  /** With it each block of the file begins, unless it is missing there. */
  #firstLabel: StealerLabel | null = null;

  read(line: Line): ReadRecord[] {
    if (line === null) return ["too_long"];
    if (isBlank(line) || separatorRow.test(line)) return this.end();
    const labelled = parseLabel(line);
    // Without a label: the art at the top, promotion, or more lines of a secret.
    if (labelled === null || labelled.label === "other") return [];
    this.#firstLabel ??= labelled.label;
    const records = this.#startsBlock(labelled.label) ? this.end() : [];
    this.#block = withLine(this.#block ?? emptyBlock, labelled);
    return records;
  }

  end(): ReadRecord[] {
    const block = this.#block;
    this.#block = null;
    return block === null ? [] : [recordOf(block)];
  }

  /** Files without rows between the blocks: where the first label, or any other one, comes again. */
  #startsBlock(label: StealerLabel): boolean {
    if (label === this.#firstLabel) return true;
    if (label === "site") return this.#block?.site != null;
    return label === "login" ? this.#block?.login != null : this.#block?.hasSecret === true;
  }
}

const emptyBlock: Block = { site: null, login: null, hasSecret: false };

function withLine(block: Block, { label, value }: { label: StealerLabel; value: string }): Block {
  if (label === "site") return { ...block, site: value };
  // The secret itself is not kept, not even here.
  return label === "login" ? { ...block, login: value } : { ...block, hasSecret: true };
}

function recordOf({ site, login }: Block): ReadRecord {
  if (login === null || !login.includes("@")) return "no_email";
  return loginRecord(addressOf(login), siteOf(site ?? "", { isBareHostAllowed: true }));
}
