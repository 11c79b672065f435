import type { Format, FormatName, LineFormat, ReadRecord, StreamFormat } from "./formats/format.ts";
import { isBlank, maxLineSize } from "./formats/lines.ts";
import { formats } from "./formats/registry.ts";
import { type KeyRun, KeySorter } from "./key-sorter.ts";
import { isLineEnd, LineScanner, lineEnd } from "./line-scanner.ts";
import { keyFrom } from "./page.ts";
import { encodeFields, noFields, type RecordDefaults } from "./record.ts";
import { maxFieldsSize, type RecordRun, RecordSorter } from "./record-sorter.ts";

/** Why a record was not imported (CONTRACT.md 11.5). */
export const skipReasons = [
  "duplicate",
  "no_email",
  "invalid_email",
  "malformed",
  "too_long",
  "forgotten",
  "already_imported",
] as const;
export type SkipReason = (typeof skipReasons)[number];

/** What came out of a file so far. */
export type Tally = { read: number; usable: number; readonly skipped: Partial<Record<SkipReason, number>> };

export type LaneOptions = {
  readonly format: FormatName;
  readonly defaults: RecordDefaults;
  /** See `corpusPrefix`. */
  readonly prefix: Uint8Array;
  /** Keys that must not be imported, 16 hex digits each. */
  readonly forgotten: readonly string[];
  /** Where spill files are made; they have no name once they are open. */
  readonly spillPath: string;
  /** Whether records say which entry they come from: the import is an archive or a folder. */
  readonly hasEntries: boolean;
};

/** Sorted records on disk, readable until the lane is closed. */
export type LaneRuns = { readonly keys: readonly KeyRun[]; readonly records: readonly RecordRun[] };

/** What of the runs can change hands between threads instead of being copied: 4 KiB per million keys. */
export function buffersOf({ keys }: LaneRuns): ArrayBuffer[] {
  return keys.map(({ offsets }) => offsets.buffer);
}

/**
 * Reads records, hashes their addresses and sorts what is left of them into spill files. Several lanes can work on one
 * import, each in a thread of its own. Memory is bounded whatever comes.
 */
export class RecordLane {
  readonly #format: Format;
  readonly #defaults: RecordDefaults;
  readonly #hasEntries: boolean;
  readonly #scanner: LineScanner;
  readonly #forgotten: ReadonlySet<string>;
  readonly #keys: KeySorter;
  readonly #records: RecordSorter;
  readonly #fields = Buffer.alloc(maxFieldsSize);
  readonly tally: Tally = { read: 0, usable: 0, skipped: {} };

  constructor({ format, defaults, prefix, forgotten, spillPath, hasEntries }: LaneOptions) {
    this.#format = formats[format];
    this.#defaults = defaults;
    this.#hasEntries = hasEntries;
    this.#scanner = new LineScanner(prefix);
    this.#forgotten = new Set(
      forgotten.map((hash) => {
        const { high, low } = keyFrom(Buffer.from(hash, "hex"));
        return `${high}:${low}`;
      }),
    );
    this.#keys = new KeySorter(`${spillPath}.keys.tmp`);
    this.#records = new RecordSorter(`${spillPath}.records.tmp`);
  }

  /** Reads whole lines of a line format: the last of `bytes` is a line end. `entry` is the number of the file. */
  addLines(bytes: Buffer, entry: number): void {
    const format = this.#format as LineFormat;
    const { scanLine, readLine } = format;
    for (let start = 0; start < bytes.length; ) {
      if (isLineEnd(bytes[start] ?? 0)) {
        start++;
        continue;
      }
      let end = scanLine === null ? -1 : scanLine(this.#scanner, bytes, start);
      const isScanned = end >= 0;
      if (!isScanned) end = lineEnd(bytes, start);
      if (end - start > maxLineSize) this.#add("too_long", entry);
      else if (isScanned) this.#addScanned(entry);
      else {
        const line = bytes.toString("utf8", start, end);
        if (!isBlank(line)) this.#add(readLine(line), entry);
      }
      start = end + 1;
    }
  }

  /** Counts a line that is too long to be held. */
  addTooLong(): void {
    this.#add("too_long", 0);
  }

  /** Reads a whole file of a stream format. Throws what the format throws. */
  async addStream(chunks: AsyncIterable<Buffer>, fileName: string | null, entry: number): Promise<void> {
    for await (const records of (this.#format as StreamFormat).read(chunks, fileName)) {
      for (const record of records) this.#add(record, entry);
    }
  }

  /** Writes what is still in memory. */
  finish(): LaneRuns {
    return { keys: this.#keys.finish(), records: this.#records.finish() };
  }

  /** Frees the disk space. */
  close(): void {
    this.#keys.close();
    this.#records.close();
  }

  #add(record: ReadRecord, entry: number): void {
    if (typeof record === "string") {
      this.tally.read++;
      this.#skip(record);
      return;
    }
    const fields = record.fields === noFields ? "" : encodeFields(record.fields, this.#defaults);
    if (Buffer.byteLength(fields) > maxFieldsSize) {
      this.tally.read++;
      this.#skip("too_long");
      return;
    }
    this.#scanner.hash(record.address);
    this.#addHashed(entry, this.#fields, this.#fields.write(fields));
  }

  #addScanned(entry: number): void {
    this.#addHashed(entry, this.#scanner.fields, this.#scanner.fieldsSize);
  }

  #addHashed(entry: number, fields: Uint8Array, fieldsSize: number): void {
    const { high, low } = this.#scanner;
    this.tally.read++;
    if (this.#forgotten.size > 0 && this.#forgotten.has(`${high}:${low}`)) {
      this.#skip("forgotten");
      return;
    }
    this.tally.usable++;
    if (fieldsSize === 0 && !this.#hasEntries) this.#keys.add(high, low);
    else this.#records.add(high, low, entry, fields, fieldsSize);
  }

  #skip(reason: SkipReason): void {
    this.tally.skipped[reason] = (this.tally.skipped[reason] ?? 0) + 1;
  }
}
