import type { TemplateTable } from "../segment/template-table.ts";
import { compareFields, type FieldsList, fieldsAt, maxFieldsIds } from "./fields-table.ts";
import type { SortedIds } from "./id-sorter.ts";
import { recordHeadSize, type SortedRecords } from "./record-sorter.ts";

type Parts = {
  readonly templates: Pick<TemplateTable, "plainId" | "idOf">;
  /** The numbered fields of each lane. */
  readonly lists: readonly FieldsList[];
  /** Whether templates name the entry they come from: true for an archive or a folder. */
  readonly hasEntries: boolean;
};

/** Slots of the cache from (number, entry) to template. */
const knownPairs = 2 ** 14;

/**
 * Collects the records of one key, whichever sorter they come from, and turns them into template ids: call an `add`
 * method for each, then `finish`. Records with equal fields become one record with the lowest entry. The ids are
 * ordered by the bytes of their fields.
 */
export class GroupTemplates {
  readonly #templates: Parts["templates"];
  readonly #lists: readonly FieldsList[];
  readonly #hasEntries: boolean;
  /** Template id plus one, by number. Used when templates have no entries. */
  readonly #byId: Uint32Array;
  readonly #pairIds = new Uint32Array(knownPairs);
  readonly #pairEntries = new Uint32Array(knownPairs);
  readonly #pairTemplates = new Uint32Array(knownPairs);
  #hasPlain = false;
  /**
   * The records of the current key. A number from `#recordsFrom` on is an index into `#records`: fields without a
   * number.
   */
  #numbers = new Uint32Array(64);
  #entries = new Uint32Array(64);
  #count = 0;
  readonly #recordsFrom: number;
  #records: Buffer[] = [];
  /** Where `finish` puts the template ids. */
  ids = new Uint32Array(64);

  constructor({ templates, lists, hasEntries }: Parts) {
    this.#templates = templates;
    this.#lists = lists;
    this.#hasEntries = hasEntries;
    this.#recordsFrom = lists.length * maxFieldsIds;
    this.#byId = new Uint32Array(hasEntries ? 0 : this.#recordsFrom);
  }

  /** Adds a record without fields. */
  addPlain(): void {
    this.#hasPlain = true;
  }

  /** Adds all records of the current key of `sorted`. */
  addIds(sorted: SortedIds): void {
    for (let index = 0; index < sorted.size; index++) this.#add(sorted.id(index), sorted.entry(index));
  }

  /** Adds the current record of `sorted`. */
  addRecord(sorted: SortedRecords): void {
    const fields = sorted.bytes.subarray(recordHeadSize, recordHeadSize + sorted.fieldsSize);
    this.#add(this.#recordsFrom + this.#records.length, sorted.entry);
    this.#records.push(Buffer.from(fields));
  }

  /** Writes the template ids into `ids`; returns their count. */
  finish(): number {
    let count = 0;
    if (this.#hasPlain) this.ids[count++] = this.#templates.plainId();
    if (this.ids.length <= this.#count) {
      const larger = new Uint32Array(this.#count * 2);
      larger.set(this.ids.subarray(0, count));
      this.ids = larger;
    }
    if (this.#count > 1) this.#sort();
    for (let index = 0; index < this.#count; index++) {
      if (index > 0 && this.#compare(index - 1, index) === 0) continue;
      this.ids[count++] = this.#templateOf(this.#numbers[index] ?? 0, this.#entries[index] ?? 0);
    }
    this.#hasPlain = false;
    this.#count = 0;
    if (this.#records.length > 0) this.#records = [];
    return count;
  }

  #add(number: number, entry: number): void {
    if (this.#count === this.#numbers.length) {
      const [numbers, entries] = [new Uint32Array(this.#count * 2), new Uint32Array(this.#count * 2)];
      numbers.set(this.#numbers);
      entries.set(this.#entries);
      this.#numbers = numbers;
      this.#entries = entries;
    }
    this.#numbers[this.#count] = number;
    this.#entries[this.#count++] = entry;
  }

  /** By the bytes of the fields, then by entry. */
  #sort(): void {
    const count = this.#count;
    if (count > maxInserted) {
      const order = Array.from({ length: count }, (_, index) => index);
      order.sort((a, b) => this.#compare(a, b) || (this.#entries[a] ?? 0) - (this.#entries[b] ?? 0));
      const [numbers, entries] = [this.#numbers, this.#entries];
      this.#numbers = Uint32Array.from(order, (index) => numbers[index] ?? 0);
      this.#entries = Uint32Array.from(order, (index) => entries[index] ?? 0);
      return;
    }
    for (let at = 1; at < count; at++) {
      for (let to = at; to > 0 && this.#isAfter(to - 1, to); to--) this.#swap(to - 1, to);
    }
  }

  #isAfter(a: number, b: number): boolean {
    const order = this.#compare(a, b);
    return order > 0 || (order === 0 && (this.#entries[a] ?? 0) > (this.#entries[b] ?? 0));
  }

  #swap(a: number, b: number): void {
    const number = this.#numbers[a] ?? 0;
    const entry = this.#entries[a] ?? 0;
    this.#numbers[a] = this.#numbers[b] ?? 0;
    this.#entries[a] = this.#entries[b] ?? 0;
    this.#numbers[b] = number;
    this.#entries[b] = entry;
  }

  #compare(a: number, b: number): number {
    const one = this.#numbers[a] ?? 0;
    const other = this.#numbers[b] ?? 0;
    if (one === other) return 0;
    if (one >= this.#recordsFrom || other >= this.#recordsFrom) {
      return Buffer.compare(this.#fieldsOf(one), this.#fieldsOf(other));
    }
    return compareFields(this.#listOf(one), one % maxFieldsIds, this.#listOf(other), other % maxFieldsIds);
  }

  #fieldsOf(number: number): Buffer {
    if (number >= this.#recordsFrom) return this.#records[number - this.#recordsFrom] ?? Buffer.alloc(0);
    return fieldsAt(this.#listOf(number), number % maxFieldsIds);
  }

  #listOf(number: number): FieldsList {
    const list = this.#lists[Math.floor(number / maxFieldsIds)];
    if (list === undefined) throw new Error("no lane has this number");
    return list;
  }

  #templateOf(number: number, entry: number): number {
    if (number >= this.#recordsFrom) return this.#idOf(number, entry);
    if (!this.#hasEntries) {
      const known = this.#byId[number] ?? 0;
      if (known > 0) return known - 1;
      const id = this.#idOf(number, entry);
      this.#byId[number] = id + 1;
      return id;
    }
    const slot = (number ^ Math.imul(entry, 0x9e3779b1)) & (knownPairs - 1);
    const isKnown = this.#pairIds[slot] === number && this.#pairEntries[slot] === entry;
    if (isKnown && this.#pairTemplates[slot] !== 0) return (this.#pairTemplates[slot] ?? 0) - 1;
    const id = this.#idOf(number, entry);
    this.#pairIds[slot] = number;
    this.#pairEntries[slot] = entry;
    this.#pairTemplates[slot] = id + 1;
    return id;
  }

  #idOf(number: number, entry: number): number {
    return this.#templates.idOf(this.#fieldsOf(number), this.#hasEntries ? entry : null);
  }
}

/** Insertion sort up to this many records; above it the runtime's sort. */
const maxInserted = 16;
