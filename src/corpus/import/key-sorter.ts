import { closeSync } from "node:fs";
import { openUnlinked, readAll, writeAll } from "./spill-file.ts";

/** A spill file is split into parts by the top 10 bits of the key. One part of all runs fits into memory. */
const partBits = 10;
export const partCount = 2 ** partBits;
const keySize = 8;

/** Keys held in memory before they are sorted and written: 8 MiB. */
const keysPerRun = 2 ** 20;
/** Keys sorted at a time: 16 MiB. A part with more keys is read in several passes. */
const keysPerPass = 2 ** 21;

/**
 * A run of sorted, distinct keys in a spill file. `start` is its position in the file, `offsets` where each part starts
 * after that. All are counted in keys.
 */
export type KeyRun = { readonly file: number; readonly start: number; readonly offsets: Uint32Array<ArrayBuffer> };

/**
 * Collects keys and writes them as sorted runs into a spill file. The file is unlinked, so a crash leaves nothing
 * behind, and it contains nothing but keys.
 */
export class KeySorter {
  readonly #path: string;
  readonly #keysPerRun: number;
  /** Allocated with the first key. */
  #keys = new BigUint64Array(0);
  #halves = new Uint32Array(0);
  #count = 0;
  #file: number | null = null;
  #writtenCount = 0;
  readonly #runs: KeyRun[] = [];

  /** Tests pass a smaller `size`, the number of keys per run. */
  constructor(path: string, size = keysPerRun) {
    this.#path = path;
    this.#keysPerRun = size;
  }

  add(high: number, low: number): void {
    if (this.#count * 2 === this.#halves.length) this.#makeRoom();
    this.#halves[2 * this.#count] = low;
    this.#halves[2 * this.#count + 1] = high;
    this.#count++;
  }

  /** Writes the remaining keys. Any thread of this process can read the runs until `close`. */
  finish(): KeyRun[] {
    if (this.#count > 0) this.#spill();
    this.#keys = new BigUint64Array(0);
    this.#halves = new Uint32Array(0);
    return this.#runs;
  }

  /** Frees the disk space. */
  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #makeRoom(): void {
    if (this.#count > 0) {
      this.#spill();
      return;
    }
    this.#keys = new BigUint64Array(this.#keysPerRun);
    this.#halves = new Uint32Array(this.#keys.buffer);
  }

  #spill(): void {
    this.#file ??= openUnlinked(this.#path);
    this.#keys.subarray(0, this.#count).sort();
    const halves = this.#halves;
    const offsets = new Uint32Array(partCount + 1);
    let kept = 0;
    let part = 0;
    for (let index = 0; index < this.#count; index++) {
      const low = halves[2 * index] ?? 0;
      const high = halves[2 * index + 1] ?? 0;
      if (kept > 0 && halves[2 * kept - 2] === low && halves[2 * kept - 1] === high) continue;
      for (; part <= high >>> (32 - partBits); part++) offsets[part] = kept;
      halves[2 * kept] = low;
      halves[2 * kept + 1] = high;
      kept++;
    }
    offsets.fill(kept, part);
    writeAll(this.#file, new Uint8Array(this.#keys.buffer, 0, kept * keySize), this.#writtenCount * keySize);
    this.#runs.push({ file: this.#file, start: this.#writtenCount, offsets });
    this.#writtenCount += kept;
    this.#count = 0;
  }
}

/** Reads all keys of some runs in ascending order, without duplicates. `high` and `low` are the current key. */
export class SortedKeys {
  readonly #runs: readonly KeyRun[];
  readonly #endPart: number;
  readonly #keysPerPass: number;
  #keys = new BigUint64Array(0);
  #halves = new Uint32Array(0);
  #count = 0;
  #at = 0;
  #part: number;
  /** The current pass over the current part, and the number of key bits after the part bits that select the pass. */
  #pass = 0;
  #passBits = 0;
  high = 0;
  low = 0;

  /**
   * Reads the parts from `startPart` up to, but not including, `endPart`. Tests pass a smaller `size`, the number of
   * keys sorted at a time.
   */
  constructor(runs: readonly KeyRun[], startPart = 0, endPart = partCount, size = keysPerPass) {
    this.#runs = runs;
    this.#part = startPart - 1;
    this.#endPart = endPart;
    this.#keysPerPass = size;
  }

  /** Moves to the next key; false at the end. */
  next(): boolean {
    for (;;) {
      while (this.#at < this.#count) {
        const low = this.#halves[2 * this.#at] ?? 0;
        const high = this.#halves[2 * this.#at + 1] ?? 0;
        const isSame = this.#at > 0 && low === this.low && high === this.high;
        this.#at++;
        if (isSame) continue;
        this.low = low;
        this.high = high;
        return true;
      }
      if (!this.#load()) return false;
    }
  }

  /** Reads and sorts the next pass; false at the end. */
  #load(): boolean {
    if (++this.#pass >= 2 ** this.#passBits) {
      if (++this.#part >= this.#endPart) return false;
      this.#pass = 0;
      let count = 0;
      for (const run of this.#runs) count += sizeOf(run, this.#part);
      this.#passBits = Math.max(0, Math.ceil(Math.log2(count / this.#keysPerPass)));
      this.#reserve(this.#passBits === 0 ? count : this.#keysPerPass);
    }
    this.#count = 0;
    this.#at = 0;
    for (const run of this.#runs) {
      if (this.#passBits === 0) this.#readAll(run);
      else this.#readPass(run);
    }
    this.#keys.subarray(0, this.#count).sort();
    return true;
  }

  #readAll(run: KeyRun): void {
    const count = sizeOf(run, this.#part);
    const bytes = new Uint8Array(this.#keys.buffer, this.#count * keySize, count * keySize);
    readAll(run.file, bytes, positionOf(run, this.#part));
    this.#count += count;
  }

  /** Reads a part and keeps only the keys of the current pass. */
  #readPass(run: KeyRun): void {
    const keys = new Uint32Array(sizeOf(run, this.#part) * 2);
    readAll(run.file, new Uint8Array(keys.buffer), positionOf(run, this.#part));
    for (let index = 0; index < keys.length; index += 2) {
      const high = keys[index + 1] ?? 0;
      if ((high << partBits) >>> (32 - this.#passBits) !== this.#pass) continue;
      this.#reserve(this.#count + 1);
      this.#halves[2 * this.#count] = keys[index] ?? 0;
      this.#halves[2 * this.#count + 1] = high;
      this.#count++;
    }
  }

  #reserve(count: number): void {
    if (count <= this.#keys.length) return;
    const grown = new BigUint64Array(Math.max(count, Math.ceil(this.#keys.length * 1.25)));
    grown.set(this.#keys.subarray(0, this.#count));
    this.#keys = grown;
    this.#halves = new Uint32Array(grown.buffer);
  }
}

/** The position of a part, in bytes. */
function positionOf({ start, offsets }: KeyRun, part: number): number {
  return (start + (offsets[part] ?? 0)) * keySize;
}

function sizeOf({ offsets }: KeyRun, part: number): number {
  return (offsets[part + 1] ?? 0) - (offsets[part] ?? 0);
}
