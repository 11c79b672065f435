import {
  type FormatName,
  formatNames,
  type ReadRecord,
  type RecordReader,
  type RecordSink,
} from "../formats/format.ts";
import { isLineEnd, LineScanner } from "../formats/line-scanner.ts";
import { formats } from "../formats/registry.ts";
import { encodeFields, encodeFormat, noFields, type RecordDefaults } from "../record.ts";
import { keyFrom } from "../segment/page.ts";
import type { Block, Piece } from "./block.ts";
import { type FieldsList, FieldsTable } from "./fields-table.ts";
import { type IdRun, IdSorter } from "./id-sorter.ts";
import type { ImportDefaults } from "./import-defaults.ts";
import { defaultsOf } from "./import-defaults.ts";
import { type KeyRun, KeySorter } from "./key-sorter.ts";
import { maxFieldsSize, type RecordRun, RecordSorter } from "./record-sorter.ts";

/** Why a record was skipped (docs/contract.md 11.5). */
const skipReasons = [
  "duplicate",
  "no_email",
  "invalid_email",
  "malformed",
  "too_long",
  "forgotten",
  "already_imported",
] as const;
export type SkipReason = (typeof skipReasons)[number];

/** Running counts of an import. */
export type Tally = {
  read: number;
  usable: number;
  readonly skipped: Partial<Record<SkipReason, number>>;
  /** Records read by each format. */
  readonly formats: Partial<Record<FormatName, number>>;
  /** See `RecordSink` and `ReadRecord`. */
  furtherAddresses: number;
  droppedFields: number;
};

export const emptyTally = (): Tally => ({
  read: 0,
  usable: 0,
  skipped: {},
  formats: {},
  furtherAddresses: 0,
  droppedFields: 0,
});

export function addTallies(a: Tally, b: Tally): Tally {
  return {
    read: a.read + b.read,
    usable: a.usable + b.usable,
    skipped: addCounts(skipReasons, a.skipped, b.skipped),
    formats: addCounts(formatNames, a.formats, b.formats),
    furtherAddresses: a.furtherAddresses + b.furtherAddresses,
    droppedFields: a.droppedFields + b.droppedFields,
  };
}

type Counts<Name extends string> = Partial<Record<Name, number>>;

function addCounts<Name extends string>(names: readonly Name[], a: Counts<Name>, b: Counts<Name>): Counts<Name> {
  const sum: Counts<Name> = {};
  for (const name of names) {
    const count = (a[name] ?? 0) + (b[name] ?? 0);
    if (count > 0) sum[name] = count;
  }
  return sum;
}

/** All skipped records: those counted in the tally, and duplicates, which never reach the segment. */
export function skippedOf({ usable, skipped }: Tally, recordCount: number): Partial<Record<SkipReason, number>> {
  const duplicateCount = usable - recordCount;
  return { ...skipped, ...(duplicateCount > 0 ? { duplicate: duplicateCount } : {}) };
}

/** A record in its stored form, for a dry run. `at` orders the records of an import. */
export type SampleRecord = {
  readonly at: readonly [block: number, record: number];
  readonly format: FormatName;
  readonly entry: number;
  /** See `encodeFields`. */
  readonly fields: string;
};
export const sampleSize = 10;

export type LaneOptions = {
  readonly defaults: ImportDefaults;
  /** See `corpusPrefix`. */
  readonly prefix: Uint8Array;
  /** Forgotten keys, 16 hex digits each. They are never imported. */
  readonly forgotten: readonly string[];
  /** Prefix of the paths of the spill files, which are unlinked as soon as they are open. */
  readonly spillPath: string;
  /** Whether records name the entry they come from: true for an archive or a folder. */
  readonly hasEntries: boolean;
};

/** Sorted records on disk. They can be read until the lane is closed. */
export type LaneRuns = {
  /** Records without fields. */
  readonly keys: readonly KeyRun[];
  /** Records with numbered fields, and the fields by number. */
  readonly ids: readonly IdRun[];
  readonly fields: FieldsList;
  /** Records whose fields got no number because the table was full. */
  readonly records: readonly RecordRun[];
  /** The first records of the lane. */
  readonly samples: readonly SampleRecord[];
};

