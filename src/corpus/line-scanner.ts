import { corpusPrefixSize } from "../domain/keyed-hash.ts";
import { isSensitiveHost } from "../domain/sensitive-site.ts";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x27;
const comma = 0x2c;
const hyphen = 0x2d;
const dot = 0x2e;
const slash = 0x2f;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const semicolon = 0x3b;
const question = 0x3f;
const hash = 0x23;
const at = 0x40;
const backslash = 0x5c;
const lowerA = 0x61;
const lowerZ = 0x7a;

/** A byte in lower case where it may stand in a plain local part or domain, else 0. */
const localBytes = tableOf("abcdefghijklmnopqrstuvwxyz0123456789_+-.");
const domainBytes = tableOf("abcdefghijklmnopqrstuvwxyz0123456789-.");
/** 1 for what ends a token: `:;|,`, blank and TAB (local-corpus-formats.md, 2 and 5). */
const delimiters = new Uint8Array(256);
for (const byte of Buffer.from(":;|, \t")) delimiters[byte] = 1;

function tableOf(letters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(letters)) {
    table[byte] = byte;
    if (byte >= lowerA && byte <= lowerZ) table[byte - 32] = byte;
  }
  return table;
}

const maxLocalSize = 64;
const maxAddressSize = 254;
const maxLabelSize = 63;
const maxHostSize = 253;
const maxUrlSize = 2048;
/** Where fields start in `fields`: behind the text that is the same for every site. */
const subjectHead = Buffer.from('{"subject":"');

/**
 * Reads addresses and sites out of bytes and hashes the addresses. It knows the usual forms only, those whose canonical
 * form is the lower-cased text, and says so when a line is not of them. Lines must be followed by a line end. The
 * result is in the members until the next call.
 */
export class LineScanner {
  /** The secret prefix and then the address, which is what is hashed. */
  readonly #input: Uint8Array;
  readonly #inputs: readonly Uint8Array[];
  readonly #digest = new Uint8Array(32);
  readonly #digestWords = new Uint32Array(this.#digest.buffer);
  #size = 0;
  high = 0;
  low = 0;
  /** The encoded fields of the record, of which the first `fieldsSize` bytes count. */
  readonly fields = new Uint8Array(subjectHead.length + maxHostSize + 2);
  fieldsSize = 0;

  /** `prefix`: see `corpusPrefix`. */
  constructor(prefix: Uint8Array) {
    this.#input = new Uint8Array(corpusPrefixSize + maxAddressSize + 2);
    this.#input.set(prefix);
    this.#inputs = Array.from({ length: this.#input.length + 1 }, (_, size) => this.#input.subarray(0, size));
    this.fields.set(subjectHead);
  }

