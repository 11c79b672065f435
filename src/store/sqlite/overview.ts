import type { Budget, BudgetKind } from "../../domain/budget.ts";
import type { SourceErrorReason } from "../../domain/error.ts";
import type { Outcome, SourceRun } from "../../domain/scan.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { KeyBudget, Overview, RetentionLimits } from "../store.ts";
import type { Connection } from "./driver.ts";
import { lazily } from "./lazily.ts";
import { toDate } from "./workspace.ts";

type UsageRow = { hour: number; requests: number; hits: number; polls: number };
type SourceRow = {
  source: string;
  hour: number;
  outcome: Outcome;
  runs: number;
  duration_ms: number;
  ended_at: number;
  error: SourceErrorReason | null;
  quota_left: number | null;
};
type BudgetRow = { key_id: string; kind: BudgetKind; window_started_at: number; count: number };

const hourMs = 3_600_000;

/** The totals that the dashboard shows, and their writing where they are not written with something else. */
export function overviewTable(connection: Connection) {
  const usage = connection.prepare<[string, number], UsageRow>(
    "SELECT hour, requests, hits, polls FROM usage WHERE workspace_id = ? AND hour >= ? ORDER BY hour",
  );
  const sources = connection.prepare<[string, number], SourceRow>(
    `SELECT source, hour, outcome, runs, duration_ms, ended_at, error, quota_left FROM source_usage
     WHERE workspace_id = ? AND hour >= ? ORDER BY source, hour, outcome`,
  );
  // Both go through a partial index that holds unfinished scans only.
  const queued = connection.prepare<[string], { count: number }>(
    "SELECT count(*) AS count FROM scan WHERE state = 'queued' AND workspace_id = ?",
  );
  const running = connection.prepare<[string], { count: number }>(
    "SELECT count(*) AS count FROM scan WHERE lease_until IS NOT NULL AND workspace_id = ?",
  );
  const budgets = connection.prepare<[string], BudgetRow>(
    `SELECT b.key_id, b.kind, b.window_started_at, b.count FROM budget b JOIN api_key k ON k.id = b.key_id
     WHERE k.workspace_id = ? AND k.revoked_at IS NULL ORDER BY b.key_id, b.kind`,
  );
  const addRun = connection.prepare(
    `INSERT INTO source_usage (workspace_id, hour, source, outcome, runs, duration_ms, ended_at, error, quota_left)
     VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET runs = runs + 1, duration_ms = duration_ms + excluded.duration_ms,
       ended_at = excluded.ended_at, error = excluded.error, quota_left = excluded.quota_left`,
  );
  const expiredSources = connection.prepare(
    `DELETE FROM source_usage WHERE (workspace_id, hour, source, outcome) IN
       (SELECT workspace_id, hour, source, outcome FROM source_usage WHERE hour < ? LIMIT ?)`,
  );
  const expiredUsage = lazily(() =>
    connection.prepare(
      `DELETE FROM usage WHERE (workspace_id, hour) IN (SELECT workspace_id, hour FROM usage WHERE hour < ? LIMIT ?)`,
    ),
  );

  return {
    of(workspaceId: WorkspaceId, since: Date): Overview {
      const from = since.getTime();
      return {
        queuedCount: queued.get(workspaceId)?.count ?? 0,
        runningCount: running.get(workspaceId)?.count ?? 0,
        usage: usage.all(workspaceId, from).map((row) => ({ ...row, hour: toDate(row.hour) })),
        sources: sources.all(workspaceId, from).map((row) => ({
          source: row.source,
          hour: toDate(row.hour),
          outcome: row.outcome,
          runCount: row.runs,
          durationMs: row.duration_ms,
          lastEndedAt: toDate(row.ended_at),
          lastError: row.error,
          lastQuotaLeft: row.quota_left,
        })),
      };
    },
    budgetsOf(workspaceId: WorkspaceId): KeyBudget[] {
      return budgets.all(workspaceId).map((row) => {
        const budget: Budget = { windowStartedAt: toDate(row.window_started_at), count: row.count };
        return { keyId: row.key_id, kind: row.kind, budget };
      });
    },
    countRun(workspaceId: WorkspaceId, { source, outcome, durationMs, endedAt, error, quotaLeft }: SourceRun): void {
      const at = endedAt.getTime();
      addRun.run(workspaceId, at - (at % hourMs), source, outcome, durationMs, at, error, quotaLeft);
    },
    removeBefore({ scansFinishedBefore, usageBefore }: RetentionLimits, maxRows: number): void {
      expiredSources.run(scansFinishedBefore.getTime(), maxRows);
      expiredUsage().run(usageBefore.getTime(), maxRows);
    },
  };
}
