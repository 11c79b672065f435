import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { DerivedKeys } from "../domain/keyed-hash.ts";
import type { ImportInfo } from "./record.ts";
import { blockHeadSize, encodeHeader, indexKeySize, pageSize } from "./segment.ts";

/** Pages are written this many at a time. */
const pagesPerWrite = 256;

export type SegmentContent = {
  readonly info: ImportInfo;
  /** In the layout and order of segment.ts, no two equal; each may be overwritten when the next one is asked for. */
  readonly records: Iterable<Buffer>;
};

/**
 * Writes a segment to a new file and syncs it to disk; returns the number of records. When it throws, also because
 * `signal` aborted, the file may exist in part: the caller removes it.
 */
export async function writeSegment(
  path: string,
  { info, records }: SegmentContent,
  keys: Pick<DerivedKeys, "corpus">,
  signal: AbortSignal,
): Promise<number> {
  const file = await open(path, "wx", 0o600);
  try {
    const writer = new PageWriter(file);
    let recordCount = 0;
    for (const record of records) {
      if (!writer.add(record)) {
        signal.throwIfAborted();
        await writer.endBlock();
        writer.add(record);
      }
      recordCount++;
    }
    const blockCount = await writer.end();
    await writeAll(file, encodeHeader({ info, recordCount, blockCount }, keys), 0);
    await file.sync();
    return recordCount;
  } finally {
    await file.close();
  }
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

/** Fills pages one after the other and writes them in batches, the index last. */
class PageWriter {
  readonly #file: FileHandle;
  readonly #pages = Buffer.alloc(pageSize * pagesPerWrite);
  #pageCount = 0;
  #pageSize = blockHeadSize;
  #recordCount = 0;
  #position = pageSize;
  #index = Buffer.alloc(64 << 10);
  #blockCount = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** False when the record does not fit into the block: then the block must be ended first. */
  add(record: Buffer): boolean {
    if (this.#pageSize + record.length > pageSize) return false;
    if (this.#recordCount === 0) this.#addToIndex(record);
    record.copy(this.#pages, this.#pageCount * pageSize + this.#pageSize);
    this.#pageSize += record.length;
    this.#recordCount++;
    return true;
  }

  async endBlock(): Promise<void> {
    const page = this.#pages.subarray(this.#pageCount * pageSize, (this.#pageCount + 1) * pageSize);
    page.fill(0, this.#pageSize);
    page.writeUInt16BE(this.#recordCount, 4);
    page.writeUInt32BE(crc32(page.subarray(4)), 0);
    this.#pageCount++;
    this.#pageSize = blockHeadSize;
    this.#recordCount = 0;
    if (this.#pageCount === pagesPerWrite) await this.#flush();
  }

  /** Writes what is left and the index; returns the number of blocks. */
  async end(): Promise<number> {
    if (this.#recordCount > 0) await this.endBlock();
    await this.#flush();
    const index = this.#index.subarray(0, this.#blockCount * indexKeySize);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32(index));
    await writeAll(this.#file, index, this.#position);
    await writeAll(this.#file, checksum, this.#position + index.length);
    return this.#blockCount;
  }

  async #flush(): Promise<void> {
    const bytes = this.#pages.subarray(0, this.#pageCount * pageSize);
    await writeAll(this.#file, bytes, this.#position);
    this.#position += bytes.length;
    this.#pageCount = 0;
  }

  #addToIndex(record: Buffer): void {
    const offset = this.#blockCount * indexKeySize;
    if (offset === this.#index.length) this.#index = Buffer.concat([this.#index, Buffer.alloc(this.#index.length)]);
    record.copy(this.#index, offset, 0, indexKeySize);
    this.#blockCount++;
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
