import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Author } from "../domain/audit.ts";
import type { Corpus } from "../domain/corpus.ts";
import { categorySlug, oneLine, parseLeakYear, type Severity } from "../domain/finding.ts";
import { corpusPrefix, type DerivedKeys } from "../domain/keyed-hash.ts";
import type { WorkspaceId } from "../domain/workspace.ts";
import type { Store } from "../store/store.ts";
import { detectFormat } from "./detect.ts";
import { CorpusError } from "./error.ts";
import type { Format, FormatName } from "./formats/format.ts";
import { formats } from "./formats/registry.ts";
import { type ImportSource, type Input, type InputEntry, openInput } from "./input/open-input.ts";
import type { Lane, OpenLane } from "./lane.ts";
import { LineFeeder } from "./line-feeder.ts";
import type { ImportInfo, RecordDefaults } from "./record.ts";
import { type LaneRuns, type SkipReason, skipReasons, type Tally } from "./record-lane.ts";
import { keyCheck } from "./segment.ts";
import { syncFolder } from "./segment-writer.ts";
import type { WrittenSegment } from "./write-import.ts";

export type ImportOptions = {
  readonly source: ImportSource;
  /** Who imports, as the provenance says it. */
  readonly importer: string;
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
  readonly store: Pick<Store, "listCorpora" | "listForgotten" | "publishImport">;
  readonly keys: Pick<DerivedKeys, "corpus">;
  /** The caller holds its lock, shared. */
  readonly corporaDir: string;
  readonly now: () => Date;
  readonly newId: () => string;
  /** Who imports, for the audit trail. */
  readonly by: () => Author;
  /** Opens a place to read records in, and how many of them work side by side. */
  readonly openLane: OpenLane;
  readonly laneCount: number;
  /** Called at most 4 times per second while the file is read, once when it has been read, then while it is written. */
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
  /** Records in the segment so far; null while the file is read. */
  readonly written: number | null;
};

export type ImportReport = {
  readonly name: string;
  /** Equals `imported` and all of `skipped`. */
  readonly read: number;
  readonly imported: number;
  /** Only reasons that occurred. */
  readonly skipped: Partial<Record<SkipReason, number>>;
  readonly durationMs: number;
  readonly format: FormatName;
  /** Different addresses among the imported records. */
  readonly addressCount: number;
  readonly sizeBytes: number;
  /** Files of an archive or folder that were read, and those that hold no text; null for a single file. */
  readonly entries: { readonly readCount: number; readonly leftOutCount: number } | null;
};

/** Fewer usable records than this share, and the file is of another format. */
const minUsableShare = 0.01;

/**
 * Imports a file, archive or folder into the corpus `name`, all or nothing: until `publishImport` look-ups see the old
 * state, and a failure, an abort or a kill leaves no file that `removeOrphans` does not remove. Memory is bounded
 * whatever the size of the file. Throws `CorpusError` when the import is refused, and what `signal` was aborted with.
 */
export async function importCorpus(options: ImportOptions, context: ImportContext): Promise<ImportReport> {
  const startedAt = context.now().getTime();
  checkOptions(options, await context.store.listCorpora());
  const input = await openInput(options.source, context.signal);
  const id = context.newId();
  let reading: Reading | null = null;
  try {
    reading = await readEntries({ options, context, input, id });
    const { tally, format } = reading;
    refuseUnusable(tally, format.name);
    const published = await publish({ ...reading, options, context, input, id, startedAt });
    return {
      name: options.name,
      read: tally.read,
      imported: published.isNew ? published.recordCount : 0,
      skipped: published.isNew ? skippedOf(tally, published.recordCount) : { already_imported: tally.read },
      durationMs: Math.max(0, context.now().getTime() - startedAt),
      format: format.name,
      addressCount: published.addressCount,
      sizeBytes: published.sizeBytes,
      entries: input.hasEntries
        ? { readCount: reading.info.entries.length, leftOutCount: input.leftOut().length }
        : null,
    };
  } catch (error) {
    throw isDiskFull(error)
      ? new CorpusError("refused", "the disk of the data directory is full", { cause: error })
      : error;
  } finally {
    await Promise.all((reading?.lanes ?? []).map((lane) => lane.close()));
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
  return { corpus: options.name, file: fileName, format: format.name, defaults, entries: [] };
}

type Job = {
  readonly options: ImportOptions;
  readonly context: ImportContext;
  readonly input: Input;
  readonly id: string;
};

/** The records of the input, hashed and sorted in lanes that are still open. */
type Reading = {
  readonly format: Format;
  readonly info: ImportInfo;
  readonly lanes: readonly Lane[];
  readonly runs: readonly LaneRuns[];
  readonly tally: Tally;
};

/** Reads all entries of the input; when it throws, its lanes are closed. */
async function readEntries({ options, context, input, id }: Job): Promise<Reading> {
  const forgotten = await context.store.listForgotten();
  const lanes: Lane[] = [];
  const entries: string[] = [];
  let format: Format | null = null;
  let feeder = new LineFeeder([]);
  const tally = () => lanes.map((lane) => lane.tally()).reduce(addTallies, emptyTally);
  const report = throttled(context);
  try {
    for await (const entry of input.entries) {
      format = formatOf(entry, options.format, format, entries);
      const info = importInfo(options, format, input.fileName);
      if (lanes.length === 0) {
        const count = "readLine" in format ? context.laneCount : 1;
        for (let at = 0; at < count; at++) {
          lanes.push(
            context.openLane({
              format: format.name,
              defaults: info.defaults,
              prefix: corpusPrefix(context.keys, "email"),
              forgotten,
              spillPath: join(context.corporaDir, `${id}.${at}`),
              hasEntries: input.hasEntries,
            }),
          );
        }
        feeder = new LineFeeder(lanes);
      }
      const number = entries.length;
      if (entry.name !== null) entries.push(entry.name);
      const chunks = watched(entry.chunks, context.signal, () => report(progressOf(input, tally(), null)));
      if ("readLine" in format) await feeder.feed(chunks, number);
      else await lanes[0]?.addStream(chunks, entry.innerName, number);
    }
    if (format === null) throw new CorpusError("refused", "it holds no file with text");
    await feeder.settle();
    const runs = await Promise.all(lanes.map((lane) => lane.finish()));
    context.signal.throwIfAborted();
    context.onProgress?.(progressOf(input, tally(), null));
    const info = { ...importInfo(options, format, input.fileName), entries };
    return { format, info, lanes, runs, tally: tally() };
  } catch (error) {
    await Promise.all(lanes.map((lane) => lane.close()));
    throw error;
  }
}

/** One import has one format: what it means for confidence and origin holds for the corpus. */
function formatOf(
  entry: InputEntry,
  given: FormatName | undefined,
  known: Format | null,
  entries: readonly string[],
): Format {
  if (given !== undefined) return formats[given];
  const found = detectEntry(entry, known !== null);
  if (known === null || found === null || found === known.name) return known ?? formats[found ?? "csv"];
  throw new CorpusError(
    "refused",
    `${entries.at(-1)} looks like ${known.name} and ${entry.name} like ${found}; import them apart, or give --format`,
  );
}

/** Null for a file that could be of several formats, where others have told the format already. */
function detectEntry(entry: InputEntry, isOptional: boolean): FormatName | null {
  try {
    return detectFormat(entry.innerName, entry.head);
  } catch (error) {
    if (!(error instanceof CorpusError)) throw error;
    if (isOptional) return null;
    throw entry.name === null ? error : new CorpusError(error.kind, `${entry.name}: ${error.message}`);
  }
}

async function* watched(
  chunks: AsyncIterable<Buffer>,
  signal: AbortSignal,
  onChunk: () => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    yield chunk;
    onChunk();
  }
}

