import type { EmailAddress } from "../../domain/email.ts";
import { addressOf } from "../address.ts";
import { parseFields, type RawFields, type RecordDefaults, type RecordFields } from "../record.ts";
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
 * How one text is read: what its format found out from the sample, such as columns and separators. Plain data, because
 * it crosses threads. Only the format that made a plan looks into it.
 */
export type Plan = {
  readonly format: FormatName;
  /** Names or numbers of the columns that are taken, for the report of a dry run; empty where there are none. */
  readonly columns: readonly string[];
  /** The blocks of this text depend on each other and are read in order by one reader, though the format has a cut. */
  readonly isOrdered?: boolean;
};

/** What the operator asked for beside the format. */
export type Wishes = {
  /** The column that holds the address: its name, or its number from 1 on; null = found by the format. */
  readonly column: string | null;
  /** Optional fields to take from a file that is not known to be evidence. */
  readonly fields: readonly OptionalField[];
  /** Names of leaks that the breach catalogue knows; null when there is no catalogue. */
  readonly leakNames: ReadonlySet<string> | null;
};

export const optionalFields = ["category", "severity", "title", "subject", "source_url", "date"] as const;
export type OptionalField = (typeof optionalFields)[number];

/**
 * One kind of breach file. Blank lines and headers are no records. Whatever else a record holds, passwords first of
 * all, is dropped by its reader.
 */
export type Format<P extends Plan = Plan> = {
  readonly name: FormatName;
  /** docs/contract.md 11.2. */
  readonly confidence: number;
  /** The dataset that all files of this format belong to (docs/contract.md 7.5); null = the name of the corpus. */
  readonly origin: string | null;
  readonly defaultsFor: (corpus: string) => RecordDefaults;
  /** The plan for a text of this format, or null when the sample does not speak for it. */
  readonly recognises: (sample: Sample, wishes: Wishes) => P | null;
  /** The plan for a text that the operator calls by this format. Throws `CorpusError` when it cannot be read so. */
  readonly plan: (sample: Sample, wishes: Wishes) => P;
  /** Where a text can be cut; null = its blocks depend on each other and are read in order by one reader. */
  readonly cut: Cut<P> | null;
  /** A reader for one block, or for all blocks of a text when it cannot be cut. `isFirst`: it begins with the text. */
  readonly open: (plan: P, sink: RecordSink, isFirst: boolean) => RecordReader;
};

/**
 * The last offset in `bytes`, from `start` to `end`, at which a record ends and another one may begin; `start` when
 * there is none. The block that is read ends there. `start` is the beginning of a record, or of the text (`isFirst`).
 */
export type Cut<P extends Plan = Plan> = (
  bytes: Uint8Array,
  start: number,
  end: number,
  plan: P,
  isFirst?: boolean,
) => number;

/**
 * Reads records out of bytes in UTF-8. `read` gets whole records where the format can be cut, any pieces otherwise; the
 * byte at `end` is a line end (`bytes` goes on that far). `end` is called once, behind the last piece.
 */
export type RecordReader = {
  readonly read: (bytes: Buffer, start: number, end: number) => void;
  readonly end: () => void;
};

/** Where a reader puts what it reads. Each record is told once: added, or skipped with its reason. */
export type RecordSink = {
  /** Reads addresses and sites from bytes and hashes them. */
  readonly scanner: LineScanner;
  readonly add: (record: ReadRecord) => void;
  /** The record whose address and fields are in `scanner`; `format` as in `ReadRecord`. */
  readonly addScanned: (format?: FormatName) => void;
  /** The stored form of the fields of a record, for `addRead`; it can be used for any number of records of the text. */
  readonly encode: (fields: RecordFields) => Uint8Array;
  /** The record whose address is in `scanner`, with fields that `encode` made. */
  readonly addRead: (fields: Uint8Array) => void;
  /** Addresses that stand in records and are not taken, such as one that may be a secret. */
  readonly noteFurtherAddresses: (count: number) => void;
};

/**
 * A record as a format reads it, or why it cannot be used. `droppedCount`: optional fields that had a value which could
 * not be used or must not be kept. `format`: the one whose defaults hold for the record where it is not that of its
 * file, such as combos among url:login:password lines.
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

/** A plan is only handed back to the format that made it, so that all formats fit into one table. */
export function anyFormat<P extends Plan>(format: Format<P>): Format {
  return format as unknown as Format;
}

/** What docs/contract.md 11.4 says where a format sets nothing of its own. */
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

/** The record of an address as it stands in a file, and of the text beside it. */
export function recordOf(email: string, raw: RawFields): ReadRecord {
  const address = addressOf(email);
  if (address === null) return email.trim() === "" ? "no_email" : "invalid_email";
  return { address, ...parseFields(raw) };
}
