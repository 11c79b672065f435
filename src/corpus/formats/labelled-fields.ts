import type { LabelReader } from "./stealer-labels.ts";
import type { Label } from "./stealer-words.ts";

/** Separators of fields in a line. */
const separators = new Uint8Array(256);
for (const byte of Buffer.from("|,; \t")) separators[byte] = 1;

/** A label in a line, with the start of its field and of its value. */
export type Field = { readonly label: Label; readonly start: number; readonly valueStart: number };

/**
 * The labelled fields of a line. A label counts at the start of the line, after a separator, or where the previous
 * value is missing. A field ends where the next begins.
 */
export function fieldsOf(labels: LabelReader, bytes: Buffer, start: number, end: number): Field[] {
  const fields: Field[] = [];
  let label = labels.read(bytes, start);
  for (let from = start; from < end; label = labels.readInner(bytes, from)) {
    if (label !== null) {
      const valueStart = Math.min(labels.valueStart, end);
      fields.push({ label, start: from, valueStart });
      from = valueStart;
      if (separators[bytes[from - 1] ?? 0] === 1) continue;
    }
    while (from < end && separators[bytes[from] ?? 0] === 0) from++;
    while (from < end && separators[bytes[from] ?? 0] === 1) from++;
  }
  return fields;
}

const schemeChars = new Uint8Array(256);
for (const byte of Buffer.from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-"))
  schemeChars[byte] = 1;
const colon = 0x3a;
const slash = 0x2f;

/** Whether a line begins with the scheme of a URL. */
export function beginsWithUrl(bytes: Buffer, start: number): boolean {
  let at = start;
  while (schemeChars[bytes[at] ?? 0] === 1) at++;
  return at > start && bytes[at] === colon && bytes[at + 1] === slash && bytes[at + 2] === slash;
}
