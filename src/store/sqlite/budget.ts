import type { Budget, BudgetKind } from "../../domain/budget.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { KeyBudget } from "../port/overview.ts";
import type { Connection } from "./driver.ts";
import { lazily } from "./lazily.ts";
import { toDate } from "./time.ts";

type BudgetRow = { kind: BudgetKind; window_started_at: number; count: number };

/** The window and count of each key and kind of call. */
export function budgetTable(connection: Connection) {
  const ofKey = connection.prepare<[string], BudgetRow>(
    "SELECT kind, window_started_at, count FROM budget WHERE key_id = ?",
  );
  const save = connection.prepare(
    `INSERT INTO budget (key_id, kind, window_started_at, count) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET window_started_at = excluded.window_started_at, count = excluded.count`,
  );
  const copy = lazily(() =>
    connection.prepare(
      `INSERT INTO budget (key_id, kind, window_started_at, count)
       SELECT ?, kind, window_started_at, count FROM budget WHERE key_id = ?`,
    ),
  );
  const ofWorkspace = lazily(() =>
    connection.prepare<[string], BudgetRow & { key_id: string }>(
      `SELECT b.key_id, b.kind, b.window_started_at, b.count FROM budget b JOIN api_key k ON k.id = b.key_id
       WHERE k.workspace_id = ? AND k.revoked_at IS NULL ORDER BY b.key_id, b.kind`,
    ),
  );

  return {
    /** By kind. A budget that was never charged is left out. */
    ofKey: (keyId: string): [BudgetKind, Budget][] => ofKey.all(keyId).map((row) => [row.kind, toBudget(row)]),

    save(keyId: string, kind: BudgetKind, { windowStartedAt, count }: Budget): void {
      save.run(keyId, kind, windowStartedAt.getTime(), count);
    },

    copy(fromKeyId: string, toKeyId: string): void {
      copy().run(toKeyId, fromKeyId);
    },

    /** Budgets of keys that are not revoked. */
    ofWorkspace: (workspaceId: WorkspaceId): KeyBudget[] =>
      ofWorkspace()
        .all(workspaceId)
        .map((row) => ({ keyId: row.key_id, kind: row.kind, budget: toBudget(row) })),
  };
}

function toBudget({ window_started_at, count }: BudgetRow): Budget {
  return { windowStartedAt: toDate(window_started_at), count };
}
