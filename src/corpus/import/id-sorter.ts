import { closeSync } from "node:fs";
import { maxFieldsIds } from "./fields-table.ts";
import { openUnlinked, readAll, writeAll } from "./spill-file.ts";

/** Runs are split into parts by the top 10 bits of the key. One part of all runs fits into memory. */
const partBits = 10;
const partCount = 2 ** partBits;
/** Numbers per record, 32 bits each: upper and lower half of the key, number of the fields, number of the entry. */
const width = 4;
const recordSize = width * 4;

/** Records held in memory before a run is written: 4 MiB. */
const recordsPerRun = 2 ** 18;
/** Records sorted at a time: 16 MiB. A part with more records is read in several passes. */
const recordsPerPass = 2 ** 20;

/**
 * A run of records in a spill file. It starts at record `start` and is ordered by part only; `offsets` holds where each
 * part starts.
 */
export type IdRun = { readonly file: number; readonly start: number; readonly offsets: Uint32Array<ArrayBuffer> };

/**
 * Collects records with numbered fields (`FieldsTable`) and writes them as runs into an unlinked spill file, so a crash
 * leaves nothing behind. Only splits records into parts: `SortedIds` sorts each part, which is small enough for the
 * cache.
 */
export class IdSorter {
  readonly #path: string;
  readonly #recordsPerRun: number;
  /** Allocated with the first record. */
  #records = new Uint32Array(0);
  #parted = new Uint32Array(0);
  #size = 0;
  #file: number | null = null;
  #writtenCount = 0;
  readonly #runs: IdRun[] = [];

  /** Tests pass a smaller `size`, the number of records per run. */
  constructor(path: string, size = recordsPerRun) {
    this.#path = path;
    this.#recordsPerRun = size;
  }

  add(high: number, low: number, id: number, entry: number): void {
    if (this.#size === this.#records.length) this.#makeRoom();
    const records = this.#records;
    const at = this.#size;
    records[at] = high;
    records[at + 1] = low;
    records[at + 2] = id;
    records[at + 3] = entry;
    this.#size += width;
  }

  /** Writes the remaining records. Any thread of this process can read the runs until `close`. */
  finish(): IdRun[] {
    if (this.#size > 0) this.#spill();
    this.#records = this.#parted = new Uint32Array(0);
    return this.#runs;
  }

  /** Frees the disk space. */
  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #makeRoom(): void {
    if (this.#size > 0) {
      this.#spill();
      return;
    }
    this.#records = new Uint32Array(this.#recordsPerRun * width);
    this.#parted = new Uint32Array(this.#recordsPerRun * width);
  }

  #spill(): void {
    this.#file ??= openUnlinked(this.#path);
    const records = this.#records;
    const parted = this.#parted;
    const size = this.#size;
    const offsets = new Uint32Array(partCount + 1);
    for (let at = 0; at < size; at += width) {
      const part = ((records[at] ?? 0) >>> (32 - partBits)) + 1;
      offsets[part] = (offsets[part] ?? 0) + 1;
    }
    for (let part = 1; part <= partCount; part++) offsets[part] = (offsets[part] ?? 0) + (offsets[part - 1] ?? 0);
    const next = offsets.slice();
    for (let at = 0; at < size; at += width) {
      const part = (records[at] ?? 0) >>> (32 - partBits);
      const to = (next[part] ?? 0) * width;
      next[part] = (next[part] ?? 0) + 1;
      parted[to] = records[at] ?? 0;
      parted[to + 1] = records[at + 1] ?? 0;
      parted[to + 2] = records[at + 2] ?? 0;
      parted[to + 3] = records[at + 3] ?? 0;
    }
    writeAll(this.#file, new Uint8Array(parted.buffer, 0, size * 4), this.#writtenCount * recordSize);
    this.#runs.push({ file: this.#file, start: this.#writtenCount, offsets });
    this.#writtenCount += size / width;
    this.#size = 0;
  }
}

/**
 * Reads the records of all lanes key by key, ascending. The records of a key are ordered by number; each number comes
 * once, with its lowest entry.
 */
export class SortedIds {
  readonly #lanes: readonly (readonly IdRun[])[];
  readonly #recordsPerPass: number;
  #records = new Uint32Array(0);
  #order = new Uint32Array(0);
  #starts = new Uint32Array(0);
  #count = 0;
  #at = 0;
  #part = -1;
  /** The current pass over the current part, and the number of key bits after the part bits that select the pass. */
  #pass = 0;
  #passBits = 0;
  /** The current key and its number of records. */
  high = 0;
  low = 0;
  size = 0;

