import { CorpusError } from "../error.ts";

/**
 * A value of a JSON object: an element of an array that is a member of it (`isElement`), or a member that is no array.
 * `text` is its JSON, not yet checked; null when it is too long.
 */
export type JsonPiece = { readonly key: string; readonly text: string | null; readonly isElement: boolean };

/** Longer values are not held in memory. The longest real ones are all breaches of one address, with their texts. In bytes. */
const maxPieceSize = 1 << 20;

const code = { quote: 0x22, backslash: 0x5c, comma: 0x2c, colon: 0x3a };
const [openObject, closeObject, openArray, closeArray] = [0x7b, 0x7d, 0x5b, 0x5d];

/** What the reader expects next. In a piece it looks for its end. */
type Place = "start" | "key" | "colon" | "value" | "element" | "after element" | "after member" | "piece" | "end";

/**
 * Reads a file that is one JSON object of arrays, `{"key":[...],...}`, without holding it in memory; yields its pieces
 * in order, some at a time. Throws `CorpusError` `refused` when the file is not such an object or is cut short.
 */
export async function* readJsonArrays(chunks: AsyncIterable<Buffer>): AsyncGenerator<JsonPiece[]> {
  const reader = new ArrayReader();
  for await (const chunk of chunks) yield reader.push(chunk);
  if (!reader.isComplete) throw new CorpusError("refused", "the JSON of the file is cut short");
}

class ArrayReader {
  #place: Place = "start";
  #key = "";
  #isElement = false;
  /** Brackets that are open within the piece. */
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** The first bytes of a piece or key that began in an earlier chunk; null when it is too long. */
  #carried: Buffer | null = Buffer.alloc(0);
  #isKey = false;

  get isComplete(): boolean {
    return this.#place === "end";
  }

  push(chunk: Buffer): JsonPiece[] {
    const pieces: JsonPiece[] = [];
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if (this.#place === "piece") {
        if (!this.#endsPiece(byte)) continue;
        this.#endPiece(chunk.subarray(start, byte === code.quote && this.#isKey ? at + 1 : at), pieces);
        if (!this.#isKey) at--;
        continue;
      }
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue;
      start = at;
      if (this.#step(byte)) at--;
    }
    if (this.#place === "piece") this.#carry(chunk.subarray(start));
    return pieces;
  }
}
