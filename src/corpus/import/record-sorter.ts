import { closeSync, readSync } from "node:fs";
import { openUnlinked, writeAll } from "./spill-file.ts";

/**
 * A record with its own fields, as bytes: key (upper half u32, lower half u32), number of the entry u32, length of the
 * fields u16, fields (see record.ts). Little-endian.
 */
export const recordHeadSize = 14;
export const maxFieldsSize = 4000;

/** Limits of a run in memory before it is sorted and written to disk. Sorting supports at most 1 Mi records. */
const defaultLimits = { records: 2 ** 18, bytes: 8 << 20 };
const writeSize = 256 << 10;
/**
 * Memory for the read buffers of all runs together while they are merged. Each run gets at least room for two records.
 */
const mergeSize = 16 << 20;
const minReadSize = 8 << 10;

/** A run of sorted records in a spill file; `start` and `end` are byte offsets. */
export type RecordRun = { readonly file: number; readonly start: number; readonly end: number };

/**
 * Sorts records by (key, fields, entry) and writes them as runs into a spill file. Of records with equal key and fields
 * only the lowest entry is kept. The file is unlinked, so a crash leaves nothing behind.
 */
export class RecordSorter {
  readonly #path: string;
  readonly #limits: typeof defaultLimits;
  #bytes = Buffer.allocUnsafe(64 << 10);
  #size = 0;
  #count = 0;
  #file: number | null = null;
  #writtenSize = 0;
  readonly #runs: RecordRun[] = [];
  /** Arrays for sorting, allocated with the first record and reused for each run. */
  #order: Float64Array | null = null;
  #offsets: Uint32Array | null = null;
  #sorted: Uint32Array | null = null;

  /** Tests pass smaller `limits`. */
  constructor(path: string, limits = defaultLimits) {
    this.#path = path;
    this.#limits = limits;
  }

