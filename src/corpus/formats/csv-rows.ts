import { maxLineSize } from "./lines.ts";

/** `too_long`: over 64 KiB. `malformed`: a quote that is still open at the end of the file. */
export type CsvRow = readonly string[] | "too_long" | "malformed";

/** The separators of CONTRACT.md 11.4. */
export const csvSeparators = [",", ";", "\t"] as const;
export type CsvSeparator = (typeof csvSeparators)[number];

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const blank = 0x20;
const quote = 0x22;
const comma = 0x2c;
const semicolon = 0x3b;

/**
 * Cuts CSV into rows of cells, the header first. Blank lines are left out. `chooseSeparator` is given the text of the
 * header.
 *
 * A quote that never closes would swallow the rest of the file. So a record over 64 KiB, and one that is still quoted
 * at the end of the file, counts as one bad row, and reading goes on at the line after its first.
 */
export class CsvRowReader {
  readonly #cutter = new RecordCutter();
  readonly #chooseSeparator: (header: string) => CsvSeparator;
  #separator: CsvSeparator | null = null;

  constructor(chooseSeparator: (header: string) => CsvSeparator) {
    this.#chooseSeparator = chooseSeparator;
  }

  /** The rows that end in further bytes, which may change afterwards. */
  push(chunk: Buffer): CsvRow[] {
    this.#cutter.push(Buffer.from(chunk));
    return this.#rows(false);
  }

  /** The rest of the rows. */
  end(): CsvRow[] {
    return this.#rows(true);
  }

  #rows(isLast: boolean): CsvRow[] {
    const rows: CsvRow[] = [];
    for (let record = this.#cutter.next(isLast); record !== null; record = this.#cutter.next(isLast)) {
      if (typeof record === "string") {
        rows.push(record);
        continue;
      }
      const text = record.toString("utf8");
      if (text.trim() === "") continue;
      if (this.#separator === null) {
        this.#separator = this.#chooseSeparator(text);
        this.#cutter.separators = [this.#separator.charCodeAt(0)];
      }
      rows.push(cellsOf(text, this.#separator));
    }
    return rows;
  }
}

type CellState = "start" | "plain" | "quoted" | "quote in quoted";

/** Finds the ends of CSV records: the line ends that are not quoted. */
class RecordCutter {
  /** Any of them counts until the header has told which one it is. */
  separators: readonly number[] = csvSeparators.map((separator) => separator.charCodeAt(0));
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #at = 0;
  #state: CellState = "start";
  #isSkippingLine = false;

  push(chunk: Buffer): void {
    const rest = this.#bytes.subarray(this.#start);
    this.#bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#at -= this.#start;
    this.#start = 0;
  }

  /** The next record, why there is none to use, or null when more bytes are needed. `isLast`: there are no more. */
  next(isLast: boolean): Buffer | "too_long" | "malformed" | null {
    const bytes = this.#bytes;
    while (this.#at < bytes.length) {
      if (this.#isSkippingLine) this.#at = nextLineEnd(bytes, this.#at);
      else this.#scan();
      if (this.#at - this.#start > maxLineSize && !this.#isSkippingLine) return this.#giveUp("too_long");
      if (this.#at === bytes.length) break;
      const record = this.#take();
      this.#start = ++this.#at;
      if (record !== null) return record;
    }
    if (isLast && this.#state === "quoted") return this.#giveUp("malformed");
    if (!isLast && !this.#isSkippingLine) return null;
    const record = isLast ? this.#take() : null;
    this.#start = bytes.length;
    return record;
  }

  /** Goes to the next line end that is not quoted, but not past the longest record. */
  #scan(): void {
    const bytes = this.#bytes;
    const end = Math.min(bytes.length, this.#start + maxLineSize + 1);
    let at = this.#at;
    let state = this.#state;
    for (; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (state !== "quoted" && isEndOfLine(byte)) break;
      // Most bytes are text that changes nothing.
      if (byte > comma && byte !== semicolon && (state === "plain" || state === "quoted")) continue;
      state = nextState(state, byte, this.separators);
    }
    this.#at = at;
    this.#state = state;
  }

  /** The record that ends here, or null when it is empty or was given up. */
  #take(): Buffer | null {
    const record = this.#bytes.subarray(this.#start, this.#at);
    const isWanted = record.length > 0 && !this.#isSkippingLine;
    this.#state = "start";
    this.#isSkippingLine = false;
    return isWanted ? record : null;
  }

  #giveUp(reason: "too_long" | "malformed"): "too_long" | "malformed" {
    this.#state = "start";
    const firstLineEnd = nextLineEnd(this.#bytes, this.#start);
    if (firstLineEnd >= this.#at) this.#isSkippingLine = true;
    else this.#at = this.#start = firstLineEnd + 1;
    return reason;
  }
}

/** The offset of the next line end, or the length when there is none. */
function nextLineEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && !isEndOfLine(bytes[at] ?? 0)) at++;
  return at;
}

function isEndOfLine(byte: number): boolean {
  return byte === lineFeed || byte === carriageReturn;
}

/** A quote counts only at the start of a cell, blanks aside: `5" disk` is text. */
function nextState(state: CellState, byte: number, separators: readonly number[]): CellState {
  if (state === "quoted") return byte === quote ? "quote in quoted" : "quoted";
  if (byte === quote && state !== "plain") return "quoted";
  if (separators.includes(byte)) return "start";
  return state === "start" && byte === blank ? "start" : "plain";
}

/** The cells of one record, blanks around them and quotes taken off. */
export function cellsOf(record: string, separator: CsvSeparator): string[] {
  if (!record.includes('"')) return record.split(separator).map((cell) => cell.trim());
  const separators = [separator.charCodeAt(0)];
  const cells: string[] = [];
  let state: CellState = "start";
  let cell = "";
  for (const char of record) {
    const next = nextState(state, char.codePointAt(0) ?? 0, separators);
    if (next === "start" && char === separator) {
      cells.push(cell.trim());
      cell = "";
    } else if (next === "plain" || (next === "quoted" && (char !== '"' || state === "quote in quoted"))) {
      cell += char;
    }
    state = next;
  }
  cells.push(cell.trim());
  return cells;
}
