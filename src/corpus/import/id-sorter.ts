import { closeSync } from "node:fs";
import { maxFieldsIds } from "./fields-table.ts";
import { openUnlinked, readAll, writeAll } from "./spill-file.ts";

/** Runs are cut into parts by the top 10 bits of the key, so that one part of all runs fits into memory. */
const partBits = 10;
const partCount = 2 ** partBits;
/** A record as four numbers of 32 bits: key (upper half, lower half), number of its fields, number of its entry. */
const width = 4;
const recordSize = width * 4;

/** Records that stay in memory before they are written: 4 MiB. */
const recordsPerRun = 2 ** 18;
/** Records of one part that are sorted at a time: 16 MiB. A part that holds more is read in several passes. */
const recordsPerPass = 2 ** 20;

/** Records in a spill file, from `start` on, in parts but else in no order; `offsets` says where each part starts. */
export type IdRun = { readonly file: number; readonly start: number; readonly offsets: Uint32Array<ArrayBuffer> };

/**
 * Collects records whose fields have numbers (`FieldsTable`) and writes them as runs into a spill file. The file has no
 * name, so that a crash leaves nothing. Sorting is left to `SortedIds`: parts are small and fit into the cache.
 */
export class IdSorter {
  readonly #path: string;
  readonly #recordsPerRun: number;
  /** Made when the first record comes. */
  #records = new Uint32Array(0);
  #parted = new Uint32Array(0);
  #size = 0;
  #file: number | null = null;
  #writtenCount = 0;
  readonly #runs: IdRun[] = [];

  /** `size`, the records of a run, exists for tests. */
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

  /** Writes what is left. The runs can be read until `close`, by any thread of this process. */
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
 * The records of some lanes key by key, in ascending order. Those of one key come in the order of their numbers, each
 * number of a lane once, with its lowest entry.
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
  /** The pass over the present part, and how many bits behind those of the part tell the passes apart. */
  #pass = 0;
  #passBits = 0;
  /** The present key, and how many records it has. */
  high = 0;
  low = 0;
  size = 0;

  /** `size`, the records sorted at a time, exists for tests. */
  constructor(lanes: readonly (readonly IdRun[])[], size = recordsPerPass) {
    this.#lanes = lanes;
    this.#recordsPerPass = size;
  }

  /** Goes to the next key; false at the end. */
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

  /** The number of the fields of a record of the present key: those of lane n begin at n * `maxFieldsIds`. */
  id(index: number): number {
    return this.#records[(this.#order[this.#at - this.size + index] ?? 0) * width + 2] ?? 0;
  }

  entry(index: number): number {
    return this.#records[(this.#order[this.#at - this.size + index] ?? 0) * width + 3] ?? 0;
  }

  /** Reads and sorts the records of the next pass; false when there is none. */
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
    // Many records of few keys are all in one pass: what is there twice makes room.
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

  /** Puts the records in order, without those that are there twice: keys are even, so buckets of them are small. */
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
    // Each start is now the end of its bucket.
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
/** More records in a bucket are sorted by the runtime. */
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

/** In bytes. */
function positionOf({ start, offsets }: IdRun, part: number): number {
  return (start + (offsets[part] ?? 0)) * recordSize;
}

function sizeOf({ offsets }: IdRun, part: number): number {
  return (offsets[part + 1] ?? 0) - (offsets[part] ?? 0);
}
