/** Converts a text to UTF-8 piece by piece. Does not modify the input; a clean piece is returned as it is. */
export type TextDecoding = {
  readonly push: (piece: Buffer) => Buffer;
  /** The bytes held back so far. */
  readonly end: () => Buffer;
};

const nothing = Buffer.alloc(0);

/**
 * Chooses the decoding of a text from its first bytes: 64 KiB, or the whole text. UTF-16 is recognised by its byte
 * order mark or by a zero in every other byte. Other encodings pass unchanged: the characters of addresses are the same
 * in all of them. Byte order marks are removed, and a long run of NUL bytes, which is a hole in a file, becomes one
 * line end.
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

/** In UTF-16 without a mark at least this share of the byte pairs is ASCII. */
const minAsciiShare = 0.4;
/** And at most this share looks like ASCII in the other byte order. */
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
    // A pair of zeros is a hole and counts for neither order.
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
/** Shorter runs of NUL bytes are noise within a line. */
const minHole = 8;

/**
 * Removes byte order marks and holes from UTF-8. A mark at the start of a line begins another file, put there by `cat`
 * or `tar -xO`. So does a mark between two words, after a file without a final line end; it becomes a line end. Any
 * other mark stays: the formats treat it as a blank.
 */
function cleaning(head: Buffer): TextDecoding {
  // Records separated by NUL, as from `find -print0` or `sort -z`.
  const isSeparator = head.includes(0) && !head.includes(lineFeed) && !head.includes(carriageReturn);
  /** State at the end of the last piece, which only the next piece decides: marks and zeros, and part of a mark. */
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

/** Whether a byte belongs to a word or a password: not a blank, separator or bracket. */
function isWord(byte: number): boolean {
  return byte > 0x20 && !separators.includes(byte);
}

const separators = Buffer.from(":;,|=<>()[]{}\"'`\t");

/** The next position of `wanted`; the end when it does not occur. */
function next(bytes: Buffer, wanted: Buffer | number, from: number): number {
  const at = bytes.indexOf(wanted, from);
  return at < 0 ? bytes.length : at;
}

function isDirty(piece: Buffer): boolean {
  // Looks for the first byte of a mark first: it is rare in most texts, and one byte is found faster than three.
  return piece.includes(0) || (piece.includes(0xef) && (piece.includes(mark) || sizeOfPart(piece) > 0));
}

/** The number of bytes at the end that may be the start of a mark. */
function sizeOfPart(bytes: Buffer): number {
  for (let size = Math.min(mark.length - 1, bytes.length); size > 0; size--) {
    if (bytes.subarray(bytes.length - size).equals(mark.subarray(0, size))) return size;
  }
  return 0;
}
