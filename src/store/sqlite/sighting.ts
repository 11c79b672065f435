import type { Sighting } from "../../domain/envelope.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Seen } from "../port/scan.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";

/** The ledger: when each workspace first and last saw each finding. */
export function sightingTable(connection: Connection) {
  const save = connection.prepare<[Record<string, string | number>]>(
    `INSERT INTO sighting (indicator_hash, workspace_id, finding_hash, first_seen_at, last_seen_at)
     VALUES (@indicatorHash, @workspaceId, @findingHash, @at, @at)
     ON CONFLICT DO UPDATE SET
       first_seen_at = iif(last_seen_at < @forgottenBefore, excluded.first_seen_at, first_seen_at),
       last_seen_at = max(last_seen_at, excluded.last_seen_at)`,
  );
  const find = connection.prepare<[string, string, string], { first_seen_at: number; last_seen_at: number }>(
    "SELECT first_seen_at, last_seen_at FROM sighting WHERE indicator_hash = ? AND workspace_id = ? AND finding_hash = ?",
  );
  const forget = connection.prepare("DELETE FROM sighting WHERE indicator_hash = ?");
  const expired = connection.prepare(
    `DELETE FROM sighting WHERE (indicator_hash, workspace_id, finding_hash) IN
       (SELECT indicator_hash, workspace_id, finding_hash FROM sighting WHERE last_seen_at < ? ORDER BY last_seen_at LIMIT ?)`,
  );

  return {
    /** Enters findings and reads back how the ledger stands now, by `findingHash`. */
    record(
      indicatorHash: string,
      workspaceId: WorkspaceId,
      seen: readonly Seen[],
      ledgerBefore: Date,
    ): Map<string, Sighting> {
      const sightings = new Map<string, Sighting>();
      const forgottenBefore = ledgerBefore.getTime();
      for (const { hash, at } of seen) {
        save.run({ indicatorHash, workspaceId, findingHash: hash, at: at.getTime(), forgottenBefore });
        const saved = find.get(indicatorHash, workspaceId, hash);
        if (saved === undefined) continue;
        sightings.set(hash, { firstSeenAt: toDate(saved.first_seen_at), lastSeenAt: toDate(saved.last_seen_at) });
      }
      return sightings;
    },
    forget(indicatorHash: string): void {
      forget.run(indicatorHash);
    },
    removeBefore: (before: Date, maxRows: number): number => expired.run(before.getTime(), maxRows).changes,
  };
}
