import { cutAtLineEnd } from "./line-format.ts";
import { isLineEnd, lineEnd } from "./line-scanner.ts";
import { maxLineSize } from "./lines.ts";

/** How a CSV text separates and escapes cells. */
export type CsvDialect = {
  /** The byte between cells. */
  readonly separator: number;
  /** Whether quotes in quoted cells may be `\"`, as written by MySQL, besides `""`. */
  readonly hasBackslashes: boolean;
};

/** Why a record is unusable: over 64 KiB, or an unclosed quote. */
export type CsvFault = "too_long" | "malformed";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const blank = 0x20;
const quote = 0x22;
const at = 0x40;
const backslash = 0x5c;

/** The cell holds `@`. */
const signFlag = 1;
/** The cell holds escaped quotes. */
const escapeFlag = 2;

/**
 * Results of `#closing` when it finds no closing quote: more bytes are needed, the quote opens nothing, or it is too
 * long.
 */
const undecided = -1;
const unclosed = -2;
const overlong = -3;

/** Result of `cut` when the record may continue after the bytes. */
const goesOn = -1;

const cp1252 = new TextDecoder("windows-1252");

/**
 * Cuts CSV records into cells, on bytes. The end of a record does not depend on earlier text, so reading can start at
 * any record.
 *
 * A quote counts only at the start of a cell, after blanks: `5" disk` is text. A quote inside a quoted cell that does
 * not close it is text too: `"the "big" one"`. An unclosed quote would swallow the rest of the text. So a record is
 * faulty and ends with its first line when it is over 64 KiB, when the text ends inside quotes, or when it spans lines
 * and has such an inner quote.
 */
export class CellCutter {
  readonly #separator: number;
  readonly #hasBackslashes: boolean;
  /** 1 for bytes of plain cells that need no special handling. */
  readonly #plain = new Uint8Array(256).fill(1);
  /** The same inside quotes. */
  readonly #quoted = new Uint8Array(256).fill(1);
  #starts = new Int32Array(64);
  #ends = new Int32Array(64);
  #flags = new Uint8Array(64);
  #cellFlags = 0;
  /** Number of cells of the last record; 0 when it is faulty. */
  count = 0;
  fault: CsvFault | null = null;
  /** Number of cells of the last record with an `@`. */
  signCount = 0;

  constructor({ separator, hasBackslashes }: CsvDialect) {
    this.#separator = separator;
    this.#hasBackslashes = hasBackslashes;
    for (const byte of [separator, lineFeed, carriageReturn, at]) this.#plain[byte] = 0;
    for (const byte of [quote, lineFeed, carriageReturn, at]) this.#quoted[byte] = 0;
    if (hasBackslashes) this.#quoted[backslash] = 0;
  }

