import type { EmailAddress } from "../../domain/email.ts";
import { addressOf } from "../address.ts";
import type { LineScanner } from "../line-scanner.ts";
import { parseFields, type RawFields, type RecordDefaults, type RecordFields } from "../record.ts";

export const formatNames = ["csv", "jsonl", "combo", "ulp", "stealer", "list", "hibp-domain", "dehashed"] as const;
export type FormatName = (typeof formatNames)[number];

/** A record as a format reads it, or why it cannot be used. */
export type ReadRecord = { readonly address: EmailAddress; readonly fields: RecordFields } | UnusableReason;
export type UnusableReason = "no_email" | "invalid_email" | "malformed" | "too_long";

/**
 * One kind of breach file. Blank lines and headers are no records. Whatever else a record holds, passwords first of
 * all, is dropped here.
 */
export type Format = LineFormat | StreamFormat;

/** One record per line, so that lines can be read in any order and by any thread. */
export type LineFormat = FormatBase & {
  readonly readLine: (line: string) => ReadRecord;
  /** Reads lines of the usual form much faster, from their bytes; null when the format has no such form. */
  readonly scanLine: ScanLine | null;
};

/**
 * Reads the line that starts at an offset. Returns the offset of its end, with the address and the site in `line`; or
 * -1 for any line that is not of the usual form: then `readLine` decides. What both can read they read the same.
 */
export type ScanLine = (line: LineScanner, bytes: Uint8Array, start: number) => number;

/**
 * `read` takes UTF-8 bytes without a byte order mark and yields the records in their order, some at a time. It throws
 * `CorpusError` when the file as a whole is not of this format. `fileName` is without its folder and the ending of its
 * compression; null for standard input.
 */
export type StreamFormat = FormatBase & {
  readonly read: (chunks: AsyncIterable<Buffer>, fileName: string | null) => AsyncIterable<readonly ReadRecord[]>;
};

type FormatBase = {
  readonly name: FormatName;
  /** CONTRACT.md 11.2. */
  readonly confidence: number;
  /** The dataset that all files of this format belong to (CONTRACT.md 7.5); null = the name of the corpus. */
  readonly origin: string | null;
  readonly defaultsFor: (corpus: string) => RecordDefaults;
};

/** What CONTRACT.md 11.4 says where a format sets nothing of its own. */
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
  const fields = parseFields(raw, address);
  return fields === null ? "malformed" : { address, fields };
}
