import type { EmailAddress } from "../../domain/email.ts";
import { addressOf } from "../address.ts";
import { parseFields, type RawFields, type RecordDefaults, type RecordFields } from "../record.ts";

export const formatNames = ["csv", "jsonl", "combo", "ulp", "stealer", "list", "hibp-domain", "dehashed"] as const;
export type FormatName = (typeof formatNames)[number];

/** A record as a format reads it, or why it cannot be used. */
export type ReadRecord = { readonly address: EmailAddress; readonly fields: RecordFields } | UnusableReason;
export type UnusableReason = "no_email" | "invalid_email" | "malformed" | "too_long";

/**
 * One kind of breach file. `read` takes UTF-8 bytes without a byte order mark and yields the records in their order,
 * some at a time; blank lines and headers are no records. It throws `CorpusError` when the file as a whole is not of
 * this format. Whatever else a record holds, passwords first of all, it drops.
 */
export type Format = {
  readonly name: FormatName;
  /** CONTRACT.md 11.2. */
  readonly confidence: number;
  /** The dataset that all files of this format belong to (CONTRACT.md 7.5); null = the name of the corpus. */
  readonly origin: string | null;
  readonly defaultsFor: (corpus: string) => RecordDefaults;
  /** `fileName` is without its folder and the ending of its compression; null for standard input. */
  readonly read: (chunks: AsyncIterable<Buffer>, fileName: string | null) => AsyncIterable<readonly ReadRecord[]>;
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
