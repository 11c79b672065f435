import type { SourceErrorReason } from "./error.ts";
import type { Finding } from "./finding.ts";
import type { Indicator } from "./indicator.ts";
import type { Workspace, WorkspaceId } from "./workspace.ts";

export type ScanId = string & { readonly __brand: "ScanId" };

/** queued = not started, scanning = sources being asked, running = last answers in, envelope being built (docs/contract.md 6.2). */
export type UnfinishedState = "queued" | "scanning" | "running";
export type FinishedState = "completed" | "failed";
export type ScanState = UnfinishedState | FinishedState;

export function isFinished(state: ScanState): state is FinishedState {
  return state === "completed" || state === "failed";
}

/** After this many claims a scan that never settles is given up (docs/contract.md 5.10). */
export const maxClaims = 3;

/** A runner's hold on a scan. Every write of a running scan names it, so a runner that lost its hold writes nothing. */
export type Claim = { readonly scanId: ScanId; readonly owner: string; readonly claimCount: number };

export const outcomes = ["ok", "no_data", "failed", "skipped"] as const;
export type Outcome = (typeof outcomes)[number];

/** What a source said about an indicator, and when. `sha256` is over the canonical JSON of `findings`. */
export type Answer = {
  readonly source: string;
  /** Keyed hash of the settings (and, for a corpus, of its data) that the answer was made with. */
  readonly fingerprint: string;
  readonly confidence: number;
  readonly origin: string;
  readonly answeredAt: Date;
  /** Parts without an answer, such as sub-calls that the plan at that source did not allow. */
  readonly missing: readonly string[];
  readonly sha256: string;
  readonly findings: readonly Finding[];
};

/** How one source fared in one scan. `answer` is set when the outcome is `ok` or `no_data`. */
export type SourceRun = {
  readonly source: string;
  readonly outcome: Outcome;
  readonly endedAt: Date;
  readonly durationMs: number;
  readonly error: SourceErrorReason | null;
  /** Calls left at the upstream in its current period; null when it did not tell. */
  readonly quotaLeft: number | null;
  readonly answer: Answer | null;
  /** True when `answer` was not asked for in this scan but taken over from an earlier one. */
  readonly isReused: boolean;
};

/** One row of `/sources`. */
export type SourceRunRecord = {
  readonly source: string;
  readonly outcome: Outcome;
  readonly findingCount: number;
  readonly durationMs: number;
  readonly endedAt: Date;
  readonly error: SourceErrorReason | null;
  readonly missing: readonly string[];
  readonly quotaLeft: number | null;
};

export type NewScan = {
  readonly id: ScanId;
  readonly workspaceId: WorkspaceId;
  readonly indicator: Indicator;
  readonly indicatorHash: string;
  readonly requestedAt: Date;
};

/** A scan as its runner takes it over. */
export type ClaimedScan = {
  readonly claim: Claim;
  readonly workspace: Pick<Workspace, "id" | "name">;
  readonly indicator: Indicator;
  readonly indicatorHash: string;
  /** The data that the scan sees, stamped when it was claimed. */
  readonly settingsFingerprint: string;
  readonly corporaRevision: string;
  /** The last good answer of each source about this indicator in this workspace. */
  readonly answers: readonly Answer[];
  /** Sources that failed when they were last asked about it: they are asked again, whatever they said before (5.8). */
  readonly failedSources: readonly string[];
};

/** A scan is completed when at least one source answered; silence must not read as clean (docs/contract.md 5.7). */
export function finalState(runs: readonly Pick<SourceRun, "outcome">[]): FinishedState {
  return runs.some((run) => run.outcome === "ok" || run.outcome === "no_data") ? "completed" : "failed";
}

/** A completed scan with a failed source says so (docs/contract.md 5.8). */
export function isPartial(runs: readonly Pick<SourceRun, "outcome">[]): boolean {
  return runs.some((run) => run.outcome === "failed");
}

/** Completion, or the oldest answer that was taken over, whichever is earlier (docs/contract.md 5.1). */
export function asOf(runs: readonly Pick<SourceRun, "isReused" | "answer">[], finishedAt: Date): Date {
  const reused = runs.flatMap((run) => (run.isReused && run.answer !== null ? [run.answer.answeredAt.getTime()] : []));
  return new Date(Math.min(finishedAt.getTime(), ...reused));
}

/**
 * How many claims a scan has when it is queued again: a claim that is no fault of the scan does not count
 * (docs/contract.md 5.10). Null when the scan had all its claims and is given up.
 */
export function claimsAfterRequeue(claimCount: number, isCounted: boolean): number | null {
  if (!isCounted) return claimCount - 1;
  return claimCount >= maxClaims ? null : claimCount;
}
