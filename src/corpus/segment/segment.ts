import * as z from "zod/mini";
import { type DerivedKeys, keyedBytes } from "../../domain/keyed-hash.ts";
import { importInfoSchema } from "../record.ts";
import { findMany, lowerBound } from "./find-many.ts";
import { CorruptPage, checkPage, compareKeys, type Key, PageReader, pageSize } from "./page.ts";
import { openReadable, type Readable } from "./read-at.ts";

/**
 * A segment: one immutable file with the records of one or more imports. A record is the key of an address (see
 * `corpusHash`) and the id of a template; the template is the text of a finding. All numbers are little-endian.
 *
 * ```
 * header      4096 bytes: magic 8, version u32, page count u32, dictionary page count u32, address count u48,
 *             record count u48, template count u32, key check 16, length of the imports u32, zeros, crc32 of all before
 * pages       4096 bytes each, see page.ts
 * dictionary  4096 bytes each: crc32 of the rest, first id u32, template count u16, templates: length u16, text
 * index       upper half of the first key of each page u32, crc32
 * dict. index first id of each dictionary page u32, crc32
 * imports     JSON, see below, crc32
 * ```
 */
const magic = "xposeseg";
const version = 2;
export const dictionaryHeadSize = 10;

/** The file is damaged, cut short, written with another secret, or not a segment. */
export class CorruptSegment extends Error {
  override readonly name = "CorruptSegment";
}

/** An import in a segment. Its template ids start at `firstTemplate`. */
const segmentImportSchema = z.lazy(() =>
  z.extend(importInfoSchema(), { id: z.string(), firstTemplate: z.int(), templateCount: z.int() }),
);
export type SegmentImport = z.infer<typeof segmentImportSchema>;

export type SegmentSize = {
  readonly addressCount: number;
  readonly recordCount: number;
  readonly templateCount: number;
};

/** An open segment. Reads may run concurrently. */
export type Segment = SegmentSize & {
  /** Ascending by `firstTemplate`. */
  readonly imports: readonly SegmentImport[];
  readonly pageCount: number;
  /**
   * Finds the template ids of a key, at most `maxCount`; further ids are only counted. Usually reads one page. Throws
   * `CorruptSegment` on a bad checksum.
   */
  readonly find: (key: Key, maxCount: number) => Promise<FoundIds>;
  /**
   * The template ids of many keys, which ascend by their upper half, in their order; null for a key with more than
   * `maxCount`. Far cheaper than `find` for each of them. Throws `CorruptSegment` when a page of any of them is damaged.
   */
  readonly findMany: (keys: readonly Key[], maxCount: number) => Promise<(readonly number[] | null)[]>;
  /** The texts of templates (see record.ts), in the order of the ids. Throws `CorruptSegment`. */
  readonly templatesOf: (ids: readonly number[]) => Promise<string[]>;
  /** The import of a template. Throws `CorruptSegment`. */
  readonly importOf: (id: number) => SegmentImport;
  /**
   * Reads the whole file and checks checksums, order and counts; reports the records of each page. Throws
   * `CorruptSegment`.
   */
  readonly verify: (onRecords: (count: number) => void) => Promise<void>;
  readonly close: () => void;
};

export type FoundIds = { readonly ids: readonly number[]; readonly omittedCount: number };

/**
 * Opens a segment and loads its indexes: 4 bytes per page, 5 MB for 10^9 addresses. Tests replace `open` to count
 * reads. Throws `CorruptSegment`, and the system error when the file is missing or unreadable.
 */
export async function openSegment(
  path: string,
  keys: Pick<DerivedKeys, "corpus">,
  open = openReadable,
): Promise<Segment> {
  const file = open(path);
  try {
    return segmentOf(file, await readLayout(file, keyCheck(keys)));
  } catch (error) {
    file.close();
    throw error;
  }
}

type Header = SegmentSize & {
  readonly pageCount: number;
  readonly dictionaryPageCount: number;
  readonly importsSize: number;
};

export function encodeHeader(header: Header, check: Uint8Array): Buffer {
  const page = Buffer.alloc(pageSize);
  page.write(magic, 0, "latin1");
  page.writeUInt32LE(version, 8);
  page.writeUInt32LE(header.pageCount, 12);
  page.writeUInt32LE(header.dictionaryPageCount, 16);
  page.writeUIntLE(header.addressCount, 20, 6);
  page.writeUIntLE(header.recordCount, 26, 6);
  page.writeUInt32LE(header.templateCount, 32);
  page.set(check, 36);
  page.writeUInt32LE(header.importsSize, 52);
  page.writeUInt32LE(Bun.hash.crc32(page.subarray(0, pageSize - 4)), pageSize - 4);
  return page;
}

