import { read } from "node:fs";

const readSize = 256 << 10;

/**
 * The standard input in pieces, each valid until the next one is asked for. The runtime's own stream makes a new piece
 * for every 64 KiB, which is garbage of the size of the file.
 */
export async function* standardInput(): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(readSize);
  for (;;) {
    const size = await readSome(buffer);
    if (size === 0) return;
    yield buffer.subarray(0, size);
  }
}

/** A pipe that another program has set to answer at once says EAGAIN when it is empty. */
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
