import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Author } from "../domain/audit.ts";
import type { Corpus } from "../domain/corpus.ts";
import { categorySlug, oneLine, parseLeakYear, type Severity } from "../domain/finding.ts";
import { corpusHash, type DerivedKeys } from "../domain/keyed-hash.ts";
import type { WorkspaceId } from "../domain/workspace.ts";
import type { Store } from "../store/store.ts";
import { detectFormat } from "./detect.ts";
import { CorpusError } from "./error.ts";
import type { Format, FormatName } from "./formats/format.ts";
import { formats } from "./formats/registry.ts";
import { type ImportSource, type Input, openInput } from "./input.ts";
import { encodeFields, type ImportInfo, type RecordDefaults } from "./record.ts";
import { RecordSorter } from "./record-sorter.ts";
import { maxPayloadSize } from "./segment.ts";
import { syncFolder, writeSegment } from "./segment-writer.ts";

/** Why a record was not imported (CONTRACT.md 11.5). */
export const skipReasons = [
  "duplicate",
  "no_email",
  "invalid_email",
  "malformed",
  "too_long",
  "already_imported",
] as const;
export type SkipReason = (typeof skipReasons)[number];

export type ImportOptions = {
  readonly source: ImportSource;
  readonly name: string;
  /** The one workspace that sees the corpus; null = all. */
  readonly scope: WorkspaceId | null;
  /** Names of the enabled other sources, which a corpus cannot take. */
  readonly takenNames: ReadonlySet<string>;
  readonly format?: FormatName | undefined;
  /** These hold for records of this import that do not say otherwise. */
  readonly title?: string | undefined;
  readonly category?: string | undefined;
  readonly severity?: Severity | undefined;
  readonly subject?: string | undefined;
  /** `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. */
  readonly date?: string | undefined;
  /** These two belong to the corpus and replace what it had. */
  readonly confidence?: number | undefined;
  readonly origin?: string | undefined;
};

export type ImportContext = {
  readonly store: Pick<Store, "listCorpora" | "publishImport">;
  readonly keys: Pick<DerivedKeys, "corpus">;
  /** The caller holds its lock, shared. */
  readonly corporaDir: string;
  readonly now: () => Date;
  readonly newId: () => string;
  /** Who imports, for the audit trail. */
  readonly by: () => Author;
  /** Called at most 4 times per second, and once when the file has been read. */
  readonly onProgress?: (progress: ImportProgress) => void;
  readonly signal: AbortSignal;
};

export type ImportProgress = {
  readonly bytesRead: number;
  /** Null when it is not known: standard input. */
  readonly bytesTotal: number | null;
  readonly read: number;
  /** Records that can be used so far; duplicates are told at the end. */
  readonly usable: number;
};

export type ImportReport = {
  readonly name: string;
  /** Equals `imported` and all of `skipped`. */
  readonly read: number;
  readonly imported: number;
  /** Only reasons that occurred. */
  readonly skipped: Partial<Record<SkipReason, number>>;
  readonly durationMs: number;
};

/** Fewer usable records than this share, and the file is of another format. */
const minUsableShare = 0.01;

/**
 * Imports a file into the corpus `name`, all or nothing: until `publishImport` look-ups see the old state, and a
 * failure, an abort or a kill leaves no file that `removeOrphans` does not remove. Memory is bounded whatever the size
 * of the file. Throws `CorpusError` when the import is refused, and what `signal` was aborted with.
 */
export async function importCorpus(options: ImportOptions, context: ImportContext): Promise<ImportReport> {
  const startedAt = context.now().getTime();
  checkOptions(options, await context.store.listCorpora());
  const input = await openInput(options.source, context.signal);
  const id = context.newId();
  const sorter = new RecordSorter(join(context.corporaDir, `${id}.spill.tmp`));
  try {
    const format: Format = formats[options.format ?? detectFormat(input.innerName, input.head)];
    const info = importInfo(options, format, input.fileName);
    const tally = await readRecords({ input, format, info, sorter, context });
    refuseUnusable(tally, format.name);
    const { isNew, recordCount } = await publish({ options, context, input, format, info, sorter, id });
    return {
      name: options.name,
      read: tally.read,
      imported: isNew ? recordCount : 0,
      skipped: isNew ? skippedOf(tally, recordCount) : { already_imported: tally.read },
      durationMs: Math.max(0, context.now().getTime() - startedAt),
    };
  } catch (error) {
    throw isDiskFull(error)
      ? new CorpusError("refused", "the disk of the data directory is full", { cause: error })
      : error;
  } finally {
    sorter.close();
    await input.close();
  }
}

/** The form of a source name (CONTRACT.md 7.4). */
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

