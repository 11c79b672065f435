import type { Projection } from "../../domain/envelope.ts";
import type { DataVersion, ScanFacts } from "../../domain/freshness.ts";
import type { IndicatorType } from "../../domain/indicator.ts";
import type { PastScan } from "../../domain/past-scan.ts";
import type { FinishedState, NewScan, ScanId, ScanState, ScanTerms, UnfinishedState } from "../../domain/scan.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";

type Reach = ScanTerms["reach"];

type FactsRow = {
  id: ScanId;
  state: ScanState;
  settings_fingerprint: string | null;
  corpora_revision: string | null;
  as_of: number | null;
  finished_at: number | null;
  is_partial: number;
  is_inside: number;
  requested_at: number;
};
type UnfinishedRow = FactsRow & { fresh_since: number | null };
export type FinishedRow = {
  state: ScanState;
  indicator_type: IndicatorType;
  indicator_value: string;
  indicator_hash: string;
  requested_at: number;
  finished_at: number | null;
  envelope_tail: string | null;
  digest: string | null;
  is_partial: number;
  is_inside: number;
  omitted_count: number;
  /** Names with commas between; null when no source failed. */
  failed_sources: string | null;
};
type PastRow = Pick<FinishedRow, "is_partial" | "is_inside" | "digest"> & {
  id: ScanId;
  state: FinishedState;
  finished_at: number;
  finished_rank: number;
  total: number | null;
};

