/** Longer lines and CSV records are skipped (docs/corpus-formats.md 7). In bytes. */
export const maxLineSize = 64 << 10;

/** Whether a line has only blanks and control characters. */
export function isBlank(line: string): boolean {
  return !/[^\0- ]/.test(line);
}
