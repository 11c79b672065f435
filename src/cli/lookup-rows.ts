import { parseEmail } from "../domain/email.ts";
import { parseObject } from "../domain/json-object.ts";
import { CommandError, exitCodes } from "./exit.ts";

/** The values that are added to a row (docs/pipeline.md 19.6). Counts are null unless the look-up is completed. */
export type LookupResult = {
  readonly status: string;
  readonly total: number | null;
  readonly high: number | null;
  readonly medium: number | null;
  readonly low: number | null;
  readonly sourcesFailed: readonly string[];
  readonly requestId: string | null;
};

/** A row as it was read. */
export type LookupRow = {
  /** Null where the row holds no text in the place of the address. */
  readonly address: string | null;
  /** The row with its result, without a line end. */
  readonly write: (result: LookupResult) => string;
};

/** Rows in their order. `head` stands before them: a header, or nothing. */
export type LookupRows = { readonly head: string | null; readonly rows: AsyncGenerator<LookupRow> };

export type RowOptions = { readonly column?: string; readonly format?: "csv" | "jsonl" };

const names = [
  "xpose_status",
  "xpose_total",
  "xpose_high",
  "xpose_medium",
  "xpose_low",
  "xpose_sources_failed",
  "xpose_request_id",
] as const;

/**
 * Reads rows from a text: CSV with a header, JSON Lines, or an address a line, told apart by the first line. Throws
 * `CommandError` when no column holds addresses.
 */
export async function readRows(text: AsyncIterable<Uint8Array>, options: RowOptions): Promise<LookupRows> {
  const records = recordsIn(text, options.format !== "jsonl");
  const { done, value: first } = await firstWithText(records);
  if (done === true) return { head: null, rows: noRows() };
  if (first.trimStart().startsWith("{")) return { head: null, rows: jsonRows(first, records, options.column) };
  if (isHeader(first, options)) return tableRows(first, records, options.column);
  const bare = options.format === "jsonl" ? null : bareTable(first, records);
  if (bare !== null) return bare;
  return options.format === "jsonl"
    ? {
        head: null,
        rows: listRows(first, records, (address, result) => JSON.stringify({ email: address, ...members(result) })),
      }
    : {
        head: ["email", ...names].join(","),
        rows: listRows(first, records, (address, result) => [cellText(address, ","), ...cells(result)].join(",")),
      };
}

async function* noRows(): AsyncGenerator<LookupRow> {}

async function firstWithText(records: AsyncGenerator<string>): Promise<IteratorResult<string, undefined>> {
  for (;;) {
    const next = (await records.next()) as IteratorResult<string, undefined>;
    if (next.done === true || next.value.trim() !== "") return next;
  }
}

/** Longer records are no rows: a quote was not closed. */
const maxRecordLength = 1 << 20;

/** Records without their line ends. With `isQuoted` a line end between quotation marks belongs to its record. */
export async function* recordsIn(text: AsyncIterable<Uint8Array>, isQuoted: boolean): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let open = "";
  for await (const piece of text) {
    const lines = decoder.decode(piece, { stream: true }).split("\n");
    for (const [index, line] of lines.entries()) {
      open += line;
      if (index === lines.length - 1) break;
      if (isQuoted && isOpen(open) && open.length < maxRecordLength) {
        open += "\n";
        continue;
      }
      yield open.endsWith("\r") ? open.slice(0, -1) : open;
      open = "";
    }
  }
  open += decoder.decode();
  if (open !== "") yield open.endsWith("\r") ? open.slice(0, -1) : open;
}

function isOpen(record: string): boolean {
  if (!record.includes('"')) return false;
  let count = 0;
  for (let at = record.indexOf('"'); at !== -1; at = record.indexOf('"', at + 1)) count += 1;
  return count % 2 === 1;
}

/** A line with an address is no header: the text is a list then. */
function isHeader(first: string, { column, format }: RowOptions): boolean {
  return column !== undefined || (!first.includes("@") && format !== "jsonl");
}

const separators = [",", ";", "\t", "|"] as const;

function separatorOf(header: string): string {
  const counts = separators.map((separator) => header.split(separator).length);
  return separators[counts.indexOf(Math.max(...counts))] ?? ",";
}

function tableRows(header: string, records: AsyncGenerator<string>, column: string | undefined): LookupRows {
  const separator = separatorOf(header);
  const columns = cellsIn(header, separator).map((name) => name.trim());
  const at = column === undefined ? addressColumn(columns) : columns.indexOf(column);
  if (at === -1) {
    const known = columns.join(", ");
    throw new CommandError(
      exitCodes.usage,
      column === undefined
        ? `no column looks like one of addresses; name it with --column: ${known}`
        : `there is no column ${column}; the header has ${known}`,
    );
  }
  return { head: [guarded(header, separator), ...names].join(separator), rows: recordRows(records, separator, at) };
}

