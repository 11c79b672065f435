import { join } from "node:path";
import { corpusPrefix } from "../../domain/keyed-hash.ts";
import { CorpusError } from "../error.ts";
import { addressless, detectPlan, unrecognised } from "../formats/detect.ts";
import { type FormatName, formatNames, type Plan, type Wishes } from "../formats/format.ts";
import { reasonToLeaveOut } from "../formats/log-folder.ts";
import { formats } from "../formats/registry.ts";
import { type Sample, sampleOf } from "../formats/sample.ts";
import { describeLeftOut, LeftOutList } from "../input/left-out.ts";
import type { Input, InputEntry } from "../input/open-input.ts";
import type { ImportInfo } from "../record.ts";
import { BlockFeeder } from "./block-feeder.ts";
import { EntryTable } from "./entry-table.ts";
import type { ImportContext, ImportOptions, ImportProgress } from "./import.ts";
import { defaultsOf, importDefaults } from "./import-defaults.ts";
import type { Lane } from "./lane.ts";
import { addTallies, emptyTally, type LaneRuns, type Tally } from "./record-lane.ts";

export type Job = {
  readonly options: ImportOptions;
  readonly context: ImportContext;
  readonly input: Input;
  readonly id: string;
};

/** How a file was read: its format and columns. */
export type FileReport = { readonly file: string; readonly format: FormatName; readonly columns: readonly string[] };

/** The records of the input, hashed and sorted, in lanes that are still open. */
export type Reading = {
  /** The format of a single file; in an archive or folder the format of most records. */
  readonly mainFormat: FormatName;
  readonly info: ImportInfo;
  /** The number of files read. */
  readonly fileCount: number;
  readonly lanes: readonly Lane[];
  readonly runs: readonly LaneRuns[];
  readonly tally: Tally;
  /** Files that no format recognised. */
  readonly leftOut: LeftOutList;
  /** Only for a dry run. */
  readonly files: readonly FileReport[];
};

const noAddresses = "without addresses";
const noWishes: Wishes = { column: null, fields: [], leakNames: null };

/** Reads all entries of the input. Closes the lanes when it throws. */
export async function readEntries({ options, context, input, id }: Job): Promise<Reading> {
  const forgotten = await context.store.listForgotten();
  const lanes = Array.from({ length: context.laneCount }, (_, at) =>
    context.openLane({
      defaults: importDefaults(options),
      prefix: corpusPrefix(context.keys, "email"),
      forgotten,
      spillPath: join(context.corporaDir, `${id}.${at}`),
      hasEntries: input.hasEntries,
    }),
  );
  const entries = new EntryTable();
  const leftOut = new LeftOutList();
  const files: FileReport[] = [];
  const feeder = new BlockFeeder(lanes);
  const tally = () => lanes.map((lane) => lane.tally()).reduce(addTallies, emptyTally());
  const report = throttled(context);
  try {
    for await (const entry of input.entries) {
      const plan = planOf(entry, options);
      if ("reason" in plan) {
        if (entry.name === null) throw plan.reason === noAddresses ? addressless() : unrecognised();
        leftOut.add(entry.name, plan.reason);
        continue;
      }
      if (options.isDryRun === true) {
        files.push({ file: entry.name ?? input.fileName, format: plan.format, columns: plan.columns });
      }
      const number = entries.add(entry.name ?? "", plan.format);
      const chunks = watched(entry.chunks, context.signal, () => report(progressOf(input, tally(), null)));
      const cut = plan.isOrdered === true ? null : formats[plan.format].cut;
      await feeder.feed({ chunks, entry: number, plan, cut });
    }
    if (entries.count === 0) throw nothingToRead(input, leftOut);
    await feeder.settle();
    const runs = await Promise.all(lanes.map((lane) => lane.finish()));
    context.signal.throwIfAborted();
    context.onProgress?.(progressOf(input, tally(), null));
    const [onlyFormat] = entries.formats;
    const mainFormat = input.hasEntries ? mainFormatOf(tally(), entries.formats) : (onlyFormat ?? "any");
    const info = infoOf({ options, input, mainFormat, entries, tally: tally() });
    return { mainFormat, info, fileCount: entries.count, lanes, runs, tally: tally(), leftOut, files };
  } catch (error) {
    await Promise.all(lanes.map((lane) => lane.close()));
    throw error;
  }
}

