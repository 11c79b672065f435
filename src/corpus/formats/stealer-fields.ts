import { isLineEnd, lineEnd } from "../line-scanner.ts";
import { maxLineSize } from "./lines.ts";
import { type EntrySink, emptyEntry, type LoginEntry, setRange } from "./stealer-blocks.ts";
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
    this.#note(bytes, start, fields[0]?.start ?? end);
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index];
      if (field === undefined) break;
      const stop = fields[index + 1]?.start ?? end;
      const { kind } = field.label;
      if (kind === "login") {
        loginCount++;
        if (!entry.hasLogin) {
          entry.hasLogin = true;
          isSecretFirst = entry.hasSecret;
          setRange(entry.login, field.valueStart, stop);
          continue;
        }
        if (!entry.hasSecret && entry.otherLogin.start === entry.otherLogin.end) {
          setRange(entry.otherLogin, field.valueStart, stop);
          continue;
        }
      } else if (kind === "site" && !entry.hasSite) {
        entry.hasSite = true;
        setRange(entry.site, field.valueStart, stop);
      } else if (kind === "secret" && !entry.hasSecret) {
        entry.hasSecret = true;
        setRange(entry.secret, field.valueStart, stop);
      } else if (kind === "software") {
        entry.hasSoftware = true;
      }
      this.#note(bytes, field.valueStart, stop);
    }
    // A secret may hold what looks like a field.
    if (isSecretFirst && loginCount > 1) {
      this.#note(bytes, entry.login.start, entry.login.end);
      setRange(entry.login, 0, 0);
    }
    if (entry.hasLogin || (entry.hasSite && entry.hasSecret)) this.#sink.add(bytes, entry);
  }

  #note(bytes: Buffer, start: number, end: number): void {
    for (let from = start; from < end; from++) {
      if (bytes[from] !== at) continue;
      this.#sink.noteText(bytes, start, end);
      return;
    }
  }
}

/** The fields of a line that begin with a label: at its beginning, behind a separator, or where a value is missing. */
export function fieldsOf(labels: LabelReader, bytes: Buffer, start: number, end: number): Field[] {
  const fields: Field[] = [];
  for (let from = start; from < end; ) {
    const label = labels.readInner(bytes, from);
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

function clear(entry: LoginEntry): void {
  setRange(entry.site, 0, 0);
  setRange(entry.login, 0, 0);
  setRange(entry.otherLogin, 0, 0);
  setRange(entry.secret, 0, 0);
  entry.hasSite = entry.hasLogin = entry.hasSecret = entry.hasSoftware = false;
}