  /** Tests pass a smaller `size`, the number of records sorted at a time. */
  constructor(lanes: readonly (readonly IdRun[])[], size = recordsPerPass) {
    this.#lanes = lanes;
    this.#recordsPerPass = size;
  }

  /** Moves to the next key; false at the end. */
  next(): boolean {
    while (this.#at >= this.#count) if (!this.#load()) return false;
    const records = this.#records;
    const order = this.#order;
    const first = (order[this.#at] ?? 0) * width;
    this.high = records[first] ?? 0;
    this.low = records[first + 1] ?? 0;
    let end = this.#at + 1;
    for (; end < this.#count; end++) {
      const at = (order[end] ?? 0) * width;
      if (records[at] !== this.high || records[at + 1] !== this.low) break;
    }
    this.size = end - this.#at;
    this.#at = end;
    return true;
  }

  /** The field number of a record of the current key. The numbers of lane n begin at n * `maxFieldsIds`. */
  id(index: number): number {
    return this.#records[(this.#order[this.#at - this.size + index] ?? 0) * width + 2] ?? 0;
  }

  entry(index: number): number {
    return this.#records[(this.#order[this.#at - this.size + index] ?? 0) * width + 3] ?? 0;
  }

  /** Reads and sorts the next pass; false at the end. */
  #load(): boolean {
    if (++this.#pass >= 2 ** this.#passBits) {
      if (++this.#part >= partCount) return false;
      this.#pass = 0;
      let count = 0;
      for (const runs of this.#lanes) for (const run of runs) count += sizeOf(run, this.#part);
      this.#passBits = Math.max(0, Math.ceil(Math.log2(count / this.#recordsPerPass)));
      this.#reserve(Math.min(count, this.#recordsPerPass));
    }
    this.#count = 0;
    this.#at = 0;
    for (const [lane, runs] of this.#lanes.entries()) for (const run of runs) this.#read(run, lane * maxFieldsIds);
    this.#sort();
    return true;
  }

  #read(run: IdRun, firstId: number): void {
    const count = sizeOf(run, this.#part);
    if (count === 0) return;
    // Records of one key cannot be split over passes, so few keys can overfill one. Removing duplicates makes room.
    if (this.#count > 0 && this.#count + count > this.#records.length / width) this.#compact();
    this.#reserve(this.#count + count);
    const records = this.#records;
    const start = this.#count * width;
    readAll(run.file, new Uint8Array(records.buffer, start * 4, count * recordSize), positionOf(run, this.#part));
    const shift = 32 - this.#passBits;
    let to = start;
    for (let at = start; at < start + count * width; at += width) {
      const high = records[at] ?? 0;
      if (this.#passBits > 0 && (high << partBits) >>> shift !== this.#pass) continue;
      records[to] = high;
      records[to + 1] = records[at + 1] ?? 0;
      records[to + 2] = (records[at + 2] ?? 0) + firstId;
      records[to + 3] = records[at + 3] ?? 0;
      to += width;
    }
    this.#count = to / width;
  }

  #compact(): void {
    this.#sort();
    const kept = new Uint32Array(this.#count * width);
    for (let index = 0; index < this.#count; index++) {
      const at = (this.#order[index] ?? 0) * width;
      kept.set(this.#records.subarray(at, at + width), index * width);
    }
    this.#records.set(kept);
  }

  /** Sorts the records and removes duplicates. Keys are hashes and evenly spread, so the buckets stay small. */
  #sort(): void {
    const count = this.#count;
    const bits = Math.max(1, Math.min(maxBucketBits, Math.floor(Math.log2(Math.max(1, count)))));
    const bucketCount = 2 ** bits;
    if (this.#starts.length <= bucketCount) this.#starts = new Uint32Array(bucketCount + 1);
    if (this.#order.length < count) this.#order = new Uint32Array(Math.max(count, this.#records.length / width));
    const records = this.#records;
    const order = this.#order;
    const starts = this.#starts;
    const left = partBits + this.#passBits;
    const right = 32 - bits;
    starts.fill(0, 0, bucketCount + 1);
    for (let index = 0; index < count; index++) {
      const bucket = left < 32 ? ((records[index * width] ?? 0) << left) >>> right : 0;
      starts[bucket + 1] = (starts[bucket + 1] ?? 0) + 1;
    }
    for (let bucket = 1; bucket <= bucketCount; bucket++) {
      starts[bucket] = (starts[bucket] ?? 0) + (starts[bucket - 1] ?? 0);
    }
    for (let index = 0; index < count; index++) {
      const bucket = left < 32 ? ((records[index * width] ?? 0) << left) >>> right : 0;
      const to = starts[bucket] ?? 0;
      order[to] = index;
      starts[bucket] = to + 1;
    }
    // Each start has become the end of its bucket.
    let kept = 0;
    let start = 0;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const end = starts[bucket] ?? 0;
      sortBucket(records, order, start, end);
      for (let at = start; at < end; at++) {
        const index = order[at] ?? 0;
        if (kept > 0 && isSame(records, (order[kept - 1] ?? 0) * width, index * width)) continue;
        order[kept++] = index;
      }
      start = end;
    }
    this.#count = kept;
  }

  #reserve(count: number): void {
    if (count * width <= this.#records.length) return;
    const grown = new Uint32Array(Math.max(count, Math.ceil((this.#records.length / width) * 1.25)) * width);
    grown.set(this.#records.subarray(0, this.#count * width));
    this.#records = grown;
  }
}

const maxBucketBits = 16;
/** Insertion sort up to this many records in a bucket; above it the runtime's sort. */
const maxInserted = 16;

function sortBucket(records: Uint32Array, order: Uint32Array, start: number, end: number): void {
  if (end - start > maxInserted) {
    order.subarray(start, end).sort((a, b) => compare(records, a * width, b * width));
    return;
  }
  for (let at = start + 1; at < end; at++) {
    const index = order[at] ?? 0;
    let to = at;
    while (to > start && compare(records, (order[to - 1] ?? 0) * width, index * width) > 0) {
      order[to] = order[to - 1] ?? 0;
      to--;
    }
    order[to] = index;
  }
}

function compare(records: Uint32Array, a: number, b: number): number {
  return (
    (records[a] ?? 0) - (records[b] ?? 0) ||
    (records[a + 1] ?? 0) - (records[b + 1] ?? 0) ||
    (records[a + 2] ?? 0) - (records[b + 2] ?? 0) ||
    (records[a + 3] ?? 0) - (records[b + 3] ?? 0)
  );
}

function isSame(records: Uint32Array, a: number, b: number): boolean {
  return records[a + 1] === records[b + 1] && records[a] === records[b] && records[a + 2] === records[b + 2];
}

/** The position of a part, in bytes. */
function positionOf({ start, offsets }: IdRun, part: number): number {
  return (start + (offsets[part] ?? 0)) * recordSize;
}

function sizeOf({ offsets }: IdRun, part: number): number {
  return (offsets[part + 1] ?? 0) - (offsets[part] ?? 0);
}
