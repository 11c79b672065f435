import type { Reach } from "../wire/case.ts";
import type { Answer, ScanId, ScanState } from "./scan.ts";

/** Lifetimes of docs/contract.md 5, in milliseconds. */
export type Lifetimes = {
  readonly cacheTtlMs: number;
  readonly partialTtlMs: number;
  readonly retentionMs: number;
};

/** The version of the data that a workspace sees: the settings of its sources and the state of its corpora. */
export type DataVersion = { readonly settingsFingerprint: string; readonly corporaRevision: string };

/** Facts about an earlier scan of the same indicator. `decide` needs them. */
export type ScanFacts = {
  readonly id: ScanId;
  readonly state: ScanState;
  /** Set when a runner claims the scan; null before. */
  readonly data: DataVersion | null;
  /** Time of completion or of the oldest reused answer, whichever is earlier. Null until completed. */
  readonly asOf: Date | null;
  readonly finishedAt: Date | null;
  readonly isPartial: boolean;
  readonly reach: Reach;
  readonly requestedAt: Date;
  /** The scan uses no answer of an earlier scan from this time or before; null when only the lifetimes count. */
  readonly freshSince: Date | null;
  /** Time of the oldest answer in the result of a completed scan. Only needed for a question with a `maxAgeMs`. */
  readonly oldestAnswerAt: Date | null;
};

/** What a question demands of its result beside the lifetimes of the cache (docs/pipeline.md 16.1, 16.2). */
export type Demand = { readonly reach: Reach; readonly maxAgeMs: number | null };

export const noDemand: Demand = { reach: "full", maxAgeMs: null };

export type Decision =
  | { readonly kind: "hit"; readonly scanId: ScanId }
  /** `freshSince` is set when the joined scan, which has not started, must use only later answers. */
  | { readonly kind: "join"; readonly scanId: ScanId; readonly freshSince: Date | null }
  | { readonly kind: "start" };

/**
 * Decides which scan serves a call: a finished scan that is fresh (hit), an unfinished scan on the current data (join),
 * or a new scan (start). See docs/contract.md 5.1, 5.3, 5.5, 5.6. `scans` are the scans of one workspace and indicator,
 * newest first.
 */
export function decide(
  scans: readonly ScanFacts[],
  current: DataVersion,
  lifetimes: Lifetimes,
  now: Date,
  demand: Demand = noDemand,
): Decision {
  // Only the newest result on the current data counts, because it replaced all earlier results (5.8): an expired
  // partial result must not be replaced by an older complete one.
  const newest = scans.find(
    (scan) => scan.state === "completed" && isSameData(scan.data, current) && canServe(scan.reach, demand.reach),
  );
  if (newest !== undefined && isFresh(newest, lifetimes, now) && isYoung(newest, demand, now)) {
    return { kind: "hit", scanId: newest.id };
  }
  const joined = scans.find((scan) => isJoinable(scan, current, demand));
  if (joined === undefined) return { kind: "start" };
  return { kind: "join", scanId: joined.id, freshSince: joined.state === "queued" ? freshSince(demand, now) : null };
}

/**
 * A result of full reach also serves a question that must stay inside: nothing leaves the perimeter for a hit. A result of
 * inside reach never passes for the whole picture.
 */
function canServe(result: Reach, wanted: Reach): boolean {
  return result === "full" || wanted === "inside";
}

function isYoung(scan: ScanFacts, demand: Demand, now: Date): boolean {
  const since = freshSince(demand, now);
  if (since === null) return true;
  const oldest = Math.min(scan.asOf?.getTime() ?? 0, (scan.oldestAnswerAt ?? scan.asOf)?.getTime() ?? 0);
  // The age is 0 when the clock was set back; with a `max_age` of 0 this is a miss too.
  return Math.min(oldest, now.getTime()) > since.getTime();
}

/** The time from which on answers are young enough for a question that is asked now; null when any fresh answer is. */
export function freshSince({ maxAgeMs }: Pick<Demand, "maxAgeMs">, now: Date): Date | null {
  return maxAgeMs === null ? null : new Date(now.getTime() - maxAgeMs);
}

function isFresh(scan: ScanFacts, lifetimes: Lifetimes, now: Date): boolean {
  if (scan.asOf === null || scan.finishedAt === null) return false;
  if (ageMs(scan.asOf, now) >= lifetimes.cacheTtlMs) return false;
  // The shorter life of a partial result starts at its completion. Measured from a reused answer, the result could be
  // stale at once, and every call would start another scan.
  if (scan.isPartial && ageMs(scan.finishedAt, now) >= lifetimes.partialTtlMs) return false;
  return ageMs(scan.finishedAt, now) < lifetimes.retentionMs;
}

/** True while a scan may be read: always when unfinished, for its retention when finished (docs/contract.md 5.11). */
export function isRetained(finishedAt: Date | null, lifetimes: Pick<Lifetimes, "retentionMs">, now: Date): boolean {
  return finishedAt === null || ageMs(finishedAt, now) <= lifetimes.retentionMs;
}

/**
 * A queued scan will use the data of the moment when it starts, so any caller can join it. A question that must stay inside
 * joins no scan of full reach: it would wait for sources outside.
 */
function isJoinable(scan: ScanFacts, current: DataVersion, demand: Demand): boolean {
  if (scan.reach !== demand.reach) return false;
  if (scan.state === "queued") return true;
  if (scan.state !== "scanning" && scan.state !== "running") return false;
  return isSameData(scan.data, current) && asksAsMuch(scan, demand);
}

/** True when a running scan asks at least the sources that the question wants asked. */
export function asksAsMuch(
  { requestedAt, freshSince: since }: Pick<ScanFacts, "requestedAt" | "freshSince">,
  { maxAgeMs }: Pick<Demand, "maxAgeMs">,
): boolean {
  return maxAgeMs === null || (since !== null && requestedAt.getTime() - since.getTime() <= maxAgeMs);
}

function isSameData(one: DataVersion | null, other: DataVersion): boolean {
  return (
    one !== null &&
    one.settingsFingerprint === other.settingsFingerprint &&
    one.corporaRevision === other.corporaRevision
  );
}

/**
 * True when a scan may reuse this answer instead of asking the source again (docs/contract.md 5.3, docs/pipeline.md 16.1).
 * With `since`, an answer from the future does not count: the clock was set back, so its age is unknown.
 */
export function isFreshAnswer(
  { fingerprint: answered, answeredAt }: Pick<Answer, "fingerprint" | "answeredAt">,
  fingerprint: string,
  cacheTtlMs: number,
  now: Date,
  since: Date | null = null,
): boolean {
  if (answered !== fingerprint || ageMs(answeredAt, now) >= cacheTtlMs) return false;
  return since === null || (answeredAt > since && answeredAt <= now);
}

/** True when the last answer of a source that failed may stay in the envelope (docs/contract.md 5.8). */
export function isKeptAnswer(
  answer: Pick<Answer, "fingerprint" | "answeredAt">,
  fingerprint: string,
  retentionMs: number,
  now: Date,
): boolean {
  return answer.fingerprint === fingerprint && ageMs(answer.answeredAt, now) <= retentionMs;
}

/** The age is 0, never negative, when the clock was set back (docs/contract.md 5.1). */
function ageMs(since: Date, now: Date): number {
  return Math.max(0, now.getTime() - since.getTime());
}
