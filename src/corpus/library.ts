import { join } from "node:path";
import type { Corpus } from "../domain/corpus.ts";
import { SourceError } from "../domain/error.ts";
import { capFindings, type Finding, mergeFindings } from "../domain/finding.ts";
import type { Indicator } from "../domain/indicator.ts";
import { corpusHash, type DerivedKeys } from "../domain/keyed-hash.ts";
import { toFinding } from "./record.ts";
import { CorruptSegment, openSegment, type Segment } from "./segment.ts";

/** Looks indicators up in the live segments, which it keeps open. */
export type CorpusLibrary = {
  /**
   * What a corpus says about an indicator: merged, sorted and capped; empty when it knows nothing. Throws `SourceError`
   * `internal` when a segment is gone or damaged, and what `signal` was aborted with.
   */
  readonly lookup: (
    corpus: Pick<Corpus, "name" | "imports">,
    indicator: Indicator,
    signal: AbortSignal,
  ) => Promise<Finding[]>;
  /** Closes the segments that none of `corpora`, the whole listing, names. Look-ups that use one end first. */
  readonly closeUnlisted: (corpora: readonly Pick<Corpus, "imports">[]) => void;
  readonly close: () => Promise<void>;
};

/**
 * So many records of one address are read from one segment; the rest is counted. Stealer collections hold test
 * addresses with millions of sites, of which the answer could name 1000 (CONTRACT.md 11.3).
 */
const maxRecordsPerSegment = 20_000;

/** Opens no file before it is asked for. */
export function openLibrary(corporaDir: string, keys: Pick<DerivedKeys, "corpus">): CorpusLibrary {
  const shelf = new Shelf((file) => openSegment(join(corporaDir, file), keys));
  return {
    async lookup(corpus, indicator, signal) {
      const key = corpusHash(keys, indicator);
      try {
        const found = await Promise.all(
          corpus.imports.map(({ segmentFile }) =>
            shelf.use(segmentFile, (segment) => findingsIn(segment, key, signal)),
          ),
        );
        return withOmitted(
          capFindings(mergeFindings(found.flatMap(({ findings }) => findings))),
          found.reduce((sum, { omittedCount }) => sum + omittedCount, 0),
        );
      } catch (error) {
        throw signal.aborted ? signal.reason : failureOf(corpus.name, error);
      }
    },
    closeUnlisted(corpora) {
      const listed = new Set(corpora.flatMap(({ imports }) => imports.map(({ segmentFile }) => segmentFile)));
      shelf.retire((file) => !listed.has(file));
    },
    async close() {
      shelf.retire(() => true);
      await shelf.whenClosed();
    },
  };
}

type Found = { readonly findings: Finding[]; readonly omittedCount: number };

/** Findings are made block by block, so that an address with many records does not hold up the others. */
async function findingsIn(segment: Segment, key: Buffer, signal: AbortSignal): Promise<Found> {
  const findings: Finding[] = [];
  let foundCount = 0;
  for await (const records of segment.find(key)) {
    signal.throwIfAborted();
    const wanted = records.slice(0, Math.max(0, maxRecordsPerSegment - foundCount));
    findings.push(...wanted.map(({ payload, row }) => toFinding(payload, row, segment.info)));
    foundCount += records.length;
  }
  return { findings, omittedCount: foundCount - findings.length };
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

/** A segment that is open or being opened, and how many look-ups use it. */
type Volume = { readonly segment: Promise<Segment>; useCount: number };

/** Open segments by file name. One that is retired closes when no look-up uses it any more. */
class Shelf {
  readonly #open: (file: string) => Promise<Segment>;
  readonly #volumes = new Map<string, Volume>();
  readonly #retired = new Set<Volume>();
  readonly #closing = new Set<Promise<void>>();

  constructor(open: (file: string) => Promise<Segment>) {
    this.#open = open;
  }

  async use<Result>(file: string, read: (segment: Segment) => Promise<Result>): Promise<Result> {
    const volume = this.#volumes.get(file) ?? this.#take(file);
    volume.useCount++;
    try {
      return await read(await volume.segment);
    } finally {
      volume.useCount--;
      this.#closeIdle();
    }
  }

  retire(isUnwanted: (file: string) => boolean): void {
    for (const [file, volume] of this.#volumes) {
      if (!isUnwanted(file)) continue;
      this.#volumes.delete(file);
      this.#retired.add(volume);
    }
    this.#closeIdle();
  }

  /** When all that is retired and not in use is closed. */
  async whenClosed(): Promise<void> {
    await Promise.all(this.#closing);
  }

  #take(file: string): Volume {
    const volume: Volume = { segment: this.#open(file), useCount: 0 };
    this.#volumes.set(file, volume);
    // A file that could not be opened is tried again by the next look-up: it may have been restored.
    volume.segment.catch(() => {
      if (this.#volumes.get(file) === volume) this.#volumes.delete(file);
    });
    return volume;
  }

  #closeIdle(): void {
    for (const volume of this.#retired) {
      if (volume.useCount > 0) continue;
      this.#retired.delete(volume);
      const closing = closeVolume(volume).finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
  }
}

async function closeVolume(volume: Volume): Promise<void> {
  // One that never opened has nothing to close; whoever asked for it was told.
  const segment = await volume.segment.catch(() => null);
  await segment?.close();
}
