import { CorpusError } from "../error.ts";

/**
 * A value in a JSON object: an element of an array that is a member (`isElement`), or a member that is no array.
 * `text` is its JSON, not yet checked; null when it is too long.
 */
export type JsonPiece = { readonly key: string; readonly text: string | null; readonly isElement: boolean };

/** Longer values are not held in memory. Real ones, all breaches of one address with their texts, stay far below. */
const maxPieceSize = 1 << 20;

/** Where in the object the cutter is; text is collected from one delimiter of this place to the next. */
type Place = "outside" | "key" | "value" | "element" | "after array" | "end";

/** What ends the text at each place. Brackets and commas within a nested value or a string do not count. */
const delimiters: Readonly<Record<Place, string>> = {
  outside: "{",
  key: ":}",
  value: "[,}",
  element: ",]",
  "after array": ",}",
  end: "",
};

/**
 * Reads a text that is one JSON object of arrays, `{"key":[...],...}`, without holding it in memory. Throws
 * `CorpusError` `refused` when the text is not such an object or is cut short.
 */
export class JsonCutter {
  #place: Place = "outside";
  #key = "";
  #isInString = false;
  #isEscaped = false;
  /** Brackets that are open within the present value. */
  #nesting = 0;
  /** Text of the present place from earlier chunks, at most a little over `maxPieceSize`. */
  #carried: Buffer = Buffer.alloc(0);

  /** Throws `CorpusError` when the object has not ended. */
  end(): void {
    if (this.#place !== "end") throw notAnObject("it is cut short");
  }

  /** The pieces that end in further bytes. */
  push(chunk: Buffer): JsonPiece[] {
    const pieces: JsonPiece[] = [];
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const sign = String.fromCharCode(chunk[at] ?? 0);
      if (!this.#isDelimiter(sign)) continue;
      const text = this.#take(chunk.subarray(start, at));
      start = at + 1;
      if (sign === "[" && text?.trim() !== "") throw notAnObject("a bracket stands where none can be");
      const piece = this.#pass(sign, text);
      if (piece !== null) pieces.push(piece);
    }
    this.#carry(chunk.subarray(start));
    return pieces;
  }

  /** Follows strings and nested brackets; true for what ends the text of the present place. */
  #isDelimiter(sign: string): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (sign === "\\") this.#isEscaped = true;
      else if (sign === '"') this.#isInString = false;
      return false;
    }
    if (sign === '"') this.#isInString = true;
    else if (this.#nesting > 0 && (sign === "}" || sign === "]")) this.#nesting--;
    else if (this.#nesting === 0 && delimiters[this.#place].includes(sign)) return true;
    else if (sign === "{" || sign === "[") this.#nesting++;
    return false;
  }

  /** Goes on to the next place; returns the piece that ends here, if one does. */
  #pass(delimiter: string, text: string | null): JsonPiece | null {
    const place = this.#place;
    const isBlank = text?.trim() === "";
    const piece = { key: this.#key, text, isElement: place === "element" };
    if (place === "outside" || place === "after array") {
      if (!isBlank) throw notAnObject("something stands outside of its members");
    }
    if (place === "key" && delimiter === ":") this.#key = parseKey(text);
    this.#place = nextPlace(place, delimiter);
    if (place === "value") return delimiter === "[" ? null : piece;
    return place === "element" && !(isBlank && delimiter === "]") ? piece : null;
  }

  #take(rest: Buffer): string | null {
    this.#carry(rest);
    const text = this.#carried.length > maxPieceSize ? null : this.#carried.toString("utf8");
    this.#carried = Buffer.alloc(0);
    return text;
  }

  #carry(bytes: Buffer): void {
    if (this.#place === "end" && bytes.toString("latin1").trim() !== "") throw notAnObject("something follows its end");
    if (bytes.length === 0 || this.#carried.length > maxPieceSize) return;
    this.#carried = this.#carried.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#carried, bytes]);
  }
}

function nextPlace(place: Place, delimiter: string): Place {
  if (place === "element") return delimiter === "]" ? "after array" : "element";
  if (delimiter === "}") return "end";
  if (delimiter === "[") return "element";
  return delimiter === ":" ? "value" : "key";
}

function parseKey(text: string | null): string {
  const key = text === null ? null : parseJson(text);
  if (typeof key !== "string") throw notAnObject("a key is no string");
  return key;
}

/** The value of a JSON text, or undefined when it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notAnObject(why: string): CorpusError {
  return new CorpusError("refused", `the file is not a JSON object of arrays: ${why}`);
}
