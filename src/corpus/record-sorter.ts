import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { keySize, maxPayloadSize, recordHeadSize } from "./segment.ts";

/** How much stays in memory before a sorted run goes to disk. 1 Mi records, about 25 MB, is the most that can be. */
const defaultLimits = { records: 1 << 20, bytes: 32 << 20 };
const writeSize = 256 << 10;
/** All runs together get about this much memory while they are merged, but each at least room for two records. */
const mergeSize = 32 << 20;
const minReadSize = 8 << 10;

/**
 * Sorts records by (key, payload) and drops equal ones, of which the one with the lowest row stays. External merge
 * sort: memory is bounded for any number of records and any mix of keys. What does not fit goes to one spill file that
 * is unlinked as soon as it is open, so that a crash leaves nothing.
 *
 * Records are in the layout of segment.ts.
 */
export class RecordSorter {
  readonly #spillPath: string;
  readonly #limits: typeof defaultLimits;
  #bytes = Buffer.allocUnsafe(64 << 10);
  #usedSize = 0;
  #recordCount = 0;
  #spillFile: number | null = null;
  #spilledSize = 0;
  readonly #runs: { readonly start: number; readonly end: number }[] = [];

  /** `limits` exist for tests. */
  constructor(spillPath: string, limits = defaultLimits) {
    this.#spillPath = spillPath;
    this.#limits = limits;
  }

