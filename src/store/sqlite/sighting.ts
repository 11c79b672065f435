import type { Sighting } from "../../domain/envelope.ts";
import { seenAgain } from "../../domain/sighting.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Seen } from "../port/scan.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";

type SightingRow = { first_seen_at: number; last_seen_at: number };

/** The ledger: when each workspace first and last saw each finding. */
export function sightingTable(connection: Connection) {
  const save = connection.prepare(
    `INSERT INTO sighting (indicator_hash, workspace_id, finding_hash, first_seen_at, last_seen_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at`,
  );
  const find = connection.prepare<[string, string, string], SightingRow>(
    "SELECT first_seen_at, last_seen_at FROM sighting WHERE indicator_hash = ? AND workspace_id = ? AND finding_hash = ?",
  );
  const forget = connection.prepare("DELETE FROM sighting WHERE indicator_hash = ?");
  const expired = connection.prepare(
    `DELETE FROM sighting WHERE (indicator_hash, workspace_id, finding_hash) IN
       (SELECT indicator_hash, workspace_id, finding_hash FROM sighting WHERE last_seen_at < ? ORDER BY last_seen_at LIMIT ?)`,
  );

  return {
    /** Enters findings and returns their sightings by `findingHash`. */
    record(
      indicatorHash: string,
      workspaceId: WorkspaceId,
      seen: readonly Seen[],
      ledgerBefore: Date,
    ): Map<string, Sighting> {
      const sightings = new Map<string, Sighting>();
      for (const { hash, at } of seen) {
        const row = find.get(indicatorHash, workspaceId, hash);
        const sighting = seenAgain(row === undefined ? null : toSighting(row), at, ledgerBefore);
        const [firstSeenAt, lastSeenAt] = [sighting.firstSeenAt.getTime(), sighting.lastSeenAt.getTime()];
        save.run(indicatorHash, workspaceId, hash, firstSeenAt, lastSeenAt);
        sightings.set(hash, sighting);
      }
      return sightings;
    },
    forget(indicatorHash: string): void {
      forget.run(indicatorHash);
    },
    removeBefore: (before: Date, maxRows: number): number => expired.run(before.getTime(), maxRows).changes,
  };
}

function toSighting({ first_seen_at, last_seen_at }: SightingRow): Sighting {
  return { firstSeenAt: toDate(first_seen_at), lastSeenAt: toDate(last_seen_at) };
}
