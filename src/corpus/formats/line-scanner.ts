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

/**
 * The lower-case form of a byte allowed in a plain local part, without the characters that separate fields in lists; 0
 * for other bytes.
 */
const localBytes = new Uint8Array(256);
for (const byte of Buffer.from("abcdefghijklmnopqrstuvwxyz0123456789_+-.")) {
  localBytes[byte] = byte;
  if (byte >= lowerA && byte <= lowerZ) localBytes[byte - 32] = byte;
}

const maxLocalSize = 64;
const maxHostSize = 253;
/** Hosts with shorter labels do not look like secrets. */
const maxPlainLabel = 19;
/** The fixed text before the subject in `fields`. */
const subjectHead = Buffer.from('{"subject":"');
/** Rounded to whole words. */
const maxSiteFields = (subjectHead.length + maxHostSize + 8) & ~3;

/** Whether a lower-case label in a range is a public top-level domain and not a file ending. */
export type IsTopLevel = (bytes: Uint8Array, start: number, end: number) => boolean;

/**
 * Reads addresses and sites from bytes and hashes the addresses. Results are in the members until the next call. Every
 * line must be followed by a line end.
 */
export class LineScanner {
  /** The hash input: the secret prefix, then the address. */
  readonly #input: Buffer;
  readonly #inputs: readonly Uint8Array[];
  readonly #reader: AddressReader;
  readonly #digest = new Uint8Array(32);
  readonly #digestWords = new Uint32Array(this.#digest.buffer);
  #end = 0;
  high = 0;
  low = 0;
  /** The encoded fields of the record: the first `fieldsSize` bytes, padded with zeros to a whole word. */
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

  /**
   * Reads and hashes the address that fills a range, in any spelling accepted by `parseEmail`; false when there is
   * none.
   */
  readAddress(bytes: Buffer, start: number, end: number): boolean {
    if (!this.isAddress(bytes, start, end)) return false;
    this.#hashInput();
    return true;
  }

  /** Like `readAddress`, but does not hash; call `hashScanned` for that. */
  isAddress(bytes: Buffer, start: number, end: number): boolean {
    if (!this.#reader.read(bytes, start, end)) return false;
    this.#end = this.#reader.end;
    return true;
  }

  /**
   * Scans an ordinary ASCII address at an offset: letters, digits and `_ + - .`, without two hyphens in a row. Returns
   * the offset after it, or -1 when there is none. `hashScanned` hashes it.
   */
  scanAddress(bytes: Uint8Array, start: number): number {
    const out = this.#input;
    let size = corpusPrefixSize;
    let from = start;
    let previous = dot;
    for (;;) {
      const byte = localBytes[bytes[from] ?? 0] ?? 0;
      if (byte === 0) break;
      // Hyphens in a row may separate fields.
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

  /** Hashes the address read by `scanAddress` or `isAddress`. */
  hashScanned(): void {
    this.#hashInput();
  }

  /** Writes a site of the characters `a-z0-9.-_` into `fields`; null clears them. */
  setSite(site: string | null): void {
    if (site === null) {
      this.fieldsSize = 0;
      return;
    }
    for (let index = 0; index < site.length; index++) this.fields[subjectHead.length + index] = site.charCodeAt(index);
    this.#endSite(subjectHead.length + site.length);
  }

  /**
   * Writes the site of the URL that fills a range into `fields`. The URL needs `http` or `https`; with `isKnown` it may
   * also lack a scheme if its top-level domain is known. False when the host is not an ordinary one or only `siteOf`
   * can decide.
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
    // Pads with zeros to the end of the word.
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

/** Size of a lower-case `http://` or `https://`; 0 when there is none. */
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

/** The offset of the next line end, from an offset on. */
export function lineEnd(bytes: Uint8Array, from: number): number {
  let end = from;
  while (!isLineEnd(bytes[end] ?? lineFeed)) end++;
  return end;
}
