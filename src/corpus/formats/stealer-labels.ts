import { foldWord, type Label, labelsByWord } from "./stealer-words.ts";

const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const blank = 0x20;
const doubleQuote = 0x22;
const hyphen = 0x2d;
const colon = 0x3a;
const equals = 0x3d;
const greaterThan = 0x3e;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const lowerA = 0x61;
const lowerZ = 0x7a;

/** Letters and digits in lower case; 0 for other bytes. */
const folded = new Uint8Array(256);
for (const byte of Buffer.from("abcdefghijklmnopqrstuvwxyz0123456789")) {
  folded[byte] = byte;
  if (byte >= lowerA && byte <= lowerZ) folded[byte - 32] = byte;
}

/** Bullets, brackets, quotes and other signs before and around a label. */
const signs = tableOf("\0\t !\"#$%&'()*+,-./;<=>?[\\]^_`{|}~");
/** Characters between the words of a label. */
const joints = tableOf(" _-./'`");
/** Characters that close a label, or pad it before its colon. */
const closers = tableOf("\0 \"')*>]_`}");
/** Padding between the colon and the value. */
const fillers = tableOf("\0\t *_`");
/** Characters that end a label of another script. */
const wordEnds = tableOf("\t\n\r:=])}>|");

function tableOf(letters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(letters)) table[byte] = 1;
  return table;
}

const maxSigns = 24;
const maxDigits = 7;
/** Limits for a label: letters and digits in ASCII, bytes otherwise. */
const maxLetters = 28;
const maxWordSize = 80;
/** Padding: some tools pad labels to the same width. */
const maxClosers = 40;
/** Capacity of the cache of non-ASCII words. A full cache is cleared. */
const maxKnownWords = 4096;

/** Hash table of the ASCII labels, by their letters, with open addressing. */
const slotCount = 2048;
const slots: ({ readonly letters: Uint8Array; readonly label: Label } | undefined)[] = Array.from({
  length: slotCount,
});
for (const [word, label] of labelsByWord) {
  if (!/^[a-z0-9]+$/.test(word)) continue;
  const letters = Buffer.from(word);
  let slot = slotOf(letters.reduce(nextHash, 0));
  while (slots[slot] !== undefined) slot = (slot + 1) % slotCount;
  slots[slot] = { letters, label };
}

function nextHash(hash: number, letter: number): number {
  return (Math.imul(hash, 31) + letter) | 0;
}

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 11)) & (slotCount - 1);
}

/** A line such as `["Chrome" = "Default"]` names the program and its profile. */
const programLine = /^\["[^"]{1,100}"\s*=\s*"[^"]{0,100}"\]\s*$/;
const program: Label = { kind: "software", word: "" };

/** Labels by the first bytes of their lines, so that most lines need only one comparison. */
type Head = { readonly bytes: Uint8Array; readonly label: Label; next: Head | null };
const maxHeads = 64;
const maxHeadSize = 32;
/** Bytes after a colon that may belong to it or to the padding before the value. */
const openEnds = tableOf("\0\t *_`:=>");

/** Reads the labels of lines: `Password:`, `- [Login] =`, `"Сайт":`, `3) Mot de passe :`. */
export class LabelReader {
  readonly #known = new Map<string, Label | null>();
  readonly #heads: Head[] = [];
  /** The last label. Labels usually come in the same order, so its `next` is tried first. */
  #last: Head | null = null;
  /** Where the value after the last label begins. */
  valueStart = 0;

  /** The label at the start of a line, or null. A line end must follow the line. */
  read(bytes: Buffer, lineStart: number): Label | null {
    const expected = this.#last?.next ?? null;
    if (expected !== null && isHead(bytes, lineStart, expected.bytes)) {
      this.#last = expected;
      this.valueStart = lineStart + expected.bytes.length;
      return expected.label;
    }
    const label = this.#readLine(bytes, lineStart);
    if (label !== null) this.#learn(bytes, lineStart, label);
    return label;
  }

  /** Expects this label after the previous one from now on. */
  #learn(bytes: Buffer, lineStart: number, label: Label): void {
    const size = this.valueStart - lineStart;
    if (size > maxHeadSize || !isEnded(bytes, this.valueStart)) return;
    let head = this.#heads.find((known) => known.bytes.length === size && isHead(bytes, lineStart, known.bytes));
    if (head === undefined) {
      if (this.#heads.length >= maxHeads) return;
      head = { bytes: Uint8Array.from(bytes.subarray(lineStart, this.valueStart)), label, next: null };
      this.#heads.push(head);
    }
    if (this.#last !== null) this.#last.next = head;
    this.#last = head;
  }

  #readLine(bytes: Buffer, lineStart: number): Label | null {
    if (bytes[lineStart] === openBracket && bytes[lineStart + 1] === doubleQuote) {
      const program = this.#readProgram(bytes, lineStart);
      if (program !== null) return program;
    }
    const start = wordStart(bytes, lineStart);
    return start < 0 ? null : this.#readWord(bytes, start, start > lineStart, true);
  }