const emptyTally: Tally = { read: 0, usable: 0, skipped: {} };

function addTallies(a: Tally, b: Tally): Tally {
  const skipped = { ...a.skipped };
  for (const reason of skipReasons) {
    const count = (a.skipped[reason] ?? 0) + (b.skipped[reason] ?? 0);
    if (count > 0) skipped[reason] = count;
  }
  return { read: a.read + b.read, usable: a.usable + b.usable, skipped };
}

function progressOf(input: Input, { read, usable }: Tally, written: number | null): ImportProgress {
  return { bytesRead: input.bytesRead(), bytesTotal: input.bytesTotal, read, usable, written };
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
  if (reason === "invalid_email") return "what stands for the address is none";
  if (reason === "too_long") return "the lines are over 64 KiB: the file is binary or not one record per line";
  return `the file does not look like ${format}; give another --format`;
}

type Publishing = Reading & Job & { readonly startedAt: number };
type Published = WrittenSegment & { readonly isNew: boolean };

/** Writes the segment and makes it visible. Nothing of it is left when that fails or the same bytes are there already. */
async function publish(publishing: Publishing): Promise<Published> {
  const { options, context, input, format, info, lanes, runs, tally, id, startedAt } = publishing;
  const { corporaDir, keys, signal, store, newId, now, by } = context;
  const file = `${id}.seg`;
  const temporaryPath = join(corporaDir, `${id}.tmp`);
  const path = join(corporaDir, file);
  const [lane] = lanes;
  if (lane === undefined) throw new Error("an import without a lane");
  let isPublished = false;
  try {
    const written = await untilAborted(
      signal,
      lane.write({ path: temporaryPath, id, info, runs, check: keyCheck(keys) }, (recordCount) =>
        context.onProgress?.(progressOf(input, tally, recordCount)),
      ),
    );
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
        importer: options.importer,
        options: givenOptions(options),
        readCount: tally.read,
        recordCount: written.recordCount,
        skipped: skippedOf(tally, written.recordCount),
        importedAt: now(),
        durationMs: Math.max(0, now().getTime() - startedAt),
      },
      segment: { ...written, file },
    };
    const outcome = await store.publishImport(publication, by());
    isPublished = outcome === "published";
    return { ...written, isNew: isPublished };
  } finally {
    if (!isPublished) {
      // A lane that still writes would make the file again.
      await Promise.all(lanes.map((lane) => lane.close()));
      await Promise.all([rm(temporaryPath, { force: true }), rm(path, { force: true })]);
    }
  }
}

/** The options that hold for this import only, as they were given. */
function givenOptions({ format, title, category, severity, subject, date }: ImportOptions): Record<string, string> {
  const given = Object.entries({ format, title, category, severity, subject, date });
  return Object.fromEntries(given.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** What a lane does goes on when the signal aborts; closing the lane ends it. */
function untilAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function skippedOf({ usable, skipped }: Tally, recordCount: number): ImportReport["skipped"] {
  const duplicateCount = usable - recordCount;
  return { ...skipped, ...(duplicateCount > 0 ? { duplicate: duplicateCount } : {}) };
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
