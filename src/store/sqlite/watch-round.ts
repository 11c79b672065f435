import type { CorpusRevisions, RoundCounts, WatchTrigger } from "../../domain/watch.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { NewRound, WatchRound } from "../port/watch.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";

type Row = {
  workspace_id: WorkspaceId;
  trigger: WatchTrigger;
  started_at: number;
  changed: string;
  corpora: string;
  after_id: number;
  checked_count: number;
  matched_count: number;
  new_count: number;
  failed_count: number;
};

/** Rounds under way, at most one of each trigger in a workspace. */
export function watchRoundTable(connection: Connection) {
  const of = connection.prepare<[string], Row>("SELECT * FROM watch_round WHERE workspace_id = ?");
  const find = connection.prepare<[string, string], Row>(
    "SELECT * FROM watch_round WHERE workspace_id = ? AND trigger = ?",
  );
  const begin = connection.prepare(
    `INSERT INTO watch_round (workspace_id, trigger, started_at, changed, corpora, after_id,
       checked_count, matched_count, new_count, failed_count) VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING`,
  );
  const advance = connection.prepare(
    `UPDATE watch_round SET after_id = coalesce(?, after_id), checked_count = checked_count + ?,
       matched_count = matched_count + ?, new_count = new_count + ?, failed_count = failed_count + ?
     WHERE workspace_id = ? AND trigger = ?`,
  );
  const remove = connection.prepare("DELETE FROM watch_round WHERE workspace_id = ? AND trigger = ?");

  return {
    of: (workspaceId: WorkspaceId): WatchRound[] => of.all(workspaceId).map(toRound),
    find(workspaceId: WorkspaceId, trigger: WatchTrigger): WatchRound | null {
      const row = find.get(workspaceId, trigger);
      return row === undefined ? null : toRound(row);
    },
    begin({ workspaceId, trigger, startedAt, changed, corpora }: NewRound): void {
      begin.run(workspaceId, trigger, startedAt.getTime(), JSON.stringify(changed), JSON.stringify(corpora));
    },
    advance(workspaceId: WorkspaceId, trigger: WatchTrigger, afterId: number | null, counts: RoundCounts): void {
      const { checked, matched, new: fresh, failed } = counts;
      advance.run(afterId, checked, matched, fresh, failed, workspaceId, trigger);
    },
    remove(workspaceId: WorkspaceId, trigger: WatchTrigger): void {
      remove.run(workspaceId, trigger);
    },
  };
}

function toRound(row: Row): WatchRound {
  return {
    workspaceId: row.workspace_id,
    trigger: row.trigger,
    startedAt: toDate(row.started_at),
    changed: JSON.parse(row.changed) as string[],
    corpora: JSON.parse(row.corpora) as CorpusRevisions,
    afterId: row.after_id,
    counts: {
      checked: row.checked_count,
      matched: row.matched_count,
      new: row.new_count,
      failed: row.failed_count,
    },
  };
}
