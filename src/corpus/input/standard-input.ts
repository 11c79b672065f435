import type { Pull } from "./bytes.ts";

/** Reads bytes from a pipe until the signal aborts: a pipe may stay silent for ever. */
export function standardInput(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): { readonly pull: Pull; readonly close: () => void } {
  const iterator = chunks[Symbol.asyncIterator]();
  return {
    async pull() {
      const { done, value } = await nextOrAbort(iterator, signal);
      return done === true ? null : Buffer.from(value.buffer, value.byteOffset, value.length);
    },
    // Not awaited: a generator that waits for the pipe returns only when data arrives.
    close: () => void iterator.return?.(),
  };
}

function nextOrAbort<Value>(iterator: AsyncIterator<Value>, signal: AbortSignal): Promise<IteratorResult<Value>> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    iterator
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", onAbort));
  });
}