  /**
   * Cuts the record that begins at an offset; returns the offset of the line end after it, or `end`. With `mayGoOn` the
   * bytes are not the whole text, and the result is `goesOn` when more bytes are needed. Otherwise a line end must
   * stand at `end`.
   */
  cut(bytes: Uint8Array, start: number, end: number, mayGoOn = false): number {
    const plain = this.#plain;
    const separator = this.#separator;
    let count = 0;
    let signCount = 0;
    let from = start;
    for (;;) {
      if (count === this.#starts.length) this.#grow();
      while (bytes[from] === blank) from++;
      let stop = from;
      let cellStart = from;
      let cellEnd: number;
      let flags = 0;
      if (bytes[from] === quote && from < end) {
        cellEnd = this.#closing(bytes, start, from + 1, end, mayGoOn);
        if (cellEnd === undecided) return goesOn;
        if (cellEnd < 0)
          return this.#giveUp(cellEnd === overlong ? "too_long" : "malformed", bytes, start, end, mayGoOn);
        flags = this.#cellFlags;
        cellStart = from + 1;
        stop = cellEnd + 1;
        while (bytes[stop] === blank) stop++;
      } else {
        for (;;) {
          while (plain[bytes[stop] ?? lineFeed] === 1) stop++;
          if (bytes[stop] !== at) break;
          flags = signFlag;
          stop++;
        }
        cellEnd = stop;
        while (cellEnd > cellStart && bytes[cellEnd - 1] === blank) cellEnd--;
      }
      this.#starts[count] = cellStart;
      this.#ends[count] = cellEnd;
      this.#flags[count] = flags;
      if ((flags & signFlag) !== 0) signCount++;
      count++;
      from = stop;
      if (from >= end || bytes[from] !== separator) break;
      from++;
    }
    if (from >= end && mayGoOn) return goesOn;
    if (from - start > maxLineSize) return this.#giveUp("too_long", bytes, start, end, mayGoOn);
    this.count = count;
    this.signCount = signCount;
    this.fault = null;
    return from;
  }

  /** Start of the text of a cell in the last record, without quotes and outer blanks. */
  start(cell: number): number {
    return this.#starts[cell] ?? 0;
  }

  end(cell: number): number {
    return this.#ends[cell] ?? 0;
  }

  holdsSign(cell: number): boolean {
    return ((this.#flags[cell] ?? 0) & signFlag) !== 0;
  }

  /** Whether the bytes of a cell are its text: it has no escaped quotes. */
  isPlain(cell: number): boolean {
    return ((this.#flags[cell] ?? 0) & escapeFlag) === 0;
  }

  /** The text of a cell in UTF-8; undefined when the record has no such cell. */
  text(bytes: Buffer, cell: number): string | undefined {
    if (cell < 0 || cell >= this.count) return undefined;
    const text = bytes.toString("utf8", this.start(cell), this.end(cell));
    return this.isPlain(cell) ? text : this.#unescaped(text);
  }

  /** The same for human-readable text, which old Windows programs write in windows-1252. */
  prose(bytes: Buffer, cell: number): string | undefined {
    const text = this.text(bytes, cell);
    if (text === undefined || !text.includes("\ufffd")) return text;
    const decoded = cp1252.decode(bytes.subarray(this.start(cell), this.end(cell)));
    return this.isPlain(cell) ? decoded : this.#unescaped(decoded);
  }

  #unescaped(text: string): string {
    if (!this.#hasBackslashes) return text.replaceAll('""', '"');
    return text.replace(/\\(["\\])|""/g, (_match, sign: string | undefined) => sign ?? '"');
  }

  /** Finds the quote that closes a cell, from the byte after its opening quote. */
  #closing(bytes: Uint8Array, start: number, from: number, end: number, mayGoOn: boolean): number {
    const quoted = this.#quoted;
    let isOverLines = false;
    let hasInner = false;
    let flags = 0;
    const notHere = end - start > maxLineSize ? overlong : mayGoOn ? undecided : unclosed;
    for (let next = from; ; ) {
      while (quoted[bytes[next] ?? lineFeed] === 1) next++;
      if (next >= end) return notHere;
      if (next - start > maxLineSize) return overlong;
      const byte = bytes[next];
      if (byte === at) {
        flags |= signFlag;
        next++;
      } else if (byte === backslash) {
        const escaped = bytes[next + 1];
        if (next + 1 >= end) return notHere;
        if (escaped === quote || escaped === backslash) {
          flags |= escapeFlag;
          next += 2;
        } else {
          next++;
        }
      } else if (byte !== quote) {
        if (hasInner) return unclosed;
        isOverLines = true;
        next++;
      } else {
        if (next + 1 >= end && mayGoOn) return undecided;
        if (bytes[next + 1] === quote && next + 1 < end) {
          flags |= escapeFlag;
          next += 2;
          continue;
        }
        let behind = next + 1;
        while (behind < end && bytes[behind] === blank) behind++;
        if (behind >= end && mayGoOn) return undecided;
        if (behind >= end || bytes[behind] === this.#separator || isLineEnd(bytes[behind] ?? lineFeed)) {
          this.#cellFlags = flags;
          return next;
        }
        if (isOverLines) return unclosed;
        hasInner = true;
        next++;
      }
    }
  }

  #giveUp(fault: CsvFault, bytes: Uint8Array, start: number, end: number, mayGoOn: boolean): number {
    this.count = 0;
    this.signCount = 0;
    this.fault = fault;
    const firstLineEnd = lineEnd(bytes, start);
    if (firstLineEnd < end) return firstLineEnd;
    return mayGoOn ? goesOn : end;
  }

  #grow(): void {
    const grown = <Cells extends Int32Array | Uint8Array>(cells: Cells, larger: Cells): Cells => {
      larger.set(cells);
      return larger;
    };
    const size = this.#starts.length * 4;
    this.#starts = grown(this.#starts, new Int32Array(size));
    this.#ends = grown(this.#ends, new Int32Array(size));
    this.#flags = grown(this.#flags, new Uint8Array(size));
  }
}

/** The end of the last whole record of the bytes; `start` is the beginning of a record. See `Cut`. */
export function cutAtRecordEnd(bytes: Uint8Array, start: number, end: number, dialect: CsvDialect): number {
  const firstQuote = bytes.indexOf(quote, start);
  // Without quotes each line is a record.
  if (firstQuote < 0 || firstQuote >= end) return cutAtLineEnd(bytes, start, end);
  const cutter = new CellCutter(dialect);
  let last = start;
  for (let from = start; from < end; ) {
    if (isLineEnd(bytes[from] ?? lineFeed)) {
      from++;
      continue;
    }
    const recordEnd = cutter.cut(bytes, from, end, true);
    // A CR at the very end may be half of a CR LF.
    if (recordEnd === goesOn || (bytes[recordEnd] === carriageReturn && recordEnd + 1 >= end)) break;
    from = recordEnd + 1;
    last = from;
  }
  return last;
}
