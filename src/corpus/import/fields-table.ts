/**
 * The encoded fields of records, by number: those of number n stand in `words` from `offsets[n]` on, their size in bytes
 * first and then the bytes, filled up with zeros to the next word. Little-endian, as everything here.
 */
export type FieldsList = { readonly words: Uint32Array<ArrayBuffer>; readonly offsets: Uint32Array<ArrayBuffer> };

/** The most entries of a table, and so the first number that is none of it. */
export const maxFieldsIds = 2 ** 19;
const maxWords = 4 << 20;
/** So many slots are tried: a file must not be able to make them all collide. */
const maxTries = 32;
const firstSlots = 2 ** 12;
const slotWidth = 4;
const recentSlots = 2 ** 12;
/** Most fields begin with the same words: `{"subject":"`. */
const commonWords = 3;

/**
 * Numbers for the encoded fields of records, by content: files name the same sites over and over, and numbers are
 * sorted much faster than text. Memory is bounded: when the table is full, what is not in it gets no number.
 */
export class FieldsTable {
  #words = new Uint32Array(16 << 10);
  #offsets = new Uint32Array(firstSlots);
  #count = 0;
  /**
   * Hash, number plus one, and offset and size of the bytes of each slot, beside each other so that a look-up touches
   * little memory; a number of 0 is free. A power of two of slots, at most half of them used.
   */
  #slots = new Uint32Array(firstSlots * slotWidth);
  /** Slots that were found last: most records have one of few sites, and these are in the cache of the processor. */
  readonly #recent = new Uint32Array(recentSlots * slotWidth);
  readonly #maxIds: number;

  /** `maxIds` exists for tests. */
  constructor(maxIds = maxFieldsIds) {
    this.#maxIds = maxIds;
  }

  /** The number of `size` bytes, or -1 when they get none. The last word is filled up with zeros. */
  idOf(fields: Uint32Array, size: number): number {
    const hash = hashOf(fields, size);
    const recent = this.#recent;
    const at = (hash & (recentSlots - 1)) * slotWidth;
    if (this.#isAt(recent, at, hash, fields, size)) return (recent[at + 1] ?? 0) - 1;
    const slots = this.#slots;
    const mask = slots.length / slotWidth - 1;
    for (let tries = 0; tries < maxTries; tries++) {
      const slot = ((hash + tries) & mask) * slotWidth;
      if (slots[slot + 1] === 0) return this.#add(slot, hash, fields, size);
      if (!this.#isAt(slots, slot, hash, fields, size)) continue;
      for (let part = 0; part < slotWidth; part++) recent[at + part] = slots[slot + part] ?? 0;
      return (slots[slot + 1] ?? 0) - 1;
    }
    return -1;
  }

  /** What was given numbers; the table is empty afterwards. */
  take(): FieldsList {
    const size = this.#offsets[this.#count] ?? 0;
    const list = { words: this.#words.slice(0, size), offsets: this.#offsets.slice(0, this.#count + 1) };
    this.#words = new Uint32Array(0);
    this.#offsets = new Uint32Array(1);
    this.#slots = new Uint32Array(slotWidth);
    this.#recent.fill(0);
    this.#count = 0;
    return list;
  }

  #isAt(slots: Uint32Array, slot: number, hash: number, fields: Uint32Array, size: number): boolean {
    if (slots[slot] !== hash || slots[slot + 3] !== size || slots[slot + 1] === 0) return false;
    const words = this.#words;
    const start = (slots[slot + 2] ?? 0) + 1;
    const count = (size + 3) >>> 2;
    let at = 0;
    while (at < count && words[start + at] === fields[at]) at++;
    return at === count;
  }

  #add(slot: number, hash: number, fields: Uint32Array, size: number): number {
    const id = this.#count;
    const start = this.#offsets[id] ?? 0;
    const count = (size + 3) >>> 2;
    const end = start + 1 + count;
    if (id >= this.#maxIds || end > maxWords) return -1;
    if (end > this.#words.length) this.#words = grown(this.#words, end);
    if (id + 2 > this.#offsets.length) this.#offsets = grown(this.#offsets, id + 2);
    this.#words[start] = size;
    for (let at = 0; at < count; at++) this.#words[start + 1 + at] = fields[at] ?? 0;
    this.#offsets[id + 1] = end;
    this.#slots.set([hash, id + 1, start, size], slot);
    this.#count++;
    if (this.#count * 2 * slotWidth > this.#slots.length) this.#growSlots();
    return id;
  }

  #growSlots(): void {
    const old = this.#slots;
    const slots = new Uint32Array(old.length * 2);
    const mask = slots.length / slotWidth - 1;
    for (let from = 0; from < old.length; from += slotWidth) {
      if (old[from + 1] === 0) continue;
      let slot = (old[from] ?? 0) & mask;
      // Fields that find no slot near their own are looked for in vain, and get another number.
      while (slots[slot * slotWidth + 1] !== 0) slot = (slot + 1) & mask;
      slots.set(old.subarray(from, from + slotWidth), slot * slotWidth);
    }
    this.#slots = slots;
  }
}

/** The bytes of the fields of a number. */
export function fieldsAt({ words, offsets }: FieldsList, id: number): Buffer {
  const start = offsets[id] ?? 0;
  return Buffer.from(words.buffer, words.byteOffset + (start + 1) * 4, words[start] ?? 0);
}

/** Negative, zero or positive, like the order of the bytes of the fields of two numbers. */
export function compareFields(one: FieldsList, id: number, other: FieldsList, otherId: number): number {
  const start = (one.offsets[id] ?? 0) + 1;
  const otherStart = (other.offsets[otherId] ?? 0) + 1;
  const size = one.words[start - 1] ?? 0;
  const otherSize = other.words[otherStart - 1] ?? 0;
  const count = (Math.min(size, otherSize) + 3) >>> 2;
  for (let at = 0; at < count; at++) {
    const word = one.words[start + at] ?? 0;
    const otherWord = other.words[otherStart + at] ?? 0;
    if (word !== otherWord) return bigEndian(word) - bigEndian(otherWord);
  }
  return size - otherSize;
}

function bigEndian(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

function grown(numbers: Uint32Array<ArrayBuffer>, least: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(numbers.length * 2, least));
  larger.set(numbers);
  return larger;
}

/** FNV-1a with words instead of bytes, with its bits mixed once more, of what is behind the common beginning. */
function hashOf(words: Uint32Array, size: number): number {
  const count = (size + 3) >>> 2;
  let hash = 0x811c9dc5 ^ size;
  for (let at = Math.min(count, commonWords); at < count; at++) {
    hash = Math.imul(hash ^ (words[at] ?? 0), 0x01000193);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
