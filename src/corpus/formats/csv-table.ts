import { isAddressCell } from "./address-cells.ts";
import { columnName, kindOfName } from "./column-names.ts";
import { CellCutter, type CsvDialect } from "./csv-cells.ts";
import { optionalFields } from "./format.ts";
import type { Sample } from "./sample.ts";

/** The structure of a CSV text, from its beginning. */
export type CsvTable = CsvDialect & {
  /** Number of cells in most rows. */
  readonly width: number;
  /** Bytes before the first data row: comments, a title, the header. */
  readonly skipSize: number;
  /** The cells of the header; null without a header. */
  readonly header: readonly string[] | null;
  /** Whether the header has a well-known name. If not, it may be a person's record. */
  readonly isHeaderKnown: boolean;
  /** The first data rows. */
  readonly rows: readonly (readonly string[])[];
  /** Share of these rows that have the usual width. */
  readonly consistency: number;
};

const separators = [",", ";", "\t", "|"] as const;

/** Rows sampled to classify the columns (docs/pipeline.md 21.5). */
const maxRows = 100;
/** Rows above the header: a title, comments or notes. */
const maxPreamble = 30;

/** Parses a text as a table, with the separator that fits best; null when it has no rows. */
export function tableOf(sample: Sample): CsvTable | null {
  const named = namedSeparator(sample);
  const signs = named === null ? separators : [named];
  const dialects = signs.flatMap((separator) =>
    sample.text.includes('\\"')
      ? [dialectOf(separator, false), dialectOf(separator, true)]
      : [dialectOf(separator, false)],
  );
  const candidates = dialects.flatMap((dialect) => candidateOf(sample, dialect) ?? []);
  const [best] = candidates.sort(
    (a, b) => b.addressRows - a.addressRows || b.knownNames - a.knownNames || b.fit - a.fit,
  );
  return best === undefined ? null : withHeader(best);
}

function dialectOf(separator: string, hasBackslashes: boolean): CsvDialect {
  return { separator: separator.charCodeAt(0), hasBackslashes };
}

/** The separator of a line `sep=;`, as Excel reads and writes it. */
function namedSeparator({ lines }: Sample): string | null {
  return /^"?sep=(.)"?\s*$/i.exec(lines[0] ?? "")?.[1] ?? (lines[0] === "sep=\t" ? "\t" : null);
}

type Row = { readonly cells: readonly string[]; readonly start: number; readonly end: number };

type Candidate = {
  readonly dialect: CsvDialect;
  readonly rows: readonly Row[];
  readonly width: number;
  readonly addressRows: number;
  readonly knownNames: number;
  /** How well the separator fits: rows of equal width with many cells. */
  readonly fit: number;
};

function candidateOf({ head, isWhole }: Sample, dialect: CsvDialect): Candidate | null {
  const rows = rowsOf(head, isWhole, dialect);
  if (rows.length === 0) return null;
  const width = usualWidth(rows);
  const usual = rows.filter(({ cells }) => cells.length === width);
  return {
    dialect,
    rows,
    width,
    addressRows: rows.filter(({ cells }) => cells.some(isAddressCell)).length,
    knownNames: Math.max(...rows.slice(0, maxPreamble).map(({ cells }) => countKnown(cells))),
    fit: width === 1 ? 0 : usual.length / rows.length + Math.min(width, 50) / 1000,
  };
}

/** The first rows that are not blank. The last row of a truncated sample is left out, because it may be incomplete. */
function rowsOf(head: Buffer, isWhole: boolean, dialect: CsvDialect): Row[] {
  const cutter = new CellCutter(dialect);
  const bytes = Buffer.concat([head, Buffer.from("\n")]);
  const rows: Row[] = [];
  for (let start = 0; start < head.length && rows.length < maxRows + maxPreamble; ) {
    const end = cutter.cut(bytes, start, head.length, !isWhole);
    if (end < 0) break;
    const cells = Array.from({ length: cutter.count }, (_, cell) => cutter.prose(bytes, cell) ?? "");
    if (cells.some((cell) => cell.trim() !== "")) rows.push({ cells, start, end });
    start = end + 1;
  }
  return rows;
}

/** The most frequent width; 1 only when no row has more columns. */
function usualWidth(rows: readonly Row[]): number {
  const counts = new Map<number, number>();
  for (const { cells } of rows) if (cells.length > 1) counts.set(cells.length, (counts.get(cells.length) ?? 0) + 1);
  const [first] = [...counts].sort(([, a], [, b]) => b - a);
  return first?.[0] ?? 1;
}

function isKnown(name: string): boolean {
  return kindOfName(name) !== "other" || optionalNames.has(columnName(name));
}

const optionalNames: ReadonlySet<string> = new Set([
  ...optionalFields.map(columnName),
  ..."id name alias domain breach breaches databasename".split(" "),
]);

function countKnown(cells: readonly string[]): number {
  return cells.some(isAddressCell) ? 0 : cells.filter(isKnown).length;
}

function withHeader({ dialect, rows, width }: Candidate): CsvTable {
  const at = headerAt(rows, width);
  const header = rows[at]?.cells ?? null;
  const data = rows.slice(at + 1, at + 1 + maxRows).map(({ cells }) => cells);
  const usualCount = data.filter((cells) => cells.length === width).length;
  return {
    ...dialect,
    width: header === null ? width : Math.max(1, header.length),
    skipSize: rows[at] === undefined ? 0 : rows[at].end,
    header,
    isHeaderKnown: header?.some(isKnown) ?? false,
    rows: data,
    consistency: data.length === 0 ? 1 : usualCount / data.length,
  };
}

/** The index of the header row, or -1. */
function headerAt(rows: readonly Row[], width: number): number {
  const firstAddress = rows.findIndex(({ cells }) => cells.some(isAddressCell));
  const before = rows.slice(0, Math.min(maxPreamble, firstAddress === -1 ? maxPreamble : firstAddress));
  const fits = ({ cells }: Row) => cells.length >= Math.min(2, width) && !isComment(cells);
  const counts = before.map((row) => (fits(row) ? countKnown(row.cells) : 0));
  const most = Math.max(0, ...counts);
  if (most > 0) return counts.indexOf(most);
  // Names in an unknown language: words, with an address in most rows below.
  const at = before.findIndex((row) => row.cells.length === width && !isComment(row.cells));
  const isWords = rows[at]?.cells.every((cell) => cell === "" || nameLike.test(cell)) ?? false;
  return firstAddress === at + 1 && isWords && isAddressed(rows.slice(at + 1), rows[at]?.cells ?? []) ? at : -1;
}

const nameLike = /^\p{L}[\p{L}\p{M}\p{N} ._#()/'-]{0,63}$/u;

/** Whether most rows hold an address in a named column. */
function isAddressed(rows: readonly Row[], names: readonly string[]): boolean {
  return names.some(
    (name, column) =>
      name !== "" && rows.filter(({ cells }) => isAddressCell(cells[column] ?? "")).length > rows.length / 2,
  );
}

function isComment(cells: readonly string[]): boolean {
  return cells.length === 1 && /^(?:#|\/\/|--|sep=)/i.test(cells[0] ?? "");
}