function parseHeader(page: Buffer, check: Uint8Array): Header {
  if (page.toString("latin1", 0, 8) !== magic) throw new CorruptSegment("not a segment");
  if (page.readUInt32LE(8) !== version) throw new CorruptSegment("written by another version of xpose");
  if (page.readUInt32LE(pageSize - 4) !== Bun.hash.crc32(page.subarray(0, pageSize - 4))) {
    throw new CorruptSegment("bad checksum in the header");
  }
  // With another secret every look-up would miss, and a miss reads as clean.
  if (!page.subarray(36, 52).equals(check)) throw new CorruptSegment("written with another server secret");
  return {
    pageCount: page.readUInt32LE(12),
    dictionaryPageCount: page.readUInt32LE(16),
    addressCount: page.readUIntLE(20, 6),
    recordCount: page.readUIntLE(26, 6),
    templateCount: page.readUInt32LE(32),
    importsSize: page.readUInt32LE(52),
  };
}

/** 16 bytes that identify a corpus key without revealing it. */
export function keyCheck(keys: Pick<DerivedKeys, "corpus">): Buffer {
  return keyedBytes(keys.corpus, "xpose segment key check").subarray(0, 16);
}

export type Layout = Header & {
  readonly index: Uint32Array;
  readonly dictionaryIndex: Uint32Array;
  readonly imports: readonly SegmentImport[];
};

/** Reads the header, the indexes and the list of imports; `check` comes from `keyCheck`. Throws like `openSegment`. */
export async function readLayout(file: Readable, check: Uint8Array): Promise<Layout> {
  const header = parseHeader(await readExactly(file, 0, pageSize), check);
  const { pageCount, dictionaryPageCount, importsSize } = header;
  const indexAt = pageSize * (1 + pageCount + dictionaryPageCount);
  const dictionaryIndexAt = indexAt + pageCount * 4 + 4;
  const importsAt = dictionaryIndexAt + dictionaryPageCount * 4 + 4;
  if (file.size() !== importsAt + importsSize + 4) throw new CorruptSegment("wrong length");
  const [index, dictionaryIndex, imports] = await Promise.all([
    readChecked(file, indexAt, pageCount * 4, "index"),
    readChecked(file, dictionaryIndexAt, dictionaryPageCount * 4, "index of the dictionary"),
    readChecked(file, importsAt, importsSize, "list of imports"),
  ]);
  return {
    ...header,
    index: new Uint32Array(index.buffer, index.byteOffset, pageCount),
    dictionaryIndex: new Uint32Array(dictionaryIndex.buffer, dictionaryIndex.byteOffset, dictionaryPageCount),
    imports: z.array(segmentImportSchema).parse(JSON.parse(imports.toString("utf8"))),
  };
}

async function readChecked(file: Readable, offset: number, length: number, what: string): Promise<Buffer> {
  const bytes = await readExactly(file, offset, length + 4);
  if (bytes.readUInt32LE(length) !== Bun.hash.crc32(bytes.subarray(0, length))) {
    throw new CorruptSegment(`bad checksum in the ${what}`);
  }
  return bytes.subarray(0, length);
}

/** Parsed dictionary pages kept in memory, per segment. */
const cachedDictionaryPages = 64;

