/** Longer lines and CSV records are skipped (docs/corpus-formats.md 7). In bytes. */
export const maxLineSize = 64 << 10;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** The text of a line without its line end; null when it is too long. Invalid UTF-8 becomes U+FFFD. */
export type Line = string | null;

/**
 * Cuts bytes into lines. A line ends at LF, CR LF, CR or the end of the text. Lines over 64 KiB are never held in
 * memory.
 */
export class LineCutter {
  #rest: Buffer = Buffer.alloc(0);
  #isSkipping = false;
  #previous = 0;

  /** Returns the lines that end in `chunk`. The chunk may be overwritten afterwards. */
  push(chunk: Buffer): Line[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const lines: Line[] = [];
    let start = 0;
    for (let at = this.#rest.length; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === lineFeed && this.#previous === carriageReturn) {
        start = at + 1;
      } else if (byte === lineFeed || byte === carriageReturn) {
        if (!this.#isSkipping) lines.push(at - start > maxLineSize ? null : bytes.toString("utf8", start, at));
        this.#isSkipping = false;
        start = at + 1;
      }
      this.#previous = byte;
    }
    const rest = bytes.subarray(start);
    if (rest.length > maxLineSize && !this.#isSkipping) {
      lines.push(null);
      this.#isSkipping = true;
    }
    this.#rest = this.#isSkipping ? Buffer.alloc(0) : Buffer.from(rest);
    return lines;
  }

  /** The last line, if it has no line end. */
  end(): Line[] {
    return this.#rest.length > 0 ? [this.#rest.toString("utf8")] : [];
  }
}

/** Whether a line has only blanks and control characters. */
export function isBlank(line: string): boolean {
  return !/[^\0- ]/.test(line);
}
