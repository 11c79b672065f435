import { addressOf } from "../address.ts";
import type { Format, ReadRecord } from "./format.ts";
import { isBlank, readLines } from "./lines.ts";
import { siteOf } from "./site.ts";
import { infostealerDefaults, loginRecord } from "./ulp.ts";

/** Credential files of stealer logs: blocks of labelled lines (local-corpus-formats.md, 4). */
export const stealer: Format = {
  name: "stealer",
  confidence: 0.7,
  origin: "stealer",
  defaultsFor: infostealerDefaults,
  read: readBlocks,
};

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
  const match = /^\s*([^:]{1,40}?)\s*:(.*)$/.exec(line);
  const label = labels.find(([, spelling]) => spelling.test(match?.[1] ?? ""))?.[0];
  return match === null || label === undefined ? null : { label, value: (match[2] ?? "").trim() };
}

const separatorRow = /^\s*[=\-_*#~]{3,}\s*$/;

type Block = { readonly site: string | null; readonly login: string | null; readonly hasSecret: boolean };

async function* readBlocks(chunks: AsyncIterable<Buffer>): AsyncGenerator<ReadRecord[]> {
  let open: Block[] = [];
  for await (const lines of readLines(chunks)) {
    const records: ReadRecord[] = [];
    for (const line of lines) {
      if (line === null) {
        records.push("too_long");
        continue;
      }
      const { ended, rest } = readLine(open, line);
      records.push(...ended.map(recordOf));
      open = rest;
    }
    yield records;
  }
  yield open.map(recordOf);
}

/** The block that the line ends and the one that is open after it; each is there or not. */
function readLine(open: Block[], line: string): { ended: Block[]; rest: Block[] } {
  if (isBlank(line) || separatorRow.test(line)) return { ended: open, rest: [] };
  const labelled = parseLabel(line);
  // Without a label: the art at the top, promotion, or more lines of a secret.
  if (labelled === null || labelled.label === "other") return { ended: [], rest: open };
  const [block] = open;
  if (block === undefined || startsBlock(block, labelled.label)) {
    return { ended: open, rest: [withLine(emptyBlock, labelled)] };
  }
  return { ended: [], rest: [withLine(block, labelled)] };
}

/** Blocks end at a blank line or a separator row, or where a label comes again. */
function startsBlock(block: Block, label: StealerLabel): boolean {
  if (label === "site") return block.site !== null;
  return label === "login" ? block.login !== null : block.hasSecret;
}

const emptyBlock: Block = { site: null, login: null, hasSecret: false };

function withLine(block: Block, { label, value }: { label: StealerLabel; value: string }): Block {
  if (label === "site") return { ...block, site: value };
  // The secret itself is not kept, not even here.
  return label === "login" ? { ...block, login: value } : { ...block, hasSecret: true };
}

function recordOf({ site, login }: Block): ReadRecord {
  if (login === null || !login.includes("@")) return "no_email";
  return loginRecord(addressOf(login), siteOf(site ?? ""));
}
