import { createHmac } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { DerivedKeys } from "../domain/keyed-hash.ts";
import { type ImportInfo, importInfoSchema } from "./record.ts";

/**
 * A segment: one immutable file with the records of one import, sorted by (key, payload), no two of them equal. All
 * numbers are big-endian.
 *
 * ```
 * header  4096 bytes: magic 8, version u32, record count u48, block count u32, key check 16, info length u16, info
 *                     (JSON, see record.ts), zeros, crc32 of all before it
 * blocks  4096 bytes each: crc32 of the rest, record count u16, records, zeros
 * record  key 16, number of the record in its file u40, payload length u16, payload
 * index   first 8 bytes of the first key of each block, crc32
 * ```
 */
export const pageSize = 4096;
export const keySize = 16;
/** Bytes of a record before its payload. */
export const recordHeadSize = keySize + 5 + 2;
export const blockHeadSize = 4 + 2;
/** A record never spans two blocks. */
export const maxPayloadSize = pageSize - blockHeadSize - recordHeadSize;
export const indexKeySize = 8;
const infoOffset = 40;
/** Longest info, in bytes. Names and titles are bounded to 255 units, so it always fits. */
const maxInfoSize = pageSize - infoOffset - 4;
const magic = "xposeseg";
const version = 1;

/** The file is not what was written: damaged, cut, of another secret, or not a segment. */
export class CorruptSegment extends Error {
  override readonly name = "CorruptSegment";
}

export type SegmentRecord = {
  /** 16 bytes, see `corpusHash`. */
  readonly key: Buffer;
  /** Number of the record in its file, from 1. */
  readonly row: number;
  /** See `encodeFields`. */
  readonly payload: string;
};

/** An open segment. Many reads may run at once; none blocks the event loop. */
export type Segment = {
  readonly info: ImportInfo;
  readonly recordCount: number;
  /**
   * Finds the records of a key by binary search in the index in memory and, as a rule, one read of 4 KiB; yields them
   * block by block, sorted by payload. Throws `CorruptSegment` on a bad checksum.
   */
  readonly find: (key: Buffer) => AsyncGenerator<SegmentRecord[]>;
  /** Yields all records, block by block, and checks everything that can be checked. Throws `CorruptSegment`. */
  readonly readAll: () => AsyncGenerator<SegmentRecord[]>;
  readonly close: () => Promise<void>;
};

/**
 * Opens a segment and loads its index: 8 bytes for about 170 records. Throws `CorruptSegment`, and the error of the
 * system when there is no such file or it cannot be read.
 */
export async function openSegment(path: string, keys: Pick<DerivedKeys, "corpus">): Promise<Segment> {
  const file = await open(path, "r");
  try {
    const header = parseHeader(await readExactly(file, 0, pageSize), keys);
    const index = await readIndex(file, header.blockCount);
    return segmentOf(file, header, index);
  } catch (error) {
    await file.close();
    throw error;
  }
}

type Header = { readonly info: ImportInfo; readonly recordCount: number; readonly blockCount: number };

/** The header page, see `Segment`. Throws a `RangeError` when the info does not fit. */
export function encodeHeader({ info, recordCount, blockCount }: Header, keys: Pick<DerivedKeys, "corpus">): Buffer {
  const page = Buffer.alloc(pageSize);
  const text = Buffer.from(JSON.stringify(info));
  if (text.length > maxInfoSize) throw new RangeError("the info of a segment is too long");
  page.write(magic, 0, "latin1");
  page.writeUInt32BE(version, 8);
  page.writeUIntBE(recordCount, 12, 6);
  page.writeUInt32BE(blockCount, 18);
  keyCheck(keys).copy(page, 22);
  page.writeUInt16BE(text.length, infoOffset - 2);
  text.copy(page, infoOffset);
  page.writeUInt32BE(crc32(page.subarray(0, pageSize - 4)), pageSize - 4);
  return page;
}

