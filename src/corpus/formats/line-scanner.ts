import { corpusPrefixSize } from "../../domain/keyed-hash.ts";
import { isSensitiveHost } from "../../domain/sensitive-site.ts";
import { AddressReader, maxAddressSize, scanDomain } from "./address-reader.ts";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const hyphen = 0x2d;
const dot = 0x2e;
const slash = 0x2f;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const at = 0x40;
const lowerA = 0x61;
const lowerZ = 0x7a;

/** A byte in lower case where it may stand in a plain local part: without the signs that lists put between fields. */
const localBytes = new Uint8Array(256);
for (const byte of Buffer.from("abcdefghijklmnopqrstuvwxyz0123456789_+-.")) {
  localBytes[byte] = byte;
  if (byte >= lowerA && byte <= lowerZ) localBytes[byte - 32] = byte;
}

const maxLocalSize = 64;
const maxHostSize = 253;
/** Hosts whose longest label has fewer bytes look like no secret. */
const maxPlainLabel = 19;
/** Where fields start in `fields`: behind the text that is the same for every site. */
const subjectHead = Buffer.from('{"subject":"');
/** Whole words. */
const maxSiteFields = (subjectHead.length + maxHostSize + 8) & ~3;

/** Whether the label that fills a range, in lower case, is a public top-level domain and no ending of a file. */
export type IsTopLevel = (bytes: Uint8Array, start: number, end: number) => boolean;

/**
 * Reads addresses and sites out of bytes and hashes the addresses. The result is in the members until the next call.
 * Lines must be followed by a line end.
 */
export class LineScanner {
  /** The secret prefix and then the address, which is what is hashed. */
  readonly #input: Buffer;
  readonly #inputs: readonly Uint8Array[];
  readonly #reader: AddressReader;
  readonly #digest = new Uint8Array(32);
  readonly #digestWords = new Uint32Array(this.#digest.buffer);
  #end = 0;
  high = 0;
  low = 0;
  /** The encoded fields of the record: the first `fieldsSize` bytes, and zeros up to the end of their last word. */
  readonly fields = new Uint8Array(maxSiteFields);
  fieldsSize = 0;

  /** `prefix`: see `corpusPrefix`. */
  constructor(prefix: Uint8Array) {
    this.#input = Buffer.from(new ArrayBuffer(corpusPrefixSize + maxAddressSize + 2));
    this.#input.set(prefix);
    this.#inputs = Array.from({ length: this.#input.length + 1 }, (_, size) => this.#input.subarray(0, size));
    this.#reader = new AddressReader(this.#input, corpusPrefixSize);
    this.fields.set(subjectHead);
  }

  /** The address that was read or hashed last. */
  address(): string {
    return this.#input.toString("utf8", corpusPrefixSize, this.#end);
  }

  /** Hashes a canonical address. */
  hash(address: string): void {
    this.#end = corpusPrefixSize + this.#input.write(address, corpusPrefixSize);
    this.#hashInput();
  }

  /** Reads the address that fills a range, in any spelling that `parseEmail` takes, and hashes it; false when it is none. */
  readAddress(bytes: Buffer, start: number, end: number): boolean {
    if (!this.isAddress(bytes, start, end)) return false;
    this.#hashInput();
    return true;
  }

