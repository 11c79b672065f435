import { CorpusError } from "./error.ts";
import { columnName, separatorOf } from "./formats/csv.ts";
import { cellsOf } from "./formats/csv-rows.ts";
import { type FormatName, formatNames } from "./formats/format.ts";

/**
 * Tells the format from the name of the file (without the ending of a compression, null for standard input) and its
 * first bytes. Throws `CorpusError` `refused` when none or several fit.
 */
export function detectFormat(name: string | null, head: Buffer): FormatName {
  const text = head.toString("utf8").trimStart();
  const ending = /\.([a-z0-9]+)$/.exec(name?.toLowerCase() ?? "")?.[1];
  if (ending === "jsonl" || ending === "ndjson") return "jsonl";
  if (text.startsWith("[")) {
    throw new CorpusError(
      "refused",
      "the file is one JSON array; JSON Lines wants one object per line: jq -c '.[]' FILE",
    );
  }
  if (text.startsWith("{")) return "jsonl";
  if (hasEmailColumn(text) || ending === "csv" || ending === "tsv") return "csv";
  throw new CorpusError("refused", `the format cannot be told from the file; give --format ${formatNames.join("|")}`);
}

function hasEmailColumn(text: string): boolean {
  const header = text.slice(0, text.search(/[\r\n]/));
  return cellsOf(header, separatorOf(header)).map(columnName).includes("email");
}
