import { encodeTemplate } from "../record.ts";
import type { SegmentWriter } from "./segment-writer.ts";

const firstSize = 2 ** 12;
/** 4 Mi slots of 12 bytes, filled to three quarters: 3 million templates in 48 MiB. */
const largestSize = 2 ** 22;

/**
 * Ids of the templates of an import, by content. Remembers 3 million templates. Later templates are written again each
 * time they occur, which costs space but changes no answer.
 */
export class TemplateTable {
  readonly #writer: Pick<SegmentWriter, "addTemplate">;
  readonly #maxSize: number;
  /** Slots of three words: two parts of a hash, and the id plus one (0 = free). */
  #slots = new Uint32Array(firstSize * 3);
  #used = 0;
  readonly #digest = new Uint8Array(32);
  readonly #words = new Uint32Array(this.#digest.buffer);
  readonly #entryBytes = new Uint8Array(4);
  #plainId = -1;

  /** Tests pass a smaller `maxSize`, a power of two. */
  constructor(writer: Pick<SegmentWriter, "addTemplate">, maxSize = largestSize) {
    this.#writer = writer;
    this.#maxSize = maxSize;
  }

  /** The id of the template without fields, for an import of a single file. */
  plainId(): number {
    if (this.#plainId < 0) this.#plainId = this.#writer.addTemplate(new Uint8Array(0));
    return this.#plainId;
  }

  /** The id of a template. `fields` comes from `encodeFields`; `entry` is null when the import is a single file. */
  idOf(fields: Buffer, entry: number | null): number {
    if (fields.length === 0 && entry === null) return this.plainId();
    this.#hash(fields, entry);
    const high = this.#words[0] ?? 0;
    const low = this.#words[1] ?? 0;
    const slots = this.#slots;
    const mask = slots.length / 3 - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const id = slots[slot * 3 + 2] ?? 0;
      if (id === 0) return this.#add(slot, high, low, fields, entry);
      if (slots[slot * 3] === high && slots[slot * 3 + 1] === low) return id - 1;
    }
  }

  /** SHA-256, because the file controls the content: a collision would merge two templates into a wrong finding. */
  #hash(fields: Buffer, entry: number | null): void {
    if (entry === null) {
      Bun.SHA256.hash(fields, this.#digest);
      return;
    }
    new DataView(this.#entryBytes.buffer).setUint32(0, entry);
    Bun.SHA256.hash(Buffer.concat([fields, this.#entryBytes]), this.#digest);
  }

  #add(slot: number, high: number, low: number, fields: Buffer, entry: number | null): number {
    const text = entry === null ? fields : Buffer.from(encodeTemplate(fields.toString("utf8"), entry));
    const id = this.#writer.addTemplate(text);
    const size = this.#slots.length / 3;
    if (this.#used >= size * 0.75) {
      if (size >= this.#maxSize) return id;
      this.#grow();
      this.#put(high, low, id);
    } else {
      this.#fill(slot, high, low, id);
    }
    this.#used++;
    return id;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 3) {
      const id = old[at + 2] ?? 0;
      if (id !== 0) this.#put(old[at] ?? 0, old[at + 1] ?? 0, id - 1);
    }
  }

  #put(high: number, low: number, id: number): void {
    const mask = this.#slots.length / 3 - 1;
    let slot = low & mask;
    while (this.#slots[slot * 3 + 2] !== 0) slot = (slot + 1) & mask;
    this.#fill(slot, high, low, id);
  }

  #fill(slot: number, high: number, low: number, id: number): void {
    this.#slots[slot * 3] = high;
    this.#slots[slot * 3 + 1] = low;
    this.#slots[slot * 3 + 2] = id + 1;
  }
}
