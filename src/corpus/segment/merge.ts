import { closeSync, openSync } from "node:fs";
import { readAll } from "../import/spill-file.ts";
import type { WrittenSegment } from "../import/write-import.ts";
import { CorruptPage, checkPage, compareKeys, type Key, keyFrom, PageReader, pageSize } from "./page.ts";
import { openReadable } from "./read-at.ts";
import {
  CorruptSegment,
  importOf,
  type Layout,
  parseDictionaryPage,
  readLayout,
  type SegmentImport,
} from "./segment.ts";
import { SegmentWriter } from "./segment-writer.ts";

export type MergeJob = {
  readonly inputPaths: readonly string[];
  /** The path of the new file. It must not exist. */
  readonly outputPath: string;
  /** Ids of the imports to keep; records of other imports are dropped. */
  readonly liveImports: readonly string[];
  /** Forgotten keys to drop, 16 hex digits each. */
  readonly forgotten: readonly string[];
  /** See `keyCheck`. */
  readonly check: Uint8Array;
};

/** Pages read at a time, per segment. */
const pagesPerRead = 64;

/**
 * Merges segments into a new file, synced to disk, page by page in bounded memory. The template ids of an import move
 * by one common offset, so no template is looked up. Blocks its thread. Throws `CorruptSegment` when an input is
 * damaged, and system errors; a partial output may remain.
 */
export async function mergeSegments(job: MergeJob): Promise<WrittenSegment> {
  const layouts = await Promise.all(job.inputPaths.map((path) => layoutOf(path, job.check)));
  const files = job.inputPaths.map((path) => openSync(path, "r"));
  const writer = new SegmentWriter(job.outputPath);
  try {
    const isLive = new Set(job.liveImports);
    const sources = layouts.flatMap((layout, at) =>
      layout.imports.filter(({ id }) => isLive.has(id)).map((entry) => ({ entry, layout, file: files[at] ?? -1, at })),
    );
    // Imports with few templates come first and get the short ids.
    sources.sort((a, b) => a.entry.templateCount - b.entry.templateCount);
    const imports: SegmentImport[] = [];
    const moves = layouts.map(() => new Map<string, number>());
    for (const { entry, layout, file, at } of sources) {
      const firstTemplate = writer.templateCount;
      copyTemplates(file, layout, entry, writer);
      imports.push({ ...entry, firstTemplate });
      moves[at]?.set(entry.id, firstTemplate - entry.firstTemplate);
    }
    mergeKeys(
      layouts.map((layout, at) => new Cursor(files[at] ?? -1, layout, moves[at] ?? new Map())),
      job.forgotten.map((hash) => keyFrom(Buffer.from(hash, "hex"))),
      writer,
    );
    return writer.finish(imports, job.check);
  } finally {
    writer.close();
    for (const file of files) closeSync(file);
  }
}

async function layoutOf(path: string, check: Uint8Array): Promise<Layout> {
  const file = openReadable(path);
  try {
    return await readLayout(file, check);
  } finally {
    file.close();
  }
}

function copyTemplates(file: number, layout: Layout, entry: SegmentImport, writer: SegmentWriter): void {
  const { dictionaryIndex, pageCount } = layout;
  const end = entry.firstTemplate + entry.templateCount;
  const page = Buffer.alloc(pageSize);
  for (let number = 0; number < dictionaryIndex.length; number++) {
    const firstId = dictionaryIndex[number] ?? 0;
    if (firstId >= end) break;
    if ((dictionaryIndex[number + 1] ?? end) <= entry.firstTemplate) continue;
    readAll(file, page, pageSize * (1 + pageCount + number));
    for (const [offset, text] of parseDictionaryPage(page, number, dictionaryIndex).entries()) {
      const id = firstId + offset;
      if (id >= entry.firstTemplate && id < end) writer.addTemplate(text);
    }
  }
}

