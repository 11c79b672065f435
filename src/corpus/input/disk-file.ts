import { closeSync, constants, fstatSync, openSync, read, readSync, statSync } from "node:fs";
import { CorpusError } from "../error.ts";
import { ByteReader, type Pull, pullOf } from "./bytes.ts";
import { Damaged, Unread } from "./unread.ts";

/** Bytes with random access: a file on disk, or an archive in memory. */
export type RandomBytes = {
  readonly size: number;
  /** Reads exactly `length` bytes. Throws `Damaged` when there are fewer. */
  readonly readAt: (offset: number, length: number) => Buffer;
  /** Reads a range in order, in pieces, with read-ahead. Throws `Damaged` when there are fewer bytes. */
  readonly range: (offset: number, length: number) => Pull;
};

/** A regular file that is open for reading. */
export type DiskFile = RandomBytes & {
  /** Reads the bytes that the file had when it was opened. */
  readonly reader: ByteReader;
  /** Closes the file after any running read. */
  readonly close: () => void | Promise<void>;
};

/** A file up to this size is read in one synchronous call: 7 us instead of 100 us through another thread. */
const smallSize = 256 << 10;
const startSize = 64 << 10;
const pieceSize = 1 << 20;

/**
 * Opens a regular file; with `isLinkFollowed` also through symbolic links. Never waits on a FIFO or a device. Throws
 * `CorpusError` `not_found`, and `Unread` for everything else that cannot be read.
 */
export function openDiskFile(path: string | Buffer, isLinkFollowed: boolean): DiskFile {
  let file: number;
  try {
    // Checked before opening, because opening a device can have effects, and again after it, because the path may have
    // been swapped (TOCTOU).
    if (isLinkFollowed) refuseSpecial(statSync(path));
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | (isLinkFollowed ? 0 : constants.O_NOFOLLOW));
  } catch (error) {
    throw error instanceof CorpusError ? error : unreadable(error);
  }
  try {
    const found = fstatSync(file);
    refuseSpecial(found);
    return diskFile(file, found.size);
  } catch (error) {
    closeSync(file);
    throw error instanceof CorpusError ? error : unreadable(error);
  }
}

function refuseSpecial(found: { isFile(): boolean }): void {
  if (found.isFile()) return;
  throw new Unread("not a regular file; - reads standard input: COMMAND | xpose corpus import - --name NAME");
}

function diskFile(file: number, size: number): DiskFile {
  /** The read that runs in another thread. The file must stay open until it ends. */
  let pending: Promise<unknown> | null = null;

  function readAt(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    if (readUpTo(file, bytes, offset) < length) throw new Damaged(shrunk);
    return bytes;
  }

  const range = (offset: number, length: number): Pull => {
    if (length <= smallSize) return pullOf(readAt(offset, length));
    return readAhead(file, offset, offset + length, (reading) => {
      pending = reading;
    });
  };
  return {
    size,
    readAt,
    range,
    reader: size <= smallSize ? ByteReader.of(readAt(0, size)) : new ByteReader(withStart(readAt(0, startSize), range)),
    close() {
      if (pending === null) return closeSync(file);
      return pending.then(() => closeSync(file));
    },
  };

  /** Reads the start first: it decides whether the rest is read at all. */
  function withStart(start: Buffer, rest: typeof range): Pull {
    let pull: Pull | null = null;
    return () => {
      if (pull !== null) return pull();
      pull = rest(start.length, size - start.length);
      return start;
    };
  }
}

/** Reads the next piece in another thread while the current piece is used. */
function readAhead(file: number, offset: number, end: number, onReading: (reading: Promise<unknown>) => void): Pull {
  let buffers: readonly [Buffer, Buffer] | null = null;
  let position = offset;
  let turn: 0 | 1 = 0;
  let next: Promise<Buffer> | null = null;
  const start = (): Promise<Buffer> | null => {
    if (position >= end) return null;
    buffers ??= [takeBuffer(), takeBuffer()];
    const buffer = buffers[turn];
    turn = turn === 0 ? 1 : 0;
    const reading = readSome(file, buffer, Math.min(pieceSize, end - position), position).then((count) => {
      if (count === 0) throw new Damaged(shrunk);
      position += count;
      return buffer.subarray(0, count);
    });
    onReading(reading.catch(() => undefined));
    return reading;
  };
  return async () => {
    const piece = await (next ?? start());
    next = start();
    if (piece === null && buffers !== null) {
      spare.push(...buffers.slice(0, maxSpare - spare.length));
      buffers = null;
    }
    return piece;
  };
}

/** Buffers of files read to the end, kept for the next files. */
const spare: Buffer[] = [];
const maxSpare = 4;

function takeBuffer(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(pieceSize);
}

const shrunk = "cut short while it was read";

function readUpTo(file: number, bytes: Buffer, offset: number): number {
  try {
    for (let filled = 0; ; ) {
      const count = readSync(file, bytes, filled, bytes.length - filled, offset + filled);
      filled += count;
      if (count === 0 || filled === bytes.length) return filled;
    }
  } catch (error) {
    throw unreadable(error);
  }
}

function readSome(file: number, buffer: Buffer, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(file, buffer, 0, length, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(unreadable(error));
    });
  });
}

/** Random access to bytes in memory. */
export function bytesInMemory(bytes: Buffer): RandomBytes {
  const part = (offset: number, length: number): Buffer => {
    if (offset + length > bytes.length) throw new Damaged("cut short");
    return bytes.subarray(offset, offset + length);
  };
  return { size: bytes.length, readAt: part, range: (offset, length) => pullOf(part(offset, length)) };
}

export function unreadable(error: unknown): CorpusError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  if (code === "ENOENT" || code === "ENOTDIR")
    return new CorpusError("not_found", "there is no such file", { cause: error });
  return new Unread(reasons[code] ?? `not readable (${code})`, { cause: error });
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "not readable: permission denied",
  EPERM: "not readable: permission denied",
  ELOOP: "a symbolic link, or in a loop of them",
  ENXIO: "not a regular file",
};
