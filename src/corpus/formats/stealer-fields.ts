import { beginsWithUrl, fieldsOf } from "./labelled-fields.ts";
import { isLineEnd, lineEnd } from "./line-scanner.ts";
import { maxLineSize } from "./lines.ts";
import { type EntrySink, emptyEntry, type LoginEntry, setRange } from "./stealer-blocks.ts";
import { LabelReader } from "./stealer-labels.ts";
import { isBlankRange } from "./text-lines.ts";

const at = 0x40;
const lineFeed = 0x0a;
/**
 * Reads lines with one login each: `URL: https://shop.example/ | Login: jane.doe@example.com | Password: x`. A URL at
 * the start may lack its label.
 */
export class FieldReader {
  readonly #sink: EntrySink;
  readonly #labels = new LabelReader();
  readonly #entry = emptyEntry();

  constructor(sink: EntrySink) {
    this.#sink = sink;
  }

  /** Reads whole lines. The byte at `to` is a line end. */
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
    const lead = fields[0]?.start ?? end;
    if (fields.length > 0 && beginsWithUrl(bytes, start)) {
      entry.hasSite = true;
      setRange(entry.site, start, lead);
    }
    this.#note(bytes, start, lead);
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
    // A secret may contain text that looks like a field.
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

function clear(entry: LoginEntry): void {
  setRange(entry.site, 0, 0);
  setRange(entry.login, 0, 0);
  setRange(entry.otherLogin, 0, 0);
  setRange(entry.secret, 0, 0);
  entry.hasSite = entry.hasLogin = entry.hasSecret = entry.hasSoftware = false;
}
