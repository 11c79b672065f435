import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Overview } from "../port/overview.ts";
import type { Connection } from "./driver.ts";
import { lazily } from "./lazily.ts";
import { hourOf, toDate } from "./time.ts";

type UsageRow = { hour: number; requests: number; hits: number; polls: number };

/** The number of calls of one workspace in one transaction. */
export type Usage = { readonly requests: number; readonly hits: number; readonly polls: number };

/** Calls by workspace and hour. */
export function usageTable(connection: Connection) {
  const add = connection.prepare(
    `INSERT INTO usage (workspace_id, hour, requests, hits, polls) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, hits = hits + excluded.hits,
       polls = polls + excluded.polls`,
  );
  const since = lazily(() =>
    connection.prepare<[string, number], UsageRow>(
      "SELECT hour, requests, hits, polls FROM usage WHERE workspace_id = ? AND hour >= ? ORDER BY hour",
    ),
  );
  const expired = lazily(() =>
    connection.prepare(
      `DELETE FROM usage WHERE (workspace_id, hour) IN (SELECT workspace_id, hour FROM usage WHERE hour < ? LIMIT ?)`,
    ),
  );

  return {
    add(workspaceId: WorkspaceId, { requests, hits, polls }: Usage, now: Date): void {
      add.run(workspaceId, hourOf(now), requests, hits, polls);
    },
    since(workspaceId: WorkspaceId, from: Date): Overview["usage"] {
      return since()
        .all(workspaceId, from.getTime())
        .map((row) => ({ ...row, hour: toDate(row.hour) }));
    },
    removeBefore(before: Date, maxRows: number): void {
      expired().run(before.getTime(), maxRows);
    },
  };
}