  /** The label of a later field of a line, where only `:` and `=` end a label. */
  readInner(bytes: Buffer, fieldStart: number): Label | null {
    const start = wordStart(bytes, fieldStart);
    return start < 0 ? null : this.#readWord(bytes, start, false, false);
  }

  #readWord(bytes: Buffer, start: number, hasSigns: boolean, isLine: boolean): Label | null {
    let at = start;
    let hash = 0;
    let size = 0;
    for (; ; at++) {
      const byte = bytes[at] ?? lineFeed;
      const letter = folded[byte] ?? 0;
      if (letter !== 0) {
        if (++size > maxLetters) return null;
        hash = nextHash(hash, letter);
      } else if (byte >= 0x80 && !isSpaceOrColon(bytes, at)) {
        return this.#readOther(bytes, start, hasSigns, isLine);
      } else if (joints[byte] === 0) {
        break;
      } else {
        const next = bytes[at + 1] ?? lineFeed;
        if (next >= 0x80 && !isSpaceOrColon(bytes, at + 1)) return this.#readOther(bytes, start, hasSigns, isLine);
        if (folded[next] === 0) break;
      }
    }
    const label = find(bytes, start, hash, size);
    return label !== null && this.#readEnd(bytes, at, hasSigns, isLine) ? label : null;
  }

  /** Reads a label with non-ASCII letters. */
  #readOther(bytes: Buffer, start: number, hasSigns: boolean, isLine: boolean): Label | null {
    let at = start;
    while (wordEnds[bytes[at] ?? lineFeed] === 0 && !isWideColon(bytes, at) && !isWideBracket(bytes, at)) {
      if (++at - start > maxWordSize) return null;
    }
    if (isLineEnd(bytes[at] ?? lineFeed)) return null;
    const key = bytes.toString("latin1", start, at);
    let label = this.#known.get(key);
    if (label === undefined) {
      label = labelsByWord.get(foldWord(bytes.toString("utf8", start, at).replace(/[\s"'`*_»]+$/u, ""))) ?? null;
      if (this.#known.size >= maxKnownWords) this.#known.clear();
      this.#known.set(key, label);
    }
    return label !== null && this.#readEnd(bytes, at, hasSigns, isLine) ? label : null;
  }

  /** Reads the colon after a word, or a sign in its place, and sets `valueStart`. */
  #readEnd(bytes: Buffer, wordEnd: number, hasSigns: boolean, isLine: boolean): boolean {
    let at = wordEnd;
    let isClosed = false;
    for (; at - wordEnd < maxClosers; at++) {
      const byte = bytes[at] ?? lineFeed;
      if (closers[byte] === 1) isClosed ||= hasSigns && (byte === closeBracket || byte === greaterThan);
      else if (byte >= 0x80 && spaceSize(bytes, at) > 0) {
        isClosed ||= hasSigns && isWideBracket(bytes, at);
        at += spaceSize(bytes, at) - 1;
      } else break;
    }
    const isTabbed = isLine && bytes[at] === tab;
    while (isTabbed && (bytes[at] === tab || bytes[at] === blank)) at++;
    const byte = bytes[at] ?? lineFeed;
    if (byte === colon || byte === equals) {
      at++;
      // `=>`, `::`, `:=`
      while (bytes[at] === greaterThan || bytes[at] === equals || bytes[at] === colon) at++;
    } else if (isWideColon(bytes, at)) {
      at += 3;
    } else if (isLine && byte === hyphen && bytes[at + 1] === greaterThan) {
      at += 2;
    } else if (isLine && isDash(bytes, at)) {
      at++;
    } else if (!isTabbed && !(isLine && isClosed)) {
      return false;
    }
    for (;;) {
      if (fillers[bytes[at] ?? lineFeed] === 1) at++;
      else if ((bytes[at] ?? 0) >= 0x80 && spaceSize(bytes, at) > 0) at += spaceSize(bytes, at);
      else break;
    }
    this.valueStart = at;
    return true;
  }

  #readProgram(bytes: Buffer, start: number): Label | null {
    let end = start;
    while (!isLineEnd(bytes[end] ?? lineFeed) && end - start < 256) end++;
    if (!programLine.test(bytes.toString("latin1", start, end))) return null;
    this.valueStart = end;
    return program;
  }
}

/** Whether a line begins with these label bytes and the value directly follows. */
function isHead(bytes: Buffer, start: number, head: Uint8Array): boolean {
  for (let index = 0; index < head.length; index++) if (bytes[start + index] !== head[index]) return false;
  return isEnded(bytes, start + head.length);
}

function isEnded(bytes: Buffer, valueStart: number): boolean {
  const byte = bytes[valueStart] ?? lineFeed;
  return byte < 0x80 && openEnds[byte] === 0;
}

/** Where the word of a label may begin, after blanks, bullets, brackets, quotes and a number; -1 if nowhere. */
function wordStart(bytes: Buffer, start: number): number {
  let at = start;
  let signCount = 0;
  while (signCount++ < maxSigns) {
    const byte = bytes[at] ?? lineFeed;
    if (signs[byte] === 1) at++;
    else if (byte >= lowerA && byte <= lowerZ) return at;
    else if (byte >= 0x30 && byte <= 0x39) {
      const end = numberEnd(bytes, at);
      if (end < 0) return -1;
      at = end;
    } else if (byte >= 0x80) {
      const size = signSize(bytes, at);
      if (size === 0) return at;
      at += size;
    } else return folded[byte] === 0 ? -1 : at;
  }
  return -1;
}

/** The end of a number before a label: `12.`, `3)`, `[4]`, `5 `. -1 for digits that are part of a word. */
function numberEnd(bytes: Buffer, start: number): number {
  let end = start;
  while ((bytes[end] ?? 0) >= 0x30 && (bytes[end] ?? 0) <= 0x39) end++;
  return end - start <= maxDigits && signs[bytes[end] ?? lineFeed] === 1 ? end : -1;
}

function find(bytes: Buffer, start: number, hash: number, size: number): Label | null {
  for (let slot = slotOf(hash); ; slot = (slot + 1) % slotCount) {
    const entry = slots[slot];
    if (entry === undefined) return null;
    if (entry.letters.length === size && isWord(bytes, start, entry.letters)) return entry.label;
  }
}

function isWord(bytes: Buffer, start: number, letters: Uint8Array): boolean {
  let at = start;
  for (let index = 0; index < letters.length; index++) {
    let byte = folded[bytes[at++] ?? 0] ?? 0;
    if (byte === 0) byte = folded[bytes[at++] ?? 0] ?? 0;
    if (byte !== letters[index]) return false;
  }
  return true;
}

/** Whether a dash between blanks stands here: `Login - jane.doe@example.com`. */
function isDash(bytes: Buffer, at: number): boolean {
  return bytes[at] === hyphen && bytes[at - 1] === blank && bytes[at + 1] === blank;
}

function isWideColon(bytes: Buffer, at: number): boolean {
  // U+FF1A and U+FF1D
  return bytes[at] === 0xef && bytes[at + 1] === 0xbc && (bytes[at + 2] === 0x9a || bytes[at + 2] === 0x9d);
}

/** Chinese brackets: U+3008 to U+301B. */
function isWideBracket(bytes: Buffer, at: number): boolean {
  const third = bytes[at + 2] ?? 0;
  return bytes[at] === 0xe3 && bytes[at + 1] === 0x80 && third >= 0x88 && third <= 0x9b;
}

function isSpaceOrColon(bytes: Buffer, at: number): boolean {
  return isWideColon(bytes, at) || spaceSize(bytes, at) > 0;
}

/** Size of a non-ASCII blank or closing sign: U+00A0, U+200B, U+FEFF and Chinese brackets; 0 for others. */
function spaceSize(bytes: Buffer, at: number): number {
  const second = bytes[at + 1];
  const third = bytes[at + 2] ?? 0;
  switch (bytes[at]) {
    case 0xc2:
      return second === 0xa0 ? 2 : 0;
    case 0xe2:
      return second === 0x80 && third >= 0x80 && third <= 0x8f ? 3 : 0;
    case 0xe3:
      return second === 0x80 && third >= 0x80 && third <= 0x9f ? 3 : 0;
    case 0xef:
      return second === 0xbb && third === 0xbf ? 3 : 0;
    default:
      return 0;
  }
}

/** Size of a non-ASCII sign such as a bullet, an arrow or an emoji; 0 for letters. */
function signSize(bytes: Buffer, at: number): number {
  const second = bytes[at + 1] ?? 0;
  switch (bytes[at]) {
    case 0xc2:
      return 2;
    // Up to U+2BFF.
    case 0xe2:
      return second < 0xb0 ? 3 : 0;
    case 0xe3:
      return second === 0x80 ? 3 : 0;
    // U+FEFF and the emoji variation selectors.
    case 0xef:
      return second === 0xbb || second === 0xb8 ? 3 : 0;
    case 0xf0:
      return 4;
    default:
      return 0;
  }
}

function isLineEnd(byte: number): boolean {
  return byte === lineFeed || byte === carriageReturn;
}
