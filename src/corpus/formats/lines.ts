/** Longer lines and CSV records are skipped (local-corpus-formats.md, 7). In bytes. */
export const maxLineSize = 64 << 10;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * Cuts bytes into lines, some at a time; a line ends at LF, CR or the end of the file. Blank lines are left out. A
 * line over 64 KiB is `too_long` and never held in memory. The bytes of a line are those of the chunk: read them
 * before asking for more.
 */
export async function* readLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<(Buffer | "too_long")[]> {
  let rest = Buffer.alloc(0);
  let isSkipping = false;
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const lines: (Buffer | "too_long")[] = [];
    let start = 0;
    for (let at = rest.length; at < bytes.length; at++) {
      if (bytes[at] !== lineFeed && bytes[at] !== carriageReturn) continue;
      if (!isSkipping) addLine(lines, bytes.subarray(start, at));
      isSkipping = false;
      start = at + 1;
    }
    rest = bytes.subarray(start);
    if (rest.length > maxLineSize) {
      if (!isSkipping) lines.push("too_long");
      isSkipping = true;
    }
    if (isSkipping) rest = Buffer.alloc(0);
    yield lines;
  }
  const lines: (Buffer | "too_long")[] = [];
  addLine(lines, rest);
  yield lines;
}

function addLine(lines: (Buffer | "too_long")[], line: Buffer): void {
  if (line.length > maxLineSize) lines.push("too_long");
  else if (!isBlank(line)) lines.push(line);
}

/** True when there is nothing but blanks and control characters. */
function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte > 0x20) return false;
  return true;
}
