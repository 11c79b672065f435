import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Overview, OverviewStore } from "../port/overview.ts";
import type { budgetTable } from "./budget.ts";
import type { Connection } from "./driver.ts";
import type { sourceUsageTable } from "./source-usage.ts";
import type { Transactions } from "./transactions.ts";
import type { usageTable } from "./usage.ts";

/** Reads the data of the dashboard about a workspace. */
export function overviewReader(
  connection: Connection,
  usage: Pick<ReturnType<typeof usageTable>, "since">,
  sources: Pick<ReturnType<typeof sourceUsageTable>, "since">,
) {
  // Both use a partial index that holds only unfinished scans.
  const queued = connection.prepare<[string], { count: number }>(
    "SELECT count(*) AS count FROM scan WHERE state = 'queued' AND workspace_id = ?",
  );
  const running = connection.prepare<[string], { count: number }>(
    "SELECT count(*) AS count FROM scan WHERE lease_until IS NOT NULL AND workspace_id = ?",
  );

  return {
    of: (workspaceId: WorkspaceId, since: Date): Overview => ({
      queuedCount: queued.get(workspaceId)?.count ?? 0,
      runningCount: running.get(workspaceId)?.count ?? 0,
      usage: usage.since(workspaceId, since),
      sources: sources.since(workspaceId, since),
    }),
  };
}

export function overviewStore(
  { read }: Transactions,
  overviews: () => ReturnType<typeof overviewReader>,
  budgets: Pick<ReturnType<typeof budgetTable>, "ofWorkspace">,
): OverviewStore {
  return {
    overview: (...args) => read(() => overviews().of(...args)),
    listBudgets: (workspaceId) => read(() => budgets.ofWorkspace(workspaceId)),
  };
}
