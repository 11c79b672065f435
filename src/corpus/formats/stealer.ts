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

type Block = { site: string | null; login: string | null; hasSecret: boolean };

async function* readBlocks(chunks: AsyncIterable<Buffer>): AsyncGenerator<ReadRecord[]> {
  let block: Block | null = null;
  const end = (): ReadRecord[] => {
    const ended = block === null ? [] : [recordOf(block)];
    block = null;
    return ended;
  };
  for await (const lines of readLines(chunks)) {
    yield lines.flatMap((line): ReadRecord[] => {
      if (line === "too_long") return ["too_long"];
      const text = line.toString("utf8");
      if (isBlank(line) || separatorRow.test(text)) return end();
      const labelled = parseLabel(text);
      // Without a label: the art at the top, promotion, or more lines of a secret.
      if (labelled === null || labelled.label === "other") return [];
      const ended = startsBlock(block, labelled.label) ? end() : [];
      block = withLine(block, labelled);
      return ended;
    });
  }
  yield end();
}

/** Blocks end at a blank line or a separator row, or where a label comes again. */
function startsBlock(block: Block | null, label: StealerLabel): boolean {
  if (block === null) return false;
  if (label === "site") return block.site !== null;
  return label === "login" ? block.login !== null : block.hasSecret;
}

function withLine(block: Block | null, { label, value }: { label: StealerLabel; value: string }): Block {
  const before = block ?? { site: null, login: null, hasSecret: false };
  if (label === "site") return { ...before, site: value };
  // The secret itself is not kept, not even here.
  return label === "login" ? { ...before, login: value } : { ...before, hasSecret: true };
}

function recordOf({ site, login }: Block): ReadRecord {
  if (login === null || !login.includes("@")) return "no_email";
  return loginRecord(login, siteOf(site ?? ""));
}
