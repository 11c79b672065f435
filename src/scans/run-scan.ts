import { answerSha256Steps, chooseSteps, projectSteps, type Sighting } from "../domain/envelope.ts";
import { SourceError, type SourceErrorReason } from "../domain/error.ts";
import { cappedSteps } from "../domain/finding.ts";
import { isFreshAnswer, isKeptAnswer } from "../domain/freshness.ts";
import {
  type Answer,
  type Claim,
  type ClaimedScan,
  finalState,
  type SourceRun,
  type StoredAnswer,
} from "../domain/scan.ts";
import type { Steps } from "../domain/steps.ts";
import { inSteps } from "../event-loop/in-steps.ts";
import type { LookupLimits, Source } from "../sources/source.ts";
import type { ScanStore, Seen, Settlement } from "../store/port/scan.ts";
import type { Live } from "./live.ts";
import { limitTime } from "./time-limit.ts";

export type ScanTools = {
  readonly store: Pick<ScanStore, "saveRuns" | "recordSightings" | "settleScan">;
  readonly now: () => Date;
  /** Monotonic time in milliseconds. */
  readonly steadyNow: () => number;
  readonly log: { readonly warn: (fields: object, message: string) => void };
};

export type ScanOptions = {
  readonly scan: ClaimedScan;
  readonly sources: readonly Source[];
  readonly live: Pick<Live, "lifetimes" | "scanTimeoutMs" | "ledgerRetentionMs" | "maxFindings">;
  /** Asks every source again, whatever was stored. */
  readonly isRefresh: boolean;
  /** Aborts when the runner stops or has lost its claim. */
  readonly signal: AbortSignal;
};

/**
 * Runs one scan to its end: reuses fresh answers, asks the other sources concurrently, each with a deadline, saves
 * their results as they finish, and settles the scan. False when the claim was lost: another runner has the scan, or it
 * was erased. Throws the reason of `signal` when it aborts, and `AppError` for errors of the store.
 */
export async function runScan(options: ScanOptions, tools: ScanTools): Promise<boolean> {
  const { scanTimeoutMs } = options.live;
  const limit = limitTime(options.signal, scanTimeoutMs);
  try {
    const deadline = new Date(tools.now().getTime() + scanTimeoutMs);
    return await runWithin({ signal: limit.signal, deadline }, options, tools);
  } finally {
    limit.release();
  }
}

async function runWithin(limits: LookupLimits, options: ScanOptions, tools: ScanTools): Promise<boolean> {
  const { scan, sources, signal } = options;
  const { store } = tools;
  const runs: SourceRun[] = [];
  let unsaved: SourceRun[] = [];
  const open = new Set<Promise<void>>();
  for (const source of sources) {
    const ended = runSource(source, options, limits, tools).then((run) => {
      runs.push(run);
      unsaved.push(run);
      open.delete(ended);
    });
    open.add(ended);
  }
  while (open.size > 0) {
    await Promise.race(open);
    // Save sources that finish in the same turn of the event loop together; corpora mostly do.
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    const [batch, state] = [unsaved, open.size > 0 ? ("scanning" as const) : ("running" as const)];
    unsaved = [];
    if (!(await store.saveRuns(scan.claim, batch, state))) return false;
  }
  return await finishScan(runs, options, tools);
}

/** Settles a scan whose sources have all ended. False when the claim was lost. */
export async function finishScan(
  runs: readonly SourceRun[],
  options: Omit<ScanOptions, "isRefresh">,
  tools: Pick<ScanTools, "store" | "now">,
): Promise<boolean> {
  const { store, now } = tools;
  const { scan } = options;
  const finishedAt = now();
  const envelope = finalState(runs) === "completed" ? await makeEnvelope(runs, options, finishedAt, tools) : noEnvelope;
  return envelope !== null && (await store.settleScan({ claim: scan.claim, runs, finishedAt, ...envelope }));
}

type MadeEnvelope = Pick<Settlement, "projection" | "omitted" | "kept">;

const noEnvelope: MadeEnvelope = { projection: null, omitted: new Map(), kept: new Map() };

/** Findings that enter the ledger in one transaction. */
const seenPerWrite = 100;

/** The envelope of a completed scan, its findings entered in the ledger. Null when the claim was lost on the way. */
async function makeEnvelope(
  runs: readonly SourceRun[],
  options: Omit<ScanOptions, "isRefresh">,
  finishedAt: Date,
  { store }: Pick<ScanTools, "store">,
): Promise<MadeEnvelope | null> {
  const { scan, live, signal } = options;
  const answers = await inSteps(answersSteps(runs, options, finishedAt), signal);
  const { shown, omitted } = await inSteps(chooseSteps(answers, live.maxFindings), signal);
  const seen = shown.map(({ hash, answer }) => ({ hash, at: answer.answeredAt }));
  const ledgerBefore = new Date(finishedAt.getTime() - live.ledgerRetentionMs);
  const sightings = await recordAll(seen, scan.claim, ledgerBefore, store);
  if (sightings === null) return null;
  const { claim, indicator } = scan;
  const projection = await inSteps(projectSteps(claim.scanId, indicator, shown, sightings), signal);
  const failed = new Set(runs.filter(({ outcome }) => outcome === "failed").map(({ source }) => source));
  const kept = new Map(answers.filter(({ source }) => failed.has(source)).map((answer) => [answer.source, answer]));
  return { projection, omitted, kept };
}