function parseHeader(page: Buffer, keys: Pick<DerivedKeys, "corpus">): Header {
  if (page.toString("latin1", 0, 8) !== magic) throw new CorruptSegment("not a segment");
  if (page.readUInt32BE(8) !== version) throw new CorruptSegment("written by a newer version of xpose");
  if (page.readUInt32BE(pageSize - 4) !== crc32(page.subarray(0, pageSize - 4))) {
    throw new CorruptSegment("bad checksum in the header");
  }
  // With another key every look-up would miss: silence that reads as clean.
  if (!page.subarray(22, 38).equals(keyCheck(keys))) throw new CorruptSegment("written with another server secret");
  const infoSize = page.readUInt16BE(infoOffset - 2);
  return {
    info: importInfoSchema.parse(JSON.parse(page.toString("utf8", infoOffset, infoOffset + infoSize))),
    recordCount: page.readUIntBE(12, 6),
    blockCount: page.readUInt32BE(18),
  };
}

/** Tells one corpus key from another and nothing about it. */
function keyCheck(keys: Pick<DerivedKeys, "corpus">): Buffer {
  return createHmac("sha256", keys.corpus).update("xpose segment key check").digest().subarray(0, 16);
}

async function readIndex(file: FileHandle, blockCount: number): Promise<Buffer> {
  const indexSize = blockCount * indexKeySize;
  const indexOffset = pageSize * (1 + blockCount);
  const { size } = await file.stat();
  if (size !== indexOffset + indexSize + 4) throw new CorruptSegment("wrong length");
  const bytes = await readExactly(file, indexOffset, indexSize + 4);
  const index = bytes.subarray(0, indexSize);
  if (bytes.readUInt32BE(indexSize) !== crc32(index)) throw new CorruptSegment("bad checksum in the index");
  return index;
}

function segmentOf(file: FileHandle, { info, recordCount, blockCount }: Header, index: Buffer): Segment {
  async function readBlock(block: number): Promise<SegmentRecord[]> {
    const page = await readExactly(file, pageSize * (1 + block), pageSize);
    const records = parseBlock(page, block);
    const prefix = records[0]?.key.subarray(0, indexKeySize);
    if (
      prefix === undefined ||
      index.compare(prefix, 0, indexKeySize, block * indexKeySize, (block + 1) * indexKeySize) !== 0
    ) {
      throw new CorruptSegment(`block ${block} does not fit the index`);
    }
    return records;
  }

  return {
    info,
    recordCount,
    async *find(key) {
      for (let block = firstBlockFor(index, key); block < blockCount; block++) {
        const records = await readBlock(block);
        const found = records.filter((record) => record.key.equals(key));
        if (found.length > 0) yield found;
        const last = records.at(-1);
        if (last === undefined || last.key.compare(key) > 0) return;
      }
    },
    async *readAll() {
      let seenCount = 0;
      let previous: SegmentRecord | null = null;
      for (let block = 0; block < blockCount; block++) {
        const records = await readBlock(block);
        for (const record of records) {
          if (previous !== null && compareRecords(previous, record) >= 0) {
            throw new CorruptSegment(`block ${block} is out of order`);
          }
          previous = record;
        }
        seenCount += records.length;
        yield records;
      }
      if (seenCount !== recordCount) throw new CorruptSegment(`${seenCount} records instead of ${recordCount}`);
    },
    close: () => file.close(),
  };
}

/** The last block that starts below the key, or the first one: records of the key cannot stand before it. */
function firstBlockFor(index: Buffer, key: Buffer): number {
  let low = 0;
  let high = index.length / indexKeySize;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const offset = middle * indexKeySize;
    if (index.compare(key, 0, indexKeySize, offset, offset + indexKeySize) < 0) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

function compareRecords(a: SegmentRecord, b: SegmentRecord): number {
  return a.key.compare(b.key) || Buffer.from(a.payload).compare(Buffer.from(b.payload));
}

function parseBlock(page: Buffer, block: number): SegmentRecord[] {
  if (page.readUInt32BE(0) !== crc32(page.subarray(4))) throw new CorruptSegment(`bad checksum in block ${block}`);
  const records: SegmentRecord[] = [];
  let offset = blockHeadSize;
  for (let left = page.readUInt16BE(4); left > 0; left--) {
    const payloadOffset = offset + recordHeadSize;
    const end = payloadOffset + page.readUInt16BE(payloadOffset - 2);
    if (end > pageSize) throw new CorruptSegment(`block ${block} overruns`);
    records.push({
      key: page.subarray(offset, offset + keySize),
      row: page.readUIntBE(offset + keySize, 5),
      payload: page.toString("utf8", payloadOffset, end),
    });
    offset = end;
  }
  return records;
}

async function readExactly(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw new CorruptSegment("cut short");
    filled += bytesRead;
  }
  return bytes;
}
