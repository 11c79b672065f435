import * as z from "zod/mini";
import { severity } from "./finding.ts";
import { confidence, count, counts, id, milliseconds, sha256, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";

// An import has two published bodies with different names: `corpus list --json` calls the file `file`, the API of the
// dashboard calls it `file_name`. Both are built from the members below.

const fileName = text.check(z.describe("file name given by the operator, without its folder"));
const fileSha256 = sha256.check(z.describe("hash of the file as it was given, packed or not"));
const format = text.check(z.describe("names of formats, separated by commas"));
const importer = text.check(z.describe("person or account that imported the file"));
const readCount = count.check(z.describe("number of records in the file"));
const recordCount = count.check(z.describe("number of stored records"));
const importedAt = time;
const origin = text.check(z.describe("the dataset that the corpus comes from"));

/** An import in the dashboard. */
const corpusImport = z.strictObject({
  file_name: fileName,
  format,
  importer,
  read: readCount,
  records: recordCount,
  imported_at: importedAt,
  sha256: fileSha256,
});
export type CorpusImportBody = Shape<typeof corpusImport>;

/** A corpus in the dashboard. */
export const corpus = z.strictObject({
  name: text,
  scope: z.enum(["all", "workspace"]),
  confidence,
  origin,
  records: recordCount,
  bytes: count.check(z.describe("upper bound, because segments may hold records of other corpora too")),
  imports: z.array(corpusImport),
});
export type CorpusBody = Shape<typeof corpus>;

export const corpusList = z.strictObject({ corpora: z.array(corpus) });
export type CorpusList = Shape<typeof corpusList>;

/** An import in `corpus list`. */
const listedImport = z.strictObject({
  file: fileName,
  sha256: fileSha256,
  format,
  options: z.record(z.string(), text).check(z.describe("options given by the operator")),
  importer,
  read: readCount,
  records: recordCount,
  skipped: counts,
  imported_at: importedAt,
  duration_ms: milliseconds,
});
export type ListedImport = Shape<typeof listedImport>;

/** A corpus in `corpus list`. */
const listedCorpus = z.strictObject({
  name: text,
  scope: z.nullable(id).check(z.describe("the only workspace that sees the corpus; null: all")),
  confidence,
  origin,
  records: recordCount,
  imports: z.array(listedImport),
});
export type ListedCorpus = Shape<typeof listedCorpus>;

/** The report of `corpus list`. */
export const corpusListing = z.array(listedCorpus);
export type CorpusListing = Shape<typeof corpusListing>;

/** The report of `corpus import`. */
export const importReport = z.strictObject({
  name: text,
  read: readCount,
  imported: count,
  skipped: counts,
  duration_ms: milliseconds,
  formats: counts,
  further_addresses: count,
  fields_dropped: count,
  left_out: z.array(z.strictObject({ file: text, reason: text })),
  same_as: z.nullable(text).check(z.describe("another corpus that holds the same content")),
});
export type ImportReportBody = Shape<typeof importReport>;

/** The members that a dry run adds to the report: the format of each file, and the first findings. */
const dryRun = z.strictObject({
  dry_run: z.literal(true),
  files: z.array(z.strictObject({ file: text, format: text, columns: z.array(text) })),
  findings: z.array(
    z.strictObject({
      category: text,
      severity,
      title: text,
      source_url: z.nullable(text),
      subject: z.nullable(text),
      details: z.looseObject({}),
    }),
  ),
});
export type DryRun = Shape<typeof dryRun>;

/** The report of `corpus import --dry-run`. */
export const dryRunReport = z.strictObject({ ...importReport.shape, ...dryRun.shape });
export type DryRunReport = Shape<typeof dryRunReport>;

/** A line of progress during an import, on a standard error that is not a terminal. */
export const importProgress = z.strictObject({
  bytes_read: count,
  bytes_total: z.nullable(count).check(z.describe("null for the standard input")),
  read: count,
  written: z.nullable(count).check(z.describe("null while the file is being read")),
  records_per_second: count,
  seconds_left: z.nullable(count),
});
export type ImportProgressLine = Shape<typeof importProgress>;

/** A line of progress of a command that cannot know the total. */
const recordProgress = z.strictObject({ records: count });
export type RecordProgressLine = Shape<typeof recordProgress>;

/** A segment in `corpus stats`. */
const segmentStats = z.strictObject({
  file: text,
  corpora: z.array(text),
  addresses: count,
  records: count,
  templates: count,
  bytes: count,
});
export type SegmentStats = Shape<typeof segmentStats>;

/** The report of `corpus stats`. */
export const corpusStats = z.strictObject({
  addresses: count,
  records: count,
  templates: count,
  bytes: count,
  forgotten: count.check(z.describe("number of forgotten addresses")),
  segments: z.array(segmentStats),
});
export type CorpusStats = Shape<typeof corpusStats>;

/** A segment in `corpus verify`. */
const segmentCheck = z.strictObject({
  file: text,
  corpora: z.array(text),
  records: count,
  ok: z.boolean(),
  fault: z.nullable(text),
});
export type SegmentCheckBody = Shape<typeof segmentCheck>;

/** An import made with older import rules, and the command that imports the file again. */
const outdatedImport = z.strictObject({ name: text, file: text, redo: text });
export type OutdatedImport = Shape<typeof outdatedImport>;

/** The report of `corpus verify`. */
export const corpusCheck = z.strictObject({
  ok: z.boolean(),
  segments: z.array(segmentCheck),
  outdated: z.array(outdatedImport),
});
export type CorpusCheck = Shape<typeof corpusCheck>;

/** The report of `corpus remove`. */
export const removedCorpus = z.strictObject({ name: text, removed: z.literal(true) });
export type RemovedCorpus = Shape<typeof removedCorpus>;

/** The report of `corpus forget`: the same for a known and an unknown address. */
export const forgotten = z.strictObject({ forgotten: z.literal(true) });
export type Forgotten = Shape<typeof forgotten>;
