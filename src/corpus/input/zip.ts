import { ByteReader, type Pull } from "./bytes.ts";
import { type Container, type Member, unreadMember } from "./container.ts";
import type { RandomBytes } from "./disk-file.ts";
import { splitZip } from "./kinds.ts";
import { Unread } from "./unread.ts";
import {
  centralSize,
  damaged,
  limitExpansion,
  localSize,
  parseRecord,
  refuseRecord,
  smallSize,
  unpackSmall,
  unpackStream,
  type ZipRecord,
} from "./zip-record.ts";

const endMagic = 0x06054b50;
const endSize = 22;
const end64Magic = 0x06064b50;
const locatorMagic = 0x07064b50;
const locatorSize = 20;
const centralMagic = 0x02014b50;
const localMagic = 0x04034b50;
const maxCommentSize = 0xffff;
/** The directory is held in memory as it is. */
const maxDirectorySize = 64 << 20;
const maxCount = 1_000_000;

/** The directory of an archive. */
export type ZipArchive = {
  /** The number of records. They are ordered like the same files in a folder. */
  readonly count: number;
  readonly record: (index: number) => ZipRecord;
  readonly isLink: (index: number) => boolean;
  readonly open: (record: ZipRecord) => { readonly reader: ByteReader; readonly close: () => void };
};

/**
 * Reads the directory of a .zip archive. Throws `Unread` when any file is encrypted or packed with an unsupported
 * method, or when the archive is split. Throws `Damaged` when the archive is truncated, has too many files, files that
 * overlap, or a name that leaves the archive.
 */
export function readZip(bytes: RandomBytes): ZipArchive {
  const { count, offset, size } = findDirectory(bytes);
  if (count > maxCount) throw damaged(`it holds more than ${maxCount} files; unpack it and import the folder`);
  if (size > maxDirectorySize || offset + size > bytes.size) throw damaged("its directory is damaged");
  const directory = bytes.readAt(offset, size);
  const places = recordPlaces(directory, count);
  const recordAt = (at: number) => parseRecord(directory.subarray(at), "central");
  refuseOverlaps(places.length, (index) => recordAt(places[index] ?? 0), offset);
  sortByPath(places, directory);
  return {
    count,
    record: (index) => recordAt(places[index] ?? 0),
    isLink: (index) => isLink(directory, places[index] ?? 0),
    open: (record) => openRecord(bytes, record),
  };
}

/** The files of an archive. */
export function openZip(archive: ZipArchive): Container {
  let index = 0;
  function next(): Member | null {
    for (; index < archive.count; ) {
      const record = archive.record(index++);
      if (record.path.endsWith("/")) continue;
      if (archive.isLink(index - 1)) return unreadMember(record.path, new Unread("a symbolic link"));
      return { path: record.path, open: () => ({ ...archive.open(record), random: null }) };
    }
    return null;
  }
  return { next, close: () => undefined };
}

type Directory = { readonly count: number; readonly offset: number; readonly size: number };

function findDirectory(bytes: RandomBytes): Directory {
  const tailSize = Math.min(bytes.size, endSize + maxCommentSize);
  const tail = bytes.readAt(bytes.size - tailSize, tailSize);
  for (let at = tailSize - endSize; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== endMagic || at + endSize + tail.readUInt16LE(at + 20) > tailSize) continue;
    const directory = {
      count: tail.readUInt16LE(at + 10),
      size: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
    };
    const is64 = directory.count === 0xffff || directory.size === 0xffffffff || directory.offset === 0xffffffff;
    const locatorAt = bytes.size - tailSize + at - locatorSize;
    if (is64 && hasLocator(bytes, locatorAt)) return findDirectory64(bytes, locatorAt);
    // The number of this part and of the part where the directory begins.
    if (tail.readUInt16LE(at + 4) !== 0 || tail.readUInt16LE(at + 6) !== 0) throw new Unread(splitZip());
    return directory;
  }
  throw damaged("it is cut short or one of several parts");
}

