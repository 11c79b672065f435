import type { SourceError } from "../domain/error.ts";
import { cappedSteps, type Finding } from "../domain/finding.ts";
import type { Indicator, IndicatorType } from "../domain/indicator.ts";
import { corpusHash, corpusHasher, type DerivedKeys } from "../domain/keyed-hash.ts";
import type { Steps } from "../domain/steps.ts";
import { inSteps } from "../event-loop/in-steps.ts";
import type { CorpusStore } from "../store/port/corpus.ts";
import type { ListedCorpus } from "./library.ts";
import { toFinding } from "./record.ts";
import { type Key, keyFrom } from "./segment/page.ts";
import type { Segment } from "./segment/segment.ts";

/**
 * The findings of a corpus for the indicator at a position of the list. `result` is an error when that look-up failed.
 */
export type Known = { readonly at: number; readonly result: readonly Finding[] | SourceError };

type Tools = {
  readonly keys: Pick<DerivedKeys, "corpus">;
  readonly store: Pick<CorpusStore, "forgottenAmong">;
  /** The look-up of one indicator, for what a pass cannot answer. */
  readonly lookup: (corpus: ListedCorpus, indicator: Indicator, signal: AbortSignal) => Promise<Finding[]>;
  /** Reads in each segment of a corpus as it is listed now; null when the corpus is gone. */
  readonly search: <Result>(
    corpus: ListedCorpus,
    read: (segment: Segment, listed: ListedCorpus) => Promise<Result>,
  ) => Promise<Result[] | null>;
};

/** Keys that are sorted together. 16 bits, see `sortKeys`. */
const keysPerPass = 2 ** 16;
/** Keys that are looked up together: their pages and findings are held at the same time. */
const keysPerPiece = 1024;
/** An address with more records is looked up by itself, in bounded memory. */
const maxIds = 64;
/** Findings that are remembered by their template; most corpora have few. */
const maxCached = 4096;

/** See `CorpusLibrary.lookUpMany`. */
export async function* lookUpMany(
  corpus: ListedCorpus,
  indicators: readonly Indicator[],
  signal: AbortSignal,
  tools: Tools,
): AsyncGenerator<readonly Known[]> {
  const cache = openCache();
  for (let start = 0; start < indicators.length; start += keysPerPass) {
    const sorted = await inSteps(sortKeys(indicators, start, tools.keys), signal);
    for (let first = 0; first < sorted.length; first += keysPerPiece) {
      const piece = sorted.slice(first, first + keysPerPiece);
      // What is in memory already is read without waiting: then nothing else gives way between two pieces.
      if (first > 0) await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      const known = await lookUpPiece(corpus, indicators, piece, { ...tools, signal, cache });
      signal.throwIfAborted();
      if (known.length > 0) yield known;
    }
  }
}

type SortedKey = Key & { readonly at: number };

const hashedPerStep = 1000;

/** The keys of up to `keysPerPass` indicators from `start` on, ascending by their upper half. */
function* sortKeys(indicators: readonly Indicator[], start: number, keys: Tools["keys"]): Steps<SortedKey[]> {
  const count = Math.min(keysPerPass, indicators.length - start);
  const hashers = new Map<IndicatorType, ReturnType<typeof corpusHasher>>();
  const lows = new Uint32Array(count);
  // The upper half and the position in one number, so that the sort is that of plain numbers: 48 of 53 bits.
  const order = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    const { type, value } = indicators[start + at] as Indicator;
    const hash = hashers.get(type) ?? corpusHasher(keys, type);
    hashers.set(type, hash);
    const { high, low } = keyFrom(hash(value));
    lows[at] = low;
    order[at] = high * keysPerPass + at;
    if (at % hashedPerStep === hashedPerStep - 1) yield;
  }
  order.sort();
  yield;
  const sorted: SortedKey[] = [];
  for (const number of order) {
    const at = number % keysPerPass;
    sorted.push({ high: Math.floor(number / keysPerPass), low: lows[at] ?? 0, at: start + at });
  }
  return sorted;
}

type PieceTools = Tools & { readonly signal: AbortSignal; readonly cache: Cache };

async function lookUpPiece(
  corpus: ListedCorpus,
  indicators: readonly Indicator[],
  piece: readonly SortedKey[],
  tools: PieceTools,
): Promise<Known[]> {
  const { keys, store, search, signal } = tools;
  let alone: readonly SortedKey[] = piece;
  const known: Known[] = [];
  try {
    const read = (await search(corpus, (segment, listed) => readPiece(segment, listed, piece, tools))) ?? [];
    alone = piece.filter((_, index) => read.some((ids) => ids[index] === null));
    known.push(...(await inSteps(mergeSteps(piece, read), signal)));
    const hashOf = ({ at }: { at: number }) => corpusHash(keys, indicators[at] as Indicator).toString("hex");
    const forgotten = known.length === 0 ? new Set() : await store.forgottenAmong(known.map(hashOf));
    if (forgotten.size > 0) known.splice(0, known.length, ...known.filter((one) => !forgotten.has(hashOf(one))));
  } catch {
    // A damaged page fails the addresses that it holds and no others: each is asked for by itself, and tells its error.
    alone = piece;
    known.length = 0;
  }
  for (const { at } of alone) {
    signal.throwIfAborted();
    const result = await tools.lookup(corpus, indicators[at] as Indicator, signal).catch(sourceError(signal));
    if (!Array.isArray(result) || result.length > 0) known.push({ at, result });
  }
  return known;
}

