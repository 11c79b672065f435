import type { NewScan, ScanId } from "../../domain/scan.ts";
import { firstScanAt } from "../../domain/watch.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { DueRow, WatchedRow, WatchPage } from "../port/watch.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";

type Row = { id: number; workspace_id: WorkspaceId; indicator_hash: string; sealed: Uint8Array };
type ListedRow = Row & { label: string | null; added_at: number; last_checked_at: number | null };
type StandingRow = { label: string | null; last_checked_at: number | null };
type ScannedRow = Row & { scan_id: ScanId; next_scan_at: number };

const columns = "id, workspace_id, indicator_hash, sealed";

/** The watched addresses of all workspaces. */
export function watchedTable(connection: Connection) {
  const insert = connection.prepare(
    "INSERT INTO watched (workspace_id, indicator_hash, sealed, label, added_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const relabel = connection.prepare("UPDATE watched SET label = ? WHERE workspace_id = ? AND indicator_hash = ?");
  const remove = connection.prepare("DELETE FROM watched WHERE workspace_id = ? AND indicator_hash = ?");
  const forget = connection.prepare("DELETE FROM watched WHERE indicator_hash = ?");
  const total = connection.prepare<[string], number>("SELECT count(*) FROM watched WHERE workspace_id = ?").pluck();
  const list = connection.prepare<[string, number, string | null, string | null, number], ListedRow>(
    `SELECT ${columns}, label, added_at, last_checked_at FROM watched
     WHERE workspace_id = ? AND id > ? AND (? IS NULL OR label = ?) ORDER BY id LIMIT ?`,
  );
  const after = connection.prepare<[string, number, number], Row>(
    `SELECT ${columns} FROM watched WHERE workspace_id = ? AND id > ? ORDER BY id LIMIT ?`,
  );
  const unchecked = connection.prepare<[string, number, number], Row>(
    `SELECT ${columns} FROM watched WHERE workspace_id = ? AND id > ? AND last_checked_at IS NULL ORDER BY id LIMIT ?`,
  );
  const standing = connection.prepare<[number, string], StandingRow>(
    "SELECT label, last_checked_at FROM watched WHERE id = ? AND workspace_id = ?",
  );
  const setChecked = connection.prepare("UPDATE watched SET last_checked_at = ? WHERE id = ?");
  const setScan = connection.prepare("UPDATE watched SET scan_id = ? WHERE id = ? AND scan_id IS NULL");
  const endScan = connection.prepare("UPDATE watched SET scan_id = NULL, next_scan_at = ? WHERE id = ?");
  const unscheduled = connection
    .prepare<[number, number], number>(
      "SELECT id FROM watched WHERE scan_id IS NULL AND (next_scan_at IS NULL OR next_scan_at > ?) LIMIT ?",
    )
    .pluck();
  const schedule = connection.prepare("UPDATE watched SET next_scan_at = ? WHERE id = ?");
  const due = connection.prepare<[number, number], Row & { name: string }>(
    `SELECT watched.id, workspace_id, indicator_hash, sealed, name FROM watched
     JOIN workspace ON workspace.id = workspace_id
     WHERE scan_id IS NULL AND next_scan_at <= ? AND disabled_at IS NULL ORDER BY next_scan_at LIMIT ?`,
  );
  const ended = connection.prepare<[number], ScannedRow>(
    `SELECT watched.id, watched.workspace_id, watched.indicator_hash, sealed, scan_id, next_scan_at FROM watched
     LEFT JOIN scan ON scan.id = scan_id
     WHERE scan_id IS NOT NULL AND (scan.id IS NULL OR scan.finished_at IS NOT NULL) LIMIT ?`,
  );
  const inScan = connection.prepare<[], number>("SELECT count(*) FROM watched WHERE scan_id IS NOT NULL").pluck();

  return {
    /** False when it is on the list already; a label that is given counts from then on. */
    add(workspaceId: WorkspaceId, hash: string, sealed: Uint8Array, label: string | null, now: Date): boolean {
      const isNew = insert.run(workspaceId, hash, sealed, label, now.getTime()).changes === 1;
      if (!isNew && label !== null) relabel.run(label, workspaceId, hash);
      return isNew;
    },
    remove: (workspaceId: WorkspaceId, hash: string): boolean => remove.run(workspaceId, hash).changes === 1,
    /** Deletes an address from the lists of all workspaces. */
    forget(hash: string): void {
      forget.run(hash);
    },
    total: (workspaceId: WorkspaceId): number => total.get(workspaceId) ?? 0,
    list: (workspaceId: WorkspaceId, { afterId, limit, label }: WatchPage) =>
      list.all(workspaceId, afterId, label, label, limit).map((row) => ({
        ...toWatched(row),
        label: row.label,
        addedAt: toDate(row.added_at),
        lastCheckedAt: toDate(row.last_checked_at),
      })),
    read(workspaceId: WorkspaceId, afterId: number, limit: number, isUnchecked: boolean): WatchedRow[] {
      return (isUnchecked ? unchecked : after).all(workspaceId, afterId, limit).map(toWatched);
    },
    /** Undefined when it was removed. */
    standing: (id: number, workspaceId: WorkspaceId): StandingRow | undefined => standing.get(id, workspaceId),
    setChecked(id: number, at: Date): void {
      setChecked.run(at.getTime(), id);
    },

    /** Returns how many were scheduled. */
    schedule(now: Date, intervalMs: number, limit: number): number {
      const ids = unscheduled.all(now.getTime() + intervalMs, limit);
      for (const id of ids) schedule.run(firstScanAt(id, now, intervalMs).getTime(), id);
      return ids.length;
    },
    due: (now: Date, limit: number): DueRow[] =>
      due.all(now.getTime(), limit).map((row) => ({
        ...toWatched(row),
        workspace: { id: row.workspace_id, name: row.name },
      })),
    setScan: (id: number, scanId: NewScan["id"]): boolean => setScan.run(scanId, id).changes === 1,
    endScan(id: number, nextAt: Date): void {
      endScan.run(nextAt.getTime(), id);
    },
    ended: (limit: number) =>
      ended.all(limit).map((row) => ({ ...toWatched(row), scanId: row.scan_id, dueAt: toDate(row.next_scan_at) })),
    countInScan: (): number => inScan.get() ?? 0,
  };
}

function toWatched({ id, workspace_id: workspaceId, indicator_hash: indicatorHash, sealed }: Row): WatchedRow {
  return { id, workspaceId, indicatorHash, sealed };
}
