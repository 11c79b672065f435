import { CorpusError } from "./error.ts";
import { columnName, separatorOf } from "./formats/csv.ts";
import { cellsOf } from "./formats/csv-rows.ts";
import { type FormatName, formatNames } from "./formats/format.ts";
import { parseJson } from "./formats/json-arrays.ts";
import { siteOf } from "./formats/site.ts";
import { parseLabel } from "./formats/stealer.ts";
import { tokensOf } from "./formats/tokens.ts";
import { isInUrl } from "./formats/ulp.ts";

/**
 * Tells the format from the name of the file (without the ending of a compression, null for standard input) and its
 * first bytes. Throws `CorpusError` `refused` when none or several fit.
 */
export function detectFormat(name: string | null, head: Buffer): FormatName {
  const text = head.toString("utf8").trimStart();
  const lines = text.split(/[\r\n]+/, maxLines).filter((line) => line.trim() !== "");
  const ending = /\.([a-z0-9]+)$/.exec(name?.toLowerCase() ?? "")?.[1] ?? "";
  if (ending === "jsonl" || ending === "ndjson") return "jsonl";
  if (text.startsWith("{")) return jsonFormat(text, lines[0] ?? "");
  if (/^\[\s*\{/.test(text)) {
    throw new CorpusError(
      "refused",
      "the file is one JSON array; make it JSON Lines with one object per line: jq -c '.[]' FILE",
    );
  }
  return csvFormat(lines[0] ?? "") ?? (ending === "csv" || ending === "tsv" ? "csv" : lineFormat(lines));
}

/** Enough to tell; more only costs time. */
const maxLines = 500;

function jsonFormat(text: string, firstLine: string): FormatName {
  const value = parseJson(firstLine);
  const hasAddress =
    typeof value === "object" &&
    value !== null &&
    Object.entries(value).some(([key, member]) => columnName(key) === "email" && typeof member === "string");
  if (hasAddress) return "jsonl";
  if (/"entries"\s*:\s*\[/.test(text)) return "dehashed";
  return /^\{\s*"[^"]*"\s*:\s*\[/.test(text) ? "hibp-domain" : "jsonl";
}

function csvFormat(header: string): FormatName | null {
  const wanted = ["email", "alias"];
  const names = cellsOf(header, separatorOf(header, wanted)).map(columnName);
  if (names.includes("alias") && names.includes("breach")) return "hibp-domain";
  if (!names.includes("email")) return null;
  return names.includes("databasename") && names.includes("hashedpassword") ? "dehashed" : "csv";
}

/** So much of the lines that speak for a format must speak for the same one. */
const clearShare = 0.8;

function lineFormat(lines: readonly string[]): FormatName {
  const votes = new Map<FormatName, number>();
  for (const vote of lines.map(formatOfLine)) if (vote !== null) votes.set(vote, (votes.get(vote) ?? 0) + 1);
  const ranked = [...votes].sort(([, a], [, b]) => b - a);
  const total = ranked.reduce((sum, [, count]) => sum + count, 0);
  const [first, second] = ranked;
  if (first !== undefined && first[1] >= total * clearShare) return first[0];
  const doubt =
    first === undefined || second === undefined
      ? "the format cannot be told from the file"
      : `the file looks like ${first[0]} and like ${second[0]}`;
  throw new CorpusError("refused", `${doubt}; give --format, one of ${formatNames.join(", ")}`);
}

/** The format that a line speaks for, or null when it could be of several or of none. */
function formatOfLine(raw: string): FormatName | null {
  const line = raw.trim().replace(/^'/, "");
  const label = parseLabel(line)?.label;
  if (label !== undefined) return label === "login" ? "stealer" : null;
  const login = tokensOf(line).find((token) => token.address !== null && !isInUrl(line, token));
  if (login === undefined) return null;
  const left = line.slice(0, login.start);
  const right = line.slice(login.end);
  if (left === "") return formatOfRest(right);
  if (/^[:;|,\s]*$/.test(right)) return siteOf(left.slice(0, -1)) === null ? "combo" : null;
  return left.includes("://") || siteOf(left.slice(0, -1)) !== null ? "ulp" : null;
}

/** What follows an address at the start of a line: nothing, a secret, a secret and a URL, or more columns than that. */
function formatOfRest(right: string): FormatName | null {
  if (/^[,;]?\s*$/.test(right)) return "list";
  if (/[:;|,\s]https?:\/\//i.test(right)) return "ulp";
  return (right.match(/[,\t]/g) ?? []).length > 1 ? null : "combo";
}
