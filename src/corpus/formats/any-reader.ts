import { AddressFinder } from "./address-finder.ts";
import type { Cut, RecordReader, RecordSink } from "./format.ts";
import { isMessageId, isOpenMessageId } from "./message-id.ts";

const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const blank = 0x20;
const doubleQuote = 0x22;
const ampersand = 0x26;
const closeParenthesis = 0x29;
const comma = 0x2c;
const hyphen = 0x2d;
const slash = 0x2f;
const semicolon = 0x3b;
const equals = 0x3d;
const greaterThan = 0x3e;
const at = 0x40;
const pipe = 0x7c;

/** How far back to look for a URL, as in `AddressFinder`. */
const maxUrlSize = 256;
const maxEntitySize = 12;

/** Reads every address of a text. Text that looks like an address and is not becomes a skipped record. */
export function addressReader(sink: RecordSink): RecordReader {
  const reader = new TextReader(sink);
  return { read: (bytes, start, end) => reader.read(bytes, start, end), end: () => undefined };
}

/**
 * Cuts after the last line end, except where a mail header is folded or a word is broken over lines. In a longer line
 * it cuts where neither an address nor its context can be split.
 */
export const cutBesideAddress: Cut = (bytes, start, end) => {
  for (let feed = bytes.lastIndexOf(lineFeed, end - 2); feed >= start; feed = bytes.lastIndexOf(lineFeed, feed - 1)) {
    if (!isBlank(bytes[feed + 1] ?? 0) && !isSoftBreak(bytes, feed + 1, start)) return feed + 1;
    if (feed === 0) break;
  }
  for (let cut = end - 1; cut > start; cut--) if (isSafeCut(bytes, cut, start)) return cut;
  return start;
};

function isSafeCut(bytes: Uint8Array, cut: number, floor: number): boolean {
  const before = bytes[cut - 1] ?? 0;
  const isUrlEnd = isBlank(before) || before === doubleQuote || before === greaterThan;
  const isSeparator =
    before === comma ||
    before === closeParenthesis ||
    (before === semicolon && !isEntityEnd(bytes, cut, floor)) ||
    (before === pipe && bytes[cut] !== hyphen);
  if (!isUrlEnd && !isSeparator) return false;
  return (isUrlEnd || !isInPath(bytes, cut, floor)) && !isOpenMessageId(bytes, cut, floor);
}

/** Whether the semicolon before `end` may end an entity such as `&#64;`, which is part of an address. */
function isEntityEnd(bytes: Uint8Array, end: number, floor: number): boolean {
  return bytes.subarray(Math.max(floor, end - maxEntitySize), end).includes(ampersand);
}

/** Whether the text before `end` may be a URL that continues. */
function isInPath(bytes: Uint8Array, end: number, floor: number): boolean {
  const least = Math.max(floor, end - maxUrlSize);
  for (let from = end - 1; from >= least; from--) {
    const byte = bytes[from] ?? 0;
    if (byte === slash) return true;
    if (byte <= blank || byte === doubleQuote || byte === 0x27 || byte === 0x3c || byte === greaterThan) return false;
  }
  return false;
}

function isBlank(byte: number): boolean {
  return byte === blank || byte === tab;
}

/** Encoded forms of the at-sign in URLs, HTML and JSON. */
const encodedSigns = ["%40", "&#64;", "&#x40;", "&commat;", "\\u0040"].map((text) => Buffer.from(text));
/** Enough for an address and its surroundings. */
const maxBefore = 200;
const maxBehind = 300;

class TextReader {
  readonly #sink: RecordSink;
  readonly #finder: AddressFinder;

  constructor(sink: RecordSink) {
    this.#sink = sink;
    this.#finder = new AddressFinder(sink.scanner, { hasEscapes: true });
    sink.scanner.setSite(null);
  }

  read(bytes: Buffer, start: number, end: number): void {
    const finder = this.#finder;
    for (let sign = bytes.indexOf(at, start); sign >= 0 && sign < end; sign = bytes.indexOf(at, sign + 1)) {
      const found = finder.find(bytes, sign, start, end);
      if (found === "none" || finder.isDoubled) {
        if (isBetweenWords(bytes, sign, start, end)) this.#sink.add("invalid_email");
      } else if (found === "doubtful" || isBroken(bytes, finder, start, end)) {
        this.#sink.noteFurtherAddresses(1);
      } else if (!isMessageId(bytes, finder.start, start)) {
        this.#add();
      }
    }
    for (const sign of encodedSigns) this.#readEncoded(bytes, sign, start, end);
  }

  #add(): void {
    const { scanner } = this.#sink;
    scanner.hashScanned();
    scanner.setSite(null);
    this.#sink.addScanned();
  }

  #readEncoded(bytes: Buffer, encoded: Buffer, start: number, end: number): void {
    for (let sign = bytes.indexOf(encoded, start); sign >= 0 && sign < end; sign = bytes.indexOf(encoded, sign + 1)) {
      const isBetween = sign > start && isWord(bytes[sign - 1] ?? 0) && isWord(bytes[sign + encoded.length] ?? 0);
      if (!isBetween) continue;
      const before = bytes.toString("latin1", Math.max(start, sign - maxBefore), sign);
      const behind = bytes.toString("latin1", sign + encoded.length, Math.min(end, sign + encoded.length + maxBehind));
      const local = Buffer.from(encoded === encodedSigns[0] ? decodedEnd(before) : before, "latin1");
      const plain = Buffer.concat([local, Buffer.from(`@${behind}\n`, "latin1")]);
      if (this.#finder.find(plain, local.length, 0, plain.length - 1) === "address") this.#add();
    }
  }
}

/** Decodes a percent-encoded word at the end of a text, as bytes. */
function decodedEnd(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2}|[\w.~+-])+$/i, (word) =>
    word.replace(/%([0-9a-f]{2})/gi, (_code, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  );
}

/** Whether quoted-printable encoding breaks the word at a line end, or begins it with a character code. */
function isBroken(bytes: Buffer, { start, end }: AddressFinder, floor: number, limit: number): boolean {
  if (end + 1 < limit && bytes[end] === equals && isLineEnd(bytes[end + 1] ?? 0)) return true;
  if (start === floor) return false;
  if (bytes[start - 1] === equals) return /^(?:0[9AD]|2[02]|3[CDE])/.test(bytes.toString("latin1", start, start + 2));
  return isSoftBreak(bytes, start, floor);
}

/** Whether a soft line break of quoted-printable text comes before an offset. */
function isSoftBreak(bytes: Uint8Array, start: number, floor: number): boolean {
  if (bytes[start - 1] !== lineFeed) return false;
  const end = bytes[start - 2] === carriageReturn ? start - 3 : start - 2;
  return end >= floor && bytes[end] === equals;
}

function isLineEnd(byte: number): boolean {
  return byte === lineFeed || byte === carriageReturn;
}

/** Whether the sign stands between words, as in `user@host`, but not in `@name` or `at @ sign`. */
function isBetweenWords(bytes: Buffer, sign: number, floor: number, limit: number): boolean {
  return sign > floor && sign + 1 < limit && isWord(bytes[sign - 1] ?? 0) && isWord(bytes[sign + 1] ?? 0);
}

function isWord(byte: number): boolean {
  const lower = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x7a) || byte >= 0x80;
}