  /** The address that was read or hashed last. */
  address(): string {
    return Buffer.from(this.#input.buffer).toString("utf8", corpusPrefixSize, this.#size);
  }

  /** Hashes a canonical address. */
  hash(address: string): void {
    this.#size = corpusPrefixSize + Buffer.from(this.#input.buffer).write(address, corpusPrefixSize);
    this.#finish();
  }

  /** `address`, then the end of the line or a delimiter and a secret that is not looked at. */
  scanCombo(bytes: Uint8Array, start: number): number {
    const end = this.#scanAddress(bytes, start);
    if (end < 0 || !isTokenEnd(bytes[end] ?? 0)) return -1;
    this.fieldsSize = 0;
    this.#finish();
    return lineEnd(bytes, end);
  }

  /** `address`, and nothing else but one comma or semicolon. */
  scanList(bytes: Uint8Array, start: number): number {
    let end = this.#scanAddress(bytes, start);
    if (end < 0) return -1;
    if (bytes[end] === comma || bytes[end] === semicolon) end++;
    if (!isLineEnd(bytes[end] ?? 0)) return -1;
    this.fieldsSize = 0;
    this.#finish();
    return end;
  }

  /** `url:address:secret` and `host:address:secret` with one `@` and without blanks. */
  scanUlp(bytes: Uint8Array, start: number): number {
    let signAt = -1;
    let end = start;
    for (; ; end++) {
      const byte = bytes[end] ?? 0;
      if (byte > 0x20 && byte < 0x7f) {
        if (byte !== at) continue;
        if (signAt >= 0) return -1;
        signAt = end;
      } else if (isLineEnd(byte)) break;
      else return -1;
    }
    if (signAt < 0 || bytes[start] === quote) return -1;
    let token = signAt;
    while (token > start && delimiters[bytes[token - 1] ?? 0] === 0) token--;
    const tokenEnd = this.#scanAddress(bytes, token);
    if (tokenEnd < 0 || !isTokenEnd(bytes[tokenEnd] ?? 0)) return -1;
    let left = token;
    while (left > start && delimiters[bytes[left - 1] ?? 0] === 1) left--;
    if (left === start || left - start > maxUrlSize || !this.#scanSite(bytes, start, left)) return -1;
    this.#finish();
    return end;
  }

  #finish(): void {
    Bun.SHA256.hash(this.#inputs[this.#size] ?? this.#input, this.#digest);
    this.high = this.#digestWords[0] ?? 0;
    this.low = this.#digestWords[1] ?? 0;
  }

  /** Copies an address in lower case behind the prefix; returns the offset behind it, or -1 when it is not a plain one. */
  #scanAddress(bytes: Uint8Array, start: number): number {
    const out = this.#input;
    let size = corpusPrefixSize;
    let from = start;
    let previous = dot;
    for (;;) {
      const byte = localBytes[bytes[from] ?? 0] ?? 0;
      if (byte === 0) break;
      if (byte === dot && previous === dot) return -1;
      if (from - start >= maxLocalSize) return -1;
      out[size++] = byte;
      previous = byte;
      from++;
    }
    if (bytes[from] !== at || previous === dot) return -1;
    out[size++] = at;
    const end = scanDomain(bytes, from + 1, out, size, corpusPrefixSize + maxAddressSize);
    if (end < 0) return -1;
    this.#size = size + end - from - 1;
    return end;
  }

  /** Puts the fields of the site that a URL or host names; false when it is not of the usual form, or sensitive. */
  #scanSite(bytes: Uint8Array, start: number, end: number): boolean {
    let from = start + schemeSize(bytes, start);
    if (isWww(bytes, from)) from += 4;
    const out = this.fields;
    const stop = scanDomain(bytes, from, out, subjectHead.length, subjectHead.length + maxHostSize);
    if (stop < 0 || stop > end) return false;
    let rest = stop;
    if (rest < end && bytes[rest] === colon) {
      rest++;
      while (rest < end && (bytes[rest] ?? 0) >= zero && (bytes[rest] ?? 0) <= nine) rest++;
    }
    if (rest < end && !isPathStart(bytes[rest] ?? 0)) return false;
    let size = subjectHead.length + stop - from;
    if (isSensitiveHost(out, subjectHead.length, size)) return false;
    out[size++] = 0x22;
    out[size++] = 0x7d;
    this.fieldsSize = size;
    return true;
  }
}

/**
 * Copies a domain in lower case to an offset of `out`: labels of letters, digits and inner single hyphens, the last of
 * letters only. Returns the offset behind it in `bytes`, or -1.
 */
function scanDomain(bytes: Uint8Array, start: number, out: Uint8Array, offset: number, maxOffset: number): number {
  let from = start;
  let size = offset;
  let labelStart = start;
  let hasOther = false;
  let labelCount = 0;
  let previous = dot;
  for (;;) {
    const byte = domainBytes[bytes[from] ?? 0] ?? 0;
    if (byte === 0) break;
    if (byte === dot) {
      if (previous === dot || previous === hyphen || from - labelStart > maxLabelSize) return -1;
      labelStart = from + 1;
      hasOther = false;
      labelCount++;
    } else {
      // Two hyphens may be those of `xn--`.
      if (byte === hyphen && (previous === dot || previous === hyphen)) return -1;
      if (byte < lowerA) hasOther = true;
    }
    if (size >= maxOffset) return -1;
    out[size++] = byte;
    previous = byte;
    from++;
  }
  const isDomain = labelCount > 0 && previous !== dot && !hasOther && from - labelStart <= maxLabelSize;
  return isDomain ? from : -1;
}

/** Bytes of `http://` or `https://` in lower case, 0 without. */
function schemeSize(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== 0x68 || bytes[start + 1] !== 0x74 || bytes[start + 2] !== 0x74 || bytes[start + 3] !== 0x70) {
    return 0;
  }
  const from = bytes[start + 4] === 0x73 ? 5 : 4;
  const isScheme =
    bytes[start + from] === colon && bytes[start + from + 1] === slash && bytes[start + from + 2] === slash;
  return isScheme ? from + 3 : 0;
}

function isWww(bytes: Uint8Array, start: number): boolean {
  const isW = (offset: number) => ((bytes[start + offset] ?? 0) | 0x20) === 0x77;
  return isW(0) && isW(1) && isW(2) && bytes[start + 3] === dot;
}

function isPathStart(byte: number): boolean {
  return byte === slash || byte === question || byte === hash || byte === backslash;
}

function isTokenEnd(byte: number): boolean {
  return delimiters[byte] === 1 || isLineEnd(byte);
}

export function isLineEnd(byte: number): boolean {
  return byte === lineFeed || byte === carriageReturn;
}

/** The offset of the line end at or behind an offset. */
export function lineEnd(bytes: Uint8Array, from: number): number {
  let end = from;
  while (!isLineEnd(bytes[end] ?? lineFeed)) end++;
  return end;
}
