import type { Author } from "../../domain/audit.ts";
import type { Corpus } from "../../domain/corpus.ts";
import { isOutOfSpace } from "../../domain/disk-fault.ts";
import type { Finding } from "../../domain/finding.ts";
import type { DerivedKeys } from "../../domain/keyed-hash.ts";
import { parseLeakYear } from "../../domain/time.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { CorpusStore } from "../../store/port/corpus.ts";
import { CorpusError } from "../error.ts";
import type { FormatName, Wishes } from "../formats/format.ts";
import { type ImportSource, type LeftOut, openInput } from "../input/open-input.ts";
import { encodeTemplate, toFinding } from "../record.ts";
import type { ImportDefaults } from "./import-defaults.ts";
import type { OpenLane } from "./lane.ts";
import { publishImport } from "./publish-import.ts";
import { type FileReport, type Reading, readEntries } from "./read-entries.ts";
import { type SkipReason, sampleSize, skippedOf, type Tally } from "./record-lane.ts";

export type ImportOptions = ImportDefaults & {
  readonly source: ImportSource;
  /** The importer named in the provenance. */
  readonly importer: string;
  /** The only workspace that sees the corpus; null = all. */
  readonly scope: WorkspaceId | null;
  /** Names of other enabled sources. A corpus cannot take one of these names. */
  readonly takenNames: ReadonlySet<string>;
  readonly format?: FormatName | undefined;
  readonly wishes?: Wishes | undefined;
  /** `confidence` and `origin` belong to the corpus and replace its old values. */
  readonly confidence?: number | undefined;
  readonly origin?: string | undefined;
  /** Reads the whole input and stores nothing. */
  readonly isDryRun?: boolean | undefined;
};

export type ImportContext = {
  readonly store: Pick<CorpusStore, "listCorpora" | "listForgotten" | "publishImport">;
  readonly keys: Pick<DerivedKeys, "corpus">;
  /** The caller holds the shared lock of this folder. */
  readonly corporaDir: string;
  readonly now: () => Date;
  readonly newId: () => string;
  /** The author for the audit trail. */
  readonly by: () => Author;
  /** Opens a lane. `laneCount` lanes work in parallel. */
  readonly openLane: OpenLane;
  readonly laneCount: number;
  /** Called at most 4 times per second while the file is read, once at its end, then while the segment is written. */
  readonly onProgress?: (progress: ImportProgress) => void;
  readonly signal: AbortSignal;
};

export type ImportProgress = {
  readonly bytesRead: number;
  /** Null when the size is unknown: standard input. */
  readonly bytesTotal: number | null;
  readonly read: number;
  /** Usable records so far. Duplicates are counted only at the end. */
  readonly usable: number;
  /** Records in the segment so far; null while the file is read. */
  readonly written: number | null;
};

export type ImportReport = {
  readonly name: string;
  /** Equals `imported` plus all of `skipped`. */
  readonly read: number;
  readonly imported: number;
  /** Contains only the reasons that occurred. */
  readonly skipped: Partial<Record<SkipReason, number>>;
  readonly durationMs: number;
  /** Records read by each format. */
  readonly formats: Partial<Record<FormatName, number>>;
  /** Addresses seen in records but not imported, for example an address that may be a secret. */
  readonly furtherAddresses: number;
  /** Optional fields that were unusable or must not be kept. */
  readonly fieldsDropped: number;
  /** Files of an archive or folder that were not read. */
  readonly leftOut: readonly LeftOut[];
  /** Another corpus with the same content. The two share an origin (docs/pipeline.md 21.1). */
  readonly sameAs: string | null;
  /** Distinct addresses among the imported records. */
  readonly addressCount: number;
  readonly sizeBytes: number;
  /** Files of an archive or folder that were read; null for a single file. */
  readonly entryCount: number | null;
  /** The format of each file, and the first findings as they would be stored; null unless it is a dry run. */
  readonly dryRun: { readonly files: readonly FileReport[]; readonly findings: readonly Finding[] } | null;
};

/** An import with a lower share of usable records is refused: the file probably has another format. */
const minUsableShare = 0.01;

/**
 * Imports a file, archive or folder into the corpus `name`, all or nothing. Look-ups see the old state until
 * `publishImport`. After a failure, an abort or a kill `removeOrphans` deletes every file left behind. Memory use does
 * not depend on the size of the file. Throws `CorpusError` when the import is refused, and the abort reason of
 * `signal`.
 */
