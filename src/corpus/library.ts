import { join } from "node:path";
import type { Corpus } from "../domain/corpus.ts";
import { SourceError } from "../domain/error.ts";
import { cappedSteps, type Finding } from "../domain/finding.ts";
import type { Indicator } from "../domain/indicator.ts";
import { corpusHash, type DerivedKeys } from "../domain/keyed-hash.ts";
import type { Steps } from "../domain/steps.ts";
import { inSteps } from "../event-loop/in-steps.ts";
import type { CorpusStore } from "../store/port/corpus.ts";
import { type Known, lookUpMany } from "./look-up-many.ts";
import { toFinding } from "./record.ts";
import { type Key, keyFrom } from "./segment/page.ts";
import { CorruptSegment, type FoundIds, openSegment, type Segment, type SegmentImport } from "./segment/segment.ts";

/** Looks indicators up in the live segments. Keeps the segments open. */
export type CorpusLibrary = {
  /**
   * Returns the findings of a corpus for an indicator: merged, sorted and capped; empty when the corpus has none or the
   * indicator is forgotten. Throws `SourceError` `internal` when a segment is missing or damaged, and the abort reason
   * of `signal`.
   */
  readonly lookup: (corpus: ListedCorpus, indicator: Indicator, signal: AbortSignal) => Promise<Finding[]>;
  /**
   * The same about many indicators: whole passes over the segments in the order of their keys instead of a search for
   * each. Gives what is known about some hundred of them at a time, in any order; nothing about the others means that the corpus
   * knows nothing. What fails for an indicator is told with it. Needs memory for 65,536 keys and some thousand findings,
   * however many indicators there are. Throws what `signal` was aborted with.
   */
  readonly lookUpMany: (
    corpus: ListedCorpus,
    indicators: readonly Indicator[],
    signal: AbortSignal,
  ) => AsyncGenerator<readonly Known[]>;
  /** Closes all segments that are not listed in `corpora`, the whole listing. Running look-ups finish first. */
  readonly closeUnlisted: (corpora: readonly Pick<Corpus, "segments">[]) => void;
  readonly close: () => Promise<void>;
};

export type ListedCorpus = Pick<Corpus, "name" | "imports" | "segments">;

/**
 * At most this many records of one address are read per corpus and segment; the rest is counted. Stealer collections hold
 * test addresses with millions of sites, of which the answer could name 1000 (docs/contract.md 11.3).
 */
const maxRecordsPerSegment = 20_000;
/**
 * A merged segment holds the records of many corpora, in any order: many more ids than records are looked at, so that no
 * corpus is crowded out by others.
 */
const maxIdsPerSegment = 500_000;
/** Records that are read at once. */
const findingsPerRead = 500;

type Tools = {
  readonly keys: Pick<DerivedKeys, "corpus">;
  readonly store: Pick<CorpusStore, "forgottenAmong" | "isForgotten" | "listCorpora">;
};

