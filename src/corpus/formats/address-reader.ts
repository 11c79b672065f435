import { canonicalDomain, canonicalLocalPart } from "../../domain/email.ts";

const hyphen = 0x2d;
const dot = 0x2e;
const at = 0x40;
const lowerA = 0x61;
const lowerZ = 0x7a;

/** The lower-case form of a byte allowed in an ASCII local part (docs/contract.md 4.2); 0 for other bytes. */
const localBytes = tableOf("abcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+-/=?^_`{|}~");
/** The same for a domain. */
const domainBytes = tableOf("abcdefghijklmnopqrstuvwxyz0123456789-.");

function tableOf(letters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(letters)) {
    table[byte] = byte;
    if (byte >= lowerA && byte <= lowerZ) table[byte - 32] = byte;
  }
  return table;
}

const maxLocalSize = 64;
const maxLabelSize = 63;
const maxDomainSize = 253;
export const maxAddressSize = 254;
/** No spelling of a canonical address is longer: `parseEmail` accepts at most 1024 UTF-16 units. */
const maxSpelledSize = 4096;

/** Capacity of the cache of unusual domains, by spelling. A full cache is cleared. */
const maxKnownDomains = 4096;

/**
 * Reads addresses from bytes into a buffer, in canonical form. Agrees with `parseEmail` on the text of the bytes, but
 * makes no strings for ASCII. UTS-46 takes some microseconds, so domains that need it are cached.
 */
export class AddressReader {
  /** The canonical address is written here in UTF-8, from `#start` on. */
  readonly #out: Buffer;
  readonly #start: number;
  readonly #domains = new Map<string, string | null>();
  /** The end of the address in `#out`. */
  end: number;

  constructor(out: Buffer, start: number) {
    this.#out = out;
    this.#start = start;
    this.end = start;
  }

  /** Reads the address that fills a range; false when the range is not an address. */
  read(bytes: Buffer, start: number, end: number): boolean {
    if (end - start > maxSpelledSize) return false;
    const sign = this.#readLocal(bytes, start, end);
    if (sign < 0) return false;
    this.#out[this.end++] = at;
    if (scanDomain(bytes, sign + 1, end, this.#out, this.end, this.#start + maxAddressSize) === end) {
      this.end += end - sign - 1;
      return true;
    }
    return this.#readDomain(bytes, sign + 1, end);
  }

  /** Copies the local part; returns the offset of the at-sign after it, or -1. */
  #readLocal(bytes: Buffer, start: number, end: number): number {
    const out = this.#out;
    const letters = lowerLetters();
    let size = this.#start;
    let previous = dot;
    for (let from = start; from < end; from++) {
      const byte = bytes[from] ?? 0;
      const lower = localBytes[byte] ?? 0;
      if (lower === 0) {
        if (byte >= 0x80) {
          const next = bytes[from + 1] ?? 0;
          const letter = (next & 0xc0) === 0x80 ? (letters[((byte & 0x1f) << 6) | (next & 0x3f)] ?? 0) : 0;
          if (letter === 0 || byte < 0xc2 || byte >= 0xe0 || from - start >= maxLocalSize - 1) {
            return this.#readInternationalLocal(bytes, start, end);
          }
          out[size++] = 0xc0 | (letter >> 6);
          out[size++] = 0x80 | (letter & 0x3f);
          previous = letter;
          from++;
          continue;
        }
        if (byte !== at || previous === dot) return -1;
        this.end = size;
        return from;
      }
      if (lower === dot && previous === dot) return -1;
      if (from - start >= maxLocalSize) return this.#readInternationalLocal(bytes, start, end);
      out[size++] = lower;
      previous = lower;
    }
    return -1;
  }

  #readInternationalLocal(bytes: Buffer, start: number, end: number): number {
    const sign = bytes.indexOf(at, start);
    if (sign < 0 || sign >= end) return -1;
    const local = canonicalLocalPart(bytes.toString("utf8", start, sign));
    if (local === null) return -1;
    this.end = this.#start + this.#out.write(local, this.#start);
    return sign;
  }

  #readDomain(bytes: Buffer, start: number, end: number): boolean {
    const text = bytes.toString("utf8", start, end);
    let domain = this.#domains.get(text);
    if (domain === undefined) {
      domain = canonicalDomain(text);
      if (this.#domains.size >= maxKnownDomains) this.#domains.clear();
      this.#domains.set(text, domain);
    }
    if (domain === null || this.end + domain.length > this.#start + maxAddressSize) return false;
    this.end += this.#out.write(domain, this.end, "latin1");
    return true;
  }
}

let madeLetters: Uint16Array | undefined;

/**
 * Lower case of the letters with two bytes in UTF-8, where both cases are in NFC and need no other mapping: most of
 * Latin, Greek and Cyrillic. Letters compose only with marks, and this table has no marks. 0 for all other characters,
 * and for the sigma, whose lower case depends on the next letter.
 */
function lowerLetters(): Uint16Array {
  if (madeLetters !== undefined) return madeLetters;
  const letters = new Uint16Array(0x800);
  for (let point = 0x80; point < letters.length; point++) {
    const text = String.fromCharCode(point);
    const lower = text.toLowerCase();
    const isLetter = /^\p{L}$/u.test(text) && /^\p{L}$/u.test(lower);
    const isComposed = text.normalize("NFC") === text && lower.normalize("NFC") === lower;
    const code = lower.charCodeAt(0);
    const isAlone = isLetter && isComposed && text !== "Σ";
    if (isAlone && code >= 0x80 && code < letters.length) letters[point] = code;
  }
  madeLetters = letters;
  return letters;
}

/**
 * Copies an ordinary ASCII domain at an offset to `out`, in lower case: labels of letters, digits and single inner
 * hyphens; the last label has only letters. Writes up to `maxOffset`. Returns the offset after the domain in `bytes`,
 * at most `limit`; -1 when the domain is not of this form.
 */
export function scanDomain(
  bytes: Uint8Array,
  start: number,
  limit: number,
  out: Uint8Array,
  offset: number,
  maxOffset: number,
): number {
  const end = Math.min(limit, start + maxDomainSize + 1, start + maxOffset - offset + 1);
  let from = start;
  let size = offset;
  let labelStart = start;
  let hasOther = false;
  let previous = dot;
  for (; from < end; from++) {
    const byte = domainBytes[bytes[from] ?? 0] ?? 0;
    if (byte === 0) break;
    if (byte === dot) {
      if (previous === dot || previous === hyphen || from - labelStart > maxLabelSize) return -1;
      labelStart = from + 1;
      hasOther = false;
    } else {
      // Two hyphens in a row may belong to `xn--`.
      if (byte === hyphen && (previous === dot || previous === hyphen)) return -1;
      if (byte < lowerA) hasOther = true;
    }
    out[size++] = byte;
    previous = byte;
  }
  const isDomain =
    labelStart > start &&
    previous !== dot &&
    !hasOther &&
    from - labelStart <= maxLabelSize &&
    from - start <= maxDomainSize &&
    size <= maxOffset;
  return isDomain ? from : -1;
}
