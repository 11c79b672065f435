import { isCut, parseJson, stringEnd, valueEnd } from "./json-value.ts";

/** What a stream hands over. Containers that are too large to be held are told piece by piece. */
export type JsonHandler = {
  /** A value at the top that is held as a whole. */
  readonly root: (value: unknown) => void;
  /** A container is walked through from here on; the name of the member that it is, or null. */
  readonly enter: (isArray: boolean, name: string | null) => void;
  /** A member or an element of the container that was entered last. */
  readonly member: (name: string, value: unknown) => void;
  readonly element: (value: unknown) => void;
  readonly leave: () => void;
  /** A value that is no JSON, or a text in a container that is too long. `text` is all of it, or its beginning. */
  readonly fault: (reason: "malformed" | "too_long", text: string) => void;
  /** Reads an element from its bytes; returns the offset behind it, or -1 when `element` has to. */
  readonly scanElement?: (bytes: Buffer, start: number, end: number) => number;
};

const lineFeed = 0x0a;
const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
/** RFC 7464 puts it before each value. */
const recordSeparator = 0x1e;

/** A larger value is walked through and not held. Real records stay far below. */
export const maxValueSize = 1 << 20;
/** Deeper containers are passed over. */
const maxDepth = 32;
/** A number or a word is no longer. */
const maxScalarSize = 1024;
const maxFaultySize = 1 << 16;

type Container = { readonly isArray: boolean; name: string | null };

/**
 * Reads JSON texts of any size with bounded memory: one value, or several in a row. What is broken costs the value that
 * it is in, as far as that can be told.
 */
export class JsonStream {
  readonly #handler: JsonHandler;
  readonly #open: Container[] = [];
  #rest: Buffer = Buffer.alloc(0);
  /** What is passed over: open brackets, and whether it is within a string, or behind a backslash there. */
  #skipping: { depth: number; isInString: boolean; isEscaped: boolean } | null = null;

  constructor(handler: JsonHandler) {
    this.#handler = handler;
  }

  push(bytes: Buffer): void {
    this.#read(bytes, false);
  }

  end(): void {
    this.#read(Buffer.alloc(0), true);
    // The text is cut short: what it holds is told, and that something is missing.
    if (this.#open.length > 0) this.#handler.fault("malformed", "");
    while (this.#open.pop() !== undefined) this.#handler.leave();
  }

  #read(bytes: Buffer, isLast: boolean): void {
    // A line end behind the bytes stops every search.
    const all = Buffer.concat([this.#rest, bytes, lineEnd]);
    const end = all.length - 1;
    let at = 0;
    while (at < end) {
      const next = this.#skipping === null ? this.#readNext(all, at, end, isLast) : this.#skip(all, at, end);
      if (next === isCut) break;
      at = next;
    }
    if (isLast && at < end) this.#handler.fault("malformed", textOf(all, at, end));
    this.#rest = Buffer.from(all.subarray(Math.min(at, end), end));
  }

  /** Reads what begins at an offset; returns the offset behind it, or `isCut` when more bytes are needed. */
  #readNext(bytes: Buffer, start: number, end: number, isLast: boolean): number {
    const container = this.#open.at(-1);
    const byte = bytes[start] ?? 0;
    if (byte <= 0x20 || byte === comma || byte === recordSeparator) return start + 1;
    if (container === undefined) return this.#readRoot(bytes, start, end, isLast);
    if (byte === closeBracket || byte === closeBrace) {
      this.#open.pop();
      this.#handler.leave();
      return start + 1;
    }
    if (container.isArray) return this.#readValue(bytes, start, end, isLast, null);
    if (byte !== quote) return this.#readFault(bytes, start, end);
    const nameEnd = stringEnd(bytes, start, end);
    if (nameEnd === isCut) return this.#readLong(bytes, start, end, isLast);
    let valueStart = skipBlanks(bytes, nameEnd, end);
    if (valueStart < end && bytes[valueStart] !== colon) return this.#readFault(bytes, start, end);
    valueStart = skipBlanks(bytes, valueStart + 1, end);
    if (valueStart >= end) return isCut;
    const name = parseJson(bytes.toString("utf8", start, nameEnd));
    return this.#readValue(bytes, valueStart, end, isLast, typeof name === "string" ? name : "");
  }

  #readRoot(bytes: Buffer, start: number, end: number, isLast: boolean): number {
    const byte = bytes[start];
    if (byte !== openBrace && byte !== openBracket) return this.#readFault(bytes, start, end);
    return this.#readValue(bytes, start, end, isLast, null);
  }

  #readValue(bytes: Buffer, start: number, end: number, isLast: boolean, name: string | null): number {
    const byte = bytes[start];
    if (byte === quote) {
      const stop = stringEnd(bytes, start, end);
      if (stop === isCut) return this.#readLong(bytes, start, end, isLast);
      return this.#take(bytes, start, stop, name);
    }
    if (byte !== openBrace && byte !== openBracket) return this.#readScalar(bytes, start, end, isLast, name);
    if (byte === openBrace && name === null && this.#open.length > 0) {
      const stop = this.#handler.scanElement?.(bytes, start, end) ?? -1;
      if (stop > 0) return stop;
    }
    const stop = valueEnd(bytes, start, Math.min(end, start + maxValueSize));
    if (stop !== isCut) return this.#take(bytes, start, stop, name);
    if (end - start < maxValueSize && !isLast) return isCut;
    if (this.#open.length >= maxDepth) {
      this.#handler.fault("too_long", textOf(bytes, start, end));
      this.#skipping = { depth: 0, isInString: false, isEscaped: false };
      return start;
    }
    this.#open.push({ isArray: byte === openBracket, name });
    this.#handler.enter(byte === openBracket, name);
    return start + 1;
  }