/** Whether the last bytes are the end of a split archive. */
export function isLastZipPart(bytes: RandomBytes): boolean {
  try {
    findDirectory(bytes);
    return false;
  } catch (error) {
    return error instanceof Unread && error.reason === splitZip();
  }
}

function hasLocator(bytes: RandomBytes, at: number): boolean {
  return at >= 0 && bytes.readAt(at, locatorSize).readUInt32LE(0) === locatorMagic;
}

function findDirectory64(bytes: RandomBytes, locatorAt: number): Directory {
  const locator = bytes.readAt(locatorAt, locatorSize);
  if (locator.readUInt32LE(4) !== 0 || locator.readUInt32LE(16) > 1) throw new Unread(splitZip());
  const endAt = Number(locator.readBigUInt64LE(8));
  if (endAt + 56 > locatorAt) throw damaged("its directory is damaged");
  const end = bytes.readAt(endAt, 56);
  if (end.readUInt32LE(0) !== end64Magic) throw damaged("its directory is damaged");
  return {
    count: Number(end.readBigUInt64LE(32)),
    size: Number(end.readBigUInt64LE(40)),
    offset: Number(end.readBigUInt64LE(48)),
  };
}

/** The offset of each record in the directory. */
function recordPlaces(directory: Buffer, count: number): Uint32Array {
  const places = new Uint32Array(count);
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + centralSize > directory.length || directory.readUInt32LE(at) !== centralMagic) {
      throw damaged("its directory is damaged");
    }
    places[index] = at;
    at += centralSize + nameSize(directory, at) + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    if (at > directory.length) throw damaged("its directory is damaged");
  }
  return places;
}

function nameSize(directory: Buffer, at: number): number {
  return directory.readUInt16LE(at + 28);
}

/** Refuses files that share their bytes: they let a small archive unpack without end. Checks every record. */
function refuseOverlaps(count: number, record: (index: number) => ZipRecord, directoryAt: number): void {
  const starts = new Float64Array(count);
  const ends = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const found = record(index);
    refuseRecord(found);
    starts[index] = found.headerAt;
    ends[index] = found.headerAt + localSize + found.packedSize;
  }
  const order = Uint32Array.from(starts, (_, index) => index).sort((a, b) => (starts[a] ?? 0) - (starts[b] ?? 0));
  let end = 0;
  for (const index of order) {
    if ((starts[index] ?? 0) < end) throw damaged("files in it share their bytes");
    end = ends[index] ?? 0;
  }
  if (end > directoryAt) throw damaged("it is cut short");
}

/** Sorts by the bytes of the names, part by part, like a folder. */
function sortByPath(places: Uint32Array, directory: Buffer): void {
  const weight = (at: number) => {
    const byte = directory[at] ?? 0;
    return byte === 0x2f || byte === 0x5c ? 0 : byte;
  };
  places.sort((a, b) => {
    const [aSize, bSize] = [nameSize(directory, a), nameSize(directory, b)];
    for (let at = centralSize; at < centralSize + Math.min(aSize, bSize); at++) {
      const order = weight(a + at) - weight(b + at);
      if (order !== 0) return order;
    }
    return aSize - bSize;
  });
}

/** If the record was made on Unix, the upper half of the external attributes is the file mode. */
function isLink(directory: Buffer, at: number): boolean {
  return directory[at + 5] === 3 && (directory.readUInt16LE(at + 40) & 0xf000) === 0xa000;
}

function openRecord(bytes: RandomBytes, record: ZipRecord): { reader: ByteReader; close: () => void } {
  const header = bytes.readAt(record.headerAt, localSize);
  if (header.readUInt32LE(0) !== localMagic) throw damaged("a file in it does not begin where it should");
  const at = record.headerAt + localSize + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (record.size <= smallSize && record.packedSize <= smallSize) {
    const packed = bytes.readAt(at, record.packedSize);
    return { reader: ByteReader.of(unpackSmall(record, packed)), close: () => undefined };
  }
  const packed: Pull = bytes.range(at, record.packedSize);
  const { pull, close } = unpackStream(record.method, new ByteReader(packed), () => record);
  return { reader: new ByteReader(limitExpansion(pull, () => record.packedSize)), close };
}
