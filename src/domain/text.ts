/** One line of at most `maxLength` UTF-16 units, without control and direction marks. Never splits a surrogate pair. */
export function oneLine(text: string, maxLength: number): string {
  return cutLine(cleanLine(text, maxLength), maxLength);
}

/** `cleanLine` reads at most this many times the wanted length. */
export const longText = 8;

/** Text as one line, without control and direction marks. Reads only the start of very long text, to bound the cost. */
export function cleanLine(text: string, maxLength: number): string {
  return text
    .slice(0, maxLength * longText)
    .toWellFormed()
    .replace(/\p{Bidi_Control}/gu, "")
    .replace(/[\p{Cc}\p{Z}]+/gu, " ")
    .trim();
}

/** The start of a line, at most `maxLength` UTF-16 units. Never splits a surrogate pair. */
export function cutLine(line: string, maxLength: number): string {
  if (line.length <= maxLength) return line;
  const start = line.slice(0, maxLength);
  return (start.isWellFormed() ? start : start.slice(0, -1)).trimEnd();
}

/** Ascending by UTF-16 code unit, the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
