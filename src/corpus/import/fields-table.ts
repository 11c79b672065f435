/**
 * Encoded fields of records, by number. At `offsets[n]` in `words` stands the size of fields n in bytes, then the
 * bytes, padded with zeros to a whole word. Little-endian.
 */
export type FieldsList = { readonly words: Uint32Array<ArrayBuffer>; readonly offsets: Uint32Array<ArrayBuffer> };

/** The capacity of a table. Ids are below this number. */
export const maxFieldsIds = 2 ** 19;
const maxWords = 4 << 20;
/** Slots probed before giving up. Bounds the work when a hostile file makes its fields collide. */
const maxTries = 32;
const firstSlots = 2 ** 12;
const slotWidth = 4;
const recentSlots = 2 ** 12;
/** Words skipped by the hash: most fields begin with the same text, `{"subject":"`. */
const commonWords = 3;

/**
 * Gives equal fields of records the same number. Files name the same sites over and over, and numbers sort much faster
 * than text. Memory is bounded: when the table is full, new fields get no number.
 */
export class FieldsTable {
  #words = new Uint32Array(16 << 10);
  #offsets = new Uint32Array(firstSlots);
  #count = 0;
  /**
   * Slots of four words: hash, number plus one (0 = free), offset and size of the bytes. The words are adjacent so that
   * a look-up touches little memory. The slot count is a power of two; at most half are used.
   */
  #slots = new Uint32Array(firstSlots * slotWidth);
  /** Copies of the slots found last. Most records have one of few sites, so these stay in the processor cache. */
  readonly #recent = new Uint32Array(recentSlots * slotWidth);
  readonly #maxIds: number;

  /** Tests pass a smaller `maxIds`. */
  constructor(maxIds = maxFieldsIds) {
    this.#maxIds = maxIds;
  }

  /**
   * The number of the first `size` bytes of `fields`; -1 when the table is full. The caller pads the last word with
   * zeros.
   */
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

  /** Returns all numbered fields and empties the table. */
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
      // Fields moved further than `maxTries` from their slot are no longer found and get a second number.
      // `GroupTemplates` compares the bytes, so the result is the same.
      while (slots[slot * slotWidth + 1] !== 0) slot = (slot + 1) & mask;
      slots.set(old.subarray(from, from + slotWidth), slot * slotWidth);
    }
    this.#slots = slots;
  }
}

/** The encoded fields with a number, as bytes. */
export function fieldsAt({ words, offsets }: FieldsList, id: number): Buffer {
  const start = offsets[id] ?? 0;
  return Buffer.from(words.buffer, words.byteOffset + (start + 1) * 4, words[start] ?? 0);
}

/** Compares two encoded fields by their bytes. Returns a negative number, zero or a positive number. */
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

/** FNV-1a over words instead of bytes, with a final mix. Skips the common first words. */
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
