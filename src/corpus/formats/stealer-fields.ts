import { isLineEnd, lineEnd } from "../line-scanner.ts";
import { maxLineSize } from "./lines.ts";
import { type EntrySink, emptyEntry, type LoginEntry, type Range } from "./stealer-blocks.ts";
import { LabelReader } from "./stealer-labels.ts";
import type { Label } from "./stealer-words.ts";
import { isBlankRange } from "./text-lines.ts";

const at = 0x40;
const lineFeed = 0x0a;
/** Stand between the fields of a line. */
const separators = new Uint8Array(256);
for (const byte of Buffer.from("|,; \t")) separators[byte] = 1;

/** A label in a line, the beginning of its field and of its value. */
type Field = { readonly label: Label; readonly start: number; readonly valueStart: number };

/** Reads lines that hold a login each: `URL: https://shop.example/ | Login: jane.doe@example.com | Password: x`. */
export class FieldReader {
  readonly #sink: EntrySink;
  readonly #labels = new LabelReader();
  readonly #entry = emptyEntry();

  constructor(sink: EntrySink) {
    this.#sink = sink;
  }

  /** Reads whole lines; the byte at `to` is a line end. */
  read(bytes: Buffer, from: number, to: number): void {
    for (let start = from; start < to; ) {
      if (isLineEnd(bytes[start] ?? lineFeed)) {
        start++;
        continue;
      }
      const end = lineEnd(bytes, start);
      if (end - start > maxLineSize) this.#sink.noteLongLine(bytes, start, end);
      else if (!isBlankRange(bytes, start, end)) this.#readLine(bytes, start, end);
      start = end + 1;
    }
  }

  #readLine(bytes: Buffer, start: number, end: number): void {
    const fields = fieldsOf(this.#labels, bytes, start, end);
    const entry = this.#entry;
    clear(entry);
    let loginCount = 0;
    let isSecretFirst = false;
    this.#note(bytes, { start, end: fields[0]?.start ?? end });
    fields.forEach((field, index) => {
      const range = { start: field.valueStart, end: fields[index + 1]?.start ?? end };
      const { kind } = field.label;
      if (kind === "login") loginCount++;
      if (kind === "login" && !entry.hasLogin) {
        entry.hasLogin = true;
        isSecretFirst = entry.hasSecret;
        Object.assign(entry.login, range);
        return;
      }
      if (kind === "login" && !entry.hasSecret && entry.otherLogin.start === entry.otherLogin.end) {
        Object.assign(entry.otherLogin, range);
        return;
      }
      if (kind === "site" && !entry.hasSite) {
        entry.hasSite = true;
        Object.assign(entry.site, range);
      } else if (kind === "secret" && !entry.hasSecret) {
        entry.hasSecret = true;
        Object.assign(entry.secret, range);
      } else if (kind === "software") {
        entry.hasSoftware = true;
      }
      this.#note(bytes, range);
    });
    // A secret may hold what looks like a field.
    if (isSecretFirst && loginCount > 1) {
      this.#note(bytes, entry.login);
      Object.assign(entry.login, { start: 0, end: 0 });
    }
    if (entry.hasLogin || (entry.hasSite && entry.hasSecret)) this.#sink.add(bytes, entry);
  }

  #note(bytes: Buffer, { start, end }: Range): void {
    const sign = bytes.indexOf(at, start);
    if (sign >= 0 && sign < end) this.#sink.noteText(bytes, start, end);
  }
}

/** The fields of a line that begin with a label. */
export function fieldsOf(labels: LabelReader, bytes: Buffer, start: number, end: number): Field[] {
  const fields: Field[] = [];
  let label = labels.readInner(bytes, start);
  let from = start;
  for (;;) {
    if (label !== null) {
      fields.push({ label, start: from, valueStart: Math.min(labels.valueStart, end) });
      from = Math.min(labels.valueStart, end);
    }
    label = null;
    // The next one stands behind a separator, or where the value of the last one is missing.
    while (from < end) {
      if (separators[bytes[from - 1] ?? 0] === 1 && separators[bytes[from] ?? 0] === 0) {
        label = labels.readInner(bytes, from);
        if (label !== null) break;
      }
      from++;
    }
    if (label === null) return fields;
  }
}

function clear(entry: LoginEntry): void {
  for (const range of [entry.site, entry.login, entry.otherLogin, entry.secret]) {
    range.start = 0;
    range.end = 0;
  }
  entry.hasSite = entry.hasLogin = entry.hasSecret = entry.hasSoftware = false;
}