/** The buffers of the runs that can be transferred, not copied, to another thread. */
export function buffersOf({ keys, ids, fields }: LaneRuns): ArrayBuffer[] {
  return [...[...keys, ...ids].map(({ offsets }) => offsets.buffer), fields.words.buffer, fields.offsets.buffer];
}

/**
 * Reads records, hashes their addresses and sorts the rest of each record into spill files. Several lanes can work on
 * one import, each in its own thread. Memory use is bounded for any input.
 */
export class RecordLane {
  readonly #options: LaneOptions;
  readonly #scanner: LineScanner;
  readonly #forgotten: ReadonlySet<string>;
  readonly #keys: KeySorter;
  readonly #ids: IdSorter;
  readonly #numbers = new FieldsTable();
  readonly #records: RecordSorter;
  readonly #fieldWords = new Uint32Array(maxFieldsSize / 4);
  readonly #fields = Buffer.from(this.#fieldWords.buffer);
  readonly #scannedWords: Uint32Array;
  readonly #sink: RecordSink;
  readonly #defaults = new Map<FormatName, RecordDefaults>();
  readonly #samples: SampleRecord[] = [];
  /** Open readers of texts that cannot be split, by entry. */
  readonly #open = new Map<number, RecordReader>();
  readonly tally: Tally = emptyTally();
  /** The format, entry and block that are being read. */
  #format: FormatName = "list";
  #entry = 0;
  #block = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#scanner = new LineScanner(options.prefix);
    this.#scannedWords = new Uint32Array(this.#scanner.fields.buffer);
    this.#forgotten = new Set(
      options.forgotten.map((hash) => {
        const { high, low } = keyFrom(Buffer.from(hash, "hex"));
        return `${high}:${low}`;
      }),
    );
    this.#keys = new KeySorter(`${options.spillPath}.keys.tmp`);
    this.#ids = new IdSorter(`${options.spillPath}.ids.tmp`);
    this.#records = new RecordSorter(`${options.spillPath}.records.tmp`);
    this.#sink = {
      scanner: this.#scanner,
      add: (record) => this.#add(record),
      addScanned: (format) => this.#addScanned(format ?? this.#format),
      encode: (fields) => Buffer.from(encodeFields(fields, this.#defaultsOf(this.#format))),
      addRead: (fields) => {
        this.#fields.set(fields);
        this.#addHashed(this.#fields, fields.length, this.#format);
      },
      noteFurtherAddresses: (count) => {
        this.tally.furtherAddresses += count;
      },
    };
  }

  /** Reads the pieces of a block. Throws what a format throws. */
  addBlock(bytes: Buffer, { number, pieces }: Block): void {
    this.#block = number;
    for (const piece of pieces) this.#read(bytes, piece);
  }

  /** Writes all records still in memory. */
  finish(): LaneRuns {
    return {
      keys: this.#keys.finish(),
      ids: this.#ids.finish(),
      fields: this.#numbers.take(),
      records: this.#records.finish(),
      samples: this.#samples,
    };
  }

  /** Frees the disk space. */
  close(): void {
    this.#keys.close();
    this.#ids.close();
    this.#records.close();
  }

  #read(bytes: Buffer, { start, end, entry, plan, isFirst, isLast, isRest }: Piece): void {
    const format = formats[plan.format];
    this.#format = plan.format;
    this.#entry = entry;
    if (format.cut !== null && plan.isOrdered !== true) {
      const from = isRest ? this.#passRest(bytes, start, end) : start;
      const reader = format.open(plan, this.#sink, isFirst);
      reader.read(bytes, from, end);
      reader.end();
      return;
    }
    const reader = this.#open.get(entry) ?? format.open(plan, this.#sink, isFirst);
    reader.read(bytes, start, end);
    if (isLast) reader.end();
    if (isLast) this.#open.delete(entry);
    else this.#open.set(entry, reader);
  }

  /** Skips the rest of a record that is longer than a block; counts its at-signs as further addresses. */
  #passRest(bytes: Buffer, start: number, end: number): number {
    let count = 0;
    let at = start;
    for (; at < end && !isLineEnd(bytes[at] ?? 0); at++) if (bytes[at] === atSign) count++;
    this.tally.furtherAddresses += count;
    return at;
  }

  #add(record: ReadRecord): void {
    if (typeof record === "string") {
      this.#count();
      this.#skip(record);
      return;
    }
    this.tally.droppedFields += record.droppedCount;
    const { format = this.#format } = record;
    const own = record.fields === noFields ? "" : encodeFields(record.fields, this.#defaultsOf(format));
    const fields = format === this.#format ? own : encodeFormat(own, format);
    if (Buffer.byteLength(fields) > maxFieldsSize) {
      this.#count();
      this.#skip("too_long");
      return;
    }
    this.#scanner.hash(record.address);
    this.#addHashed(this.#fields, this.#fields.write(fields), format);
  }

  #addScanned(format: FormatName): void {
    const { fields, fieldsSize } = this.#scanner;
    if (format === this.#format) this.#addHashed(fields, fieldsSize, format);
    else this.#addHashed(this.#fields, this.#copyWithFormat(fields, fieldsSize, format), format);
  }

  /** Does the same as `encodeFormat`, on bytes; returns the new size. */
  #copyWithFormat(fields: Uint8Array, fieldsSize: number, format: FormatName): number {
    const tail = formatTails[format];
    const out = this.#fields;
    const size = Math.max(0, fieldsSize - 1);
    for (let at = 0; at < size; at++) out[at] = fields[at] ?? 0;
    for (let at = 0; at < tail.length; at++) out[size + at] = tail[at] ?? 0;
    if (size === 0) out[0] = openBrace;
    return size + tail.length;
  }

  #addHashed(fields: Uint8Array, fieldsSize: number, format: FormatName): void {
    const { high, low } = this.#scanner;
    this.#count(format);
    if (this.#forgotten.size > 0 && this.#forgotten.has(`${high}:${low}`)) {
      this.#skip("forgotten");
      return;
    }
    if (this.#samples.length < sampleSize) this.#keepSample(fields, fieldsSize, format);
    this.tally.usable++;
    if (fieldsSize === 0 && !this.#options.hasEntries) {
      this.#keys.add(high, low);
      return;
    }
    const id = this.#numbers.idOf(this.#wordsOf(fields, fieldsSize), fieldsSize);
    if (id >= 0) this.#ids.add(high, low, id, this.#entry);
    else this.#records.add(high, low, this.#entry, fields, fieldsSize);
  }

  /** A view of `fields` as words, padded with zeros. `fields` belongs to the scanner or to this lane. */
  #wordsOf(fields: Uint8Array, fieldsSize: number): Uint32Array {
    if (fields !== this.#fields) return this.#scannedWords;
    for (let at = fieldsSize; at % 4 !== 0; at++) fields[at] = 0;
    return this.#fieldWords;
  }

  #keepSample(fields: Uint8Array, fieldsSize: number, format: FormatName): void {
    this.#samples.push({
      at: [this.#block, this.#samples.length],
      format,
      entry: this.#entry,
      fields: Buffer.from(fields.subarray(0, fieldsSize)).toString("utf8"),
    });
  }

  #defaultsOf(format: FormatName): RecordDefaults {
    const known = this.#defaults.get(format) ?? defaultsOf(format, this.#options.defaults);
    this.#defaults.set(format, known);
    return known;
  }

  #count(format: FormatName = this.#format): void {
    this.tally.read++;
    this.tally.formats[format] = (this.tally.formats[format] ?? 0) + 1;
  }

  #skip(reason: SkipReason): void {
    this.tally.skipped[reason] = (this.tally.skipped[reason] ?? 0) + 1;
  }
}

const atSign = 0x40;
const openBrace = 0x7b;

/** The text that `encodeFormat` puts in place of the closing brace. */
const formatTails = Object.fromEntries(
  formatNames.map((format) => [format, Buffer.from(`,"format":"${format}"}`)]),
) as Record<FormatName, Buffer>;
