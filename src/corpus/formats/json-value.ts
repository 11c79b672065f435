const quote = 0x22;
const backslash = 0x5c;

/** 1 for bytes that need no special handling, outside strings (`outer`) and inside (`inner`). */
const outer = new Uint8Array(256).fill(1);
for (const byte of Buffer.from('"{}[]')) outer[byte] = 0;
const inner = new Uint8Array(256).fill(1);
for (const byte of Buffer.from('"\\')) inner[byte] = 0;

/** Result of `valueEnd` and `stringEnd` when the bytes end first. */
export const isCut = -1;

/** The offset after the JSON object or array at an offset. Counts brackets without checking that they match. */
export function valueEnd(bytes: Uint8Array, start: number, end: number): number {
  let depth = 0;
  for (let at = start; ; ) {
    while (at < end && outer[bytes[at] ?? 0] === 1) at++;
    if (at >= end) return isCut;
    const byte = bytes[at];
    if (byte === quote) {
      at = stringEnd(bytes, at, end);
      if (at === isCut) return isCut;
      continue;
    }
    at++;
    // This bit pattern tells `{` and `[` from `}` and `]`.
    if (((byte ?? 0) & 0x06) === 0x02) depth++;
    else if (--depth === 0) return at;
  }
}

/** The offset after the string whose opening quote is at an offset. */
export function stringEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start + 1; ; at += 2) {
    while (at < end && inner[bytes[at] ?? 0] === 1) at++;
    if (at >= end) return isCut;
    if (bytes[at] === quote) return at + 1;
    if (bytes[at] !== backslash || at + 1 >= end) return isCut;
  }
}

/** Parses JSON; undefined when the text is invalid. Repairs some forms that programs write instead of JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parseMended(text);
  }
}

/** Calls of the MongoDB shell. `parseMended` also handles JavaScript words and trailing commas. */
const shellCall =
  /:\s*(?:ObjectId|ISODate|NumberLong|NumberInt|NumberDecimal|UUID|Timestamp|BinData)\(\s*([^()]{0,200}?)\s*\)/g;

function parseMended(text: string): unknown {
  if (!/[({[,:]\s*(?:NaN|undefined|Infinity|-Infinity)\b|,\s*[}\]]|\)\s*[,}]/.test(text)) return undefined;
  const mended = text
    .replace(shellCall, (_match, inside: string) => `:${/^"[^"]*"$|^-?\d+$/.test(inside) ? inside : "null"}`)
    .replace(/([[,:]\s*)(?:NaN|undefined|-?Infinity)\b/g, "$1null")
    .replace(/,(\s*[}\]])/g, "$1");
  try {
    return JSON.parse(mended);
  } catch {
    return undefined;
  }
}