  /** As `readAddress`, without the hash; `hashScanned` makes it. */
  isAddress(bytes: Buffer, start: number, end: number): boolean {
    if (!this.#reader.read(bytes, start, end)) return false;
    this.#end = this.#reader.end;
    return true;
  }

  /**
   * Scans the address of the usual form that begins at an offset: letters, digits and `_ + - .`, all of ASCII, no two
   * hyphens in a row. Returns the offset behind it, or -1 when there is none; `hashScanned` hashes it.
   */
  scanAddress(bytes: Uint8Array, start: number): number {
    const out = this.#input;
    let size = corpusPrefixSize;
    let from = start;
    let previous = dot;
    for (;;) {
      const byte = localBytes[bytes[from] ?? 0] ?? 0;
      if (byte === 0) break;
      // Hyphens in a row may stand between fields.
      if (byte === previous && (byte === dot || byte === hyphen)) return -1;
      if (from - start >= maxLocalSize) return -1;
      out[size++] = byte;
      previous = byte;
      from++;
    }
    if (bytes[from] !== at || previous === dot) return -1;
    out[size++] = at;
    const end = scanDomain(bytes, from + 1, bytes.length, out, size, corpusPrefixSize + maxAddressSize);
    if (end < 0) return -1;
    this.#end = size + end - from - 1;
    return end;
  }

  /** Hashes what `scanAddress` or `isAddress` has read. */
  hashScanned(): void {
    this.#hashInput();
  }

  /** Puts a site, made of `a-z0-9.-_`, or none into `fields`. */
  setSite(site: string | null): void {
    if (site === null) {
      this.fieldsSize = 0;
      return;
    }
    for (let index = 0; index < site.length; index++) this.fields[subjectHead.length + index] = site.charCodeAt(index);
    this.#endSite(subjectHead.length + site.length);
  }

  /**
   * Puts the site of a URL that fills a range into `fields`: of one with `http` or `https`, or also of one without a
   * scheme below a top-level domain that `isKnown`. False when its host is not of the usual form, or when only `siteOf`
   * can tell whether it is a site.
   */
  scanSite(bytes: Uint8Array, start: number, end: number, isKnown: IsTopLevel | null = null): boolean {
    let from = start + schemeSize(bytes, start);
    const hasScheme = from > start;
    if (!hasScheme && isKnown === null) return false;
    const isNamedWww = isWww(bytes, from);
    if (isNamedWww) from += 4;
    const out = this.fields;
    const stop = scanDomain(bytes, from, end, out, subjectHead.length, subjectHead.length + maxHostSize);
    if (stop < 0) return false;
    let rest = stop;
    if (rest < end && bytes[rest] === colon) {
      rest++;
      while (rest < end && (bytes[rest] ?? 0) >= zero && (bytes[rest] ?? 0) <= nine) rest++;
    }
    if (rest < end && bytes[rest] !== slash) return false;
    const size = subjectHead.length + stop - from;
    if (!hasScheme) {
      const first = out.indexOf(dot, subjectHead.length);
      const last = out.lastIndexOf(dot, size - 1);
      // `co.uk` is a suffix, and `li.wang` a name.
      const isHost = first !== last || (size - last > 3 && (isNamedWww || rest > stop + 1 || rest < end));
      if (!isHost || isKnown?.(out, last + 1, size) !== true) return false;
    }
    if (hasLongLabel(out, subjectHead.length, size) || isSensitiveHost(out, subjectHead.length, size)) return false;
    this.#endSite(size);
    return true;
  }

  #endSite(size: number): void {
    this.fields[size] = 0x22;
    this.fields[size + 1] = 0x7d;
    // Up to the end of the word.
    this.fields[size + 2] = this.fields[size + 3] = this.fields[size + 4] = 0;
    this.fieldsSize = size + 2;
  }

  #hashInput(): void {
    Bun.SHA256.hash(this.#inputs[this.#end] ?? this.#input, this.#digest);
    this.high = this.#digestWords[0] ?? 0;
    this.low = this.#digestWords[1] ?? 0;
  }
}

function hasLongLabel(bytes: Uint8Array, start: number, end: number): boolean {
  let labelStart = start;
  for (let from = start; from < end; from++) {
    if (bytes[from] === dot) labelStart = from + 1;
    else if (from - labelStart >= maxPlainLabel) return true;
  }
  return false;
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

export function isLineEnd(byte: number): boolean {
  return byte === lineFeed || byte === carriageReturn;
}

/** The offset of the line end at or behind an offset. */
export function lineEnd(bytes: Uint8Array, from: number): number {
  let end = from;
  while (!isLineEnd(bytes[end] ?? lineFeed)) end++;
  return end;
}
