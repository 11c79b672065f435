import { maxLineSize } from "./lines.ts";

/** `too_long`: over 64 KiB. `malformed`: a quote that the end of the file leaves open. */
export type CsvRow = readonly string[] | "too_long" | "malformed";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;
/** The separators of CONTRACT.md 11.4; the header decides. */
const separators = [",", ";", "\t"];

type State = "cell start" | "plain" | "quoted" | "quote in quoted";

/**
 * Cuts CSV into rows of cells, some at a time, the header first; blank lines are left out. `chooseSeparator` sees the
 * header cut at each separator and returns the cells it takes.
 *
 * A quote that never closes would swallow the rest of the file. So a record over 64 KiB, or one that is still quoted
 * at the end of the file, counts as one bad row, and reading goes on at the line after its first.
 */
export async function* readCsvRows(
  chunks: AsyncIterable<Buffer>,
  chooseSeparator: (candidates: readonly { separator: string; cells: string[] }[]) => string,
): AsyncGenerator<CsvRow[]> {
  let separator: string | null = null;
  const cutter = new RecordCutter();
  const rowsOf = (records: readonly (Buffer | "too_long" | "malformed")[]): CsvRow[] =>
    records.flatMap((record) => {
      if (typeof record === "string") return [record];
      const text = record.toString("utf8");
      if (text.trim() === "") return [];
      separator ??= chooseSeparator(separators.map((sign) => ({ separator: sign, cells: cellsOf(text, sign) })));
      return [cellsOf(text, separator)];
    });
  for await (const chunk of chunks) yield rowsOf(cutter.push(chunk));
  yield rowsOf(cutter.end());
}

/** Cuts bytes into CSV records: at line ends that are not quoted. */
class RecordCutter {
  #bytes = Buffer.alloc(0);
  #state: State = "cell start";
  #isSkipping = false;

  push(chunk: Buffer): (Buffer | "too_long" | "malformed")[] {
    const scannedSize = this.#bytes.length;
    this.#bytes = scannedSize === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    return this.#cut(scannedSize, "too_long");
  }

  end(): (Buffer | "too_long" | "malformed")[] {
    const records: (Buffer | "too_long" | "malformed")[] = [];
    while (this.#state === "quoted" && !this.#isSkipping) {
      records.push("malformed");
      this.#bytes = this.#bytes.subarray(afterFirstLine(this.#bytes) ?? this.#bytes.length);
      this.#state = "cell start";
      records.push(...this.#cut(0, "malformed"));
    }
    if (!this.#isSkipping && this.#bytes.length > 0) records.push(this.#bytes);
    return records;
  }

  #cut(from: number, _reason: string): (Buffer | "too_long" | "malformed")[] {
    const bytes = this.#bytes;
    const records: (Buffer | "too_long" | "malformed")[] = [];
    let start = 0;
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at];
      if (at - start > maxLineSize && !this.#isSkipping) {
        records.push("too_long");
        const next = this.#state === "plain" || this.#state === "cell start" ? null : afterFirstLine(bytes.subarray(start, at));
        if (next === null) {
          this.#isSkipping = true;
        } else {
          start += next;
          at = start - 1;
          this.#state = "cell start";
          continue;
        }
      }
      if ((byte === lineFeed || byte === carriageReturn) && (this.#state !== "quoted" || this.#isSkipping)) {
        if (!this.#isSkipping && at > start) records.push(bytes.subarray(start, at));
        this.#isSkipping = false;
        this.#state = "cell start";
        start = at + 1;
      } else if (!this.#isSkipping) {
        this.#state = nextState(this.#state, byte ?? 0);
      }
    }
    this.#bytes = this.#isSkipping ? Buffer.alloc(0) : bytes.subarray(start);
    return records;
  }
}
