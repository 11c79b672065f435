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
};

export type Decision = { readonly kind: "hit" | "join"; readonly scanId: ScanId } | { readonly kind: "start" };

/**
 * Decides which scan serves a call: a finished scan that is fresh (hit), an unfinished scan on the current data (join),
 * or a new scan (start). See docs/contract.md 5.1, 5.3, 5.5, 5.6. `scans` are the scans of one workspace and indicator,
 * newest first.
 */
export function decide(scans: readonly ScanFacts[], current: DataVersion, lifetimes: Lifetimes, now: Date): Decision {
  // Only the newest result on the current data counts, because it replaced all earlier results (5.8): an expired
  // partial result must not be replaced by an older complete one.
  const newest = scans.find((scan) => scan.state === "completed" && isSameData(scan.data, current));
  if (newest !== undefined && isFresh(newest, lifetimes, now)) return { kind: "hit", scanId: newest.id };
  const joined = scans.find((scan) => isJoinable(scan, current));
  return joined === undefined ? { kind: "start" } : { kind: "join", scanId: joined.id };
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

/** A queued scan will use the data of the moment when it starts, so any caller can join it. */
function isJoinable(scan: ScanFacts, current: DataVersion): boolean {
  if (scan.state === "queued") return true;
  return (scan.state === "scanning" || scan.state === "running") && isSameData(scan.data, current);
}

function isSameData(one: DataVersion | null, other: DataVersion): boolean {
  return (
    one !== null &&
    one.settingsFingerprint === other.settingsFingerprint &&
    one.corporaRevision === other.corporaRevision
  );
}

/** True when a scan may reuse this answer instead of asking the source again (docs/contract.md 5.3). */
export function isFreshAnswer(
  answer: Pick<Answer, "fingerprint" | "answeredAt">,
  fingerprint: string,
  cacheTtlMs: number,
  now: Date,
): boolean {
  return answer.fingerprint === fingerprint && ageMs(answer.answeredAt, now) < cacheTtlMs;
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