function importInfo(options: ImportOptions, format: Format, fileName: string): ImportInfo {
  const own = format.defaultsFor(options.name);
  const defaults: RecordDefaults = {
    severity: options.severity ?? own.severity,
    category: categorySlug(options.category ?? "") || own.category,
    subject: oneLine(options.subject ?? "", 253) || own.subject,
    title: oneLine(options.title ?? "", 255) || own.title,
    date: options.date?.trim() ?? own.date,
    subjectTitle: own.subjectTitle,
  };
  return { corpus: options.name, file: fileName, format: format.name, defaults };
}

type Tally = { read: number; usable: number; readonly skipped: Map<SkipReason, number> };

type Reading = {
  readonly input: Input;
  readonly format: Format;
  readonly info: ImportInfo;
  readonly sorter: RecordSorter;
  readonly context: ImportContext;
};

/** Hashes the records of the file into the sorter, and counts those that cannot be used. */
async function readRecords({ input, format, info, sorter, context }: Reading): Promise<Tally> {
  const tally: Tally = { read: 0, usable: 0, skipped: new Map() };
  const report = throttled(context);
  const skip = (reason: SkipReason): void => {
    tally.skipped.set(reason, (tally.skipped.get(reason) ?? 0) + 1);
  };
  for await (const records of format.read(input.chunks, input.innerName)) {
    context.signal.throwIfAborted();
    for (const record of records) {
      tally.read++;
      if (typeof record === "string") {
        skip(record);
        continue;
      }
      const payload = encodeFields(record.fields, info.defaults);
      if (Buffer.byteLength(payload) > maxPayloadSize) {
        skip("too_long");
        continue;
      }
      tally.usable++;
      sorter.add(corpusHash(context.keys, { type: "email", value: record.address }), tally.read, payload);
    }
    report(progressOf(input, tally));
  }
  context.onProgress?.(progressOf(input, tally));
  return tally;
}

function progressOf(input: Input, { read, usable }: Tally): ImportProgress {
  return { bytesRead: input.bytesRead(), bytesTotal: input.bytesTotal, read, usable };
}

const progressIntervalMs = 250;

function throttled({ now, onProgress }: ImportContext): (progress: ImportProgress) => void {
  let lastAt = now().getTime();
  return (progress) => {
    const at = now().getTime();
    // The clock may be moved back.
    if (Math.abs(at - lastAt) < progressIntervalMs) return;
    lastAt = at;
    onProgress?.(progress);
  };
}

function refuseUnusable({ read, usable, skipped }: Tally, format: FormatName): void {
  if (read === 0) throw new CorpusError("refused", `the file holds no records (read as ${format})`);
  if (usable >= read * minUsableShare && usable > 0) return;
  const counts = [...skipped].sort(([, a], [, b]) => b - a);
  const shown = counts.map(([reason, count]) => `${count} ${reason}`).join(", ");
  const [mainReason] = counts[0] ?? ["malformed"];
  throw new CorpusError(
    "refused",
    `${usable} of ${read} records can be used (${shown}); ${likelyCause(mainReason, format)}`,
  );
}

function likelyCause(reason: SkipReason, format: FormatName): string {
  if (reason === "invalid_email") return "what stands for the address is none";
  if (reason === "too_long") return "the lines are over 64 KiB: the file is binary or not one record per line";
  return `the file does not look like ${format}; give another --format`;
}

type Publishing = Reading & { readonly options: ImportOptions; readonly id: string; readonly input: Input };

/** Writes the segment and makes it visible. Nothing of it is left when that fails or the same bytes are there already. */
async function publish(publishing: Publishing): Promise<{ isNew: boolean; recordCount: number }> {
  const { options, context, input, format, info, sorter, id } = publishing;
  const { corporaDir, keys, signal, store, newId, now, by } = context;
  const segmentFile = `${id}.seg`;
  const temporaryPath = join(corporaDir, `${id}.tmp`);
  const path = join(corporaDir, segmentFile);
  let isPublished = false;
  try {
    const recordCount = await writeSegment(temporaryPath, { info, records: sorter.sorted() }, keys, signal);
    await rename(temporaryPath, path);
    await syncFolder(corporaDir);
    signal.throwIfAborted();
    const publication = {
      name: options.name,
      scope: options.scope,
      confidence: { value: options.confidence ?? format.confidence, isGiven: options.confidence !== undefined },
      origin: { value: options.origin ?? format.origin ?? options.name, isGiven: options.origin !== undefined },
      revision: newId(),
      import: {
        id,
        fileName: input.fileName,
        sha256: input.sha256(),
        format: format.name,
        recordCount,
        importedAt: now(),
        segmentFile,
      },
    };
    const outcome = await store.publishImport(publication, by());
    isPublished = outcome === "published";
    return { isNew: isPublished, recordCount };
  } finally {
    if (!isPublished) await Promise.all([rm(temporaryPath, { force: true }), rm(path, { force: true })]);
  }
}

function skippedOf({ usable, skipped }: Tally, recordCount: number): ImportReport["skipped"] {
  const duplicateCount = usable - recordCount;
  return { ...Object.fromEntries(skipped), ...(duplicateCount > 0 ? { duplicate: duplicateCount } : {}) };
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
