import { isAbsent } from "../record.ts";
import { readDate } from "../record-date.ts";
import type { RecordSink } from "./format.ts";

const blank = 0x20;
const dash = 0x2d;
const dot = 0x2e;
const slash = 0x2f;
const zero = 0x30;
const nine = 0x39;
const upperT = 0x54;

/** Characters of a date that fit into a number, at 4 bits each. */
const maxPacked = 13;
/** Capacity of the cache of dates by text. A full cache is cleared. */
const maxKnown = 8192;

/**
 * Converts dates of records without other fields to their stored form. A file has few distinct days, so results are
 * cached.
 */
export class DateReader {
  readonly #sink: RecordSink;
  readonly #known = new Map<number, Uint8Array | "unreadable" | null>();

  constructor(sink: RecordSink) {
    this.#sink = sink;
  }

  /** The stored fields of a record whose date fills a range of bytes; null when the range is empty or absent. */
  read(bytes: Buffer, start: number, end: number): Uint8Array | "unreadable" | null {
    if (start === end) return null;
    const key = packed(bytes, start, end);
    if (key === 0) return this.#encoded(bytes.toString("utf8", start, end));
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const encoded = this.#encoded(bytes.toString("utf8", start, end));
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.set(key, encoded);
    return encoded;
  }

  #encoded(text: string): Uint8Array | "unreadable" | null {
    if (isAbsent(text)) return null;
    const date = readDate(text);
    return date === null ? "unreadable" : this.#sink.encode({ date });
  }
}

/**
 * Packs the digits and separators of a date exactly into one number; of ISO 8601 with a time only the day, because
 * `readDate` drops times. 0 for any other text.
 */
function packed(bytes: Uint8Array, start: number, end: number): number {
  let key = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    const code =
      byte >= zero && byte <= nine ? byte - zero + 1 : byte === dash ? 11 : byte === dot ? 12 : byte === slash ? 13 : 0;
    if (code === 0)
      return at - start === 10 && (byte === upperT || byte === blank) && isTime(bytes, at + 1, end) ? key * 16 + 14 : 0;
    if (at - start === maxPacked) return 0;
    key = key * 16 + code;
  }
  return key;
}

/** Whether the text is `HH:MM` followed only by characters of times. */
function isTime(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 5 || end - start > 24 || bytes[start + 2] !== 0x3a) return false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    const isSign = byte === 0x3a || byte === dot || byte === dash || byte === 0x2b || byte === 0x5a || byte === blank;
    if (!isSign && !(byte >= zero && byte <= nine)) return false;
  }
  return true;
}