  /** Copies a record. The fields are the first `fieldsSize` bytes of `fields`, at most `maxFieldsSize`. */
  add(high: number, low: number, entry: number, fields: Uint8Array, fieldsSize: number): void {
    const size = recordHeadSize + fieldsSize;
    if (this.#count >= this.#limits.records || this.#size + size > this.#limits.bytes) this.#spill();
    this.#reserve(size);
    const bytes = this.#bytes;
    const at = this.#size;
    bytes.writeUInt32LE(high, at);
    bytes.writeUInt32LE(low, at + 4);
    bytes.writeUInt32LE(entry, at + 8);
    bytes.writeUInt16LE(fieldsSize, at + 12);
    for (let index = 0; index < fieldsSize; index++) bytes[at + recordHeadSize + index] = fields[index] ?? 0;
    this.#size += size;
    this.#count++;
  }

  /** Writes the remaining records. Any thread of this process can read the runs until `close`. */
  finish(): RecordRun[] {
    if (this.#count > 0) this.#spill();
    this.#bytes = Buffer.alloc(0);
    this.#order = this.#offsets = this.#sorted = null;
    return this.#runs;
  }

  /** Frees the disk space. */
  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #reserve(size: number): void {
    if (this.#size + size <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#size + size));
    this.#bytes.copy(grown, 0, 0, this.#size);
    this.#bytes = grown;
  }

  #spill(): void {
    this.#file ??= openUnlinked(this.#path);
    const file = this.#file;
    const bytes = this.#bytes;
    const start = this.#writtenSize;
    const out = Buffer.allocUnsafe(writeSize);
    let outSize = 0;
    let last = -1;
    for (const at of this.#sortedOffsets()) {
      if (last >= 0 && compareRecords(bytes, last, bytes, at) === 0) continue;
      last = at;
      const size = recordHeadSize + bytes.readUInt16LE(at + 12);
      if (outSize + size > writeSize) {
        writeAll(file, out.subarray(0, outSize), this.#writtenSize);
        this.#writtenSize += outSize;
        outSize = 0;
      }
      outSize += bytes.copy(out, outSize, at, at + size);
    }
    writeAll(file, out.subarray(0, outSize), this.#writtenSize);
    this.#writtenSize += outSize;
    this.#runs.push({ file, start, end: this.#writtenSize });
    this.#size = 0;
    this.#count = 0;
  }

  /**
   * Sorts doubles instead of records: the upper half of the key, then the position; a double holds both exactly. Only
   * records with the same upper half are compared as bytes.
   */
  #sortedOffsets(): Uint32Array {
    const bytes = this.#bytes;
    this.#order ??= new Float64Array(this.#limits.records);
    this.#offsets ??= new Uint32Array(this.#limits.records);
    this.#sorted ??= new Uint32Array(this.#limits.records);
    const order = this.#order.subarray(0, this.#count);
    const offsets = this.#offsets;
    for (let position = 0, at = 0; position < this.#count; position++) {
      offsets[position] = at;
      order[position] = bytes.readUInt32LE(at) * 2 ** 20 + position;
      at += recordHeadSize + bytes.readUInt16LE(at + 12);
    }
    order.sort();
    const sorted = this.#sorted.subarray(0, this.#count);
    for (let index = 0; index < sorted.length; index++) sorted[index] = offsets[(order[index] ?? 0) % 2 ** 20] ?? 0;
    for (let start = 0; start < sorted.length; ) {
      const half = bytes.readUInt32LE(sorted[start] ?? 0);
      let end = start + 1;
      while (end < sorted.length && bytes.readUInt32LE(sorted[end] ?? 0) === half) end++;
      if (end - start > 1) {
        sorted
          .subarray(start, end)
          .sort((a, b) => compareRecords(bytes, a, bytes, b) || bytes.readUInt32LE(a + 8) - bytes.readUInt32LE(b + 8));
      }
      start = end;
    }
    return sorted;
  }
}

/** Merges the records of some runs in the order of `RecordSorter`, without duplicates of key and fields. */
export class SortedRecords {
  readonly #heap: RunReader[];
  #hasLast = false;
  high = 0;
  low = 0;
  entry = 0;
  /** The current record as bytes, in the layout above; valid until the next call of `next`. */
  readonly bytes: Buffer = Buffer.alloc(recordHeadSize + maxFieldsSize);
  fieldsSize = 0;

  constructor(runs: readonly RecordRun[]) {
    const readSize = Math.max(minReadSize, Math.floor(mergeSize / Math.max(1, runs.length)));
    this.#heap = runs.map((run, order) => new RunReader(run, order, readSize));
    for (let parent = (this.#heap.length >>> 1) - 1; parent >= 0; parent--) sink(this.#heap, parent);
  }

  /** Moves to the next record; false at the end. */
  next(): boolean {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      const isSame =
        this.#hasLast &&
        first.high === this.high &&
        first.low === this.low &&
        compareFields(this.bytes, 0, first.bytes, first.at) === 0;
      if (!isSame) this.#take(first);
      if (!first.advance()) {
        const moved = this.#heap.pop();
        if (this.#heap.length > 0 && moved !== undefined) this.#heap[0] = moved;
      }
      sink(this.#heap, 0);
      if (!isSame) return true;
    }
    return false;
  }

  #take(reader: RunReader): void {
    const { bytes, at } = reader;
    const fieldsSize = fieldsSizeAt(bytes, at);
    const own = this.bytes;
    for (let offset = 0; offset < recordHeadSize + fieldsSize; offset++) own[offset] = bytes[at + offset] ?? 0;
    this.#hasLast = true;
    this.high = reader.high;
    this.low = reader.low;
    this.entry = own.readUInt32LE(8);
    this.fieldsSize = fieldsSize;
  }
}

/** Restores the heap: moves the reader at `parent` down until both children are greater. */
function sink(heap: RunReader[], parent: number): void {
  const moving = heap[parent];
  if (moving === undefined) return;
  let hole = parent;
  for (;;) {
    const left = heap[2 * hole + 1];
    const right = heap[2 * hole + 2];
    if (left === undefined) break;
    const isRight = right !== undefined && isBefore(right, left);
    const child = isRight ? right : left;
    if (!isBefore(child, moving)) break;
    heap[hole] = child;
    hole = 2 * hole + (isRight ? 2 : 1);
  }
  heap[hole] = moving;
}

/** Equal records are sorted by entry, lowest first, because the first record is kept. */
function isBefore(a: RunReader, b: RunReader): boolean {
  if (a.high !== b.high) return a.high < b.high;
  if (a.low !== b.low) return a.low < b.low;
  return (
    (compareFields(a.bytes, a.at, b.bytes, b.at) ||
      a.bytes.readUInt32LE(a.at + 8) - b.bytes.readUInt32LE(b.at + 8) ||
      a.order - b.order) < 0
  );
}

/** Reads one run of a spill file, record by record. A run is never empty. */
class RunReader {
  readonly order: number;
  readonly #file: number;
  readonly #end: number;
  readonly bytes: Buffer;
  #position: number;
  #filledSize = 0;
  #next = 0;
  /** Offset of the current record. */
  at = 0;
  high = 0;
  low = 0;

  constructor({ file, start, end }: RecordRun, order: number, readSize: number) {
    this.#file = file;
    this.order = order;
    this.#position = start;
    this.#end = end;
    this.bytes = Buffer.allocUnsafe(Math.min(readSize, end - start));
    this.advance();
  }

  /** Moves to the next record; false at the end of the run. */
  advance(): boolean {
    if (!this.#has(recordHeadSize)) return false;
    const size = recordHeadSize + fieldsSizeAt(this.bytes, this.#next);
    if (!this.#has(size)) throw new Error("the spill file was cut short");
    this.at = this.#next;
    this.high = this.bytes.readUInt32LE(this.at);
    this.low = this.bytes.readUInt32LE(this.at + 4);
    this.#next += size;
    return true;
  }

  #has(size: number): boolean {
    if (this.#filledSize - this.#next >= size) return true;
    this.bytes.copyWithin(0, this.#next, this.#filledSize);
    this.#filledSize -= this.#next;
    this.#next = 0;
    while (this.#filledSize < size && this.#position < this.#end) {
      const wanted = Math.min(this.bytes.length - this.#filledSize, this.#end - this.#position);
      const readSize = readSync(this.#file, this.bytes, this.#filledSize, wanted, this.#position);
      if (readSize === 0) break;
      this.#filledSize += readSize;
      this.#position += readSize;
    }
    return this.#filledSize >= size;
  }
}

/** Compares by key, then fields, and ignores the entry. */
function compareRecords(a: Buffer, aAt: number, b: Buffer, bAt: number): number {
  return (
    a.readUInt32LE(aAt) - b.readUInt32LE(bAt) ||
    a.readUInt32LE(aAt + 4) - b.readUInt32LE(bAt + 4) ||
    compareFields(a, aAt, b, bAt)
  );
}

/** Compares byte by byte: most fields are too short to be worth a call into the runtime. */
function compareFields(a: Buffer, aAt: number, b: Buffer, bAt: number): number {
  const aSize = fieldsSizeAt(a, aAt);
  const bSize = fieldsSizeAt(b, bAt);
  const end = recordHeadSize + Math.min(aSize, bSize);
  for (let offset = recordHeadSize; offset < end; offset++) {
    const order = (a[aAt + offset] ?? 0) - (b[bAt + offset] ?? 0);
    if (order !== 0) return order;
  }
  return aSize - bSize;
}

function fieldsSizeAt(bytes: Buffer, at: number): number {
  return (bytes[at + 12] ?? 0) | ((bytes[at + 13] ?? 0) << 8);
}
