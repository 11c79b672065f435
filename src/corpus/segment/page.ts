/**
 * A page of a segment: 4096 bytes with the records of some keys, sorted by key. All numbers are little-endian.
 *
 * ```
 *  0  crc32 of the rest
 *  4  number of entries u16; an entry is a key and its ids
 *  6  bytes of a low part u8 (4 to 7)
 *  7  kind u8: 0 = all entries have the one id of the header, 1 = lists
 *  8  first key u64
 * 16  length of the high parts in bytes u16
 * 18  zeros u16
 * 20  the one id u32
 * 24  low parts: of each key minus the first key, as many bytes as said above
 *     high parts: what is above the low part, as the step from one entry to the next, so many zero bits and a one
 *     lists (kind 1): the ids of each entry, see `encodeId`
 * ```
 *
 * Keys are hashes, so their differences are even: Elias-Fano with whole bytes takes 3 to 8 % more than the entropy of
 * the keys, and needs no bit shifting over 64 bits.
 */
export const pageSize = 4096;
const pageHeadSize = 24;
const minLowSize = 4;
const maxLowSize = 7;
/** One entry holds at most so many ids; more are further entries of the same key. Of 5 bytes each they fit into a page. */
export const maxIdsPerEntry = 700;

/** The page is not what was written. */
export class CorruptPage extends Error {
  override readonly name = "CorruptPage";
}

/** A key as two halves: 64 bits do not fit into a number. */
export type Key = { readonly high: number; readonly low: number };

export function keyFrom(bytes: Uint8Array): Key {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return { high: view.getUint32(0, true), low: view.getUint32(4, true) };
}

/** Negative, zero or positive, like the order of two keys. */
export function compareKeys(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  return aHigh - bHigh || aLow - bLow;
}

/** Bytes that `encodeId` takes. */
export function idSize(id: number): number {
  if (id < 64) return 1;
  if (id < 2 ** 13) return 2;
  if (id < 2 ** 20) return 3;
  return id < 2 ** 27 ? 4 : 5;
}

/**
 * Writes an id: bit 7 of the first byte says that it is the last of its entry, bit 6 that more bytes follow, 6 bits of
 * value; then bytes of 7 bits, bit 7 saying that more follow. Returns the offset behind it.
 */
export function encodeId(bytes: Uint8Array, offset: number, id: number, isLast: boolean): number {
  let at = offset;
  let rest = Math.floor(id / 64);
  bytes[at++] = (isLast ? 0x80 : 0) | (rest > 0 ? 0x40 : 0) | (id & 0x3f);
  while (rest > 0) {
    const value = rest & 0x7f;
    rest >>>= 7;
    bytes[at++] = (rest > 0 ? 0x80 : 0) | value;
  }
  return at;
}

/**
 * Fills one page after the other: `add` until it says no, then `finish`. Keys come in ascending order; the same key may
 * come again with further ids.
 */
export class PageBuilder {
  #count = 0;
  #firstHigh = 0;
  #firstLow = 0;
  /** Key minus first key. */
  readonly #stepHigh = new Uint32Array(1024);
  readonly #stepLow = new Uint32Array(1024);
  readonly #lists = new Uint8Array(pageSize);
  #listsSize = 0;
  #oneId = 0;
  #isOneId = true;
  /** The low part that was best when the page was last nearly full; the next page is much like this one. */
  #lowSize = minLowSize;

  get count(): number {
    return this.#count;
  }

  /** The upper half of the first key. */
  get firstHigh(): number {
    return this.#firstHigh;
  }

