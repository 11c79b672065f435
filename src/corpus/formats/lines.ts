/** Longer lines and CSV records are skipped (local-corpus-formats.md, 7). In bytes. */
export const maxLineSize = 64 << 10;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** The text of a line without its end, or null when it is too long. Bytes that are not UTF-8 are U+FFFD. */
export type Line = string | null;

/**
 * Cuts bytes into lines, some at a time; a line ends at LF, CR LF, CR or the end of the file. A line over 64 KiB is
 * never held in memory.
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
        if (!isSkipping) lines.push(at - start > maxLineSize ? null : bytes.toString("utf8", start, at));
        isSkipping = false;
        start = at + 1;
      }
      previous = byte;
    }
    rest = bytes.subarray(start);
    if (rest.length > maxLineSize && !isSkipping) {
      lines.push(null);
      isSkipping = true;
    }
    if (isSkipping) rest = Buffer.alloc(0);
    yield lines;
  }
  if (rest.length > 0) yield [rest.toString("utf8")];
}

/** True when there is nothing but blanks and control characters. */
export function isBlank(line: string): boolean {
  return !/[^\0- ]/.test(line);
}
