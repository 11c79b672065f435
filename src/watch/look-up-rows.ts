import { atomOf, chooseSteps } from "../domain/envelope.ts";
import { SourceError, type SourceErrorReason } from "../domain/error.ts";
import type { Finding } from "../domain/finding.ts";
import type { Indicator } from "../domain/indicator.ts";
import type { Answer } from "../domain/scan.ts";
import type { Steps } from "../domain/steps.ts";
import type { FoundFinding } from "../domain/watch.ts";
import { inSteps } from "../event-loop/in-steps.ts";
import type { LookupLimits, Source } from "../sources/source.ts";
import type { RecordedCheck, WatchedRow } from "../store/port/watch.ts";
import type { Sealer } from "./seal.ts";
import { openIndicator } from "./watch-list.ts";

export type CorpusQuestion = {
  readonly rows: readonly WatchedRow[];
  /** The corpora that the workspace sees. */
  readonly corpora: readonly Source[];
  /** Names of all its sources. */
  readonly present: ReadonlySet<string>;
  readonly at: Date;
  readonly maxFindings: number;
  readonly signal: AbortSignal;
};

/** How each corpus answered: null, or why it failed for every address it was asked about and did not answer. */
export type AskedCorpora = ReadonlyMap<string, SourceErrorReason | null>;

const longestPassMs = 24 * 3_600_000;
const openedPerStep = 100;

/**
 * Looks addresses up in all corpora of a workspace, each corpus in one pass. Gives the checks in the order of the rows. A corpus
 * that fails for an address is not among those that answered for it. Throws what `signal` was aborted with.
 */
export async function lookUpRows(
  { rows, corpora, present, at, maxFindings, signal }: CorpusQuestion,
  open: Sealer["open"],
): Promise<{ checks: RecordedCheck[]; asked: AskedCorpora }> {
  const indicators = await inSteps(openSteps(rows, open), signal);
  const found = rows.map((): Answer[] => []);
  const failed = rows.map((): Set<string> => new Set());
  // A pass over a large corpus takes as long as it takes.
  const deadline = new Date(at.getTime() + longestPassMs);
  const asked = new Map<string, SourceErrorReason | null>();
  for (const corpus of corpora) {
    let faults = 0;
    let reason: SourceErrorReason = "internal";
    for await (const known of manyFrom(corpus, indicators, { signal, deadline })) {
      for (const { at: index, result } of known) {
        if (result instanceof SourceError) {
          failed[index]?.add(corpus.name);
          faults += 1;
          reason = result.reason;
        } else found[index]?.push(answerOf(corpus, result, at));
      }
    }
    asked.set(corpus.name, faults > 0 && faults === rows.length ? reason : null);
  }
  const checks: RecordedCheck[] = [];
  for (const [index, row] of rows.entries()) {
    const indicator = indicators[index] as Indicator;
    const faults = failed[index] as Set<string>;
    const answered = new Set(corpora.map(({ name }) => name).filter((name) => !faults.has(name)));
    const answers = found[index] as Answer[];
    const chosen =
      answers.length === 0 ? nothing : await inSteps(findingSteps(answers, indicator, maxFindings), signal);
    const { id, indicatorHash } = row;
    const hasFailed = faults.size > 0;
    checks.push({
      id,
      indicator,
      indicatorHash,
      requestId: null,
      hasFailed,
      nextScanAt: null,
      answered,
      present,
      ...chosen,
    });
  }
  return { checks, asked };
}

type Chosen = Pick<RecordedCheck, "found" | "cut">;

const nothing: Chosen = { found: [], cut: new Set() };

function* openSteps(rows: readonly WatchedRow[], open: Sealer["open"]): Steps<Indicator[]> {
  const indicators: Indicator[] = [];
  for (const row of rows) {
    indicators.push(openIndicator(row, open));
    if (indicators.length % openedPerStep === 0) yield;
  }
  return indicators;
}

/** A fault of the whole corpus, such as a segment that cannot be opened, is one of every address. */
async function* manyFrom({ lookUpMany }: Source, indicators: readonly Indicator[], limits: LookupLimits) {
  const { signal } = limits;
  try {
    if (lookUpMany === undefined) throw new SourceError("internal", "the source is no corpus");
    yield* lookUpMany(indicators, limits);
  } catch (error) {
    signal.throwIfAborted();
    const fault =
      error instanceof SourceError ? error : new SourceError("internal", "a corpus failed", { cause: error });
    yield indicators.map((_, at) => ({ at, result: fault }));
  }
}

function answerOf({ name, fingerprint, confidence, origin }: Source, findings: readonly Finding[], at: Date): Answer {
  return { source: name, fingerprint, confidence, origin, answeredAt: at, missing: [], sha256: "", findings };
}

/** What would stand in an envelope, with the times still open. */
function* findingSteps(answers: readonly Answer[], indicator: Indicator, maxFindings: number): Steps<Chosen> {
  const { shown, omitted } = yield* chooseSteps(answers, maxFindings);
  const found = shown.map((one): FoundFinding => {
    const { answer, finding, hash } = one;
    return { source: answer.source, hash, severity: finding.severity, atom: atomOf(one, indicator, undefined) };
  });
  return { found, cut: new Set(omitted.keys()) };
}