const factsColumns =
  "id, state, settings_fingerprint, corpora_revision, as_of, finished_at, is_partial, is_inside, requested_at";

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
  const newestFinished = connection.prepare<[string, string, number], FactsRow>(
    `SELECT ${factsColumns} FROM scan WHERE indicator_hash = ? AND workspace_id = ? AND finished_rank IS NOT NULL
       AND is_inside <= ?
     ORDER BY finished_rank DESC LIMIT ${newestCount}`,
  );
  const unfinished = connection.prepare<[string, string], UnfinishedRow>(
    `SELECT ${factsColumns}, fresh_since FROM scan WHERE indicator_hash = ? AND workspace_id = ? AND finished_rank IS NULL
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
    `INSERT INTO scan (id, workspace_id, indicator_type, indicator_value, indicator_hash, state, requested_at,
       is_bulk, is_inside, fresh_since, claim_count, is_partial)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`,
  );
  const byId = connection.prepare<[string, string], FinishedRow>(
    `SELECT state, indicator_type, indicator_value, indicator_hash, requested_at, finished_at, envelope_tail, digest,
       is_partial, is_inside,
       (SELECT coalesce(sum(omitted_count), 0) FROM source_run WHERE scan_id = scan.id) AS omitted_count,
       (SELECT group_concat(source, ',' ORDER BY source) FROM source_run
        WHERE scan_id = scan.id AND outcome = 'failed') AS failed_sources
     FROM scan WHERE id = ? AND workspace_id = ?`,
  );
  const tighten = connection.prepare<[{ id: string; since: number }]>(
    "UPDATE scan SET fresh_since = max(coalesce(fresh_since, @since), @since) WHERE id = @id AND state = 'queued'",
  );
  const oldestAnswer = connection
    .prepare<[string], number | null>(
      "SELECT min(answered_at) FROM source_run WHERE scan_id = ? AND outcome IN ('ok', 'no_data')",
    )
    .pluck();
  // A scan of before the column `total` is asked itself.
  const past = connection.prepare<[string, string, number, number, number], PastRow>(
    `SELECT id, state, finished_at, finished_rank, is_partial, is_inside, digest,
       coalesce(total, json_extract('{' || envelope_tail, '$.exposure.total')) AS total
     FROM scan WHERE indicator_hash = ? AND workspace_id = ? AND finished_rank < ? AND finished_at >= ?
     ORDER BY finished_rank DESC LIMIT ?`,
  );
  const completedBefore = connection
    .prepare<[string], ScanId>(
      `SELECT other.id FROM scan JOIN scan other ON other.indicator_hash = scan.indicator_hash
         AND other.workspace_id = scan.workspace_id AND other.finished_rank < scan.finished_rank
       WHERE scan.id = ? AND other.state = 'completed' ORDER BY other.finished_rank DESC LIMIT 1`,
    )
    .pluck();
  // Two partial indexes hold exactly these rows.
  const countUnfinished = connection.prepare<[], { count: number }>(
    `SELECT (SELECT count(*) FROM scan WHERE state = 'queued')
          + (SELECT count(*) FROM scan WHERE lease_until IS NOT NULL) AS count`,
  );
  const waiting = connection
    .prepare<[string, string], ScanId>(
      `SELECT id FROM scan WHERE indicator_hash = ? AND workspace_id = ? AND is_inside = 0
         AND state = 'queued' AND settings_fingerprint IS NULL`,
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
    /** The scans that may serve a question of this reach: newest first, finished ones before unfinished ones. */
    factsOf(hash: string, workspaceId: WorkspaceId, reach: Reach): ScanFacts[] {
      const finished = newestFinished.all(hash, workspaceId, reach === "inside" ? 1 : 0);
      return [...finished, ...unfinished.all(hash, workspaceId)].map(toFacts);
    },
    /** The hashes among these for which the workspace has a scan. */
    knownAmong: (hashes: readonly string[], workspaceId: WorkspaceId): Set<string> =>
      new Set(known.all(JSON.stringify(hashes), workspaceId)),
    find: (id: ScanId, workspaceId: WorkspaceId): FinishedRow | undefined => byId.get(id, workspaceId),
    /**
     * Time of the oldest answer that a source gave to a completed scan; null when none is known. An answer that was kept
     * for a source that failed does not count (docs/contract.md 5.1).
     */
    oldestAnswerAt: (id: ScanId): Date | null => toDate(oldestAnswer.get(id) ?? null),
    /** The newest completed scan of the same indicator that ended before this one; null when there is none. */
    completedBefore: (id: ScanId): ScanId | null => completedBefore.get(id) ?? null,
    /**
     * Finished scans of an indicator that ended at `since` or later, newest first. A cursor is the rank of a scan. Null for
     * a cursor that is not valid.
     */
    past(hash: string, workspaceId: WorkspaceId, page: { limit: number; cursor: string | null; since: Date }) {
      const below = page.cursor === null ? Number.MAX_SAFE_INTEGER : parseRank(page.cursor);
      if (below === null) return null;
      const rows = past.all(hash, workspaceId, below, page.since.getTime(), page.limit + 1);
      const shown = rows.slice(0, page.limit);
      const lastRank = shown.at(-1)?.finished_rank;
      const nextCursor = rows.length > page.limit && lastRank !== undefined ? String(lastRank) : null;
      return { scans: shown.map(toPast), nextCursor };
    },
    /** The scan of an indicator that nobody has claimed yet. */
    waiting: (hash: string, workspaceId: WorkspaceId): ScanId | null => waiting.get(hash, workspaceId) ?? null,
    countUnfinished: (): number => countUnfinished.get()?.count ?? 0,

    insert(scan: NewScan, state: "queued" | "scanning", isBulk: boolean): void {
      const { id, workspaceId, indicator, indicatorHash, requestedAt, reach, freshSince } = scan;
      const { type, value } = indicator;
      const terms = [isBulk ? 1 : 0, reach === "inside" ? 1 : 0, freshSince?.getTime() ?? null];
      insert.run(id, workspaceId, type, value, indicatorHash, state, requestedAt.getTime(), ...terms);
    },
    /** A scan that has not started will use only answers after this time. */
    tighten(id: ScanId, freshSince: Date): void {
      tighten.run({ id, since: freshSince.getTime() });
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

function parseRank(cursor: string): number | null {
  return /^[1-9]\d{0,14}$/.test(cursor) ? Number(cursor) : null;
}

function toPast(row: PastRow): PastScan {
  return {
    scanId: row.id,
    state: row.state,
    finishedAt: toDate(row.finished_at),
    isPartial: row.is_partial === 1,
    reach: toReach(row.is_inside),
    digest: row.digest,
    total: row.total,
  };
}

export function toReach(isInside: number): Reach {
  return isInside === 1 ? "inside" : "full";
}

/** `fresh_since` is only read for unfinished scans: a finished one is not joined. */
function toFacts(row: FactsRow & Partial<UnfinishedRow>): ScanFacts {
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
    reach: toReach(row.is_inside),
    requestedAt: toDate(row.requested_at),
    freshSince: toDate(row.fresh_since ?? null),
    oldestAnswerAt: null,
  };
}