function sourceError(signal: AbortSignal): (error: SourceError) => SourceError {
  return (error) => {
    signal.throwIfAborted();
    return error;
  };
}

/** The findings in one segment by position in the piece; null for a key that is looked up alone. */
type InSegment = readonly (readonly CachedFinding[] | null)[];

async function readPiece(
  segment: Segment,
  { imports }: ListedCorpus,
  piece: readonly SortedKey[],
  { cache, signal }: PieceTools,
): Promise<InSegment> {
  const importIds = new Set(imports.map(({ id }) => id));
  const found = await segment.findMany(piece, maxIds);
  const wanted = await inSteps(wantedSteps(segment, found, importIds), signal);
  const findings = await cache.take(segment, wanted, signal);
  return found.map((ids) => ids?.flatMap((id) => findings.get(id) ?? []) ?? null);
}

const checkedPerStep = 5000;

/** The ids of templates that belong to imports that count, ascending, without duplicates. */
function* wantedSteps(
  segment: Segment,
  found: readonly (readonly number[] | null)[],
  importIds: ReadonlySet<string>,
): Steps<number[]> {
  const wanted = new Set<number>();
  let count = 0;
  for (const ids of found) {
    for (const id of ids ?? []) {
      if (!wanted.has(id) && importIds.has(segment.importOf(id).id)) wanted.add(id);
      if (++count % checkedPerStep === 0) yield;
    }
  }
  return [...wanted].sort((a, b) => a - b);
}

const mergedPerStep = 20;

/** Merges the results of several segments for the same key, as `CorpusLibrary.lookup` does. */
function* mergeSteps(piece: readonly SortedKey[], read: readonly InSegment[]): Steps<Known[]> {
  const known: Known[] = [];
  for (const [index, { at }] of piece.entries()) {
    if (read.some((segment) => segment[index] === null)) continue;
    const found = read.flatMap((segment) => segment[index] ?? []);
    const [first] = found;
    if (first === undefined) continue;
    if (found.length === 1) {
      first.alone ??= yield* cappedSteps([first.finding]);
      known.push({ at, result: first.alone });
    } else {
      known.push({ at, result: yield* cappedSteps(found.map(({ finding }) => finding)) });
    }
    if (known.length % mergedPerStep === 0) yield;
  }
  return known;
}

/** A finding, and the answer that is made of nothing else. Findings are never changed, so answers share them. */
type CachedFinding = { readonly finding: Finding; alone: readonly Finding[] | null };

type Cache = {
  /** The findings of templates by id; `ids` ascend, so the dictionary is read in its order. */
  readonly take: (
    segment: Segment,
    ids: readonly number[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<number, CachedFinding>>;
};

const madePerStep = 20;
const readAtOnce = 500;

function openCache(): Cache {
  const bySegment = new Map<Segment, Map<number, CachedFinding>>();
  let size = 0;

  function* makeSteps(segment: Segment, ids: readonly number[], templates: readonly string[]) {
    const made: CachedFinding[] = [];
    for (const [index, id] of ids.entries()) {
      made.push({ finding: toFinding(templates[index] ?? "", segment.importOf(id)), alone: null });
      if (index % madePerStep === madePerStep - 1) yield;
    }
    return made;
  }

  return {
    async take(segment, ids, signal) {
      const cached = bySegment.get(segment) ?? new Map<number, CachedFinding>();
      const missing = ids.filter((id) => !cached.has(id));
      const taken = new Map<number, CachedFinding>();
      for (let start = 0; start < missing.length; start += readAtOnce) {
        const piece = missing.slice(start, start + readAtOnce);
        const made = await inSteps(makeSteps(segment, piece, await segment.templatesOf(piece)), signal);
        for (const [index, id] of piece.entries()) taken.set(id, made[index] as CachedFinding);
      }
      for (const id of ids) {
        const known = cached.get(id);
        if (known !== undefined) taken.set(id, known);
      }
      if (size + missing.length > maxCached) {
        bySegment.clear();
        cached.clear();
        size = 0;
      }
      for (const id of missing.slice(0, maxCached)) cached.set(id, taken.get(id) as CachedFinding);
      bySegment.set(segment, cached);
      size += Math.min(missing.length, maxCached);
      return taken;
    },
  };
}