type PlanOrReason = Plan | { readonly reason: string };

/** How to read an entry, or the reason to leave it out. Throws `CorpusError` when a single file cannot be read. */
function planOf(entry: InputEntry, options: ImportOptions): PlanOrReason {
  const sample = sampleOf(entry.innerName, entry.head, entry.isWhole);
  const plan = planFor(entry, sample, options);
  if (entry.name === null || ("reason" in plan && plan.reason === noAddresses)) return plan;
  if ("format" in plan && lineFormats.has(plan.format) && isWithoutAddresses(entry)) return { reason: noAddresses };
  const reason = reasonToLeaveOut(entry.name, sample, formatOf(plan, sample, options));
  return reason === null ? plan : { reason };
}

/** The format detected from the content, even if the operator named a format. */
function formatOf(plan: PlanOrReason, sample: Sample, { format, wishes = noWishes }: ImportOptions): FormatName | null {
  if (format === undefined) return "format" in plan ? plan.format : null;
  try {
    return detectPlan(sample, wishes)?.format ?? null;
  } catch (error) {
    if (error instanceof CorpusError) return null;
    throw error;
  }
}

function isWithoutAddresses({ isWhole, head }: InputEntry): boolean {
  return isWhole && !head.includes("@");
}

/** Formats whose addresses appear verbatim in the file. */
const lineFormats: ReadonlySet<FormatName> = new Set(["combo", "ulp", "stealer", "list"]);

function planFor(entry: InputEntry, sample: Sample, { format, wishes = noWishes }: ImportOptions): PlanOrReason {
  try {
    const plan = format === undefined ? detectPlan(sample, wishes) : formats[format].plan(sample, wishes);
    return plan ?? { reason: isWithoutAddresses(entry) ? noAddresses : "of no known format" };
  } catch (error) {
    if (!(error instanceof CorpusError) || entry.name === null) throw error;
    return { reason: format === undefined ? error.message : `not ${format}: ${error.message}` };
  }
}

function nothingToRead(input: Input, leftOut: LeftOutList): CorpusError {
  const all = [...input.leftOut(), ...leftOut.list()];
  return new CorpusError("refused", `it holds no file with records: ${describeLeftOut(all)}`);
}

/** The format of most records; without records, of most files. A tie goes to the format that came first. */
function mainFormatOf({ formats: counts }: Tally, entryFormats: readonly FormatName[]): FormatName {
  const [first] = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return (first?.[0] as FormatName | undefined) ?? entryFormats[0] ?? "any";
}

type InfoParts = Pick<Job, "options" | "input"> & {
  readonly mainFormat: FormatName;
  readonly entries: EntryTable;
  readonly tally: Tally;
};

function infoOf({ options, input, mainFormat, entries, tally }: InfoParts): ImportInfo {
  const recordFormats = formatNames.filter((format) => (tally.formats[format] ?? 0) > 0);
  const others = [...new Set([...entries.formats, ...recordFormats])].filter((format) => format !== mainFormat);
  const info = {
    corpus: options.name,
    file: input.fileName,
    format: mainFormat,
    defaults: defaultsOf(mainFormat, options),
    entries: input.hasEntries ? entries.names : [],
  };
  if (others.length === 0) return info;
  return {
    ...info,
    formats: others.map((format) => ({ format, defaults: defaultsOf(format, options) })),
    entryFormats: entries.formats.map((format) => others.indexOf(format)),
  };
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

export function progressOf(input: Input, { read, usable }: Tally, written: number | null): ImportProgress {
  return { bytesRead: input.bytesRead(), bytesTotal: input.bytesTotal, read, usable, written };
}

const progressIntervalMs = 250;

function throttled({ now, onProgress }: ImportContext): (progress: ImportProgress) => void {
  let lastAt = now().getTime();
  return (progress) => {
    const at = now().getTime();
    // The clock may have been set back.
    if (Math.abs(at - lastAt) < progressIntervalMs) return;
    lastAt = at;
    onProgress?.(progress);
  };
}
