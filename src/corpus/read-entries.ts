import { join } from "node:path";
import { corpusPrefix } from "../domain/keyed-hash.ts";
import { BlockFeeder } from "./block-feeder.ts";
import { addressless, detectPlan, unrecognised } from "./detect.ts";
import { CorpusError } from "./error.ts";
import { type FormatName, formatNames, type Plan, type Wishes } from "./formats/format.ts";
import { formats } from "./formats/registry.ts";
import { sampleOf } from "./formats/sample.ts";
import type { ImportContext, ImportOptions, ImportProgress } from "./import.ts";
import { defaultsOf } from "./import-defaults.ts";
import type { Input, InputEntry, LeftOut } from "./input.ts";
import type { Lane } from "./lane.ts";
import type { ImportInfo } from "./record.ts";
import { addTallies, emptyTally, type LaneRuns, type Tally } from "./record-lane.ts";

export type Job = {
  readonly options: ImportOptions;
  readonly context: ImportContext;
  readonly input: Input;
  readonly id: string;
};

/** How a file was read. */
export type FileReport = { readonly file: string; readonly format: FormatName; readonly columns: readonly string[] };

/** The records of the input, hashed and sorted in lanes that are still open. */
export type Reading = {
  /** The format of the file; of an archive or folder the one that most records were read by. */
  readonly mainFormat: FormatName;
  readonly info: ImportInfo;
  readonly lanes: readonly Lane[];
  readonly runs: readonly LaneRuns[];
  readonly tally: Tally;
  /** Files that no format recognised. */
  readonly leftOut: readonly LeftOut[];
  /** Only for a dry run. */
  readonly files: readonly FileReport[];
};

const noAddresses = "no addresses";
const noWishes: Wishes = { column: null, fields: [], leakNames: null };

/** Reads all entries of the input; when it throws, its lanes are closed. */
export async function readEntries({ options, context, input, id }: Job): Promise<Reading> {
  const forgotten = await context.store.listForgotten();
  const lanes = Array.from({ length: context.laneCount }, (_, at) =>
    context.openLane({
      defaults: options,
      prefix: corpusPrefix(context.keys, "email"),
      forgotten,
      spillPath: join(context.corporaDir, `${id}.${at}`),
      hasEntries: input.hasEntries,
    }),
  );
  const entries: string[] = [];
  const entryFormats: FormatName[] = [];
  const leftOut: LeftOut[] = [];
  const files: FileReport[] = [];
  const feeder = new BlockFeeder(lanes);
  const tally = () => lanes.map((lane) => lane.tally()).reduce(addTallies, emptyTally());
  const report = throttled(context);
  try {
    for await (const entry of input.entries) {
      const plan = planOf(entry, options);
      if ("reason" in plan) {
        if (entry.name === null) throw plan.reason === noAddresses ? addressless() : unrecognised();
        leftOut.push({ file: entry.name, reason: plan.reason });
        continue;
      }
      if (options.isDryRun === true) {
        files.push({ file: entry.name ?? input.fileName, format: plan.format, columns: plan.columns });
      }
      const number = entryFormats.length;
      entryFormats.push(plan.format);
      if (entry.name !== null) entries.push(entry.name);
      const chunks = watched(entry.chunks, context.signal, () => report(progressOf(input, tally(), null)));
      const cut = plan.isOrdered === true ? null : formats[plan.format].cut;
      await feeder.feed({ chunks, entry: number, plan, cut });
    }
    if (entryFormats.length === 0) throw nothingToRead([...input.leftOut(), ...leftOut]);
    await feeder.settle();
    const runs = await Promise.all(lanes.map((lane) => lane.finish()));
    context.signal.throwIfAborted();
    context.onProgress?.(progressOf(input, tally(), null));
    const [onlyFormat] = entryFormats;
    const mainFormat = input.hasEntries ? mainFormatOf(tally(), entryFormats) : (onlyFormat ?? "any");
    const info = infoOf({ options, input, mainFormat, entries, entryFormats, tally: tally() });
    return { mainFormat, info, lanes, runs, tally: tally(), leftOut, files };
  } catch (error) {
    await Promise.all(lanes.map((lane) => lane.close()));
    throw error;
  }
}

/** How an entry is read, or why it is not. Throws `CorpusError` when a text that is alone cannot be read. */
function planOf(entry: InputEntry, { format, wishes = noWishes }: ImportOptions): Plan | { readonly reason: string } {
  const sample = sampleOf(entry.innerName, entry.head, entry.isWhole);
  try {
    const plan = format === undefined ? detectPlan(sample, wishes) : formats[format].plan(sample, wishes);
    return plan ?? { reason: entry.isWhole && !entry.head.includes("@") ? noAddresses : "no known format" };
  } catch (error) {
    if (!(error instanceof CorpusError) || entry.name === null) throw error;
    return { reason: error.message };
  }
}

function nothingToRead(leftOut: readonly LeftOut[]): CorpusError {
  const [first] = leftOut;
  if (first === undefined) return new CorpusError("refused", "it holds no file with text");
  const others = leftOut.length > 1 ? `, and ${leftOut.length - 1} more` : "";
  return new CorpusError("refused", `it holds no file that can be read: ${first.file} (${first.reason})${others}`);
}

/** The format of most records; of most files when there are no records; the first of two that have the same number. */
function mainFormatOf({ formats: counts }: Tally, entryFormats: readonly FormatName[]): FormatName {
  const [first] = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return (first?.[0] as FormatName | undefined) ?? entryFormats[0] ?? "any";
}

type InfoParts = Pick<Job, "options" | "input"> & {
  readonly mainFormat: FormatName;
  readonly entries: readonly string[];
  readonly entryFormats: readonly FormatName[];
  readonly tally: Tally;
};

function infoOf({ options, input, mainFormat, entries, entryFormats, tally }: InfoParts): ImportInfo {
  const recordFormats = formatNames.filter((format) => (tally.formats[format] ?? 0) > 0);
  const others = [...new Set([...entryFormats, ...recordFormats])].filter((format) => format !== mainFormat);
  const info = {
    corpus: options.name,
    file: input.fileName,
    format: mainFormat,
    defaults: defaultsOf(mainFormat, options),
    entries: [...entries],
  };
  if (others.length === 0) return info;
  return {
    ...info,
    formats: others.map((format) => ({ format, defaults: defaultsOf(format, options) })),
    entryFormats: entryFormats.map((format) => others.indexOf(format)),
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
    // The clock may be moved back.
    if (Math.abs(at - lastAt) < progressIntervalMs) return;
    lastAt = at;
    onProgress?.(progress);
  };
}
