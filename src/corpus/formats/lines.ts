import type { ReadRecord } from "./format.ts";

/** Longer lines and CSV records are skipped (local-corpus-formats.md, 7). In bytes. */
export const maxLineSize = 64 << 10;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * Cuts bytes into lines, some at a time; a line ends at LF, CR LF, CR or the end of the file. A line over 64 KiB is
 * `too_long` and never held in memory. The bytes of a line are those of the chunk: read them before asking for more.
 */
export async function* readLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Line[]> {
  let rest: Buffer = Buffer.alloc(0);
  let isSkipping = false;
  let previous = 0;
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const lines: Line[] = [];
    let start = 0;
    for (let at = rest.length; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === lineFeed && previous === carriageReturn) {
        start = at + 1;
      } else if (byte === lineFeed || byte === carriageReturn) {
        if (!isSkipping) lines.push(lineOf(bytes.subarray(start, at)));
        isSkipping = false;
        start = at + 1;
      }
      previous = byte;
    }
    rest = bytes.subarray(start);
    if (rest.length > maxLineSize && !isSkipping) {
      lines.push("too_long");
      isSkipping = true;
    }
    if (isSkipping) rest = Buffer.alloc(0);
    yield lines;
  }
  if (rest.length > 0) yield [lineOf(rest)];
}

export type Line = Buffer | "too_long";

function lineOf(bytes: Buffer): Line {
  return bytes.length > maxLineSize ? "too_long" : bytes;
}

/** True when there is nothing but blanks and control characters. */
export function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte > 0x20) return false;
  return true;
}

/**
 * Reads one record per line; blank lines are none. `readLine` gets the line as text, in which bytes that are not UTF-8
 * are U+FFFD.
 */
export async function* readRecordLines(
  chunks: AsyncIterable<Buffer>,
  readLine: (line: string) => ReadRecord,
): AsyncGenerator<ReadRecord[]> {
  for await (const lines of readLines(chunks)) {
    const records: ReadRecord[] = [];
    for (const line of lines) {
      if (line === "too_long") records.push(line);
      else if (!isBlank(line)) records.push(readLine(line.toString("utf8")));
    }
    yield records;
  }
}
