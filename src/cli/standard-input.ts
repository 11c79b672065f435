import { read } from "node:fs";

const readSize = 256 << 10;

/**
 * The standard input in pieces. A piece is valid until the next piece is requested, because the buffer is reused. The
 * stream of the runtime allocates a new piece per 64 KiB, which adds up to garbage of the size of the file.
 */
export async function* standardInput(): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(readSize);
  for (;;) {
    const size = await readSome(buffer);
    if (size === 0) return;
    yield buffer.subarray(0, size);
  }
}

/** Retries on EAGAIN: an empty pipe reports it when another program has made the pipe non-blocking. */
async function readSome(buffer: Buffer): Promise<number> {
  for (;;) {
    const size = await new Promise<number | null>((resolve, reject) => {
      read(0, buffer, 0, buffer.length, null, (error, count) => {
        if (error === null) resolve(count);
        else if (error.code === "EAGAIN") resolve(null);
        else reject(error);
      });
    });
    if (size !== null) return size;
    await Bun.sleep(1);
  }
}