/** A table without a header, whose first record holds an address in one of its cells; null for another text. */
function bareTable(first: string, records: AsyncGenerator<string>): LookupRows | null {
  const separator = separatorOf(first);
  const firstCells = cellsIn(first, separator);
  const at = firstCells.findIndex((cell) => parseEmail(cell.trim()) !== null);
  if (firstCells.length < 2 || at === -1) return null;
  const header = firstCells.map((_, index) => (index === at ? "email" : `column_${index + 1}`));
  async function* all(): AsyncGenerator<string> {
    yield first;
    yield* records;
  }
  return { head: [...header, ...names].join(separator), rows: recordRows(all(), separator, at) };
}

async function* recordRows(records: AsyncGenerator<string>, separator: string, at: number): AsyncGenerator<LookupRow> {
  for await (const record of records) {
    if (record === "") continue;
    const address = cellsIn(record, separator)[at]?.trim() ?? null;
    yield { address, write: (result) => [guarded(record, separator), ...cells(result)].join(separator) };
  }
}

/** A record as it was read, or, where a cell would be a formula in a spreadsheet, written anew (docs/pipeline.md 18.4). */
function guarded(record: string, separator: string): string {
  const found = cellsIn(record, separator);
  if (!found.some((cell) => formula.test(cell))) return record;
  return found.map((cell) => cellText(cell, separator)).join(separator);
}

const formula = /^[=+\-@\t\r]/;

const addressNames = ["email", "e-mail", "mail", "email_address", "emailaddress", "address", "src_user", "user"];

function addressColumn(columns: readonly string[]): number {
  if (columns.length === 1) return 0;
  const folded = columns.map((name) => name.toLowerCase());
  for (const name of addressNames) if (folded.includes(name)) return folded.indexOf(name);
  return folded.findIndex((name) => /e-?mail/.test(name));
}

/** The cells of a record, without their quotation marks. */
export function cellsIn(record: string, separator: string): string[] {
  if (!record.includes('"')) return record.split(separator);
  const found: string[] = [];
  let at = 0;
  while (at <= record.length) {
    if (record[at] === '"') {
      let cell = "";
      for (at += 1; at < record.length; at += 1) {
        const isQuote = record[at] === '"';
        if (isQuote && record[at + 1] !== '"') break;
        cell += record[at];
        if (isQuote) at += 1;
      }
      found.push(cell);
      const end = record.indexOf(separator, at);
      at = end === -1 ? record.length + 1 : end + 1;
    } else {
      const end = record.indexOf(separator, at);
      found.push(record.slice(at, end === -1 ? undefined : end));
      at = end === -1 ? record.length + 1 : end + 1;
    }
  }
  return found;
}

/** Our own cells: no text of others is in them but names of sources, and those hold no separator. */
function cells({ status, total, high, medium, low, sourcesFailed, requestId }: LookupResult): string[] {
  const counts = [total, high, medium, low].map((count) => (count === null ? "" : String(count)));
  return [status, ...counts, sourcesFailed.join(" "), requestId ?? ""];
}

function cellText(text: string, separator: string): string {
  const harmless = formula.test(text) ? `'${text}` : text;
  return harmless.includes(separator) || /["\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

function members({ status, total, high, medium, low, sourcesFailed, requestId }: LookupResult) {
  const values = [status, total, high, medium, low, sourcesFailed.join(" "), requestId];
  return Object.fromEntries(names.map((name, index) => [name, values[index]]));
}

async function* jsonRows(
  first: string,
  records: AsyncGenerator<string>,
  column: string | undefined,
): AsyncGenerator<LookupRow> {
  let known = column;
  for (
    let line: string | undefined = first;
    line !== undefined;
    line = (await records.next()).value as string | undefined
  ) {
    if (line.trim() === "") continue;
    const row = parseObject(line);
    known ??= row === null ? undefined : Object.keys(row)[addressColumn(Object.keys(row))];
    const value = row === null || known === undefined ? null : row[known];
    const text = line.trim();
    const address = typeof value === "string" ? value : null;
    // A row that is not an object is put into an object, so that no row is lost.
    const write = (result: LookupResult) => {
      const added = JSON.stringify(members(result)).slice(1);
      if (row === null) return `{"line":${JSON.stringify(text)},${added}`;
      const head = text.slice(0, text.lastIndexOf("}")).trimEnd();
      return head.endsWith("{") ? `{${added}` : `${head},${added}`;
    };
    yield { address, write };
  }
}

async function* listRows(
  first: string,
  records: AsyncGenerator<string>,
  write: (address: string, result: LookupResult) => string,
): AsyncGenerator<LookupRow> {
  for (
    let line: string | undefined = first;
    line !== undefined;
    line = (await records.next()).value as string | undefined
  ) {
    // A quotation mark that is not closed holds nothing together here.
    for (const text of line.split("\n")) {
      const address = text.trim().replace(/^"(.*)"$/, "$1");
      if (address !== "") yield { address, write: (result) => write(address, result) };
    }
  }
}
