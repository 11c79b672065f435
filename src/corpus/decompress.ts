import { CorpusError } from "./error.ts";

/**
 * Unpacks all members or frames. `DecompressionStream` refuses a cut file and trailing rubbish in both formats; the
 * zstd stream of node:zlib ends a cut file without an error.
 */
export async function* decompress(
  chunks: AsyncIterable<Buffer>,
  format: "gzip" | "zstd" | "deflate-raw",
): AsyncGenerator<Buffer> {
  let readError: unknown = null;
  async function* watched(): AsyncGenerator<Buffer> {
    try {
      yield* chunks;
    } catch (error) {
      readError = error;
      throw error;
    }
  }
  const stream = toStream(watched()).pipeThrough(new DecompressionStream(format));
  try {
    for await (const chunk of stream) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  } catch (error) {
    throw readError ?? new CorpusError("refused", `the ${format} data is damaged or cut short`, { cause: error });
  }
}

/** Pulls one chunk at a time, so that no more is unpacked than is read. */
function toStream(chunks: AsyncGenerator<Buffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
    async cancel() {
      await chunks.return(undefined);
    },
  });
}
