import type { Projection } from "../../domain/envelope.ts";
import type { DataVersion, ScanFacts } from "../../domain/freshness.ts";
import type { Indicator, IndicatorType } from "../../domain/indicator.ts";
import type { FinishedState, NewScan, ScanId, ScanState, UnfinishedState } from "../../domain/scan.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";

type FactsRow = {
  id: ScanId;
  state: ScanState;
  settings_fingerprint: string | null;
  corpora_revision: string | null;
  as_of: number | null;
  finished_at: number | null;
  is_partial: number;
};
export type FinishedRow = {
  state: ScanState;
  indicator_hash: string;
  finished_at: number | null;
  envelope_tail: string | null;
  digest: string | null;
  is_partial: number;
  omitted_count: number;
};

type AskedRow = { indicator_type: IndicatorType; indicator_value: string; requested_at: number };

const factsColumns = "id, state, settings_fingerprint, corpora_revision, as_of, finished_at, is_partial";

/**
 * Only the newest results can be fresh. More than one is read, because commands with other settings leave results too.
 */
const newestCount = 8;

/** The end of a scan. `projection` is null for a failed scan. */
type Ending = {
  readonly state: FinishedState;
  readonly finishedAt: Date;
  readonly asOf: Date | null;
  readonly isPartial: boolean;
  readonly projection: Pick<Projection, "digest" | "envelopeTail" | "total"> | null;
};

/** The rows of scans. Their order is by rank and rowid, never by time, because the clock may move back. */
export function scanTable(connection: Connection) {
  const newestFinished = connection.prepare<[string, string], FactsRow>(
    `SELECT ${factsColumns} FROM scan WHERE indicator_hash = ? AND workspace_id = ? AND finished_rank IS NOT NULL
     ORDER BY finished_rank DESC LIMIT ${newestCount}`,
  );
  const unfinished = connection.prepare<[string, string], FactsRow>(
    `SELECT ${factsColumns} FROM scan WHERE indicator_hash = ? AND workspace_id = ? AND finished_rank IS NULL
     ORDER BY rowid DESC`,
  );
  // One statement for a whole list: a look-up for each indicator costs ten times as much between the language and SQLite.
  const known = connection
    .prepare<[string, string], string>(
      `SELECT DISTINCT s.indicator_hash FROM json_each(?) given
       JOIN scan s ON s.indicator_hash = given.value AND s.workspace_id = ?`,
    )
    .pluck();
  const insert = connection.prepare(
    `INSERT INTO scan (id, workspace_id, indicator_type, indicator_value, indicator_hash, state, requested_at, claim_count, is_partial, is_bulk)
     VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?)`,
  );
  const byId = connection.prepare<[string, string], FinishedRow>(
    `SELECT state, indicator_hash, finished_at, envelope_tail, digest, is_partial,
       (SELECT coalesce(sum(omitted_count), 0) FROM source_run WHERE scan_id = scan.id) AS omitted_count
     FROM scan WHERE id = ? AND workspace_id = ?`,
  );
  const asked = connection.prepare<[string], AskedRow>(
    "SELECT indicator_type, indicator_value, requested_at FROM scan WHERE id = ?",
  );
  // Two partial indexes hold exactly these rows.
  const countUnfinished = connection.prepare<[], { count: number }>(
    `SELECT (SELECT count(*) FROM scan WHERE state = 'queued')
          + (SELECT count(*) FROM scan WHERE lease_until IS NOT NULL) AS count`,
  );
  const waiting = connection
    .prepare<[string, string], ScanId>(
      "SELECT id FROM scan WHERE indicator_hash = ? AND workspace_id = ? AND state = 'queued' AND settings_fingerprint IS NULL",
    )
    .pluck();
  const setState = connection.prepare("UPDATE scan SET state = ? WHERE id = ?");
  const finish = connection.prepare(
    `UPDATE scan SET state = ?, finished_at = ?, owner = NULL, lease_until = NULL, as_of = ?, is_partial = ?, digest = ?, envelope_tail = ?, total = ?,
       finished_rank = (SELECT coalesce(max(other.finished_rank), 0) + 1 FROM scan other
         WHERE other.indicator_hash = scan.indicator_hash AND other.workspace_id = scan.workspace_id)
     WHERE id = ?`,
  );
  const advance = connection.prepare("UPDATE scan SET is_bulk = 0 WHERE id = ? AND is_bulk = 1 AND state = 'queued'");
  const forget = connection.prepare("DELETE FROM scan WHERE indicator_hash = ?");
  const expired = connection.prepare(
    "DELETE FROM scan WHERE id IN (SELECT id FROM scan WHERE finished_at < ? ORDER BY finished_at LIMIT ?)",
  );

  return {
    /** Newest first; finished scans before unfinished scans. */
    factsOf(hash: string, workspaceId: WorkspaceId): ScanFacts[] {
      return [...newestFinished.all(hash, workspaceId), ...unfinished.all(hash, workspaceId)].map(toFacts);
    },
    /** The hashes among these for which the workspace has a scan. */
    knownAmong: (hashes: readonly string[], workspaceId: WorkspaceId): Set<string> =>
      new Set(known.all(JSON.stringify(hashes), workspaceId)),
    find: (id: ScanId, workspaceId: WorkspaceId): FinishedRow | undefined => byId.get(id, workspaceId),
    /** The indicator of a scan and when it was requested. Throws when the scan does not exist. */
    asked(id: ScanId): { indicator: Indicator; askedAt: Date } {
      const row = asked.get(id);
      if (row === undefined) throw new Error("there is no such scan");
      return {
        indicator: { type: row.indicator_type, value: row.indicator_value },
        askedAt: new Date(row.requested_at),
      };
    },
    /** The scan of an indicator that nobody has claimed yet. */
    waiting: (hash: string, workspaceId: WorkspaceId): ScanId | null => waiting.get(hash, workspaceId) ?? null,
    countUnfinished: (): number => countUnfinished.get()?.count ?? 0,

    insert(scan: NewScan, state: "queued" | "scanning", isBulk: boolean): void {
      const { id, workspaceId, indicator, indicatorHash, requestedAt } = scan;
      const { type, value } = indicator;
      insert.run(id, workspaceId, type, value, indicatorHash, state, requestedAt.getTime(), isBulk ? 1 : 0);
    },
    /** A single call waits for it now: it goes before the scans of lists. */
    advance(id: ScanId): void {
      advance.run(id);
    },
    setState(id: ScanId, state: UnfinishedState): void {
      setState.run(state, id);
    },
    finish(id: ScanId, { state, finishedAt, asOf, isPartial, projection }: Ending): void {
      const { digest = null, envelopeTail = null, total = null } = projection ?? {};
      const facts = [state, finishedAt.getTime(), asOf?.getTime() ?? null, isPartial ? 1 : 0];
      finish.run(...facts, digest, envelopeTail, total, id);
    },

    /** Deletes the scans of an indicator in all workspaces and in any state. */
    forget(hash: string): void {
      forget.run(hash);
    },
    removeBefore: (before: Date, maxRows: number): number => expired.run(before.getTime(), maxRows).changes,
  };
}

function toFacts(row: FactsRow): ScanFacts {
  const { settings_fingerprint: settingsFingerprint, corpora_revision: corporaRevision } = row;
  const data: DataVersion | null =
    settingsFingerprint === null || corporaRevision === null ? null : { settingsFingerprint, corporaRevision };
  return {
    id: row.id,
    state: row.state,
    data,
    asOf: toDate(row.as_of),
    finishedAt: toDate(row.finished_at),
    isPartial: row.is_partial === 1,
  };
}