  #readScalar(bytes: Buffer, start: number, end: number, isLast: boolean, name: string | null): number {
    let stop = start;
    while (stop < end && !isScalarEnd(bytes[stop] ?? 0)) stop++;
    if (stop === start || stop - start > maxScalarSize) return this.#readFault(bytes, start, end);
    if (stop >= end && !isLast) return isCut;
    return this.#take(bytes, start, stop, name);
  }

  #take(bytes: Buffer, start: number, end: number, name: string | null): number {
    const text = bytes.toString("utf8", start, end);
    const value = parseJson(text);
    if (value === undefined) this.#handler.fault("malformed", text);
    else if (this.#open.length === 0) this.#handler.root(value);
    else if (name === null) this.#handler.element(value);
    else this.#handler.member(name, value);
    return end;
  }

  /** A string that does not end here. One that is too long to be held is passed over. */
  #readLong(bytes: Buffer, start: number, end: number, isLast: boolean): number {
    if (isLast || end - start < maxValueSize) return isCut;
    this.#handler.fault("too_long", textOf(bytes, start, end));
    this.#skipping = { depth: 0, isInString: true, isEscaped: false };
    return start + 1;
  }

  /** Passes over what cannot be read, up to the next line, value or bracket. */
  #readFault(bytes: Buffer, start: number, end: number): number {
    let stop = start + 1;
    while (stop < end && !isFaultEnd(bytes[stop] ?? 0)) stop++;
    this.#handler.fault("malformed", textOf(bytes, start, stop));
    return stop;
  }

  #skip(bytes: Buffer, start: number, end: number): number {
    const state = this.#skipping;
    if (state === null) return start;
    for (let at = start; at < end; at++) {
      const byte = bytes[at];
      if (state.isEscaped) state.isEscaped = false;
      else if (state.isInString && byte === backslash) state.isEscaped = true;
      else if (byte === quote) state.isInString = !state.isInString;
      else if (state.isInString) continue;
      else if (byte === openBrace || byte === openBracket) state.depth++;
      else if (byte === closeBrace || byte === closeBracket) state.depth--;
      if (!state.isInString && state.depth === 0) {
        this.#skipping = null;
        return at + 1;
      }
    }
    return end;
  }
}

const backslash = 0x5c;
const lineEnd = Buffer.from("\n");

function skipBlanks(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] ?? 0) <= 0x20) at++;
  return at;
}

function isScalarEnd(byte: number): boolean {
  return (
    byte <= 0x20 || byte === comma || byte === closeBracket || byte === closeBrace || byte === colon || byte === quote
  );
}

function isFaultEnd(byte: number): boolean {
  return (
    byte === lineFeed || byte === openBrace || byte === openBracket || byte === closeBrace || byte === closeBracket
  );
}

function textOf(bytes: Buffer, start: number, end: number): string {
  return bytes.toString("utf8", start, Math.min(end, start + maxFaultySize));
}
