import { answerSha256Steps } from "../domain/envelope.ts";
import { SourceError, type SourceErrorReason } from "../domain/error.ts";
import type { Finding } from "../domain/finding.ts";
import { isFreshAnswer } from "../domain/freshness.ts";
import type { Answer, ClaimedScan, SourceRun } from "../domain/scan.ts";
import { inSteps } from "../event-loop/in-steps.ts";
import type { FoundByMany, Source } from "../sources/source.ts";
import { finishScan, readSteps, type ScanOptions, type ScanTools } from "./run-scan.ts";
import { limitTime } from "./time-limit.ts";

/** Scans of one workspace that are run together. */
type GroupOptions = Omit<ScanOptions, "scan" | "isRefresh"> & { readonly scans: readonly ClaimedScan[] };

/** True when every source that may be asked answers many indicators at once: then scans are run in groups. */
export function areAskedTogether(sources: readonly Pick<Source, "isAllowed" | "lookUpMany">[]): boolean {
  return sources.every(({ isAllowed, lookUpMany }) => !isAllowed || lookUpMany !== undefined);
}

/**
 * Does for many scans what `runScan` does for one, with one pass over each source: a corpus answers a thousand addresses in the
 * time of some single ones, and the scans share their commits. Returns the scans whose claim was lost on the way.
 * Throws the reason of `signal` when that aborts, and `AppError` for the store.
 */
export async function runGroup(options: GroupOptions, tools: ScanTools): Promise<ClaimedScan[]> {
  const { scans, sources, live, signal } = options;
  const limit = limitTime(signal, live.scanTimeoutMs);
  const runs: SourceRun[][] = scans.map(() => []);
  try {
    // One after the other: each has the processor to itself, and a pass is short.
    for (const source of sources) {
      const ended = await runSource(source, options, limit.signal, tools);
      for (const [index, run] of ended.entries()) runs[index]?.push(run);
    }
  } finally {
    limit.release();
  }
  signal.throwIfAborted();
  const settled = await Promise.all(
    scans.map((scan, index) => finishScan(runs[index] ?? [], { scan, sources, live, signal }, tools)),
  );
  return scans.filter((_, index) => settled[index] !== true);
}

async function runSource(
  source: Source,
  { scans, live, signal }: GroupOptions,
  limitSignal: AbortSignal,
  { now, steadyNow, log }: ScanTools,
): Promise<SourceRun[]> {
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
  const runs: (SourceRun | undefined)[] = scans.map(() => undefined);
  const asked: number[] = [];
  for (const [index, scan] of scans.entries()) {
    const last = scan.answers.find((answer) => answer.source === source.name);
    const mustAsk = scan.failedSources.includes(source.name);
    const { cacheTtlMs } = live.lifetimes;
    if (scan.reach === "inside" && source.isOutside) {
      runs[index] = end({ outcome: "skipped", error: "tlp" });
    } else if (
      last !== undefined &&
      !mustAsk &&
      isFreshAnswer(last, source.fingerprint, cacheTtlMs, now(), scan.freshSince)
    ) {
      const answer = await inSteps(readSteps(last), signal);
      runs[index] = end({ outcome: outcomeOf(answer.findings), answer, isReused: true });
    } else if (!source.isAllowed) {
      runs[index] = end({ outcome: "skipped" });
    } else {
      asked.push(index);
    }
  }
  if (asked.length === 0) return runs.filter((run) => run !== undefined);

  const { found, failure } = await askAll(source, asked, scans, { limitSignal, startedAt: now() });
  if (signal.aborted) throw signal.reason;
  const hashes = new Map<readonly Finding[], string>();
  const hashOf = async (findings: readonly Finding[]) => {
    const hash = hashes.get(findings) ?? (await inSteps(answerSha256Steps(findings), signal));
    hashes.set(findings, hash);
    return hash;
  };
  const { name, fingerprint, confidence, origin } = source;
  const reasons = new Map<SourceErrorReason, { count: number; error: unknown }>();
  for (const [at, index] of asked.entries()) {
    const result = found.get(at) ?? failure ?? nothing;
    if (result instanceof SourceError) {
      const { reason } = result;
      reasons.set(reason, { count: (reasons.get(reason)?.count ?? 0) + 1, error: result });
      runs[index] = end({ outcome: "failed", error: reason });
      continue;
    }
    const sha256 = await hashOf(result);
    const part = { source: name, fingerprint, confidence, origin, answeredAt: now(), missing: [] };
    const answer: Answer = { ...part, sha256, findings: result };
    runs[index] = end({ outcome: outcomeOf(result), answer });
  }
  for (const [reason, { count, error: err }] of reasons) {
    log.warn({ source: name, reason, scans: count, err }, "source failed");
  }
  return runs.filter((run) => run !== undefined);
}

const nothing: readonly Finding[] = [];

function outcomeOf(findings: readonly Finding[]): "ok" | "no_data" {
  return findings.length > 0 ? "ok" : "no_data";
}

type Asked = { readonly limitSignal: AbortSignal; readonly startedAt: Date };

/** The findings of the source, by position in `asked`. `failure` is the reason when it stopped early. */
async function askAll(
  source: Source,
  asked: readonly number[],
  scans: readonly ClaimedScan[],
  { limitSignal, startedAt }: Asked,
): Promise<{ found: ReadonlyMap<number, FoundByMany["result"]>; failure: SourceError | null }> {
  const found = new Map<number, FoundByMany["result"]>();
  const { signal, release } = limitTime(limitSignal, source.timeoutMs);
  const indicators = asked.flatMap((index) => scans[index]?.indicator ?? []);
  const deadline = new Date(startedAt.getTime() + source.timeoutMs);
  try {
    for await (const piece of source.lookUpMany?.(indicators, { signal, deadline }) ?? []) {
      for (const { at, result } of piece) found.set(at, result);
    }
    return { found, failure: null };
  } catch (cause) {
    const isLate = signal.aborted;
    const failure = new SourceError(isLate ? "timeout" : "internal", "the source did not answer all", { cause });
    return { found, failure };
  } finally {
    release();
  }
}