function segmentOf(file: Readable, layout: Layout): Segment {
  const { index, dictionaryIndex, imports, pageCount, dictionaryPageCount, templateCount } = layout;
  const dictionaryAt = pageSize * (1 + pageCount);
  const dictionaryCache = new Map<number, readonly string[]>();

  /** One buffer is enough: a page from `readNow` is used synchronously, before other code can run. */
  const page = Buffer.allocUnsafeSlow(pageSize);

  function pageNow(number: number): Buffer | null {
    return file.readNow(page, pageSize * (1 + number)) ? checkedPage(page, number, index) : null;
  }

  async function readPage(number: number): Promise<Buffer> {
    return checkedPage(await readExactly(file, pageSize * (1 + number), pageSize), number, index);
  }

  async function readDictionaryPage(number: number): Promise<readonly string[]> {
    const cached = dictionaryCache.get(number);
    if (cached !== undefined) return cached;
    const bytes = await readExactly(file, dictionaryAt + pageSize * number, pageSize);
    const texts = parseDictionaryPage(bytes, number, dictionaryIndex).map((text) => text.toString("utf8"));
    const [oldest] = dictionaryCache.keys();
    if (dictionaryCache.size >= cachedDictionaryPages && oldest !== undefined) dictionaryCache.delete(oldest);
    dictionaryCache.set(number, texts);
    return texts;
  }

  const pages = {
    index,
    readNow: (bytes: Buffer, first: number) => file.readNow(bytes, pageSize * (1 + first)),
    read: (first: number, count: number) => readExactly(file, pageSize * (1 + first), pageSize * count),
    check: (bytes: Buffer, number: number) => void checkedPage(bytes, number, index),
    idsIn,
  };

  return {
    ...layout,
    findMany: (keys, maxCount) => findMany(pages, keys, maxCount),
    async find(key, maxCount) {
      const ids: number[] = [];
      let omittedCount = 0;
      const first = Math.max(0, lowerBound(index, key.high) - 1);
      for (let number = first; number < pageCount && (index[number] ?? 0) <= key.high; number++) {
        const found = idsIn(pageNow(number) ?? (await readPage(number)), number, key);
        for (const id of found.slice(0, Math.max(0, maxCount - ids.length))) ids.push(id);
        omittedCount += found.length;
      }
      return { ids, omittedCount: omittedCount - ids.length };
    },
    async templatesOf(ids) {
      const found: string[] = [];
      for (const id of ids) {
        const number = lowerBound(dictionaryIndex, id + 1) - 1;
        const texts = await readDictionaryPage(number);
        const text = texts[id - (dictionaryIndex[number] ?? 0)];
        if (text === undefined) throw new CorruptSegment(`no template ${id}`);
        found.push(text);
      }
      return found;
    },
    importOf: (id) => importOf(imports, id),
    async verify(onRecords) {
      let recordCount = 0;
      let addressCount = 0;
      const last = { high: -1, low: -1 };
      for (let number = 0; number < pageCount; number++) {
        let inPage = 0;
        forEachEntry(await readPage(number), number, (reader) => {
          const order = compareKeys(last.high, last.low, reader.high, reader.low);
          if (order > 0) throw new CorruptSegment(`page ${number} is out of order`);
          if (order < 0) addressCount++;
          last.high = reader.high;
          last.low = reader.low;
          for (let at = 0; at < reader.idCount; at++) {
            if ((reader.ids[at] ?? 0) >= templateCount) throw new CorruptSegment(`page ${number} names no template`);
          }
          inPage += reader.idCount;
        });
        recordCount += inPage;
        onRecords(inPage);
      }
      for (let number = 0; number < dictionaryPageCount; number++) {
        const bytes = await readExactly(file, dictionaryAt + pageSize * number, pageSize);
        parseDictionaryPage(bytes, number, dictionaryIndex);
      }
      if (recordCount !== layout.recordCount || addressCount !== layout.addressCount) {
        throw new CorruptSegment(`${recordCount} records instead of ${layout.recordCount}`);
      }
    },
    close: () => file.close(),
  };
}

export function importOf(imports: readonly SegmentImport[], id: number): SegmentImport {
  let low = 0;
  let high = imports.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((imports[middle]?.firstTemplate ?? 0) <= id) low = middle + 1;
    else high = middle;
  }
  const found = imports[low - 1];
  if (found === undefined || id >= found.firstTemplate + found.templateCount) {
    throw new CorruptSegment(`the template ${id} belongs to no import`);
  }
  return found;
}

function checkedPage(page: Buffer, number: number, index: Uint32Array): Buffer {
  asSegmentFault(number, () => checkPage(page));
  if (page.readUInt32LE(12) !== index[number]) throw new CorruptSegment(`page ${number} does not fit the index`);
  return page;
}

/** One reader is enough: a page is read synchronously. */
const sharedReader = new PageReader();

function idsIn(page: Buffer, number: number, { high, low }: Key): number[] {
  const ids: number[] = [];
  asSegmentFault(number, () => {
    sharedReader.open(page);
    for (let is = sharedReader.seek(high, low); is; is = sharedReader.next() && isKey(sharedReader, high, low)) {
      for (let at = 0; at < sharedReader.idCount; at++) ids.push(sharedReader.ids[at] ?? 0);
    }
  });
  return ids;
}

function isKey(reader: PageReader, high: number, low: number): boolean {
  return reader.high === high && reader.low === low;
}

function forEachEntry(page: Buffer, number: number, visit: (reader: PageReader) => void): void {
  asSegmentFault(number, () => {
    sharedReader.open(page);
    while (sharedReader.next()) visit(sharedReader);
  });
}

function asSegmentFault(number: number, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (error instanceof CorruptPage) throw new CorruptSegment(`${error.message} in page ${number}`, { cause: error });
    throw error;
  }
}

/** The templates of a dictionary page, as slices of the page. Throws `CorruptSegment`. */
export function parseDictionaryPage(page: Buffer, number: number, index: Uint32Array): Buffer[] {
  if (page.readUInt32LE(0) !== Bun.hash.crc32(page.subarray(4)) || page.readUInt32LE(4) !== index[number]) {
    throw new CorruptSegment(`bad checksum in page ${number} of the dictionary`);
  }
  const texts: Buffer[] = [];
  let offset = dictionaryHeadSize;
  for (let left = page.readUInt16LE(8); left > 0; left--) {
    const end = offset + 2 + page.readUInt16LE(offset);
    texts.push(page.subarray(offset + 2, end));
    offset = end;
  }
  return texts;
}

async function readExactly(file: Readable, offset: number, length: number): Promise<Buffer> {
  const bytes = await file.read(offset, length);
  if (bytes.length < length) throw new CorruptSegment("cut short");
  return bytes;
}
