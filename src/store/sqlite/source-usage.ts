import type { SourceErrorReason } from "../../domain/error.ts";
import type { Outcome, SourceRun } from "../../domain/scan.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { SourceHour } from "../port/overview.ts";
import type { Connection } from "./driver.ts";
import { lazily } from "./lazily.ts";
import { hourOf, toDate } from "./time.ts";

type SourceUsageRow = {
  source: string;
  hour: number;
  outcome: Outcome;
  runs: number;
  duration_ms: number;
  ended_at: number;
  error: SourceErrorReason | null;
  quota_left: number | null;
};

/** The outcomes of the sources that were asked, by workspace, hour and outcome. */
export function sourceUsageTable(connection: Connection) {
  const add = connection.prepare(
    `INSERT INTO source_usage (workspace_id, hour, source, outcome, runs, duration_ms, ended_at, error, quota_left)
     VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET runs = runs + 1, duration_ms = duration_ms + excluded.duration_ms,
       ended_at = excluded.ended_at, error = excluded.error, quota_left = excluded.quota_left`,
  );
  const since = lazily(() =>
    connection.prepare<[string, number], SourceUsageRow>(
      `SELECT source, hour, outcome, runs, duration_ms, ended_at, error, quota_left FROM source_usage
       WHERE workspace_id = ? AND hour >= ? ORDER BY source, hour, outcome`,
    ),
  );
  const expired = lazily(() =>
    connection.prepare(
      `DELETE FROM source_usage WHERE (workspace_id, hour, source, outcome) IN
         (SELECT workspace_id, hour, source, outcome FROM source_usage WHERE hour < ? LIMIT ?)`,
    ),
  );

  return {
    add(workspaceId: WorkspaceId, { source, outcome, durationMs, endedAt, error, quotaLeft }: SourceRun): void {
      add.run(workspaceId, hourOf(endedAt), source, outcome, durationMs, endedAt.getTime(), error, quotaLeft);
    },
    since(workspaceId: WorkspaceId, from: Date): SourceHour[] {
      return since()
        .all(workspaceId, from.getTime())
        .map((row) => ({
          source: row.source,
          hour: toDate(row.hour),
          outcome: row.outcome,
          runCount: row.runs,
          durationMs: row.duration_ms,
          lastEndedAt: toDate(row.ended_at),
          lastError: row.error,
          lastQuotaLeft: row.quota_left,
        }));
    },
    removeBefore(before: Date, maxRows: number): void {
      expired().run(before.getTime(), maxRows);
    },
  };
}
