/** Takes the bytes of a text in pieces and gives them back in UTF-8. The pieces stay as they are. */
export type TextDecoding = {
  readonly push: (piece: Buffer) => Buffer;
  /** What was held back. */
  readonly end: () => Buffer;
};

const nothing = Buffer.alloc(0);

/**
 * Decodes text whose first bytes, 64 KiB or all there are, are known. UTF-16 is told by its byte order mark, or by the
 * zero in every other byte. Other encodings pass: what an address is made of is the same in all of them. On the way
 * byte order marks are taken out, and long runs of NUL bytes, which are holes in a file, become one line end.
 */
export function decodingOf(head: Buffer): TextDecoding {
  const clean = cleaning(head);
  const encoding = utf16Of(head);
  if (encoding === null) return clean;
  const decoder = new TextDecoder(encoding);
  return {
    push: (piece) => clean.push(Buffer.from(decoder.decode(piece, { stream: true }))),
    end: () => Buffer.concat([clean.push(Buffer.from(decoder.decode())), clean.end()]),
  };
}

/** So much of the pairs of bytes must be one of ASCII in UTF-16, where no mark says it. */
const minAsciiShare = 0.4;
/** And so few the other way round. */
const maxSwappedShare = 0.02;

function utf16Of(head: Buffer): "utf-16le" | "utf-16be" | null {
  if (head[0] === 0xff && head[1] === 0xfe) return "utf-16le";
  if (head[0] === 0xfe && head[1] === 0xff) return "utf-16be";
  if (!head.includes(0)) return null;
  let pairCount = 0;
  let littleCount = 0;
  let bigCount = 0;
  for (let at = 0; at + 1 < head.length; at += 2) {
    const first = head[at] ?? 0;
    const second = head[at + 1] ?? 0;
    // A hole says nothing.
    if (first === 0 && second === 0) continue;
    pairCount++;
    if (second === 0 && isText(first)) littleCount++;
    if (first === 0 && isText(second)) bigCount++;
  }
  if (littleCount >= pairCount * minAsciiShare && bigCount <= pairCount * maxSwappedShare) return "utf-16le";
  if (bigCount >= pairCount * minAsciiShare && littleCount <= pairCount * maxSwappedShare) return "utf-16be";
  return null;
}

function isText(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === lineFeed || byte === carriageReturn;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const mark = Buffer.from([0xef, 0xbb, 0xbf]);
/** Shorter runs of NUL stand within lines, as dirt. */
const minHole = 8;

/**
 * Takes marks and holes out of UTF-8. A byte order mark at the start of a line is the start of a further file: `cat` and
 * `tar -xO` put them there. One right behind a word, with a word behind it, is that too, after a file without a last line
 * end: it becomes one. Any other is a blank, which the formats know.
 */
function cleaning(head: Buffer): TextDecoding {
  // Records that NUL separates, as of `find -print0` or `sort -z`.
  const isSeparator = head.includes(0) && !head.includes(lineFeed) && !head.includes(carriageReturn);
  /** At the end of the last piece, where only the next one decides: marks and zeros, however many, and a part of a mark. */
  let hasMark = false;
  let nulCount = 0;
  let partOfMark: Buffer = nothing;
  let previous = lineFeed;

  function clean(bytes: Buffer, isLast: boolean): Buffer {
    const out = Buffer.allocUnsafe(bytes.length + minHole + mark.length);
    let size = 0;
    const put = (byte: number) => {
      out[size++] = byte;
      previous = byte;
    };
    const putZeros = () => {
      if (isSeparator || nulCount >= minHole) put(lineFeed);
      else for (; nulCount > 0; nulCount--) put(0);
      nulCount = 0;
    };
    const putMark = (following: number) => {
      hasMark = false;
      if (previous === lineFeed || previous === carriageReturn || previous === 0) return;
      if (isWord(previous) && isWord(following)) put(lineFeed);
      else for (const byte of mark) put(byte);
    };
    let nextMark = next(bytes, mark, 0);
    for (let at = 0; at < bytes.length; ) {
      if (nextMark < at) nextMark = next(bytes, mark, at);
      const isMark = nextMark === at;
      const isZero = bytes[at] === 0;
      if (nulCount > 0 && !isZero) putZeros();
      if (hasMark && !isMark) putMark(bytes[at] ?? lineFeed);
      if (isMark) {
        hasMark = true;
        at += mark.length;
      } else if (isZero) {
        nulCount++;
        at++;
      } else {
        const end = Math.min(next(bytes, 0, at), nextMark);
        size += bytes.copy(out, size, at, end);
        previous = bytes[end - 1] ?? previous;
        at = end;
      }
    }
    if (isLast && nulCount > 0) putZeros();
    if (isLast && hasMark) putMark(lineFeed);
    return out.subarray(0, size);
  }

  return {
    push(piece) {
      if (!hasMark && nulCount === 0 && partOfMark.length === 0 && !isDirty(piece)) {
        previous = piece[piece.length - 1] ?? previous;
        return piece;
      }
      const bytes = partOfMark.length === 0 ? piece : Buffer.concat([partOfMark, piece]);
      const end = bytes.length - sizeOfPart(bytes);
      partOfMark = Buffer.from(bytes.subarray(end));
      return clean(bytes.subarray(0, end), false);
    },
    end() {
      const last = partOfMark;
      partOfMark = nothing;
      return hasMark || nulCount > 0 || last.length > 0 ? clean(last, true) : nothing;
    },
  };
}

/** A letter, a digit, or what passwords end with; no blank, separator or bracket. */
function isWord(byte: number): boolean {
  return byte > 0x20 && !separators.includes(byte);
}

const separators = Buffer.from(":;,|=<>()[]{}\"'`\t");

/** Where it stands next, the end when it does not. */
function next(bytes: Buffer, wanted: Buffer | number, from: number): number {
  const at = bytes.indexOf(wanted, from);
  return at < 0 ? bytes.length : at;
}

function isDirty(piece: Buffer): boolean {
  // One byte is found faster than three: it is rare in most texts.
  return piece.includes(0) || (piece.includes(0xef) && (piece.includes(mark) || sizeOfPart(piece) > 0));
}

/** How many bytes at the end may be the beginning of a mark. */
function sizeOfPart(bytes: Buffer): number {
  for (let size = Math.min(mark.length - 1, bytes.length); size > 0; size--) {
    if (bytes.subarray(bytes.length - size).equals(mark.subarray(0, size))) return size;
  }
  return 0;
}