async function recordAll(
  seen: readonly Seen[],
  claim: Claim,
  ledgerBefore: Date,
  store: Pick<ScanStore, "recordSightings">,
): Promise<Map<string, Sighting> | null> {
  const all = new Map<string, Sighting>();
  for (let start = 0; start < seen.length; start += seenPerWrite) {
    const sightings = await store.recordSightings(claim, seen.slice(start, start + seenPerWrite), ledgerBefore);
    if (sightings === null) return null;
    for (const [hash, sighting] of sightings) all.set(hash, sighting);
  }
  return all;
}

async function runSource(
  source: Source,
  { scan, live, isRefresh, signal }: ScanOptions,
  limits: LookupLimits,
  { now, steadyNow, log }: ScanTools,
): Promise<SourceRun> {
  const startedAt = steadyNow();
  const end = (part: Pick<SourceRun, "outcome"> & Partial<SourceRun>): SourceRun => ({
    source: source.name,
    endedAt: now(),
    durationMs: Math.round(steadyNow() - startedAt),
    error: null,
    quotaLeft: null,
    answer: null,
    isReused: false,
    ...part,
  });

  // First of all: not even an earlier answer of such a source belongs to a result of inside reach.
  if (scan.reach === "inside" && source.isOutside) return end({ outcome: "skipped", error: "tlp" });
  const last = scan.answers.find((answer) => answer.source === source.name);
  const mustAsk = isRefresh || scan.failedSources.includes(source.name);
  const { cacheTtlMs } = live.lifetimes;
  if (last !== undefined && !mustAsk && isFreshAnswer(last, source.fingerprint, cacheTtlMs, now(), scan.freshSince)) {
    const answer = await inSteps(readSteps(last), signal);
    return end({ outcome: answer.findings.length > 0 ? "ok" : "no_data", answer, isReused: true });
  }
  if (!source.isAllowed) return end({ outcome: "skipped" });
  try {
    const reply = await askWithin(source, scan, limits, now());
    const findings = await inSteps(cappedSteps(reply.findings), signal);
    const { name, fingerprint, confidence, origin } = source;
    const sha256 = await inSteps(answerSha256Steps(findings), signal);
    const missing = reply.missing ?? [];
    const answer: Answer = {
      source: name,
      fingerprint,
      confidence,
      origin,
      answeredAt: now(),
      missing,
      sha256,
      findings,
    };
    return end({
      outcome: findings.length > 0 ? "ok" : "no_data",
      answer,
      quotaLeft: reply.quotaLeft ?? null,
    });
  } catch (error) {
    const reason: SourceErrorReason = error instanceof SourceError ? error.reason : "internal";
    // After an abort the error says nothing about the source.
    if (!signal.aborted) {
      log.warn({ request_id: scan.claim.scanId, source: source.name, reason, err: error }, "source failed");
    }
    return end({ outcome: "failed", error: reason });
  }
}

/** Asks a source. Stops waiting at the deadline even when the source ignores the signal. */
async function askWithin(source: Source, scan: ClaimedScan, limits: LookupLimits, startedAt: Date) {
  const { signal, release } = limitTime(limits.signal, source.timeoutMs);
  const deadline = new Date(Math.min(limits.deadline.getTime(), startedAt.getTime() + source.timeoutMs));
  const tooLate = () => new SourceError("timeout", "the source did not answer in time");
  const timedOut = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => timedOut.reject(tooLate()), { once: true });
  try {
    if (signal.aborted) throw tooLate();
    return await Promise.race([source.lookup(scan.indicator, { signal, deadline }), timedOut.promise]);
  } finally {
    release();
  }
}

/**
 * The answers that make the envelope: those of this scan, and the last answers of failed sources (docs/contract.md
 * 5.8).
 */
function* answersSteps(
  runs: readonly SourceRun[],
  { scan, sources, live }: Omit<ScanOptions, "isRefresh">,
  at: Date,
): Steps<Answer[]> {
  const answers: Answer[] = [];
  for (const run of runs) {
    if (run.answer !== null) answers.push(run.answer);
    const source = sources.find(({ name }) => name === run.source);
    const last = scan.answers.find((answer) => answer.source === run.source);
    if (run.outcome !== "failed" || source === undefined || last === undefined) continue;
    if (isKeptAnswer(last, source.fingerprint, live.lifetimes.retentionMs, at)) answers.push(yield* readSteps(last));
  }
  return answers;
}

/** Parsing a thousand findings is a step of its own. */
export function* readSteps(answer: StoredAnswer): Steps<Answer> {
  const read = answer.read();
  yield;
  return read;
}
