import type { FingerprintOf } from "../../domain/call.ts";
import type { Projection, Sighting } from "../../domain/envelope.ts";
import type { Answer, Claim, ClaimedScan, SourceRun, SourceRunRecord, UnfinishedState } from "../../domain/scan.ts";
import type { Workspace, WorkspaceId } from "../../domain/workspace.ts";

/** Scans: who holds them, what they bring, and how long it is kept. */
export interface ScanStore {
  /**
   * Takes the next queued scans, at most `maxCount`, round robin: the oldest of the workspace that comes after
   * `afterWorkspaceId`, then that of the workspace after it. Within a workspace scans of single calls go before those of lists. A workspace
   * whose scans run in groups gets a whole group, and the transaction ends with it.
   */
  claimScans(request: ClaimRequest): Promise<ClaimedScan[]>;
  /** Prolongs what is still held; returns the claims that are. */
  extendLeases(claims: readonly Claim[], until: Date): Promise<Claim[]>;
  /** Records sources that ended. False when the claim no longer holds: then nothing was written. */
  saveRuns(claim: Claim, runs: readonly SourceRun[], nextState: UnfinishedState): Promise<boolean>;
  /**
   * Enters findings in the ledger and reads back how it stands now, by the hash of the finding. Null when the claim no
   * longer holds: then nothing was written. A finding that was last seen before `ledgerBefore` counts as never seen: its
   * row is past its retention.
   */
  recordSightings(claim: Claim, seen: readonly Seen[], ledgerBefore: Date): Promise<Map<string, Sighting> | null>;
  /** Ends a scan: last source runs, stored answers and envelope. False when the claim no longer holds. */
  settleScan(settlement: Settlement): Promise<boolean>;
  /** Queues claimed scans again under the same id; with `isCounted` those out of claims become failed. Returns how many. */
  requeueScans(
    which: { owner: string } | { leaseOverAt: Date },
    options: { isCounted: boolean; now: Date },
  ): Promise<number>;
  /** Deletes at most `maxRows` rows that are past their retention; returns how many it deleted. */
  removeExpired(limits: RetentionLimits, maxRows: number): Promise<number>;
  /** The last run of each source that has one, by source. */
  lastSourceRuns(): Promise<SourceRunRecord[]>;
}

export type ClaimRequest = {
  readonly owner: string;
  readonly leaseUntil: Date;
  /** Turns go round robin over workspaces: the one served last, or null. */
  readonly afterWorkspaceId: WorkspaceId | null;
  readonly maxCount: number;
  readonly fingerprintOf: FingerprintOf;
  /** How many scans of a workspace are one turn: 1, which is the default, or more where they are run together. */
  readonly groupSizeOf?: (workspace: Pick<Workspace, "id" | "name">) => number;
};

/** A finding, by its `findingHash`, and when it was seen. */
export type Seen = { readonly hash: string; readonly at: Date };

export type Settlement = {
  readonly claim: Claim;
  /** All runs of the scan, saved before or not. */
  readonly runs: readonly SourceRun[];
  readonly finishedAt: Date;
  /** The answer of a completed scan; null for a failed one. */
  readonly projection: Projection | null;
  /** How many findings of a source the envelope leaves out. */
  readonly omitted: ReadonlyMap<string, number>;
  /** Answers of earlier scans that count for sources that failed in this one, by source. */
  readonly kept: ReadonlyMap<string, Pick<Answer, "answeredAt">>;
};

/** Rows older than these go (docs/contract.md 5.11). */
export type RetentionLimits = {
  readonly scansFinishedBefore: Date;
  readonly answersBefore: Date;
  readonly sightingsBefore: Date;
  /** Hourly totals of use. */
  readonly usageBefore: Date;
};
