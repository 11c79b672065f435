import { ByteReader } from "./bytes.ts";
import { type Container, type Member, streamedMember, unreadMember } from "./container.ts";
import { archiveName } from "./entry-name.ts";
import { isTarHeader, octal, tarBlockSize } from "./tar-header.ts";
import { Damaged, Unread } from "./unread.ts";

/** Limits a record about the next file, such as a long name. Longer ones are hostile. */
const maxExtrasSize = 1 << 20;
/** Files up to this size are read at once, without a promise per file. */
const smallSize = 256 << 10;

/** Records before the header of a file that apply to it: pax records (POSIX.1-2001) and long names of GNU tar. */
type Extras = { path?: string; size?: number; isSparse?: boolean };

/**
 * Reads the files of a tar archive (POSIX ustar and pax, GNU, and the older format) in one pass. Concatenated archives
 * are read as one. Links, devices and sparse files are left out. Throws `Damaged` for a truncated archive, a wrong
 * header checksum, or a name that leaves the archive.
 */
export function openTar(reader: ByteReader): Container {
  /** Unread bytes of the previous file, with its padding. */
  let skipped = 0;

  async function skip(): Promise<void> {
    while (skipped > 0) {
      if (reader.held.length === 0) await reader.hold(1);
      if (reader.held.length === 0) throw cut();
      skipped -= reader.take(Math.min(skipped, reader.held.length)).length;
    }
  }

  /** The next block; null at the end of the data. */
  async function block(): Promise<Buffer | null> {
    await reader.hold(tarBlockSize);
    if (reader.held.length === 0) return null;
    if (reader.held.length < tarBlockSize) throw cut();
    return reader.take(tarBlockSize);
  }

  async function body(size: number): Promise<Buffer> {
    if (size > maxExtrasSize) throw new Damaged("a tar archive with a name of over 1 MiB");
    const whole = padded(size);
    await reader.hold(whole);
    if (reader.held.length < whole) throw cut();
    return reader.take(whole).subarray(0, size);
  }

  let hasEnd = false;
  async function next(): Promise<Member | null> {
    const extras: Extras = {};
    for (;;) {
      await skip();
      const header = await block();
      if (header === null) {
        // Two blocks of zeros end an archive; some programs write only one.
        if (!hasEnd) throw cut();
        return null;
      }
      if (isZero(header)) {
        hasEnd = true;
        continue;
      }
      if (!isTarHeader(header)) throw new Damaged("damaged (tar archive)");
      hasEnd = false;
      const size = extras.size ?? sizeOf(header);
      const type = String.fromCharCode(header[156] || 0x30);
      if (type === "x" || type === "L" || type === "g" || type === "K") {
        const told = await body(sizeOf(header));
        if (type === "x") Object.assign(extras, paxRecords(told));
        if (type === "L") extras.path = archiveName(untilNul(told));
        continue;
      }
      const path = memberPath(extras.path ?? headerPath(header));
      const isFile = type === "0" || type === "7";
      // The size of a link is that of its target; no bytes follow.
      skipped = type === "1" || type === "2" || type === "5" ? 0 : padded(size);
      if (type === "M") throw new Damaged("a part of a tar archive of several volumes");
      if (type === "5" || type === "V" || (isFile && path.endsWith("/"))) continue;
      if (extras.isSparse === true || type === "S") return unreadMember(path, new Unread("sparse (tar)"));
      if (!isFile) return unreadMember(path, new Unread(kinds[type] ?? "not a regular file"));
      return await fileMember(path, size);
    }
  }

  async function fileMember(path: string, size: number): Promise<Member> {
    if (size <= smallSize) {
      const bytes = Buffer.from(await exactly(size));
      skipped -= size;
      return streamedMember(path, ByteReader.of(bytes));
    }
    const pull = reader.limited(size);
    return streamedMember(
      path,
      new ByteReader(() => {
        const piece = pull();
        if (piece instanceof Promise) {
          return piece.then((bytes) => {
            skipped -= bytes?.length ?? 0;
            return bytes;
          });
        }
        skipped -= piece?.length ?? 0;
        return piece;
      }),
    );
  }

  async function exactly(size: number): Promise<Buffer> {
    await reader.hold(size);
    if (reader.held.length < size) throw cut();
    return reader.take(size);
  }

  return { next, close: () => undefined };
}

const kinds: Readonly<Record<string, string>> = {
  "1": "a link",
  "2": "a symbolic link",
  "3": "a device",
  "4": "a device",
  "6": "a FIFO",
};

function cut(): Damaged {
  return new Damaged("cut short (tar archive)");
}

function padded(size: number): number {
  return Math.ceil(size / tarBlockSize) * tarBlockSize;
}

const zeros = Buffer.alloc(tarBlockSize);

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.equals(zeros);
}

/** Twelve octal digits, or a binary number after a first byte of 0x80 (GNU). */
function sizeOf(header: Buffer): number {
  if (((header[124] ?? 0) & 0x80) !== 0) {
    const size = Number(header.readBigUInt64BE(128));
    if (header.readUInt32BE(124) !== 0x80000000 || !Number.isSafeInteger(size))
      throw new Damaged("damaged (tar archive)");
    return size;
  }
  const size = octal(header, 124, 12);
  if (size === null) throw new Damaged("damaged (tar archive)");
  return size;
}

function headerPath(header: Buffer): string {
  const name = archiveName(untilNul(header.subarray(0, 100)));
  const hasPrefix = header.toString("latin1", 257, 263) === "ustar\0";
  const prefix = hasPrefix ? archiveName(untilNul(header.subarray(345, 500))) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/**
 * Removes the `./` that tar puts before the names of a folder. Refuses names that leave the archive: nothing is written
 * to disk, but all archives have the same rule.
 */
function memberPath(path: string): string {
  const plain = path.replace(/^(?:\.\/+)+/, "");
  if (plain.startsWith("/") || plain.split("/").includes("..")) {
    throw new Damaged("a tar archive in which the name of a file leaves the archive");
  }
  return plain;
}

/** Parses pax records: `LENGTH KEY=VALUE\n`, one after the other. */
function paxRecords(bytes: Buffer): Extras {
  const extras: Extras = {};
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, blank < 0 ? at : blank));
    const end = at + length;
    const equals = bytes.indexOf(0x3d, blank);
    if (!Number.isInteger(length) || length <= 0 || end > bytes.length || equals < 0 || equals >= end) {
      throw new Damaged("damaged (tar archive)");
    }
    const key = bytes.toString("utf8", blank + 1, equals);
    const value = bytes.subarray(equals + 1, end - 1);
    if (key === "path") extras.path = archiveName(value);
    if (key === "size") extras.size = sizeFromPax(value);
    if (key.startsWith("GNU.sparse.")) extras.isSparse = true;
    at = end;
  }
  return extras;
}

function sizeFromPax(value: Buffer): number {
  const size = Number(value.toString("latin1"));
  if (!Number.isSafeInteger(size) || size < 0) throw new Damaged("damaged (tar archive)");
  return size;
}
