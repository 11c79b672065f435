/** Text as one line of at most `maxLength` UTF-16 units, without control and direction marks; never cuts a pair in half. */
export function oneLine(text: string, maxLength: number): string {
  return cutLine(cleanLine(text, maxLength), maxLength);
}

/** Of far longer text than is wanted only the start is read, this many times as much. */
export const longText = 8;

/** One line; of text far longer than `maxLength` only the start, so that it costs no time. */
export function cleanLine(text: string, maxLength: number): string {
  return text
    .slice(0, maxLength * longText)
    .toWellFormed()
    .replace(/\p{Bidi_Control}/gu, "")
    .replace(/[\p{Cc}\p{Z}]+/gu, " ")
    .trim();
}

/** The start of a line, at most `maxLength` UTF-16 units; never cuts a pair in half. */
export function cutLine(line: string, maxLength: number): string {
  if (line.length <= maxLength) return line;
  const start = line.slice(0, maxLength);
  return (start.isWellFormed() ? start : start.slice(0, -1)).trimEnd();
}

/** Ascending by UTF-16 code unit, the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
