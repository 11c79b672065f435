import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { decompress } from "./decompress.ts";
import { CorpusError } from "./error.ts";
import { maxEntryCount } from "./folder.ts";

/** A file in a .zip archive (PKWARE APPNOTE 6.3.10), as its central directory describes it. */
export type ZipMember = {
  readonly name: string;
  readonly isFolder: boolean;
  readonly method: number;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  readonly headerAt: number;
};

const endMagic = 0x06054b50;
const endSize = 22;
const end64Magic = 0x06064b50;
const locatorMagic = 0x07064b50;
const locatorSize = 20;
const centralMagic = 0x02014b50;
const centralSize = 46;
const localMagic = 0x04034b50;
const localSize = 30;
const maxCommentSize = 0xffff;
/** The whole central directory is held in memory. 100,000 files with names of 255 bytes stay below. */
const maxDirectorySize = 32 << 20;
const stored = 0;
const deflated = 8;
const readSize = 256 << 10;

/** Text shrinks to a tenth, the same line over and over to a thousandth: beyond this it is no breach file. */
const maxExpansion = 200;
/** So much may come out of any member, however small it is. */
const freeExpansion = 64 << 20;

/**
 * Reads the central directory of an archive. Throws `CorpusError` `refused` when it is damaged, cut, encrypted, in
 * several parts, packed in a way that is not read here, holds too many files, one in the place of another, or one whose
 * name leaves the archive.
 */
export async function readZip(file: FileHandle, fileSize: number): Promise<ZipMember[]> {
  const { count, offset, size } = await findDirectory(file, fileSize);
  if (count > maxEntryCount) throw refused(`it holds more than ${maxEntryCount} files`);
  if (size > maxDirectorySize || offset + size > fileSize) throw refused("its directory is damaged");
  const directory = await readExactly(file, offset, size);
  const members: ZipMember[] = [];
  for (let at = 0; members.length < count; ) {
    if (at + centralSize > size || directory.readUInt32LE(at) !== centralMagic)
      throw refused("its directory is damaged");
    const next =
      at +
      centralSize +
      directory.readUInt16LE(at + 28) +
      directory.readUInt16LE(at + 30) +
      directory.readUInt16LE(at + 32);
    if (next > size) throw refused("its directory is damaged");
    members.push(parseMember(directory.subarray(at, next)));
    at = next;
  }
  refuseOverlaps(members, offset);
  return members;
}

type Directory = { readonly count: number; readonly offset: number; readonly size: number };

async function findDirectory(file: FileHandle, fileSize: number): Promise<Directory> {
  const tailSize = Math.min(fileSize, endSize + maxCommentSize);
  const tail = await readExactly(file, fileSize - tailSize, tailSize);
  for (let at = tailSize - endSize; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== endMagic || at + endSize + tail.readUInt16LE(at + 20) > tailSize) continue;
    if (tail.readUInt16LE(at + 4) !== tail.readUInt16LE(at + 6)) throw refused("it is one of several parts");
    const directory = {
      count: tail.readUInt16LE(at + 10),
      size: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
    };
    const is64 = directory.count === 0xffff || directory.size === 0xffffffff || directory.offset === 0xffffffff;
    return is64 ? await findDirectory64(file, fileSize - tailSize + at - locatorSize) : directory;
  }
  throw refused("it is cut short or one of several parts");
}

async function findDirectory64(file: FileHandle, locatorAt: number): Promise<Directory> {
  if (locatorAt < 0) throw refused("its directory is damaged");
  const locator = await readExactly(file, locatorAt, locatorSize);
  const endAt = Number(locator.readBigUInt64LE(8));
  if (locator.readUInt32LE(0) !== locatorMagic || endAt > locatorAt) throw refused("its directory is damaged");
  const end = await readExactly(file, endAt, 56);
  if (end.readUInt32LE(0) !== end64Magic) throw refused("its directory is damaged");
  return {
    count: Number(end.readBigUInt64LE(32)),
    size: Number(end.readBigUInt64LE(40)),
    offset: Number(end.readBigUInt64LE(48)),
  };
}

