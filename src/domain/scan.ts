import type { Reach } from "../wire/case.ts";
import type { SourceErrorReason } from "./error.ts";
import type { Finding } from "./finding.ts";
import type { Indicator } from "./indicator.ts";
import { compareText } from "./text.ts";
import type { Workspace, WorkspaceId } from "./workspace.ts";

export type ScanId = string & { readonly __brand: "ScanId" };

/** queued = not started, scanning = asking sources, running = building the envelope (docs/contract.md 6.2). */
export type UnfinishedState = "queued" | "scanning" | "running";
export type FinishedState = "completed" | "failed";
export type ScanState = UnfinishedState | FinishedState;

export function isFinished(state: ScanState): state is FinishedState {
  return state === "completed" || state === "failed";
}

/** A scan that did not finish after this many claims is given up (docs/contract.md 5.10). */
export const maxClaims = 3;

/** A runner's lease of a scan. Every write of a scan names the claim, so a runner that lost it writes nothing. */
export type Claim = { readonly scanId: ScanId; readonly owner: string; readonly claimCount: number };

export const outcomes = ["ok", "no_data", "failed", "skipped"] as const;
export type Outcome = (typeof outcomes)[number];

/** The answer of a source about an indicator. `sha256` is over the canonical JSON of `findings`. */
export type Answer = {
  readonly source: string;
  /** Keyed hash of the source's settings (and, for a corpus, of its data) at the time of the answer. */
  readonly fingerprint: string;
  readonly confidence: number;
  readonly origin: string;
  readonly answeredAt: Date;
  /** Missing parts, such as sub-calls that the plan at the source does not allow. */
  readonly missing: readonly string[];
  readonly sha256: string;
  readonly findings: readonly Finding[];
};

/** An answer of an earlier scan. Its findings may be long: `read` parses them where they are used. */
export type StoredAnswer = Omit<Answer, "findings"> & { readonly read: () => Answer };

/** How one source fared in one scan. `answer` is set when the outcome is `ok` or `no_data`. */
export type SourceRun = {
  readonly source: string;
  readonly outcome: Outcome;
  readonly endedAt: Date;
  readonly durationMs: number;
  readonly error: SourceErrorReason | null;
  /** Calls left at the upstream in its current period; null when the upstream did not say. */
  readonly quotaLeft: number | null;
  readonly answer: Answer | null;
  /** True when `answer` comes from an earlier scan. */
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
  /** When the answer that counts was given; null when there is none. */
  readonly answeredAt: Date | null;
  /** The answer that counts was given to an earlier scan. */
  readonly isReused: boolean;
  /** Findings that the envelope leaves out. */
  readonly omittedCount: number;
};

export type NewScan = {
  readonly id: ScanId;
  readonly workspaceId: WorkspaceId;
  readonly indicator: Indicator;
  readonly indicatorHash: string;
  readonly requestedAt: Date;
} & ScanTerms;

/** The demands of its question that a scan keeps (docs/pipeline.md 16.1, 16.2). */
export type ScanTerms = {
  /** `inside`: sources outside the perimeter are skipped. */
  readonly reach: Reach;
  /** Sources whose answer is from this time or before are asked again; null when only the lifetimes count. */
  readonly freshSince: Date | null;
};

/** A claimed scan with everything that its runner needs. */
export type ClaimedScan = {
  readonly claim: Claim;
  readonly workspace: Pick<Workspace, "id" | "name">;
  readonly indicator: Indicator;
  readonly indicatorHash: string;
  /** The version of the data that the scan sees, set at the claim. */
  readonly settingsFingerprint: string;
  readonly corporaRevision: string;
  /** The last good answer of each source about this indicator in this workspace. */
  readonly answers: readonly StoredAnswer[];
  /** Sources that failed when they were last asked about it: they are asked again, whatever they said before (5.8). */
  readonly failedSources: readonly string[];
} & ScanTerms;

/** `completed` when at least one source answered, else `failed`: silence is never clean (docs/contract.md 5.7). */
export function finalState(runs: readonly Pick<SourceRun, "outcome">[]): FinishedState {
  return runs.some((run) => run.outcome === "ok" || run.outcome === "no_data") ? "completed" : "failed";
}

/** True when a source failed (docs/contract.md 5.8). */
export function isPartial(runs: readonly Pick<SourceRun, "outcome">[]): boolean {
  return runs.some((run) => run.outcome === "failed");
}

/** Names of the sources that failed, sorted. */
export function failedSourcesOf(runs: readonly Pick<SourceRun, "source" | "outcome">[]): string[] {
  return runs.flatMap(({ source, outcome }) => (outcome === "failed" ? [source] : [])).sort(compareText);
}

/** Time of completion or of the oldest reused answer, whichever is earlier (docs/contract.md 5.1). */
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