  /** Adds `count` ids, at most `maxIdsPerEntry`, of a key; false when they do not fit: then the page must be finished. */
  add(high: number, low: number, ids: ArrayLike<number>, start: number, count: number): boolean {
    if (this.#count === 0) {
      this.#firstHigh = high;
      this.#firstLow = low;
      this.#oneId = ids[start] ?? 0;
      this.#isOneId = true;
      this.#listsSize = 0;
    }
    const isOneId = this.#isOneId && count === 1 && ids[start] === this.#oneId;
    let idsSize = 0;
    for (let index = start; index < start + count; index++) idsSize += idSize(ids[index] ?? 0);
    const borrow = low < this.#firstLow ? 1 : 0;
    const stepHigh = high - this.#firstHigh - borrow;
    const stepLow = (low - this.#firstLow) >>> 0;
    const listsSize = this.#listsSize + idsSize;
    if (this.#count > 0) {
      if (this.#count === this.#stepHigh.length || listsSize > pageSize) return false;
      const room = pageSize - pageHeadSize - (isOneId ? 0 : listsSize);
      if (keysSize(this.#count + 1, this.#lowSize, stepHigh) > room) {
        this.#lowSize = bestLowSize(this.#count + 1, stepHigh);
        if (keysSize(this.#count + 1, this.#lowSize, stepHigh) > room) return false;
      }
    }
    this.#isOneId = isOneId;
    this.#stepHigh[this.#count] = stepHigh;
    this.#stepLow[this.#count] = stepLow;
    let at = this.#listsSize;
    for (let index = start; index < start + count; index++) {
      at = encodeId(this.#lists, at, ids[index] ?? 0, index === start + count - 1);
    }
    this.#listsSize = at;
    this.#count++;
    return true;
  }

  /** Writes the page and begins a new one. */
  finish(page: Buffer): void {
    const count = this.#count;
    const spanHigh = this.#stepHigh[count - 1] ?? 0;
    const lowSize = bestLowSize(count, spanHigh);
    page.fill(0);
    page.writeUInt16LE(count, 4);
    page[6] = lowSize;
    page[7] = this.#isOneId ? 0 : 1;
    page.writeUInt32LE(this.#firstLow, 8);
    page.writeUInt32LE(this.#firstHigh, 12);
    page.writeUInt16LE(highPartsSize(count, lowSize, spanHigh), 16);
    if (this.#isOneId) page.writeUInt32LE(this.#oneId, 20);
    const shift = (lowSize - 4) * 8;
    let at = pageHeadSize;
    let bit = (pageHeadSize + count * lowSize) * 8;
    let previous = 0;
    for (let index = 0; index < count; index++) {
      const low = this.#stepLow[index] ?? 0;
      let high = this.#stepHigh[index] ?? 0;
      page[at] = low;
      page[at + 1] = low >>> 8;
      page[at + 2] = low >>> 16;
      page[at + 3] = low >>> 24;
      at += 4;
      for (let left = lowSize; left > 4; left--) {
        page[at++] = high;
        high >>>= 8;
      }
      const upper = (this.#stepHigh[index] ?? 0) >>> shift;
      bit += upper - previous;
      previous = upper;
      page[bit >>> 3] = (page[bit >>> 3] ?? 0) | (1 << (bit & 7));
      bit++;
    }
    if (!this.#isOneId) page.set(this.#lists.subarray(0, this.#listsSize), (bit + 7) >>> 3);
    page.writeUInt32LE(Bun.hash.crc32(page.subarray(4)), 0);
    this.#count = 0;
  }
}

function highPartsSize(count: number, lowSize: number, spanHigh: number): number {
  return Math.floor((count + (spanHigh >>> ((lowSize - 4) * 8)) + 7) / 8);
}

function keysSize(count: number, lowSize: number, spanHigh: number): number {
  return count * lowSize + highPartsSize(count, lowSize, spanHigh);
}

function bestLowSize(count: number, spanHigh: number): number {
  let best = minLowSize;
  for (let size = minLowSize + 1; size <= maxLowSize; size++) {
    if (keysSize(count, size, spanHigh) < keysSize(count, best, spanHigh)) best = size;
  }
  return best;
}

/** The number of ones in a byte: those of its upper seven bits, and its last one. */
const onesIn = new Uint8Array(256);
for (let byte = 1; byte < onesIn.length; byte++) onesIn[byte] = (onesIn[byte >> 1] ?? 0) + (byte & 1);

/** Throws `CorruptPage` unless the checksum fits. */
export function checkPage(page: Buffer): void {
  if (page.readUInt32LE(0) !== Bun.hash.crc32(page.subarray(4))) throw new CorruptPage("bad checksum");
}

/** Reads the entries of a checked page, one after the other. The same object serves many pages. */
export class PageReader {
  #page: Buffer = Buffer.alloc(0);
  #index = -1;
  #lowSize = 0;
  #isLists = false;
  #firstHigh = 0;
  #firstLow = 0;
  #lowAt = 0;
  #bit = 0;
  #endBit = 0;
  #upper = 0;
  #listAt = 0;
  count = 0;
  high = 0;
  low = 0;
  /** Ids of the present entry. */
  readonly ids = new Uint32Array(pageSize);
  idCount = 0;

  /** Throws `CorruptPage` when the header is no header; the checksum is the caller's. */
  open(page: Buffer): void {
    this.#page = page;
    this.#index = -1;
    this.count = page.readUInt16LE(4);
    this.#lowSize = page[6] ?? 0;
    this.#isLists = page[7] === 1;
    this.#firstLow = page.readUInt32LE(8);
    this.#firstHigh = page.readUInt32LE(12);
    this.#lowAt = pageHeadSize;
    this.#bit = (pageHeadSize + this.count * this.#lowSize) * 8;
    this.#endBit = this.#bit + page.readUInt16LE(16) * 8;
    this.#upper = 0;
    this.#listAt = this.#endBit / 8;
    if (this.#lowSize < minLowSize || this.#lowSize > maxLowSize || this.#listAt > pageSize || this.count === 0) {
      throw new CorruptPage("no header");
    }
    this.ids[0] = page.readUInt32LE(20);
    this.idCount = 1;
  }

  /** Goes to the next entry; false at the end. Throws `CorruptPage` when the page overruns. */
  next(): boolean {
    if (++this.#index >= this.count) return false;
    this.#readKey();
    if (this.#isLists) this.#readList();
    return true;
  }

  /** Goes to the first entry of the key and reads its ids; false when the page has none. For a page just opened. */
  seek(high: number, low: number): boolean {
    const stepHigh = high - this.#firstHigh - (low < this.#firstLow ? 1 : 0);
    if (stepHigh < 0) return false;
    this.#skipTo(stepHigh >>> ((this.#lowSize - 4) * 8));
    while (++this.#index < this.count) {
      this.#readKey();
      const order = compareKeys(this.high, this.low, high, low);
      if (order > 0) return false;
      if (order === 0) {
        if (this.#isLists) this.#readList();
        return true;
      }
      if (this.#isLists) this.#skipList();
    }
    return false;
  }

  /** Passes over whole bytes of the high parts whose entries are all below a high part. */
  #skipTo(upper: number): void {
    const page = this.#page;
    let skipped = 0;
    for (let at = this.#bit >>> 3; (this.#bit & 7) === 0 && this.#bit + 8 <= this.#endBit; at++) {
      const ones = onesIn[page[at] ?? 0] ?? 0;
      if (this.#upper + 8 - ones >= upper || skipped + ones > this.count) break;
      this.#upper += 8 - ones;
      skipped += ones;
      this.#bit += 8;
    }
    this.#index += skipped;
    this.#lowAt += skipped * this.#lowSize;
    if (this.#isLists) for (let left = skipped; left > 0; left--) this.#skipList();
  }

  #readKey(): void {
    const page = this.#page;
    while (((page[this.#bit >>> 3] ?? 0) & (1 << (this.#bit & 7))) === 0) {
      this.#upper++;
      if (++this.#bit >= this.#endBit) throw new CorruptPage("it overruns");
    }
    this.#bit++;
    const at = this.#lowAt;
    const stepLow =
      ((page[at] ?? 0) | ((page[at + 1] ?? 0) << 8) | ((page[at + 2] ?? 0) << 16) | ((page[at + 3] ?? 0) << 24)) >>> 0;
    let stepHigh = 0;
    for (let extra = this.#lowSize - 5; extra >= 0; extra--) stepHigh = (stepHigh << 8) | (page[at + 4 + extra] ?? 0);
    stepHigh += this.#upper * 2 ** ((this.#lowSize - 4) * 8);
    this.#lowAt = at + this.#lowSize;
    const low = this.#firstLow + stepLow;
    this.low = low >>> 0;
    this.high = this.#firstHigh + stepHigh + (low > 0xffffffff ? 1 : 0);
  }

  #readList(): void {
    const page = this.#page;
    let at = this.#listAt;
    let count = 0;
    for (let isLast = false; !isLast; ) {
      if (at >= pageSize || count >= this.ids.length) throw new CorruptPage("it overruns");
      const first = page[at++] ?? 0;
      isLast = first >= 0x80;
      let id = first & 0x3f;
      let scale = 64;
      for (let hasMore = (first & 0x40) !== 0; hasMore; scale *= 128) {
        if (at >= pageSize) throw new CorruptPage("it overruns");
        const byte = page[at++] ?? 0;
        id += (byte & 0x7f) * scale;
        hasMore = byte >= 0x80;
      }
      this.ids[count++] = id;
    }
    this.#listAt = at;
    this.idCount = count;
  }

  #skipList(): void {
    const page = this.#page;
    let at = this.#listAt;
    for (;;) {
      if (at >= pageSize) throw new CorruptPage("it overruns");
      const first = page[at++] ?? 0;
      if ((first & 0x40) !== 0)
        while ((page[at++] ?? 0) >= 0x80) if (at >= pageSize) throw new CorruptPage("it overruns");
      if (first >= 0x80) break;
    }
    this.#listAt = at;
  }
}
