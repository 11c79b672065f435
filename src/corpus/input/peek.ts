/** Bytes with a known start: `head` is also the first part of `chunks`. */
export type Peeked = { readonly head: Buffer; readonly chunks: AsyncIterable<Buffer> };

/** Reads ahead at least `size` bytes, or to the end. `chunks` still starts at the first byte. */
export async function peek(chunks: AsyncIterable<Buffer>, size: number): Promise<Peeked> {
  const iterator = chunks[Symbol.asyncIterator]();
  const seen: Buffer[] = [];
  let seenSize = 0;
  while (seenSize < size) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    // Copied, because chunks may share one buffer.
    seen.push(Buffer.from(value));
    seenSize += value.length;
  }
  const first = Buffer.concat(seen);
  async function* all(): AsyncGenerator<Buffer> {
    try {
      if (first.length > 0) yield first;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { head: first.subarray(0, size), chunks: all() };
}
