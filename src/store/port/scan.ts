import type { FingerprintOf } from "../../domain/call.ts";
import type { Projection, Sighting } from "../../domain/envelope.ts";
import type { Answer, Claim, ClaimedScan, SourceRun, SourceRunRecord, UnfinishedState } from "../../domain/scan.ts";
import type { Workspace, WorkspaceId } from "../../domain/workspace.ts";

/** Scans: claims, results and retention. */
export interface ScanStore {
  /**
   * Claims the next queued scans, at most `maxCount`, round robin over workspaces: the oldest scan of the workspace after
   * `afterWorkspaceId`, then the oldest of the workspace after that. Within a workspace, scans of single calls are
   * claimed before scans of lists. A workspace whose scans run in groups gets a whole group, which ends the transaction.
   */
  claimScans(request: ClaimRequest): Promise<ClaimedScan[]>;
  /** Extends the leases of claims that still hold, and returns these claims. */
  extendLeases(claims: readonly Claim[], until: Date): Promise<Claim[]>;
  /** Records the runs of sources that have ended. False, and nothing is written, when the claim no longer holds. */
  saveRuns(claim: Claim, runs: readonly SourceRun[], nextState: UnfinishedState): Promise<boolean>;
  /**
   * Enters findings in the ledger and returns their sightings by the hash of the finding. Null, and nothing is written,
   * when the claim no longer holds. A finding last seen before `ledgerBefore` counts as new, because its row is
   * expired.
   */
  recordSightings(claim: Claim, seen: readonly Seen[], ledgerBefore: Date): Promise<Map<string, Sighting> | null>;
  /**
   * Ends a scan: writes the last source runs, the stored answers and the envelope. False when the claim no longer
   * holds.
   */
  settleScan(settlement: Settlement): Promise<boolean>;
  /**
   * Queues claimed scans again under the same id. With `isCounted`, a scan that has used up its claims becomes failed.
   * Returns the number of scans.
   */
  requeueScans(
    which: { owner: string } | { leaseOverAt: Date },
    options: { isCounted: boolean; now: Date },
  ): Promise<number>;
  /** Deletes at most `maxRows` expired rows and returns their number. */
  removeExpired(limits: RetentionLimits, maxRows: number): Promise<number>;
  /** The last run of each source that has one, by source. */
  lastSourceRuns(): Promise<SourceRunRecord[]>;
}

export type ClaimRequest = {
  readonly owner: string;
  readonly leaseUntil: Date;
  /** The workspace that was served last, or null. Claims go round robin over workspaces. */
  readonly afterWorkspaceId: WorkspaceId | null;
  readonly maxCount: number;
  readonly fingerprintOf: FingerprintOf;
  /** The number of scans that a workspace gets per turn: 1 by default, more if its scans run in a group. */
  readonly groupSizeOf?: (workspace: Pick<Workspace, "id" | "name">) => number;
};

/** A finding, identified by its `findingHash`, and when it was seen. */
export type Seen = { readonly hash: string; readonly at: Date };

export type Settlement = {
  readonly claim: Claim;
  /** All runs of the scan, including those saved before. */
  readonly runs: readonly SourceRun[];
  readonly finishedAt: Date;
  /** The answer of a completed scan; null for a failed scan. */
  readonly projection: Projection | null;
  /** The number of findings of each source that the envelope leaves out. */
  readonly omitted: ReadonlyMap<string, number>;
  /** Answers of earlier scans that are used for sources that failed in this scan, by source. */
  readonly kept: ReadonlyMap<string, Pick<Answer, "answeredAt">>;
};

/** Rows older than these times are removed (docs/contract.md 5.11). */
export type RetentionLimits = {
  readonly scansFinishedBefore: Date;
  readonly answersBefore: Date;
  readonly sightingsBefore: Date;
  /** The limit for hourly totals of use. */
  readonly usageBefore: Date;
};
