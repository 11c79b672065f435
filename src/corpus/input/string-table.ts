import { Unread } from "./unread.ts";

const blockSize = 1 << 20;
const maxBlocks = 64;

/**
 * The strings of a workbook, by number. Stored as UTF-8, in half the memory of strings. Throws `Unread` above 64 MiB.
 */
export class StringTable {
  readonly #blocks: Buffer[] = [];
  #filled = blockSize;
  /** Start and length of each string. */
  #places = new Uint32Array(2 * 1024);
  #count = 0;

  add(text: string): void {
    const bytes = Buffer.from(text.slice(0, maxLength));
    if (this.#filled + bytes.length > blockSize) {
      if (this.#blocks.length === maxBlocks) throw new Unread(tooLarge);
      this.#blocks.push(Buffer.allocUnsafeSlow(blockSize));
      this.#filled = 0;
    }
    if (this.#places.length < 2 * this.#count + 2) {
      if (this.#count >= maxCount) throw new Unread(tooLarge);
      const places = new Uint32Array(this.#places.length * 2);
      places.set(this.#places);
      this.#places = places;
    }
    const block = this.#blocks.length - 1;
    this.#blocks[block]?.set(bytes, this.#filled);
    this.#places[2 * this.#count] = block * blockSize + this.#filled;
    this.#places[2 * this.#count + 1] = bytes.length;
    this.#filled += bytes.length;
    this.#count++;
  }

  /** The string with a number; empty when there is none. */
  get(index: number): string {
    if (!(index >= 0 && index < this.#count)) return "";
    const start = this.#places[2 * index] ?? 0;
    const from = start % blockSize;
    const block = this.#blocks[(start - from) / blockSize];
    return block?.toString("utf8", from, from + (this.#places[2 * index + 1] ?? 0)) ?? "";
  }
}

/** A cell holds at most 32,767 characters. */
const maxLength = 32_767;
const maxCount = 8 << 20;
const tooLarge =
  "a workbook with over 64 MiB of different strings; make CSV of it and import that: soffice --headless --convert-to csv FILE";
