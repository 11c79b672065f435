import type { BulkId, BulkState } from "../../domain/bulk.ts";
import { isFinished, type ScanId, type ScanState } from "../../domain/scan.ts";
import type { BulkPollFacts, StoredBulk } from "../../domain/serve-call.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { BulkStore, WantedRows } from "../port/bulk.ts";
import type { Connection } from "./driver.ts";
import { toReach } from "./scan.ts";
import { toDate } from "./time.ts";
import type { Transactions } from "./transactions.ts";

type FailedSources = NonNullable<BulkState["scan"]>["failedSources"];

type ItemRow = {
  indicator_type: string | null;
  indicator_value: string | null;
  indicator_hash: string | null;
  scan_id: ScanId | null;
  error_code: string | null;
  error_message: string | null;
  state: ScanState | null;
  is_partial: number;
  is_inside: number;
  digest: string | null;
  total: number | null;
  tail: string | null;
  failed_sources: string | null;
};

/** A list is read in the name of a workspace: a scan of another one is never in it, but that is not left to trust. */
const joined = "bulk_item i LEFT JOIN scan s ON s.id = i.scan_id AND s.workspace_id = @workspaceId";

/** `tail`: which of the envelope tails are read. A scan of before the column `total` has its number in the envelope only. */
const rowsWith = (tail: string) =>
  `SELECT i.indicator_type, i.indicator_value, i.indicator_hash, i.scan_id, i.error_code, i.error_message,
     s.state, s.is_partial, s.is_inside, s.digest, s.total, ${tail} AS tail,
     (SELECT json_group_array(json_object('source', source, 'error', coalesce(error, 'internal')) ORDER BY source) FROM source_run WHERE scan_id = s.id AND outcome = 'failed') AS failed_sources
   FROM ${joined} WHERE i.bulk_id = @bulkId AND i.position >= @from ORDER BY i.position LIMIT @maxCount`;

/** Lists of indicators and their rows. */
export function bulkTable(connection: Connection) {
  const insert = connection.prepare("INSERT INTO bulk (id, workspace_id, created_at, row_count) VALUES (?, ?, ?, ?)");
  const insertItem = connection.prepare(
    `INSERT INTO bulk_item (bulk_id, position, indicator_type, indicator_value, indicator_hash, scan_id, error_code, error_message)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const find = connection.prepare<[string, string], { created_at: number; row_count: number }>(
    "SELECT created_at, row_count FROM bulk WHERE id = ? AND workspace_id = ?",
  );
  type Named = { workspaceId: string; bulkId: string };
  const unfinished = `FROM ${joined} WHERE i.bulk_id = @bulkId AND s.finished_at IS NULL AND s.id IS NOT NULL`;
  const pending = connection.prepare<[Named], { position: number }>(
    `SELECT i.position ${unfinished} ORDER BY i.position LIMIT 1`,
  );
  const rows = connection.prepare<[Named & { from: number; maxCount: number }], ItemRow>(
    rowsWith("CASE WHEN s.total IS NULL THEN s.envelope_tail END"),
  );
  const rowsWithEnvelopes = connection.prepare<[Named & { from: number; maxCount: number }], ItemRow>(
    rowsWith("s.envelope_tail"),
  );
  const forget = connection.prepare(
    "UPDATE bulk_item SET indicator_type = NULL, indicator_value = NULL, indicator_hash = NULL WHERE indicator_hash = ?",
  );
  // One list may have a thousand rows.
  const expired = connection.prepare(
    "DELETE FROM bulk WHERE id IN (SELECT id FROM bulk WHERE created_at < ? ORDER BY created_at LIMIT 1)",
  );

  return {
    insert({ id, workspaceId, createdAt, items }: StoredBulk): void {
      insert.run(id, workspaceId, createdAt.getTime(), items.length);
      for (const [position, { type, value, indicatorHash, scanId, error }] of items.entries()) {
        insertItem.run(id, position, type, value, indicatorHash, scanId, error?.code ?? null, error?.message ?? null);
      }
    },
    factsOf(id: BulkId, workspaceId: WorkspaceId): BulkPollFacts | null {
      const row = find.get(id, workspaceId);
      if (row === undefined) return null;
      const hasPending = pending.get({ workspaceId, bulkId: id }) !== undefined;
      return { createdAt: toDate(row.created_at), rowCount: row.row_count, hasPending };
    },
    rows(workspaceId: WorkspaceId, bulkId: BulkId, { from, maxCount, envelopesUpTo }: WantedRows): BulkState[] {
      // Rows of a list that is none of the workspace have no scans, but they have addresses.
      if (find.get(bulkId, workspaceId) === undefined) return [];
      if (envelopesUpTo === null) return rows.all({ workspaceId, bulkId, from, maxCount }).map((row) => toState(row));
      const states: BulkState[] = [];
      let length = 0;
      for (const row of rowsWithEnvelopes.iterate({ workspaceId, bulkId, from, maxCount })) {
        states.push(toState(row, row.tail));
        length += row.tail?.length ?? 0;
        if (length > envelopesUpTo) break;
      }
      return states;
    },
    pending(workspaceId: WorkspaceId, bulkId: BulkId): BulkState | null {
      const row = pending.get({ workspaceId, bulkId });
      if (row === undefined) return null;
      const [found] = rows.all({ workspaceId, bulkId, from: row.position, maxCount: 1 });
      return found === undefined ? null : toState(found);
    },
    /** The rows stay, without what they were about. */
    forget(indicatorHash: string): void {
      forget.run(indicatorHash);
    },
    removeBefore: (before: Date): number => expired.run(before.getTime()).changes,
  };
}

function toState(row: ItemRow, envelopeTail: string | null = null): BulkState {
  const { indicator_type: type, indicator_value: value, indicator_hash: indicatorHash, scan_id: scanId, state } = row;
  const { error_code: code, error_message: message } = row;
  const error = code === null || message === null ? null : { code, message };
  const item = { type, value, indicatorHash, scanId, error };
  if (state === null) return { ...item, scan: null };
  return {
    ...item,
    scan: {
      state,
      reach: toReach(row.is_inside),
      isPartial: row.is_partial === 1,
      digest: row.digest,
      total: row.total ?? totalIn(row.tail),
      failedSources: isFinished(state) ? (JSON.parse(row.failed_sources ?? "[]") as FailedSources) : [],
      envelopeTail: state === "completed" ? envelopeTail : null,
    },
  };
}

/** Behind the findings only numbers and a constant text follow. */
function totalIn(envelopeTail: string | null): number | null {
  if (envelopeTail === null) return null;
  const name = '"total":';
  const total = Number.parseInt(envelopeTail.slice(envelopeTail.lastIndexOf(name) + name.length), 10);
  return Number.isNaN(total) ? null : total;
}

export function bulkStore({ read }: Transactions, bulks: ReturnType<typeof bulkTable>): BulkStore {
  return {
    readBulkRows: (...args) => read(() => bulks.rows(...args)),
    findPending: (...args) => read(() => bulks.pending(...args)),
  };
}