/** Opens segment files lazily, with the first look-up. */
export function openLibrary(corporaDir: string, { keys, store }: Tools): CorpusLibrary {
  const openSegments = new OpenSegments((file) => openSegment(join(corporaDir, file), keys));
  /** Running look-ups. The corpora of one scan ask for the same key in the same segments, so they share them. */
  const running = new Map<string, Promise<FoundIds>>();

  function find(segment: Segment, file: string, key: Key): Promise<FoundIds> {
    const name = `${file} ${key.high} ${key.low}`;
    const found = running.get(name) ?? segment.find(key, maxIdsPerSegment).finally(() => running.delete(name));
    running.set(name, found);
    return found;
  }

  async function search(corpus: ListedCorpus, key: Key, signal: AbortSignal): Promise<Found[]> {
    const importIds = new Set(corpus.imports.map(({ id }) => id));
    return Promise.all(
      corpus.segments.map(({ file }) =>
        openSegments.use(file, async (segment) => {
          const found = await find(segment, file, key);
          return findingsIn(segment, found, importIds, signal);
        }),
      ),
    );
  }

  /**
   * Searches, and searches again when a listed segment has vanished: a merge has moved its records to a newer segment.
   */
  async function anew<Result>(
    corpus: ListedCorpus,
    search: (listed: ListedCorpus) => Promise<Result>,
  ): Promise<Result | null> {
    for (let listed: ListedCorpus | undefined = corpus, triesLeft = 3; listed !== undefined; triesLeft--) {
      try {
        return await search(listed);
      } catch (error) {
        if (!isGone(error) || triesLeft === 0) throw error;
        const before = listed.segments;
        listed = (await store.listCorpora()).find(({ name }) => name === corpus.name);
        if (listed?.segments.every(({ file }) => before.some((old) => old.file === file))) throw error;
      }
    }
    return null;
  }

  async function lookup(corpus: ListedCorpus, indicator: Indicator, signal: AbortSignal): Promise<Finding[]> {
    const hash = corpusHash(keys, indicator);
    try {
      const found = (await anew(corpus, (listed) => search(listed, keyFrom(hash), signal))) ?? [];
      const findings = found.flatMap((one) => one.findings);
      const omittedCount = found.reduce((sum, one) => sum + one.omittedCount, 0);
      if (findings.length === 0 && omittedCount === 0) return [];
      if (await store.isForgotten(hash.toString("hex"))) return [];
      // The records that were not looked at may be of this corpus: it must not read as clean.
      if (findings.length === 0) throw new SourceError("too_large", "the address has too many records in one segment");
      return withOmitted(await inSteps(cappedSteps(findings), signal), omittedCount);
    } catch (error) {
      if (error instanceof SourceError) throw error;
      throw signal.aborted ? signal.reason : failureOf(corpus.name, error);
    }
  }

  return {
    lookup,
    lookUpMany: (corpus, indicators, signal) =>
      lookUpMany(corpus, indicators, signal, {
        keys,
        store,
        lookup,
        search: (asked, read) =>
          anew(asked, (listed) =>
            Promise.all(listed.segments.map(({ file }) => openSegments.use(file, (segment) => read(segment, listed)))),
          ),
      }),
    closeUnlisted(corpora) {
      const listed = new Set(corpora.flatMap(({ segments }) => segments.map(({ file }) => file)));
      openSegments.retire((file) => !listed.has(file));
    },
    async close() {
      openSegments.retire(() => true);
      await openSegments.whenClosed();
    },
  };
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

type Found = { readonly findings: Finding[]; readonly omittedCount: number };

/** The findings of live imports. Records of removed imports stay in the segment until the next merge. */
async function findingsIn(
  segment: Segment,
  { ids, omittedCount }: FoundIds,
  importIds: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Found> {
  const findings: Finding[] = [];
  const own = await inSteps(wantedSteps(segment, ids, importIds), signal);
  const wanted = own.slice(0, maxRecordsPerSegment);
  for (let start = 0; start < wanted.length; start += findingsPerRead) {
    const piece = wanted.slice(start, start + findingsPerRead);
    const templates = await segment.templatesOf(piece);
    const imports = piece.map((id) => segment.importOf(id));
    findings.push(...(await inSteps(findingSteps(templates, imports), signal)));
  }
  signal.throwIfAborted();
  return { findings, omittedCount: omittedCount + own.length - wanted.length };
}

const checkedPerStep = 5_000;
const madePerStep = 20;

function* wantedSteps(segment: Segment, ids: readonly number[], importIds: ReadonlySet<string>): Steps<number[]> {
  const wanted: number[] = [];
  for (const [index, id] of ids.entries()) {
    if (importIds.has(segment.importOf(id).id)) wanted.push(id);
    if (index % checkedPerStep === checkedPerStep - 1) yield;
  }
  return wanted;
}

function* findingSteps(templates: readonly string[], imports: readonly SegmentImport[]): Steps<Finding[]> {
  const findings: Finding[] = [];
  for (const [index, template] of templates.entries()) {
    const from = imports[index];
    if (from !== undefined) findings.push(toFinding(template, from));
    if (index % madePerStep === madePerStep - 1) yield;
  }
  return findings;
}

function withOmitted(findings: Finding[], omittedCount: number): Finding[] {
  const [first, ...rest] = findings;
  if (first === undefined || omittedCount === 0) return findings;
  return [{ ...first, details: [...first.details, { omitted_records: omittedCount }] }, ...rest];
}

function failureOf(corpus: string, error: unknown): SourceError {
  const reason =
    error instanceof CorruptSegment ? `a segment is damaged: ${error.message}` : "a segment cannot be read";
  return new SourceError("internal", `corpus ${corpus}: ${reason}; see xpose corpus verify`, { cause: error });
}

/** An open or opening segment, and the number of look-ups that use it. */
type OpenSegment = { readonly segment: Promise<Segment>; useCount: number };

/** Open segments by file name. A retired segment is closed when its last look-up ends. */
class OpenSegments {
  readonly #open: (file: string) => Promise<Segment>;
  readonly #opened = new Map<string, OpenSegment>();
  readonly #retired = new Set<OpenSegment>();
  readonly #closing = new Set<Promise<void>>();

  constructor(open: (file: string) => Promise<Segment>) {
    this.#open = open;
  }

  async use<Result>(file: string, read: (segment: Segment) => Promise<Result>): Promise<Result> {
    const opened = this.#opened.get(file) ?? this.#take(file);
    opened.useCount++;
    try {
      return await read(await opened.segment);
    } finally {
      opened.useCount--;
      this.#closeIdle();
    }
  }

  retire(isUnwanted: (file: string) => boolean): void {
    for (const [file, opened] of this.#opened) {
      if (!isUnwanted(file)) continue;
      this.#opened.delete(file);
      this.#retired.add(opened);
    }
    this.#closeIdle();
  }

  /** Resolves when all retired and unused segments are closed. */
  async whenClosed(): Promise<void> {
    await Promise.all(this.#closing);
  }

  #take(file: string): OpenSegment {
    const opened: OpenSegment = { segment: this.#open(file), useCount: 0 };
    this.#opened.set(file, opened);
    // Forget a failed opening, so that the next look-up tries again: the file may have been restored.
    opened.segment.catch(() => {
      if (this.#opened.get(file) === opened) this.#opened.delete(file);
    });
    return opened;
  }

  #closeIdle(): void {
    for (const opened of this.#retired) {
      if (opened.useCount > 0) continue;
      this.#retired.delete(opened);
      const closing = closeOpened(opened).finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
  }
}

async function closeOpened(opened: OpenSegment): Promise<void> {
  // A failed opening leaves nothing to close. The look-up that opened the file got the error.
  const segment = await opened.segment.catch(() => null);
  segment?.close();
}
