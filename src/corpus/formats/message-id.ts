const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const lessThan = 0x3c;

/** Names of headers and log fields whose values look like addresses (RFC 5322, 3.6.4). */
const names = /^(?:(?:resent|original|x)?messageids?|msgids?|inreplyto|references?|contentid|cid)$/;
const header = /^[ \t]*(?:(?:[a-z]+-)?message-id|in-reply-to|references|content-id)[ \t]*:/i;
const maxNameSize = 24;
/** Characters between a name and its value. */
const maxGap = 8;
/** How far back to look for the start of a header. */
const maxHeaderSize = 4096;

/** Bytes allowed between the name of a field and an id. */
const gap = new Uint8Array(256);
for (const byte of Buffer.from("<\"'=: \t\\[(")) gap[byte] = 1;

/** Whether an address-like text at an offset is a message id. */
export function isMessageId(bytes: Uint8Array, start: number, floor: number): boolean {
  if (start === floor || gap[bytes[start - 1] ?? 0] === 0) return false;
  return isNamed(bytes, start, floor) || (bytes[start - 1] === lessThan && isInHeader(bytes, start, floor));
}

/** Whether an id at or after an offset can be recognised only by the text before the offset. */
export function isOpenMessageId(bytes: Uint8Array, offset: number, floor: number): boolean {
  return (
    isNamed(bytes, offset, floor) || isInHeader(bytes, offset, floor) || header.test(text(bytes, offset, offset + 40))
  );
}

/** Whether a field name precedes: `message-id=<...`, `"messageId": "...`, `In-Reply-To: <...`. */
function isNamed(bytes: Uint8Array, start: number, floor: number): boolean {
  let end = start;
  while (end > floor && start - end < maxGap && gap[bytes[end - 1] ?? 0] === 1) end--;
  if (end === start) return false;
  let from = end;
  while (from > floor && end - from < maxNameSize && isNameByte(bytes[from - 1] ?? 0)) from--;
  return end > from && names.test(text(bytes, from, end).toLowerCase().replace(/[_-]/g, ""));
}

function isNameByte(byte: number): boolean {
  const lower = byte | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || byte === 0x2d || byte === 0x5f;
}

/** Whether the offset is in a header such as `References: <...> <...>`, which may be folded over several lines. */
function isInHeader(bytes: Uint8Array, start: number, floor: number): boolean {
  const least = Math.max(floor, start - maxHeaderSize);
  for (let from = start; from >= least; from--) {
    const isLineStart = from === floor || isLineEnd(bytes[from - 1] ?? 0);
    if (isLineStart && (from === floor || !isBlank(bytes[from] ?? 0))) return header.test(text(bytes, from, from + 40));
  }
  return false;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

function isLineEnd(byte: number): boolean {
  return byte === lineFeed || byte === carriageReturn;
}

function text(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(
    "latin1",
    start,
    Math.min(end, bytes.length),
  );
}
