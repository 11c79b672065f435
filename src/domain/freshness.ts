import type { Answer, ScanId, ScanState } from "./scan.ts";

/** Lifetimes of docs/contract.md 5, in milliseconds. */
export type Lifetimes = {
  readonly cacheTtlMs: number;
  readonly partialTtlMs: number;
  readonly retentionMs: number;
};

/** What the data look like for a workspace now: the settings of its sources, and the corpora it sees. */
export type DataVersion = { readonly settingsFingerprint: string; readonly corporaRevision: string };

/** The facts about an earlier scan of the same indicator that decide what serves a call. */
export type ScanFacts = {
  readonly id: ScanId;
  readonly state: ScanState;
  /** Stamped when the scan is claimed; null before. */
  readonly data: DataVersion | null;
  /** Completion, or the oldest answer that was reused, whichever is earlier. Null until completed. */
  readonly asOf: Date | null;
  readonly finishedAt: Date | null;
  readonly isPartial: boolean;
};

export type Decision = { readonly kind: "hit" | "join"; readonly scanId: ScanId } | { readonly kind: "start" };

/**
 * Which scan serves a call: a fresh finished one, an unfinished one that is as good as a new one, or a new one
 * (docs/contract.md 5.1, 5.3, 5.5, 5.6). `scans` are those of one workspace and indicator, newest first.
 */
export function decide(scans: readonly ScanFacts[], current: DataVersion, lifetimes: Lifetimes, now: Date): Decision {
  // The newest result on the current data decides: what it says replaced all that was said before (5.8), so it must not
  // make way for an older one when it is partial and its shorter life is over.
  const newest = scans.find((scan) => scan.state === "completed" && isSameData(scan.data, current));
  if (newest !== undefined && isFresh(newest, lifetimes, now)) return { kind: "hit", scanId: newest.id };
  const joined = scans.find((scan) => isJoinable(scan, current));
  return joined === undefined ? { kind: "start" } : { kind: "join", scanId: joined.id };
}

function isFresh(scan: ScanFacts, lifetimes: Lifetimes, now: Date): boolean {
  if (scan.asOf === null || scan.finishedAt === null) return false;
  if (ageMs(scan.asOf, now) >= lifetimes.cacheTtlMs) return false;
  // A partial result lives from its own completion: measured from a reused answer it could be stale when it is born,
  // and every call would start another scan.
  if (scan.isPartial && ageMs(scan.finishedAt, now) >= lifetimes.partialTtlMs) return false;
  return ageMs(scan.finishedAt, now) < lifetimes.retentionMs;
}

/** May a scan still be read? An unfinished one always may; a finished one for its retention (docs/contract.md 5.11). */
export function isRetained(finishedAt: Date | null, lifetimes: Pick<Lifetimes, "retentionMs">, now: Date): boolean {
  return finishedAt === null || ageMs(finishedAt, now) <= lifetimes.retentionMs;
}

/** A scan not yet started will use the data as of its start, so it serves any caller. */
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

/** May a scan take over this answer instead of asking the source again? (docs/contract.md 5.3) */
export function isFreshAnswer(
  answer: Pick<Answer, "fingerprint" | "answeredAt">,
  fingerprint: string,
  cacheTtlMs: number,
  now: Date,
): boolean {
  return answer.fingerprint === fingerprint && ageMs(answer.answeredAt, now) < cacheTtlMs;
}

/** May the last answer of a source that failed stay in the envelope? (docs/contract.md 5.8) */
export function isKeptAnswer(
  answer: Pick<Answer, "fingerprint" | "answeredAt">,
  fingerprint: string,
  retentionMs: number,
  now: Date,
): boolean {
  return answer.fingerprint === fingerprint && ageMs(answer.answeredAt, now) <= retentionMs;
}

/** A clock that moved back makes an age of 0, not a negative one (docs/contract.md 5.1). */
function ageMs(since: Date, now: Date): number {
  return Math.max(0, now.getTime() - since.getTime());
}
