import { ByteReader, type Pull } from "./bytes.ts";
import { decodingOf, type TextDecoding } from "./encoding.ts";
import { binaryReason } from "./kinds.ts";
import type { Meter } from "./meter.ts";
import { Unread } from "./unread.ts";

/** A text in UTF-8 with a known start. */
export type Text = {
  /** The first 64 KiB, or the whole text; never overwritten. */
  readonly head: Buffer;
  readonly isWhole: boolean;
  /** The whole text, starting with `head`. */
  readonly pull: Pull;
};

/** Hashes the bytes of texts. */
export type ContentSink = Pick<Meter, "addContent" | "beginContent">;

const headSize = 64 << 10;
/** Texts up to this size are checked for being blank. */
const blankSize = 4096;

/**
 * Reads the start of a file as text. `name` improves the error for a binary file. `content` receives all bytes before
 * decoding; for a text longer than the lookahead, `beginContent` is called first. Throws `Unread` for a file that is
 * empty or not text.
 */
export function openText(reader: ByteReader, name: string | null, content: ContentSink): Text | Promise<Text> {
  // One byte more shows whether the head is the whole text.
  const held = reader.hold(headSize + 1);
  return held === undefined ? afterHold(reader, name, content) : held.then(() => afterHold(reader, name, content));
}

function afterHold(reader: ByteReader, name: string | null, content: ContentSink): Text | Promise<Text> {
  const { held, isEnded } = reader;
  const decoding = decodingOf(held.subarray(0, headSize));
  return isEnded ? wholeText(held, decoding, name, content) : longText(reader, decoding, name, content);
}

function wholeText(bytes: Buffer, decoding: TextDecoding, name: string | null, content: ContentSink): Text {
  const first = decoding.push(bytes);
  const last = decoding.end();
  const text = last.length === 0 ? first : Buffer.concat([first, last]);
  const head = text.subarray(0, headSize);
  if (text.length <= blankSize) refuseBlank(text, bytes.includes(0));
  refuseBinary(head, name);
  let isAsked = false;
  return {
    head,
    isWhole: head.length === text.length,
    pull: () => {
      if (isAsked) return null;
      isAsked = true;
      content.addContent(bytes);
      return text;
    },
  };
}

async function longText(
  reader: ByteReader,
  decoding: TextDecoding,
  name: string | null,
  content: ContentSink,
): Promise<Text> {
  content.beginContent();
  let isEnded = false;
  const decode = (piece: Buffer | null): Buffer | null => {
    if (piece !== null) {
      content.addContent(piece);
      return decoding.push(piece);
    }
    isEnded = true;
    const last = decoding.end();
    return last.length === 0 ? null : last;
  };
  const pull = (): Buffer | null | Promise<Buffer | null> => {
    if (isEnded) return null;
    const piece = reader.pull();
    return piece instanceof Promise ? piece.then(decode) : decode(piece);
  };
  const text = new ByteReader(pull);
  await text.hold(headSize + 1);
  const head = Buffer.from(text.held.subarray(0, headSize));
  const isWhole = text.isEnded && text.held.length <= headSize;
  if (isWhole && head.length <= blankSize) refuseBlank(head, true);
  refuseBinary(head, name);
  return { head, isWhole, pull: text.pull };
}

/** Refuses a file with nothing to read, such as a hole of zeros. */
function refuseBlank(text: Buffer, hasNul: boolean): void {
  for (const byte of text) if (byte > 0x20) return;
  throw new Unread(hasNul ? "binary: it holds nothing but zeros" : "empty");
}

/**
 * The two most frequent control characters may be noise or separators. All others together may be at most this share of
 * a text: random bytes are a tenth control characters, of many values.
 */
const dirtCount = 2;
const maxControlShare = 0.02;
/** The share of control characters of any kind that a text may have. */
const maxDirtShare = 0.3;

const isControl = Uint8Array.from({ length: 256 }, (_, byte) =>
  (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) || byte === 0x7f ? 1 : 0,
);

function refuseBinary(head: Buffer, name: string | null): void {
  const counts = new Uint32Array(256);
  let controlCount = 0;
  for (let at = 0; at < head.length; at++) {
    const byte = head[at] ?? 0;
    if (isControl[byte] === 0) continue;
    controlCount++;
    counts[byte] = (counts[byte] ?? 0) + 1;
  }
  if (controlCount === 0) return;
  const strange = counts
    .sort()
    .slice(0, -dirtCount)
    .reduce((sum, count) => sum + count, 0);
  if (strange > head.length * maxControlShare || controlCount > head.length * maxDirtShare) {
    throw new Unread(binaryReason(name));
  }
}
