import { CorpusError } from "../error.ts";
import { type CsvRow, CsvRowReader, type CsvSeparator, cellsOf, csvSeparators } from "./csv-rows.ts";
import {
  commonDefaults,
  type Format,
  type Plan,
  type ReadRecord,
  type RecordReader,
  type RecordSink,
  recordOf,
} from "./format.ts";

/** CSV with a header; the columns are those of CONTRACT.md 11.4. */
export const csv: Format = {
  name: "csv",
  confidence: 0.75,
  origin: null,
  defaultsFor: commonDefaults,
  recognises: ({ ending, lines }) =>
    hasHeader(lines[0] ?? "", ["email"]) || ending === "csv" || ending === "tsv" ? plan : null,
  plan: () => plan,
  cut: null,
  open: (_plan, sink) => csvReader(sink, readRow),
};

const plan: Plan = { format: "csv", columns: [] };

/** Whether a line names one of the columns. */
export function hasHeader(line: string, wanted: readonly string[]): boolean {
  const names = cellsOf(line, separatorOf(line, wanted)).map(columnName);
  return wanted.some((name) => names.includes(name));
}

/** The cells of a row by the name of their column; an absent column or cell is undefined. */
export type RowCells = (column: string) => string | undefined;

function readRow(cell: RowCells): ReadRecord[] {
  const raw = {
    category: cell("category"),
    severity: cell("severity"),
    title: cell("title"),
    subject: cell("subject"),
    source_url: cell("sourceurl"),
    date: cell("date"),
  };
  return [recordOf(cell("email") ?? "", raw)];
}

/**
 * Reads the rows of a CSV file. Throws `CorpusError` when the header has none of the `wanted` columns (`email` if not
 * given).
 */
export function csvReader(
  sink: RecordSink,
  readRow: (cell: RowCells) => ReadRecord[],
  wanted: readonly string[] = ["email"],
): RecordReader {
  let columns: Map<string, number> | null = null;
  const reader = new CsvRowReader((header) => separatorOf(header, wanted));
  const add = (rows: readonly CsvRow[]) => {
    for (const row of rows) {
      if (typeof row === "string") sink.add(row);
      else if (columns === null) columns = columnsOf(row, wanted);
      else for (const record of readRow(cellsByName(row, columns))) sink.add(record);
    }
  };
  return { read: (bytes, start, end) => add(reader.push(bytes.subarray(start, end))), end: () => add(reader.end()) };
}

function cellsByName(row: readonly string[], columns: ReadonlyMap<string, number>): RowCells {
  return (column) => row[columns.get(column) ?? -1];
}

/** Column name -> position; of two columns of one name the first counts. */
function columnsOf(header: readonly string[], wanted: readonly string[]): Map<string, number> {
  const columns = new Map<string, number>();
  for (const [position, cell] of header.entries()) {
    const name = columnName(cell);
    if (!columns.has(name)) columns.set(name, position);
  }
  // The header is not quoted here: in a file without one it would be somebody's record.
  if (!wanted.some((name) => columns.has(name))) {
    throw new CorpusError("refused", `the first line names no column ${wanted.join(" or ")}; CSV wants a header`);
  }
  return columns;
}

/** The separator that cuts the header into the most columns, a wanted one among them. */
export function separatorOf(header: string, wanted: readonly string[] = ["email"]): CsvSeparator {
  const [best] = csvSeparators
    .map((separator) => ({ separator, names: cellsOf(header, separator).map(columnName) }))
    .filter(({ names }) => wanted.some((name) => names.includes(name)))
    .sort((a, b) => b.names.length - a.names.length);
  return best?.separator ?? ",";
}

const emailNames = ["mail", "emailaddress"];

/** Ignores case, blanks, hyphens and underscores: `E-Mail`, `e mail` and `Email Address` are `email`. */
export function columnName(cell: string): string {
  const name = cell.toLowerCase().replace(/[\s_-]+/g, "");
  return emailNames.includes(name) ? "email" : name;
}