function parseMember(record: Buffer): ZipMember {
  const flags = record.readUInt16LE(8);
  const method = record.readUInt16LE(10);
  const nameEnd = centralSize + record.readUInt16LE(28);
  const name = record.toString("utf8", centralSize, nameEnd);
  if (isOutside(name)) throw refused("the name of a file in it leaves the archive");
  if ((flags & 0x1) !== 0) throw refused("it is encrypted; unpack it with its password and import the files");
  if (method !== stored && method !== deflated) throw refused(`it is packed by method ${method}; 0 and 8 are read`);
  const extra = record.subarray(nameEnd, nameEnd + record.readUInt16LE(30));
  const sizes = [record.readUInt32LE(24), record.readUInt32LE(20), record.readUInt32LE(42)];
  const [size = 0, packedSize = 0, headerAt = 0] = withExtra(sizes, extra);
  return { name, isFolder: name.endsWith("/"), method, crc: record.readUInt32LE(16), packedSize, size, headerAt };
}

/** Absolute, with a drive letter, with `..`, or with what some systems read as a separator. */
function isOutside(name: string): boolean {
  return (
    name === "" || /^\/|^[a-z]:|[\\\0]/i.test(name) || name.split("/").some((part) => part === ".." || part === ".")
  );
}

/** Numbers that do not fit into 32 bits stand in the extra field 1, those that do are left out there. */
function withExtra(sizes: readonly number[], extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const end = Math.min(extra.length, at + 4 + extra.readUInt16LE(at + 2));
    let from = at + 4;
    return sizes.map((size) => {
      if (size !== 0xffffffff) return size;
      if (from + 8 > end) throw refused("its directory is damaged");
      from += 8;
      return Number(extra.readBigUInt64LE(from - 8));
    });
  }
  return [...sizes];
}

/** Members that share their bytes make a small archive endless. */
function refuseOverlaps(members: readonly ZipMember[], directoryAt: number): void {
  let end = 0;
  for (const member of [...members].sort((a, b) => a.headerAt - b.headerAt)) {
    if (member.headerAt < end) throw refused("files in it share their bytes");
    end = member.headerAt + localSize + member.packedSize;
  }
  if (end > directoryAt) throw refused("it is cut short");
}

/** The packed bytes of a member. Throws `CorpusError` `refused`. */
export async function* memberChunks(file: FileHandle, member: ZipMember): AsyncGenerator<Buffer> {
  const header = await readExactly(file, member.headerAt, localSize);
  if (header.readUInt32LE(0) !== localMagic) throw refused("a file in it does not begin where it should");
  let at = member.headerAt + localSize + header.readUInt16LE(26) + header.readUInt16LE(28);
  for (let left = member.packedSize; left > 0; ) {
    const chunk = await readExactly(file, at, Math.min(left, readSize));
    at += chunk.length;
    left -= chunk.length;
    yield chunk;
  }
}

/** Unpacks a member and checks it. Throws `CorpusError` `refused` when it is damaged or expands out of all proportion. */
export async function* unpackMember(member: ZipMember, packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let size = 0;
  let crc = 0;
  // Nothing packed is an empty file by whichever method.
  const chunks = member.method === stored || member.packedSize === 0 ? packed : decompress(packed, "deflate-raw");
  for await (const chunk of chunks) {
    size += chunk.length;
    crc = crc32(chunk, crc);
    if (size > freeExpansion && size > member.packedSize * maxExpansion) {
      throw refused(`a file in it expands more than ${maxExpansion} times`);
    }
    yield chunk;
  }
  if (size !== member.size || crc !== member.crc) throw refused("a file in it is damaged");
}

async function readExactly(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw refused("it is cut short");
    filled += bytesRead;
  }
  return bytes;
}

function refused(why: string): CorpusError {
  return new CorpusError("refused", `the .zip archive cannot be read: ${why}`);
}
