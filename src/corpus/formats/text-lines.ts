import { isLineEnd } from "./line-scanner.ts";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * The start of the next line, given the offset of a line end. CR LF is one line end, and so is CR CR LF, which some
 * tools write; several CR without LF are one line end each.
 */
export function nextLine(bytes: Uint8Array, end: number): number {
  if (bytes[end] === lineFeed) return end + 1;
  let at = end + 1;
  while (bytes[at] === carriageReturn) at++;
  return bytes[at] === lineFeed ? at + 1 : end + 1;
}

/** Whether a range has only blanks and NUL. */
export function isBlankRange(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0) return false;
  }
  return true;
}

/** Signs used for rows between blocks. */
const rowSigns = new Uint8Array(256);
for (const byte of Buffer.from("=-_*#~+")) rowSigns[byte] = 1;
const minRowSize = 3;

/**
 * Whether a line is a row of signs, `=====`, `- - -` or `━━━━`, possibly with a title: `==== Chrome ====`. The range
 * must not be blank.
 */
export function isRow(bytes: Uint8Array, start: number, end: number): boolean {
  const head = signRun(bytes, start, end, 1);
  if (head.count < minRowSize) return false;
  return head.stop === end || signRun(bytes, start, end, -1).count >= minRowSize;
}

/** The end of a line that repeats one ASCII sign; -1 for other lines. */
export function plainRowEnd(bytes: Uint8Array, start: number): number {
  const sign = bytes[start] ?? 0;
  if (rowSigns[sign] === 0) return -1;
  let end = start + 1;
  while (bytes[end] === sign) end++;
  return end - start >= minRowSize && isLineEnd(bytes[end] ?? 0x0a) ? end : -1;
}

/** Counts the signs at one end of a range and ignores blanks between them; `stop` is after the last sign. */
function signRun(bytes: Uint8Array, start: number, end: number, step: 1 | -1): { count: number; stop: number } {
  let count = 0;
  let at = step === 1 ? start : end - 1;
  while (at >= start && at < end) {
    const byte = bytes[at] ?? 0;
    if (rowSigns[byte] === 1) {
      count++;
      at += step;
    } else if (byte === 0x20 || byte === 0x09) {
      at += step;
    } else {
      const sign = step === 1 ? at : at - 2;
      // Dashes U+2010 to U+2015, and box and block characters U+2500 to U+25FF.
      const second = bytes[sign + 1] ?? 0;
      const third = bytes[sign + 2] ?? 0;
      const isDash = second === 0x80 && third >= 0x90 && third <= 0x95;
      if (sign < start || bytes[sign] !== 0xe2 || !(isDash || (second >= 0x94 && second <= 0x97))) break;
      count++;
      at += step * 3;
    }
  }
  return { count, stop: at };
}
