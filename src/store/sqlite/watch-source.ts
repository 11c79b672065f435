import type { Failing } from "../../domain/watch.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";

type Row = { failing_since: number; is_told: number };

/** The sources that failed in the last check that asked them. */
export function watchSourceTable(connection: Connection) {
  const find = connection.prepare<[string, string], Row>(
    "SELECT failing_since, is_told FROM watch_source WHERE workspace_id = ? AND source = ?",
  );
  const save = connection.prepare(
    `INSERT INTO watch_source (workspace_id, source, failing_since, is_told) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET failing_since = excluded.failing_since, is_told = excluded.is_told`,
  );
  const remove = connection.prepare("DELETE FROM watch_source WHERE workspace_id = ? AND source = ?");

  return {
    find(workspaceId: WorkspaceId, source: string): Failing | null {
      const row = find.get(workspaceId, source);
      return row === undefined ? null : { since: toDate(row.failing_since), isTold: row.is_told === 1 };
    },
    /** Null: it does not fail. */
    save(workspaceId: WorkspaceId, source: string, failing: Failing | null): void {
      if (failing === null) remove.run(workspaceId, source);
      else save.run(workspaceId, source, failing.since.getTime(), failing.isTold ? 1 : 0);
    },
  };
}
