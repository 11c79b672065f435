import type { Transform } from "node:stream";
import { createGunzip, createInflateRaw } from "node:zlib";
import { XzReadableStream } from "xz-decompress";
import type { CorpusError } from "../error.ts";
import type { ByteReader, Pull } from "./bytes.ts";
import { pipe } from "./kinds.ts";
import { Damaged, Unread } from "./unread.ts";

export type Packing = "gzip" | "zstd" | "xz";

/** Bytes that are unpacked as they are pulled. `close` frees the resources, before the end as well. */
export type Unpacking = { readonly pull: Pull; readonly close: () => void };

/**
 * Unpacks all members, frames or streams of a file in bounded memory. Throws `Damaged` for data that is cut short, has
 * a wrong checksum or is followed by garbage, and `Unread` for an unsupported kind of compression. Zeros after gzip and
 * xz data are padding.
 */
export function decompress(source: ByteReader, packing: Packing): Unpacking {
  if (packing === "gzip") return gunzip(source);
  if (packing === "xz") return throughStream(source, (stream) => new XzReadableStream(stream), xzFailure);
  refuseWindow(source.held);
  // `DecompressionStream` rejects truncated files and trailing garbage; node:zlib accepts a truncated zstd file silently.
  return throughStream(
    source,
    (stream) => stream.pipeThrough(new DecompressionStream("zstd")),
    (cause) => new Damaged(`damaged or cut short (zstd data); if zstd can read it: ${longLine}`, { cause }),
  );
}

/** Unpacks one deflate stream (RFC 1951) and gives the bytes after it back to `source`. */
export function inflateRaw(source: ByteReader): Unpacking {
  return throughZlib(createInflateRaw({ chunkSize }), source, "deflate");
}

const chunkSize = 256 << 10;

function gunzip(source: ByteReader): Unpacking {
  let member = throughZlib(createGunzip({ chunkSize }), source, "gzip");
  return {
    async pull() {
      for (;;) {
        const chunk = await member.pull();
        if (chunk !== null) return chunk;
        if (!(await skipZeros(source))) return null;
        // The stream reads adjacent members itself. This member follows after zeros.
        member.close();
        member = throughZlib(createGunzip({ chunkSize }), source, "gzip");
      }
    },
    close: () => member.close(),
  };
}

/** Skips zeros; returns whether other bytes follow. */
async function skipZeros(source: ByteReader): Promise<boolean> {
  for (;;) {
    await source.hold(1);
    const { held } = source;
    if (held.length === 0) return false;
    const end = held.findIndex((byte) => byte !== 0);
    source.take(end < 0 ? held.length : end);
    if (end >= 0) return true;
  }
}

/** Unpacks through a stream of node:zlib, which works in another thread. */
function throughZlib(
  stream: Transform & { readonly bytesWritten: number },
  source: ByteReader,
  kind: string,
): Unpacking {
  let fedSize = 0;
  let lastInput: Buffer | null = null;
  let isWriting = false;
  let isEnded = false;
  let failure: unknown = null;
  let isAwake = false;
  let resume: () => void = () => undefined;
  const wake = () => {
    isAwake = true;
    resume();
  };
  const change = () =>
    new Promise<void>((resolve) => {
      resume = resolve;
      if (isAwake) resolve();
    });
  stream.on("readable", wake);
  stream.on("end", () => {
    isEnded = true;
    wake();
  });
  stream.on("error", (error) => {
    failure = error;
    wake();
  });
  async function feed(): Promise<void> {
    const input = await source.pull();
    if (input === null) {
      stream.end();
      return;
    }
    fedSize += input.length;
    lastInput = input;
    // The stream uses the input until the callback.
    isWriting = true;
    stream.write(input, () => {
      isWriting = false;
      wake();
    });
  }
  return {
    async pull() {
      for (;;) {
        isAwake = false;
        const chunk: Buffer | null = stream.read();
        if (chunk !== null) return chunk;
        if (failure !== null) throw new Damaged(`damaged or cut short (${kind} data)`, { cause: failure });
        if (isEnded) {
          const unused = fedSize - stream.bytesWritten;
          if (unused > 0 && lastInput !== null) source.giveBack(lastInput.subarray(lastInput.length - unused));
          fedSize = stream.bytesWritten;
          return null;
        }
        // The data has ended and the rest of the input lies after it. The stream reports the end only later.
        const isOver = stream.bytesWritten < fedSize;
        if (!isWriting && !isOver && !stream.writableEnded) await feed();
        await change();
      }
    },
    close: () => void stream.destroy(),
  };
}

type Bytes = ReadableStream<Uint8Array<ArrayBuffer>>;

/** Unpacks through a web stream. It pulls one piece at a time, so that it never unpacks more than is read. */
function throughStream(
  source: ByteReader,
  unpack: (stream: Bytes) => ReadableStream<Uint8Array>,
  failed: (cause: unknown) => CorpusError,
): Unpacking {
  let readError: unknown = null;
  const packed: Bytes = new ReadableStream(
    {
      async pull(controller) {
        try {
          const chunk = await source.pull();
          if (chunk === null) controller.close();
          else controller.enqueue(new Uint8Array(chunk));
        } catch (error) {
          readError = error;
          throw error;
        }
      },
    },
    { highWaterMark: 0 },
  );
  const reader = unpack(packed).getReader();
  return {
    async pull() {
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return null;
          if (value.length > 0) return Buffer.from(value.buffer, value.byteOffset, value.length);
        }
      } catch (error) {
        throw readError ?? failed(error);
      }
    },
    close: () => void reader.cancel().catch(() => undefined),
  };
}

/**
 * xz-decompress passes on the result codes of xz-embedded: 4 = dictionary over 64 MiB, 6 = unsupported filter or check.
 */
function xzFailure(cause: unknown): CorpusError {
  const code = cause instanceof Error ? /code (\d+)$/.exec(cause.message)?.[1] : undefined;
  if (code === "4" || code === "6") return new Unread(`xz data of an unsupported kind: ${pipe("xz -dc FILE")}`);
  return new Damaged(`damaged or cut short (xz data); if xz can read it: ${pipe("xz -dc FILE")}`, { cause });
}

/** The runtime unpacks windows of up to 128 MiB, like the zstd command without options. */
const maxWindow = 1 << 27;

const longLine = pipe("zstd -d --long=31 -c FILE");

/** Checks the window in the header of the first frame (RFC 8878, 3.1.1.1), after skippable frames. */
function refuseWindow(head: Buffer): void {
  let at = 0;
  while (at + 8 <= head.length && head.readUInt32LE(at) >>> 4 === 0x184d2a5) at += 8 + head.readUInt32LE(at + 4);
  if (at + 18 > head.length) return;
  const descriptor = head[at + 4] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionarySize = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const exponent = (head[at + 5] ?? 0) >> 3;
  const mantissa = (head[at + 5] ?? 0) & 7;
  const window = isSingleSegment
    ? contentSize(head, at + 5 + dictionarySize, descriptor >> 6)
    : 2 ** (10 + exponent) * (1 + mantissa / 8);
  if (window <= maxWindow) return;
  throw new Unread(
    `zstd data with a window of ${Math.ceil(window / 2 ** 20)} MiB, which takes that much memory: ${longLine}`,
  );
}

function contentSize(head: Buffer, at: number, form: number): number {
  if (form === 0) return head[at] ?? 0;
  if (form === 1) return head.readUInt16LE(at) + 256;
  return form === 2 ? head.readUInt32LE(at) : Number(head.readBigUInt64LE(at));
}