export async function importCorpus(options: ImportOptions, context: ImportContext): Promise<ImportReport> {
  const startedAt = context.now().getTime();
  checkOptions(options, await context.store.listCorpora());
  const input = await openInput(options.source, context.signal);
  const id = context.newId();
  let reading: Reading | null = null;
  try {
    reading = await readEntries({ options, context, input, id });
    const { tally, mainFormat } = reading;
    refuseUnusable(tally, mainFormat, options.format !== undefined);
    const published = await publishImport({ reading, options, context, input, id, startedAt });
    const isKnown = published.outcome === "already_imported";
    return {
      name: options.name,
      read: tally.read,
      imported: isKnown ? 0 : published.recordCount,
      skipped: isKnown ? { already_imported: tally.read } : skippedOf(tally, published.recordCount),
      durationMs: Math.max(0, context.now().getTime() - startedAt),
      formats: tally.formats,
      furtherAddresses: tally.furtherAddresses,
      fieldsDropped: tally.droppedFields,
      leftOut: [...input.leftOut(), ...reading.leftOut.list()],
      sameAs: published.sameAs,
      addressCount: published.addressCount,
      sizeBytes: published.sizeBytes,
      entryCount: input.hasEntries ? reading.fileCount : null,
      dryRun: options.isDryRun === true ? { files: reading.files, findings: firstFindings(reading) } : null,
    };
  } catch (error) {
    throw isOutOfSpace(error)
      ? new CorpusError("refused", "the disk of the data directory is full", { cause: error })
      : error;
  } finally {
    await Promise.all((reading?.lanes ?? []).map((lane) => lane.close()));
    await input.close();
  }
}

/** The first records of the import, in the form that look-ups return. */
function firstFindings({ runs, info }: Reading): Finding[] {
  const samples = runs.flatMap((lane) => lane.samples);
  samples.sort((a, b) => a.at[0] - b.at[0] || a.at[1] - b.at[1]);
  return samples.slice(0, sampleSize).map(({ fields, entry }) => {
    const isEntry = info.entries.length > 0;
    return toFinding(isEntry ? encodeTemplate(fields, entry) : fields, info);
  });
}

/** The pattern of a source name (docs/contract.md 7.4). */
const namePattern = /^[a-z0-9][a-z0-9_-]{0,49}$/;

function checkOptions(
  { name, scope, takenNames, date, confidence, origin }: ImportOptions,
  corpora: readonly Corpus[],
): void {
  if (!namePattern.test(name)) {
    throw new CorpusError("invalid", "the name must be 1 to 50 of a-z, 0-9, _ and -, a letter or digit first");
  }
  if (takenNames.has(name))
    throw new CorpusError("conflict", `${name} is the name of another enabled source; choose a new one`);
  const existing = corpora.find((corpus) => corpus.name === name);
  if (existing !== undefined && existing.scope !== scope) {
    const wanted = existing.scope === null ? "no --scope" : `--scope ${existing.scope}`;
    throw new CorpusError(
      "conflict",
      `the corpus ${name} has another scope; import with ${wanted}, or remove it first`,
    );
  }
  if (origin !== undefined && !namePattern.test(origin)) {
    throw new CorpusError("invalid", "the origin must be 1 to 50 of a-z, 0-9, _ and -, a letter or digit first");
  }
  if (date !== undefined && parseLeakYear(date) === null) {
    throw new CorpusError("invalid", "the date must be YYYY, YYYY-MM or YYYY-MM-DD");
  }
  if (confidence !== undefined && !(confidence >= 0 && confidence <= 1)) {
    throw new CorpusError("invalid", "the confidence must be a number from 0 to 1");
  }
}

/** The 1 % rule does not apply when the operator named the format (docs/pipeline.md 21.9). */
function refuseUnusable({ read, usable, skipped }: Tally, format: FormatName, isFormatGiven: boolean): void {
  if (read === 0) throw new CorpusError("refused", `the file holds no records (read as ${format})`);
  if (usable > 0 && (isFormatGiven || usable >= read * minUsableShare)) return;
  const counts = Object.entries(skipped).sort(([, a], [, b]) => b - a);
  const shown = counts.map(([reason, count]) => `${count} ${reason}`).join(", ");
  const [mainReason] = counts[0] ?? ["malformed"];
  throw new CorpusError(
    "refused",
    `${usable} of ${read} records can be used (${shown}); ${likelyCause(mainReason, format)}`,
  );
}

function likelyCause(reason: string, format: FormatName): string {
  if (reason === "forgotten") return "the addresses are those that xpose corpus forget keeps out";
  if (reason === "invalid_email") return "the text in place of the address is not a valid address";
  if (reason === "too_long") return "the lines are over 64 KiB: the file is binary or not one record per line";
  return `the file does not look like ${format}; give another --format`;
}
