import { isCut, parseJson, stringEnd, valueEnd } from "./json-value.ts";

/** The events of a stream. A container too large to hold is reported piece by piece. */
export type JsonHandler = {
  /** A complete value at the top level. */
  readonly root: (value: unknown) => void;
  /** Enters a large container; `name` is the member that holds it, or null. */
  readonly enter: (isArray: boolean, name: string | null) => void;
  /** A member or an element of the container entered last. */
  readonly member: (name: string, value: unknown) => void;
  readonly element: (value: unknown) => void;
  readonly leave: () => void;
  /** A value that is not JSON, or a text that is too long. `text` is the value or its beginning. */
  readonly fault: (reason: "malformed" | "too_long", text: string) => void;
  /** Fast path: reads an element from its bytes; returns the offset after it, or -1 to use `element`. */
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
/** RFC 7464 puts this byte before each value. */
const recordSeparator = 0x1e;

/** Larger values are walked and not held in memory. Real records are far smaller. */
const maxValueSize = 1 << 20;
/** Deeper containers are skipped. */
const maxDepth = 32;
/** Limit for numbers and words. */
const maxScalarSize = 1024;
const maxFaultySize = 1 << 16;

type Container = { readonly isArray: boolean; name: string | null };

/**
 * Reads JSON of any size in bounded memory: one value, or several. A syntax error costs only the value around it, as
 * far as its end can be found.
 */
export class JsonStream {
  readonly #handler: JsonHandler;
  readonly #open: Container[] = [];
  #rest: Buffer = Buffer.alloc(0);
  /** State while skipping: the depth of open brackets, and whether the position is in a string or after a backslash. */
  #skipping: { depth: number; isInString: boolean; isEscaped: boolean } | "fault" | null = null;

  constructor(handler: JsonHandler) {
    this.#handler = handler;
  }

  push(bytes: Buffer): void {
    this.#read(bytes, false);
  }

  end(): void {
    this.#read(Buffer.alloc(0), true);
    // The text is truncated: report the fault and close the containers with their content so far.
    if (this.#open.length > 0) this.#handler.fault("malformed", "");
    while (this.#open.pop() !== undefined) this.#handler.leave();
  }

  #read(bytes: Buffer, isLast: boolean): void {
    // A line end after the bytes stops every search.
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

  /** Reads the value or token at an offset; returns the offset after it, or `isCut` when more bytes are needed. */
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
    if (byte !== quote) return this.#readFault(bytes, start, end, isLast);
    const nameEnd = stringEnd(bytes, start, end);
    if (nameEnd === isCut) return this.#readLong(bytes, start, end, isLast);
    let valueStart = skipBlanks(bytes, nameEnd, end);
    if (valueStart < end && bytes[valueStart] !== colon) return this.#readFault(bytes, start, end, isLast);
    valueStart = skipBlanks(bytes, valueStart + 1, end);
    if (valueStart >= end) return isCut;
    const name = parseJson(bytes.toString("utf8", start, nameEnd));
    return this.#readValue(bytes, valueStart, end, isLast, typeof name === "string" ? name : "");
  }

  #readRoot(bytes: Buffer, start: number, end: number, isLast: boolean): number {
    const byte = bytes[start];
    if (byte !== openBrace && byte !== openBracket) return this.#readFault(bytes, start, end, isLast);
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
    if (stop === start || stop - start > maxScalarSize) return this.#readFault(bytes, start, end, isLast);
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

  /** Handles a string that does not end in the bytes. Skips it when it is too long to hold. */
  #readLong(bytes: Buffer, start: number, end: number, isLast: boolean): number {
    if (isLast || end - start < maxValueSize) return isCut;
    this.#handler.fault("too_long", textOf(bytes, start, end));
    this.#skipping = { depth: 0, isInString: true, isEscaped: false };
    return start + 1;
  }

  /** Skips unreadable bytes up to the next line, value or bracket. */
  #readFault(bytes: Buffer, start: number, end: number, isLast: boolean): number {
    const stop = faultEnd(bytes, start + 1, end);
    if (stop === end && !isLast && end - start < maxFaultySize) return isCut;
    if (stop === end) this.#skipping = "fault";
    this.#handler.fault("malformed", textOf(bytes, start, stop));
    return stop;
  }

  #skip(bytes: Buffer, start: number, end: number): number {
    const state = this.#skipping;
    if (state === null) return start;
    if (state === "fault") {
      const stop = faultEnd(bytes, start, end);
      if (stop < end) this.#skipping = null;
      return stop;
    }
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

/** The next offset at which reading can continue. */
function faultEnd(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (
      byte === lineFeed ||
      byte === openBrace ||
      byte === openBracket ||
      byte === closeBrace ||
      byte === closeBracket
    ) {
      return at;
    }
  }
  return end;
}

function textOf(bytes: Buffer, start: number, end: number): string {
  return bytes.toString("utf8", start, Math.min(end, start + maxFaultySize));
}
