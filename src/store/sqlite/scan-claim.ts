import type { FingerprintOf } from "../../domain/call.ts";
import type { IndicatorType } from "../../domain/indicator.ts";
import {
  type Claim,
  type ClaimedScan,
  claimsAfterRequeue,
  type NewScan,
  type ScanId,
  type ScanState,
} from "../../domain/scan.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { ClaimRequest } from "../port/scan.ts";
import type { answerTable } from "./answer.ts";
import type { Connection } from "./driver.ts";
import { type scanTable, toReach } from "./scan.ts";
import type { sourceRunTable } from "./source-run.ts";
import { toDate } from "./time.ts";

type QueuedRow = {
  id: ScanId;
  workspace_id: WorkspaceId;
  indicator_type: IndicatorType;
  indicator_value: string;
  indicator_hash: string;
  claim_count: number;
  is_inside: number;
  fresh_since: number | null;
};
/** A scan that is claimed. */
export type HeldScan = Pick<QueuedRow, "id" | "workspace_id" | "indicator_hash" | "claim_count" | "is_inside"> & {
  state: ScanState;
  settings_fingerprint: string | null;
  corpora_revision: string | null;
};

const heldColumns =
  "id, workspace_id, indicator_hash, claim_count, is_inside, state, settings_fingerprint, corpora_revision";

/** The claims of scans: their owners and the ends of their leases. */
export function scanClaims(
  connection: Connection,
  scans: Pick<ReturnType<typeof scanTable>, "insert" | "finish">,
  runs: Pick<ReturnType<typeof sourceRunTable>, "drop">,
  answers: Pick<ReturnType<typeof answerTable>, "of">,
) {
  const nextWorkspace = connection.prepare<[string], { workspace_id: WorkspaceId }>(
    "SELECT workspace_id FROM scan WHERE state = 'queued' AND workspace_id > ? ORDER BY workspace_id LIMIT 1",
  );
  const oldestQueued = connection.prepare<[string, number], QueuedRow>(
    `SELECT id, workspace_id, indicator_type, indicator_value, indicator_hash, claim_count, is_inside, fresh_since
     FROM scan WHERE state = 'queued' AND workspace_id = ? ORDER BY is_bulk, rowid LIMIT ?`,
  );
  const workspaceOf = connection.prepare<[string], { id: WorkspaceId; name: string; corpora_revision: string }>(
    "SELECT id, name, corpora_revision FROM workspace WHERE id = ?",
  );
  const claim = connection.prepare(
    `UPDATE scan SET state = 'scanning', owner = ?, lease_until = ?, claim_count = claim_count + 1,
       settings_fingerprint = ?, corpora_revision = ? WHERE id = ?`,
  );
  const held = connection.prepare<[string, string, number], HeldScan>(
    `SELECT ${heldColumns} FROM scan WHERE id = ? AND owner = ? AND claim_count = ? AND lease_until IS NOT NULL`,
  );
  const extend = connection.prepare(
    "UPDATE scan SET lease_until = ? WHERE id = ? AND owner = ? AND claim_count = ? AND lease_until IS NOT NULL",
  );
  const heldBy = connection.prepare<[string], HeldScan>(
    `SELECT ${heldColumns} FROM scan WHERE lease_until IS NOT NULL AND owner = ?`,
  );
  const heldUntil = connection.prepare<[number], HeldScan>(`SELECT ${heldColumns} FROM scan WHERE lease_until <= ?`);
  const requeue = connection.prepare(
    "UPDATE scan SET state = 'queued', owner = NULL, lease_until = NULL, claim_count = ? WHERE id = ?",
  );

  /** Records which data the scan will use. */
  function takeOver(row: QueuedRow, owner: string, leaseUntil: Date, fingerprintOf: FingerprintOf): ClaimedScan {
    const workspace = workspaceOf.get(row.workspace_id);
    if (workspace === undefined) throw new Error("a scan without its workspace");
    const corporaRevision = workspace.corpora_revision;
    const settingsFingerprint = fingerprintOf(workspace);
    claim.run(owner, leaseUntil.getTime(), settingsFingerprint, corporaRevision, row.id);
    // An earlier claim, which a stop does not count, may have asked sources that were removed since, or asked long ago.
    runs.drop(row.id);
    return {
      claim: { scanId: row.id, owner, claimCount: row.claim_count + 1 },
      workspace: { id: workspace.id, name: workspace.name },
      indicator: { type: row.indicator_type, value: row.indicator_value },
      indicatorHash: row.indicator_hash,
      settingsFingerprint,
      corporaRevision,
      reach: toReach(row.is_inside),
      freshSince: toDate(row.fresh_since),
      ...answers.of(row.indicator_hash, row.workspace_id),
    };
  }

  return {
    /** Adds a scan that is never queued, because its caller runs it. */
    insertClaimed(scan: NewScan, { claim: { owner }, ...stamp }: ClaimedScan, leaseUntil: Date): void {
      scans.insert(scan, "scanning", false);
      claim.run(owner, leaseUntil.getTime(), stamp.settingsFingerprint, stamp.corporaRevision, scan.id);
    },

    claim(request: ClaimRequest): ClaimedScan[] {
      const { owner, leaseUntil, afterWorkspaceId, maxCount, fingerprintOf, groupSizeOf = () => 1 } = request;
      const claimed: ClaimedScan[] = [];
      while (claimed.length < maxCount) {
        const after = claimed.at(-1)?.workspace.id ?? afterWorkspaceId ?? "";
        const workspace = nextWorkspace.get(after) ?? nextWorkspace.get("");
        if (workspace === undefined) break;
        const facts = workspaceOf.get(workspace.workspace_id);
        if (facts === undefined) throw new Error("a scan without its workspace");
        const groupSize = groupSizeOf(facts);
        for (const row of oldestQueued.all(workspace.workspace_id, groupSize)) {
          claimed.push(takeOver(row, owner, leaseUntil, fingerprintOf));
        }
        // A group is enough for one transaction.
        if (groupSize > 1) break;
      }
      return claimed;
    },

    /** Undefined when the claim no longer holds. */
    held: ({ scanId, owner, claimCount }: Claim): HeldScan | undefined => held.get(scanId, owner, claimCount),

    extendLeases(claims: readonly Claim[], until: Date): Claim[] {
      return claims.filter((c) => extend.run(until.getTime(), c.scanId, c.owner, c.claimCount).changes === 1);
    },

    requeue(which: { owner: string } | { leaseOverAt: Date }, isCounted: boolean, now: Date): number {
      const rows = "owner" in which ? heldBy.all(which.owner) : heldUntil.all(which.leaseOverAt.getTime());
      for (const row of rows) {
        const claimCount = claimsAfterRequeue(row.claim_count, isCounted);
        if (claimCount === null) scans.finish(row.id, failedAt(now));
        else requeue.run(claimCount, row.id);
      }
      return rows.length;
    },
  };
}

function failedAt(finishedAt: Date) {
  return { state: "failed", finishedAt, asOf: null, isPartial: false, projection: null } as const;
}