function mergeKeys(cursors: readonly Cursor[], forgotten: readonly Key[], writer: SegmentWriter): void {
  const dropped = [...forgotten].sort((a, b) => compareKeys(a.high, a.low, b.high, b.low));
  let nextDropped = 0;
  const open = cursors.filter((cursor) => cursor.next());
  let ids = new Uint32Array(1024);
  while (open.length > 0) {
    let { high, low } = open[0] ?? { high: 0, low: 0 };
    for (const cursor of open) {
      if (compareKeys(cursor.high, cursor.low, high, low) < 0) ({ high, low } = cursor);
    }
    let count = 0;
    for (let at = open.length - 1; at >= 0; at--) {
      const cursor = open[at];
      while (cursor !== undefined && cursor.high === high && cursor.low === low) {
        while (count + cursor.idCount > ids.length) ids = grown(ids);
        count = cursor.copyIds(ids, count);
        if (cursor.next()) continue;
        open.splice(at, 1);
        break;
      }
    }
    let next = dropped[nextDropped];
    while (next !== undefined && compareKeys(next.high, next.low, high, low) < 0) next = dropped[++nextDropped];
    const isDropped = next !== undefined && next.high === high && next.low === low;
    if (count > 0 && !isDropped) writer.addKey(high, low, ids, count);
  }
}

/** Reads the entries of a segment in order. */
class Cursor {
  readonly #file: number;
  readonly #layout: Layout;
  readonly #moves: ReadonlyMap<string, number>;
  readonly #bytes = Buffer.alloc(pageSize * pagesPerRead);
  readonly #reader = new PageReader();
  #page = -1;
  #isOpen = false;
  /** The import of the last id, and the offset added to its ids; null = the import is dropped. */
  #import: SegmentImport | null = null;
  #move: number | null = null;
  high = 0;
  low = 0;

  constructor(file: number, layout: Layout, moves: ReadonlyMap<string, number>) {
    this.#file = file;
    this.#layout = layout;
    this.#moves = moves;
  }

  get idCount(): number {
    return this.#reader.idCount;
  }

  /** Moves to the next entry; false at the end. Throws `CorruptSegment`. */
  next(): boolean {
    try {
      while (!this.#isOpen || !this.#reader.next()) if (!this.#openPage()) return false;
    } catch (error) {
      if (error instanceof CorruptPage) throw new CorruptSegment(`${error.message} in page ${this.#page}`);
      throw error;
    }
    this.high = this.#reader.high;
    this.low = this.#reader.low;
    return true;
  }

  /** Copies the ids of the current entry that are kept; returns the new count. */
  copyIds(ids: Uint32Array, count: number): number {
    let copied = count;
    for (let at = 0; at < this.#reader.idCount; at++) {
      const id = this.#reader.ids[at] ?? 0;
      const move = this.#moveOf(id);
      if (move !== null) ids[copied++] = id + move;
    }
    return copied;
  }

  #moveOf(id: number): number | null {
    const last = this.#import;
    if (last === null || id < last.firstTemplate || id >= last.firstTemplate + last.templateCount) {
      this.#import = importOf(this.#layout.imports, id);
      this.#move = this.#moves.get(this.#import.id) ?? null;
    }
    return this.#move;
  }

  #openPage(): boolean {
    const { pageCount, index } = this.#layout;
    const number = ++this.#page;
    if (number >= pageCount) return false;
    const slot = number % pagesPerRead;
    if (slot === 0) {
      const size = Math.min(pagesPerRead, pageCount - number) * pageSize;
      readAll(this.#file, this.#bytes.subarray(0, size), pageSize * (1 + number));
    }
    const page = this.#bytes.subarray(slot * pageSize, (slot + 1) * pageSize);
    checkPage(page);
    if (page.readUInt32LE(12) !== index[number]) throw new CorruptSegment(`page ${number} does not fit the index`);
    this.#reader.open(page);
    this.#isOpen = true;
    return true;
  }
}

function grown(ids: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(ids.length * 2);
  larger.set(ids);
  return larger;
}
