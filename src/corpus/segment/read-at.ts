import { closeSync, fstatSync, openSync, read } from "node:fs";
import { readNow } from "./read-now.ts";

/** An open file for reading at offsets. */
export type Readable = {
  /** Reads `length` bytes; fewer at the end of the file. Rejects with the system error. */
  readonly read: (offset: number, length: number) => Promise<Buffer>;
  /** Fills `bytes` if this needs no waiting; otherwise returns false, see read-now.ts. */
  readonly readNow: (bytes: Uint8Array, offset: number) => boolean;
  readonly size: () => number;
  /** Closes the file when the running reads have ended. */
  readonly close: () => void;
};

/** Opens a file for reading without blocking the event loop. Throws the system error. */
export function openReadable(path: string): Readable {
  const file = openSync(path, "r");
  let readingCount = 0;
  let isClosed = false;
  const end = () => {
    if (isClosed && readingCount === 0) closeSync(file);
  };
  return {
    async read(offset, length) {
      if (isClosed) throw new Error("the file is closed");
      readingCount++;
      try {
        return await readAll(file, offset, length);
      } finally {
        readingCount--;
        end();
      }
    },
    readNow: (bytes, offset) => !isClosed && readNow(file, bytes, offset),
    size: () => fstatSync(file).size,
    close() {
      if (isClosed) return;
      isClosed = true;
      end();
    },
  };
}

async function readAll(file: number, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const size = await readSome(file, bytes, filled, offset + filled);
    if (size === 0) break;
    filled += size;
  }
  return bytes.subarray(0, filled);
}

function readSome(file: number, bytes: Buffer, at: number, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(file, bytes, at, bytes.length - at, offset, (error, size) => (error ? reject(error) : resolve(size)));
  });
}
