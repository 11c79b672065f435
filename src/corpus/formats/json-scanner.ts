import { columnName, isFieldName, kindOfName } from "./column-names.ts";
import { DateReader } from "./date-reader.ts";
import type { RecordSink } from "./format.ts";

const quote = 0x22;
const comma = 0x2c;
const minus = 0x2d;
const dot = 0x2e;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const at = 0x40;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** 1 for bytes of strings that need no special handling: no quote, escape, `@` or control character. */
const plain = new Uint8Array(256).fill(1);
plain.fill(0, 0, 0x20);
for (const byte of [quote, backslash, at]) plain[byte] = 0;
const isBlank = new Uint8Array(256);
for (const byte of [0x20, 0x09]) isBlank[byte] = 1;

/** Classes of members. */
const otherMember = 0;
/** Named after addresses, and not for another person. */
const mailMember = 1;
const dateMember = 2;
/** Another field of docs/contract.md 11.4. */
const fieldMember = 3;
/** `severity` and `source_url`: an object that has one of these and no other members than fields is evidence. */
const markMember = 4;
type Member = typeof otherMember | typeof mailMember | typeof dateMember | typeof fieldMember | typeof markMember;

type KnownName = { readonly bytes: Buffer; readonly member: Member; readonly isField: boolean };
const maxNameSize = 64;
/** Size of the cache of names by hash. A file has few names. */
const slotCount = 512;
const maxNesting = 32;
const noFields = new Uint8Array(0);

/**
 * Fast path for ordinary JSON objects, on bytes: one address under a name of docs/contract.md 11.4, no other `@`, no
 * escapes, not evidence. Gives the same result as `JsonRecords`.
 */
export class JsonScanner {
  readonly #sink: RecordSink;
  readonly #dates: DateReader;
  readonly #names: (KnownName | undefined)[] = new Array(slotCount);
  #fields: Uint8Array = noFields;

  constructor(sink: RecordSink) {
    this.#sink = sink;
    this.#dates = new DateReader(sink);
  }

  /** Adds the object that was read last. */
  add(): void {
    this.#sink.addRead(this.#fields);
  }

  /**
   * Reads the object at an offset; returns the offset after it. Returns -1 when the object is not of the simple form or
   * continues after `end`. A line end must stand at `end`.
   */
  scan(bytes: Buffer, start: number, end: number): number {
    let signStart = -1;
    let signEnd = -1;
    let isEvidence = true;
    let isMarked = false;
    let dateStart = -1;
    let dateEnd = -1;
    let next = skipBlanks(bytes, start + 1);
    if (bytes[next] === closeBrace) return -1;
    for (;;) {
      if (bytes[next] !== quote) return -1;
      const nameStart = next + 1;
      let hash = 0;
      next = nameStart;
      while (plain[bytes[next] ?? 0] === 1) hash = (Math.imul(hash, 31) + (bytes[next++] ?? 0)) | 0;
      if (bytes[next] !== quote || next - nameStart > maxNameSize) return -1;
      const { member, isField } = this.#nameOf(bytes, nameStart, next, hash);
      if (!isField) isEvidence = false;
      next = skipBlanks(bytes, next + 1);
      if (bytes[next] !== colon) return -1;
      next = skipBlanks(bytes, next + 1);
      const valueStart = next;
      const first = bytes[next] ?? 0;
      if (first === quote) {
        next++;
        while (plain[bytes[next] ?? 0] === 1) next++;
        if (bytes[next] === at) {
          // The first address under its name. A second sign of any kind may be a further address.
          if (member !== mailMember || signStart >= 0) return -1;
          signStart = valueStart + 1;
          next++;
          while (plain[bytes[next] ?? 0] === 1) next++;
          signEnd = next;
        } else if (member === mailMember) {
          return -1;
        }
        if (bytes[next] !== quote) return -1;
        if (member === dateMember) {
          if (dateStart >= 0) return -1;
          dateStart = valueStart + 1;
          dateEnd = next;
        } else if (member === markMember) {
          isMarked = true;
        }
        next++;
      } else {
        if (member === mailMember || member === dateMember) return -1;
        if (member === markMember) isMarked = true;
        next = first === openBrace || first === openBracket ? nestedEnd(bytes, next) : literalEnd(bytes, next);
        if (next < 0) return -1;
      }
      next = skipBlanks(bytes, next);
      const byte = bytes[next];
      if (byte === closeBrace) break;
      if (byte !== comma) return -1;
      next = skipBlanks(bytes, next + 1);
    }
    if (next >= end || signStart < 0 || (isEvidence && isMarked)) return -1;
    const date = dateStart < 0 ? null : this.#dates.read(bytes, dateStart, dateEnd);
    if (date === "unreadable" || !this.#sink.scanner.readAddress(bytes, signStart, signEnd)) return -1;
    this.#fields = date ?? noFields;
    return next + 1;
  }

  #nameOf(bytes: Buffer, start: number, end: number, hash: number): KnownName {
    const slot = (hash ^ (hash >>> 9)) & (slotCount - 1);
    const known = this.#names[slot];
    if (known !== undefined && isSame(known.bytes, bytes, start, end)) return known;
    const text = bytes.toString("utf8", start, end);
    const name = {
      bytes: Buffer.from(bytes.subarray(start, end)),
      member: memberOf(text),
      isField: isFieldName(columnName(text)),
    };
    this.#names[slot] = name;
    return name;
  }
}

function memberOf(name: string): Member {
  const column = columnName(name);
  if (column === "date") return dateMember;
  if (column === "severity" || column === "sourceurl") return markMember;
  const kind = kindOfName(name);
  if (kind === "email") return mailMember;
  // Other names for addresses, and names that are addresses, are left to `JsonRecords`.
  return isFieldName(column) ? fieldMember : otherMember;
}

function isSame(known: Buffer, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let index = 0; index < known.length; index++) if (known[index] !== bytes[start + index]) return false;
  return true;
}

function skipBlanks(bytes: Uint8Array, from: number): number {
  let next = from;
  while (isBlank[bytes[next] ?? 0] === 1) next++;
  return next;
}

/** The offset after an object or array without `@`, escapes and line ends; otherwise -1. */
function nestedEnd(bytes: Uint8Array, from: number): number {
  // Commas and colons are not checked: an error there does not make another record.
  let depth = 0;
  for (let next = from; ; next++) {
    const byte = bytes[next] ?? 0;
    if (byte === openBrace || byte === openBracket) {
      if (++depth > maxNesting) return -1;
    } else if (byte === closeBrace || byte === closeBracket) {
      if (--depth === 0) return next + 1;
    } else if (byte === quote) {
      next++;
      while (plain[bytes[next] ?? 0] === 1) next++;
      if (bytes[next] !== quote) return -1;
    } else if (plain[byte] === 0) {
      return -1;
    }
  }
}

/** The offset after a number without exponent, or after `true`, `false` or `null`; otherwise -1. */
function literalEnd(bytes: Uint8Array, from: number): number {
  let next = from;
  if (bytes[next] === minus) next++;
  const digits = next;
  while (isDigit(bytes[next])) next++;
  if (next > digits) {
    if (bytes[digits] === zero && next > digits + 1) return -1;
    if (bytes[next] !== dot) return next;
    const fraction = ++next;
    while (isDigit(bytes[next])) next++;
    return next > fraction ? next : -1;
  }
  if (next > from) return -1;
  for (const word of literals) if (isSame(word, bytes, from, from + word.length)) return from + word.length;
  return -1;
}

const literals = ["null", "true", "false"].map((word) => Buffer.from(word));

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= nine;
}