  /** Copies a record; `payload` has at most `maxPayloadSize` bytes. Rows must come in ascending order. */
  add(key: Buffer, row: number, payload: string): void {
    const maxSize = recordHeadSize + payload.length * 3;
    if (this.#recordCount >= this.#limits.records || this.#usedSize + maxSize > this.#limits.bytes) this.#spill();
    this.#reserve(maxSize);
    const start = this.#usedSize;
    key.copy(this.#bytes, start);
    this.#bytes.writeUIntBE(row, start + keySize, 5);
    const payloadSize = payload === "" ? 0 : this.#bytes.write(payload, start + recordHeadSize, "utf8");
    this.#bytes.writeUInt16BE(payloadSize, start + recordHeadSize - 2);
    this.#usedSize += recordHeadSize + payloadSize;
    this.#recordCount++;
  }

  /** Yields each record once, as bytes that are valid until the next one is asked for. No `add` after this. */
  *sorted(): Generator<Buffer> {
    if (this.#runs.length > 0) this.#spill();
    const last = Buffer.alloc(recordHeadSize + maxPayloadSize);
    let lastSize = 0;
    for (const record of this.#runs.length > 0 ? this.#merged() : this.#sortedInMemory()) {
      if (lastSize === record.length && compareRecordBytes(last, record, lastSize) === 0) continue;
      lastSize = record.copy(last);
      yield record;
    }
  }

  /** Frees the disk space. */
  close(): void {
    if (this.#spillFile !== null) closeSync(this.#spillFile);
    this.#spillFile = null;
  }

  #reserve(size: number): void {
    if (this.#usedSize + size <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#usedSize + size));
    this.#bytes.copy(grown, 0, 0, this.#usedSize);
    this.#bytes = grown;
  }

  /** Sorts what is in memory and appends it to the spill file, without the duplicates within it. */
  #spill(): void {
    this.#spillFile ??= openUnlinked(this.#spillPath);
    const start = this.#spilledSize;
    const out = Buffer.allocUnsafe(writeSize);
    let outSize = 0;
    let last: Buffer | null = null;
    for (const record of this.#sortedInMemory()) {
      if (last !== null && compareRecordBytes(last, record) === 0) continue;
      last = record;
      if (outSize + record.length > writeSize) {
        this.#append(out.subarray(0, outSize));
        outSize = 0;
      }
      outSize += record.copy(out, outSize);
    }
    this.#append(out.subarray(0, outSize));
    this.#runs.push({ start, end: this.#spilledSize });
    this.#usedSize = 0;
    this.#recordCount = 0;
  }

  #append(bytes: Buffer): void {
    if (this.#spillFile === null) throw new Error("the spill file is closed");
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#spillFile, bytes, done, bytes.length - done, this.#spilledSize + done);
    }
    this.#spilledSize += bytes.length;
  }

  /**
   * Numbers are sorted instead of records: 32 bits of the key and then the position, which one double holds exactly.
   * Only records with the same 32 bits are compared as bytes.
   */
  *#sortedInMemory(): Generator<Buffer> {
    const offsets = new Uint32Array(this.#recordCount);
    const order = new Float64Array(this.#recordCount);
    for (let position = 0, offset = 0; position < offsets.length; position++) {
      offsets[position] = offset;
      order[position] = this.#bytes.readUInt32BE(offset) * 2 ** 20 + position;
      offset += recordHeadSize + this.#bytes.readUInt16BE(offset + recordHeadSize - 2);
    }
    order.sort();
    for (let start = 0; start < order.length; ) {
      const prefix = Math.floor((order[start] ?? 0) / 2 ** 20);
      let end = start + 1;
      while (end < order.length && Math.floor((order[end] ?? 0) / 2 ** 20) === prefix) end++;
      const recordAt = (entry: number) => this.#recordAt(offsets[entry % 2 ** 20] ?? 0);
      if (end - start === 1) yield recordAt(order[start] ?? 0);
      else yield* Array.from(order.subarray(start, end), recordAt).sort((a, b) => compareRecordBytes(a, b));
      start = end;
    }
  }

  #recordAt(offset: number): Buffer {
    return this.#bytes.subarray(
      offset,
      offset + recordHeadSize + this.#bytes.readUInt16BE(offset + recordHeadSize - 2),
    );
  }

  /** A k-way merge of the runs with a binary heap; the heap's first run has the smallest record. */
  *#merged(): Generator<Buffer> {
    const file = this.#spillFile;
    if (file === null) throw new Error("the spill file is closed");
    const readSize = Math.max(minReadSize, Math.floor(mergeSize / this.#runs.length));
    const heap = this.#runs.map(({ start, end }) => new RunReader(file, start, end, readSize));
    for (let parent = (heap.length >>> 1) - 1; parent >= 0; parent--) sink(heap, parent);
    for (let first = heap[0]; first !== undefined; first = heap[0]) {
      yield first.record;
      if (!first.advance()) {
        const last = heap.pop();
        if (heap.length > 0 && last !== undefined) heap[0] = last;
      }
      sink(heap, 0);
    }
  }
}

/** Moves the reader at `parent` down to where both readers below it are greater. */
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

/** Of equal records the one with the lower row goes first: that is the one that stays. */
function isBefore(a: RunReader, b: RunReader): boolean {
  if (a.prefix !== b.prefix) return a.prefix < b.prefix;
  return (compareRecordBytes(a.record, b.record) || a.start - b.start) < 0;
}

/** Reads one run of the spill file, record by record. A run is never empty. */
class RunReader {
  readonly start: number;
  readonly #file: number;
  readonly #end: number;
  readonly #buffer: Buffer;
  #position: number;
  #filledSize = 0;
  #offset = 0;
  record: Buffer;
  prefix = 0;

  constructor(file: number, start: number, end: number, readSize: number) {
    this.#file = file;
    this.start = start;
    this.#position = start;
    this.#end = end;
    this.#buffer = Buffer.allocUnsafe(Math.min(readSize, end - start));
    this.record = this.#buffer;
    this.advance();
  }

  /** Goes to the next record; false at the end of the run. */
  advance(): boolean {
    if (!this.#has(recordHeadSize)) return false;
    const size = recordHeadSize + this.#buffer.readUInt16BE(this.#offset + recordHeadSize - 2);
    if (!this.#has(size)) throw new Error("the spill file was cut short");
    this.record = this.#buffer.subarray(this.#offset, this.#offset + size);
    this.prefix = this.record.readUIntBE(0, 6);
    this.#offset += size;
    return true;
  }

  #has(size: number): boolean {
    if (this.#filledSize - this.#offset >= size) return true;
    this.#buffer.copyWithin(0, this.#offset, this.#filledSize);
    this.#filledSize -= this.#offset;
    this.#offset = 0;
    while (this.#filledSize < size && this.#position < this.#end) {
      const wanted = Math.min(this.#buffer.length - this.#filledSize, this.#end - this.#position);
      const readSize = readSync(this.#file, this.#buffer, this.#filledSize, wanted, this.#position);
      if (readSize === 0) break;
      this.#filledSize += readSize;
      this.#position += readSize;
    }
    return this.#filledSize >= size;
  }
}

/** By key, then payload; the row does not count. The order is that of segments. */
function compareRecordBytes(a: Buffer, b: Buffer, aSize = a.length): number {
  return a.compare(b, 0, keySize, 0, keySize) || a.compare(b, recordHeadSize, b.length, recordHeadSize, aSize);
}

function openUnlinked(path: string): number {
  const file = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  return file;
}
