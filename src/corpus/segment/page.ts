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
 * 24  low parts: the low bytes of (key - first key) of each entry, as many bytes as said above
 *     high parts: for each entry, the increase of the remaining high bits as that many zero bits, then a one bit
 *     lists (kind 1): the ids of each entry, see `encodeId`
 * ```
 *
 * Keys are hashes, so they are evenly spread: Elias-Fano with whole bytes takes 3 to 8 % more than the entropy of the
 * keys, and needs no bit shifting over 64 bits.
 */
export const pageSize = 4096;
const pageHeadSize = 24;
const minLowSize = 4;
const maxLowSize = 7;
/** Ids per entry. A key with more ids has several entries. At 5 bytes per id they still fit into a page. */
export const maxIdsPerEntry = 700;

/** The page is damaged. */
export class CorruptPage extends Error {
  override readonly name = "CorruptPage";
}

/** A 64-bit key as two halves, because a number cannot hold 64 bits. */
export type Key = { readonly high: number; readonly low: number };

export function keyFrom(bytes: Uint8Array): Key {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return { high: view.getUint32(0, true), low: view.getUint32(4, true) };
}

/** Compares two keys. Returns a negative number, zero or a positive number. */
export function compareKeys(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  return aHigh - bHigh || aLow - bLow;
}

/** The bytes that `encodeId` writes. */
export function idSize(id: number): number {
  if (id < 64) return 1;
  if (id < 2 ** 13) return 2;
  if (id < 2 ** 20) return 3;
  return id < 2 ** 27 ? 4 : 5;
}

/**
 * Writes an id. In the first byte bit 7 marks the last id of the entry, bit 6 says that more bytes follow, and 6 bits
 * hold the value. Each further byte holds 7 bits, and its bit 7 says that more follow. Returns the offset after the id.
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
 * Fills one page after the other: call `add` until it returns false, then `finish`. Keys come in ascending order; the
 * same key may come again with further ids.
 */
export class PageBuilder {
  #count = 0;
  #firstHigh = 0;
  #firstLow = 0;
  /** Each key minus the first key. */
  readonly #stepHigh = new Uint32Array(1024);
  readonly #stepLow = new Uint32Array(1024);
  readonly #lists = new Uint8Array(pageSize);
  #listsSize = 0;
  #oneId = 0;
  #isOneId = true;
  /** The best size of the low part when the last page was nearly full. The next page is usually similar. */
  #lowSize = minLowSize;

  get count(): number {
    return this.#count;
  }

  /** The upper half of the first key. */
  get firstHigh(): number {
    return this.#firstHigh;
  }

  /** Adds `count` ids of a key, at most `maxIdsPerEntry`; false when they do not fit and the page must be finished. */
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

  /** Writes the page and starts a new page. */
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

/** The number of one bits in each byte, computed from the upper seven bits and the last bit. */
const onesIn = new Uint8Array(256);
for (let byte = 1; byte < onesIn.length; byte++) onesIn[byte] = (onesIn[byte >> 1] ?? 0) + (byte & 1);

/** Throws `CorruptPage` when the checksum is wrong. */
export function checkPage(page: Buffer): void {
  if (page.readUInt32LE(0) !== Bun.hash.crc32(page.subarray(4))) throw new CorruptPage("bad checksum");
}

/** Reads the entries of a checked page, one after the other. The reader is reused for many pages. */
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
  /** Ids of the current entry. */
  readonly ids = new Uint32Array(pageSize);
  idCount = 0;

  /** Opens a page. Throws `CorruptPage` on an invalid header. The caller has checked the checksum. */
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

  /** Moves to the next entry; false at the end. Throws `CorruptPage` when the page overruns. */
  next(): boolean {
    if (++this.#index >= this.count) return false;
    this.#readKey();
    if (this.#isLists) this.#readList();
    return true;
  }

  /**
   * Moves to the first entry of the key and reads its ids; false when the page lacks the key. Call it right after
   * `open`.
   */
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

  /** Skips whole bytes of high parts whose entries are all below `upper`. */
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
      if (++this.#bit >= this.#endBit) throw new CorruptPage("the entries overrun the page");
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
      if (at >= pageSize || count >= this.ids.length) throw new CorruptPage("the entries overrun the page");
      const first = page[at++] ?? 0;
      isLast = first >= 0x80;
      let id = first & 0x3f;
      let scale = 64;
      for (let hasMore = (first & 0x40) !== 0; hasMore; scale *= 128) {
        if (at >= pageSize) throw new CorruptPage("the entries overrun the page");
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
      if (at >= pageSize) throw new CorruptPage("the entries overrun the page");
      const first = page[at++] ?? 0;
      if ((first & 0x40) !== 0)
        while ((page[at++] ?? 0) >= 0x80) if (at >= pageSize) throw new CorruptPage("the entries overrun the page");
      if (first >= 0x80) break;
    }
    this.#listAt = at;
  }
}
