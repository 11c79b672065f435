import type { EmailAddress } from "../../domain/email.ts";
import type { RecordDefaults, RecordFields } from "../record.ts";
import type { LineScanner } from "./line-scanner.ts";
import type { Sample } from "./sample.ts";

export const formatNames = [
  "csv",
  "jsonl",
  "combo",
  "ulp",
  "stealer",
  "list",
  "hibp-domain",
  "dehashed",
  "any",
] as const;
export type FormatName = (typeof formatNames)[number];

/**
 * How to read one text: what its format derived from the sample, such as columns and separators. Plain data, because it
 * is sent to other threads. Only the format that made a plan reads it.
 */
export type Plan = {
  readonly format: FormatName;
  /** Names or numbers of the columns used, for the report of a dry run; empty for formats without columns. */
  readonly columns: readonly string[];
  /** Whether the blocks of this text must be read in order by one reader, even if the format has a cut. */
  readonly isOrdered?: boolean;
};

/** The operator's wishes besides the format. */
export type Wishes = {
  /** The address column: its name, or its number from 1 on; null = the format finds it. */
  readonly column: string | null;
  /** Optional fields to import from a file that is not evidence. */
  readonly fields: readonly OptionalField[];
  /** Leak names in the breach catalogue; null without a catalogue. */
  readonly leakNames: ReadonlySet<string> | null;
};

export const optionalFields = ["category", "severity", "title", "subject", "source_url", "date"] as const;
export type OptionalField = (typeof optionalFields)[number];

/**
 * One kind of breach file. Blank lines and headers are not records. A reader drops everything else in a record,
 * passwords above all.
 */
export type Format<P extends Plan = Plan> = {
  readonly name: FormatName;
  /** The default confidence (docs/contract.md 11.2). */
  readonly confidence: number;
  /** The dataset shared by all files of this format (docs/contract.md 7.5); null = the name of the corpus. */
  readonly origin: string | null;
  readonly defaultsFor: (corpus: string) => RecordDefaults;
  /** The plan for a text of this format; null when the sample does not look like it. */
  readonly recognises: (sample: Sample, wishes: Wishes) => P | null;
  /** The plan for a text whose format was named by the operator. Throws `CorpusError` when it cannot be read. */
  readonly plan: (sample: Sample, wishes: Wishes) => P;
  /** Where to cut a text into blocks; null = its blocks must be read in order by one reader. */
  readonly cut: Cut<P> | null;
  /**
   * Opens a reader for one block, or for all blocks of a text that cannot be cut. `isFirst`: it starts at the beginning
   * of the text.
   */
  readonly open: (plan: P, sink: RecordSink, isFirst: boolean) => RecordReader;
};

/**
 * The last offset between `start` and `end` where a record ends and another may begin; the block ends there. Returns
 * `start` when there is none. `start` is the beginning of a record, or of the text (`isFirst`).
 */
export type Cut<P extends Plan = Plan> = (
  bytes: Uint8Array,
  start: number,
  end: number,
  plan: P,
  isFirst?: boolean,
) => number;

/**
 * Reads records from UTF-8 bytes. `read` receives whole records if the format can be cut, otherwise arbitrary pieces;
 * `bytes` has a line end at `end`. `end` is called once, after the last piece.
 */
export type RecordReader = {
  readonly read: (bytes: Buffer, start: number, end: number) => void;
  readonly end: () => void;
};

/** Receives the records of a reader. Each record is reported once: added, or skipped with a reason. */
export type RecordSink = {
  /** Reads addresses and sites from bytes and hashes them. */
  readonly scanner: LineScanner;
  readonly add: (record: ReadRecord) => void;
  /** Adds the record whose address and fields are in `scanner`; `format` as in `ReadRecord`. */
  readonly addScanned: (format?: FormatName) => void;
  /** Converts fields to the stored form, for `addRead`. The result can be reused for all records of the text. */
  readonly encode: (fields: RecordFields) => Uint8Array;
  /** Adds the record whose address is in `scanner`, with fields made by `encode`. */
  readonly addRead: (fields: Uint8Array) => void;
  /** Counts addresses in records that are not imported, for example an address that may be a secret. */
  readonly noteFurtherAddresses: (count: number) => void;
};

/**
 * A record as read by a format, or the reason why it is unusable. `droppedCount`: optional fields that were unusable or
 * must not be kept. `format`: the format whose defaults apply if it differs from that of the file, for example a combo
 * among url:login:password lines.
 */
export type ReadRecord =
  | {
      readonly address: EmailAddress;
      readonly fields: RecordFields;
      readonly droppedCount: number;
      readonly format?: FormatName;
    }
  | UnusableReason;
export type UnusableReason = "no_email" | "invalid_email" | "malformed" | "too_long";

/**
 * Drops the plan type, so that all formats fit into one table. Safe, because a plan is only passed back to the format
 * that made it.
 */
export function anyFormat<P extends Plan>(format: Format<P>): Format {
  return format as unknown as Format;
}

/** The defaults of docs/contract.md 11.4, for formats without their own. */
export function commonDefaults(corpus: string): RecordDefaults {
  return {
    severity: "medium",
    category: "breach",
    subject: corpus,
    title: `Present in ${corpus}`,
    date: null,
    subjectTitle: null,
  };
}
