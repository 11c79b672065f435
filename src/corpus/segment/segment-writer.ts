import { closeSync, fsyncSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { openUnlinked, writeAll } from "../import/spill-file.ts";
import { maxIdsPerEntry, PageBuilder, pageSize } from "./page.ts";
import { dictionaryHeadSize, encodeHeader, type SegmentImport, type SegmentSize } from "./segment.ts";

/** Pages written at a time. */
const pagesPerWrite = 256;

/**
 * Writes a segment to a new file. Templates and keys may be mixed, each in ascending order; then call `finish`. Blocks
 * its thread. When a method throws, a partial file may remain: the caller removes it.
 */
export class SegmentWriter {
  readonly #file: number;
  readonly #pages: PagedOutput;
  readonly #dictionaryFile: number;
  readonly #dictionary: PagedOutput;
  readonly #builder = new PageBuilder();
  readonly #index = new NumberList();
  readonly #dictionaryIndex = new NumberList();
  #dictionaryAt = dictionaryHeadSize;
  #dictionaryCount = 0;
  #templateCount = 0;
  #addressCount = 0;
  #recordCount = 0;

  constructor(path: string) {
    this.#file = openSync(path, "wx", 0o600);
    this.#pages = new PagedOutput(this.#file, pageSize);
    // Templates follow the pages, whose number is known only at the end. They wait in an unlinked file, which a crash
    // does not leave behind.
    this.#dictionaryFile = openUnlinked(`${path}.dictionary.tmp`);
    this.#dictionary = new PagedOutput(this.#dictionaryFile, 0);
  }

  get templateCount(): number {
    return this.#templateCount;
  }

  get recordCount(): number {
    return this.#recordCount;
  }

  /** Adds a template and returns its id: 0, 1, 2 ... Throws `RangeError` when it does not fit into one page. */
  addTemplate(text: Uint8Array): number {
    if (this.#dictionaryAt + 2 + text.length > pageSize) this.#endDictionaryPage();
    const page = this.#dictionary.page;
    if (this.#dictionaryCount === 0) page.fill(0);
    page.writeUInt16LE(text.length, this.#dictionaryAt);
    page.set(text, this.#dictionaryAt + 2);
    this.#dictionaryAt += 2 + text.length;
    this.#dictionaryCount++;
    return this.#templateCount++;
  }

  /** Adds a key greater than the last key, with the first `count` of `ids`. */
  addKey(high: number, low: number, ids: ArrayLike<number>, count: number): void {
    for (let start = 0; start < count; start += maxIdsPerEntry) {
      const size = Math.min(maxIdsPerEntry, count - start);
      if (!this.#builder.add(high, low, ids, start, size)) {
        this.#endPage();
        this.#builder.add(high, low, ids, start, size);
      }
    }
    this.#addressCount++;
    this.#recordCount += count;
  }

  /** Writes the remaining pages, indexes and header, and syncs the file to disk. */
  finish(imports: readonly SegmentImport[], check: Uint8Array): SegmentSize & { readonly sizeBytes: number } {
    if (this.#builder.count > 0) this.#endPage();
    if (this.#dictionaryCount > 0) this.#endDictionaryPage();
    this.#pages.flush();
    this.#dictionary.flush();
    this.#appendDictionary();
    for (const bytes of [this.#index.bytes(), this.#dictionaryIndex.bytes()]) this.#append(withChecksum(bytes));
    const list = Buffer.from(JSON.stringify(imports));
    this.#append(withChecksum(list));
    const size = {
      addressCount: this.#addressCount,
      recordCount: this.#recordCount,
      templateCount: this.#templateCount,
    };
    const pageCount = this.#index.length;
    const header = { ...size, pageCount, dictionaryPageCount: this.#dictionaryIndex.length, importsSize: list.length };
    writeAll(this.#file, encodeHeader(header, check), 0);
    fsyncSync(this.#file);
    return { ...size, sizeBytes: this.#pages.position };
  }

  /** Closes the files, whether finished or not. */
  close(): void {
    closeSync(this.#file);
    closeSync(this.#dictionaryFile);
  }

  #endPage(): void {
    this.#index.push(this.#builder.firstHigh);
    this.#builder.finish(this.#pages.page);
    this.#pages.endPage();
  }

  #endDictionaryPage(): void {
    const page = this.#dictionary.page;
    const firstId = this.#templateCount - this.#dictionaryCount;
    this.#dictionaryIndex.push(firstId);
    page.writeUInt32LE(firstId, 4);
    page.writeUInt16LE(this.#dictionaryCount, 8);
    page.writeUInt32LE(Bun.hash.crc32(page.subarray(4)), 0);
    this.#dictionary.endPage();
    this.#dictionaryAt = dictionaryHeadSize;
    this.#dictionaryCount = 0;
  }

  #appendDictionary(): void {
    const bytes = Buffer.allocUnsafe(pagesPerWrite * pageSize);
    for (let at = 0; at < this.#dictionary.position; ) {
      const size = readSync(this.#dictionaryFile, bytes, 0, bytes.length, at);
      if (size === 0) throw new Error("the dictionary was cut short");
      this.#append(bytes.subarray(0, size));
      at += size;
    }
  }

  #append(bytes: Uint8Array): void {
    writeAll(this.#file, bytes, this.#pages.position);
    this.#pages.position += bytes.length;
  }
}

/** Collects pages and writes them in batches. */
class PagedOutput {
  readonly #file: number;
  readonly #bytes = Buffer.alloc(pageSize * pagesPerWrite);
  #pageAt = 0;
  position: number;
  /** The page that is being filled. */
  page: Buffer = this.#bytes.subarray(0, pageSize);

  constructor(file: number, position: number) {
    this.#file = file;
    this.position = position;
  }

  endPage(): void {
    this.#pageAt += pageSize;
    if (this.#pageAt === this.#bytes.length) this.flush();
    this.page = this.#bytes.subarray(this.#pageAt, this.#pageAt + pageSize);
  }

  flush(): void {
    writeAll(this.#file, this.#bytes.subarray(0, this.#pageAt), this.position);
    this.position += this.#pageAt;
    this.#pageAt = 0;
  }
}

/** A growing list of 32-bit numbers. */
class NumberList {
  #values = new Uint32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) {
      const grown = new Uint32Array(this.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.length++] = value;
  }

  bytes(): Buffer {
    return Buffer.from(this.#values.buffer, 0, this.length * 4);
  }
}

function withChecksum(bytes: Buffer): Buffer {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(Bun.hash.crc32(bytes));
  return Buffer.concat([bytes, checksum]);
}

/** Makes renames and removals in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
