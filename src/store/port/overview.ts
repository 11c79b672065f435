import type { Budget, BudgetKind } from "../../domain/budget.ts";
import type { SourceErrorReason } from "../../domain/error.ts";
import type { Outcome } from "../../domain/scan.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";

/** What the dashboard shows of a workspace. */
export interface OverviewStore {
  /** What the dashboard shows of a workspace: its totals by hour since `since`, and the scans that are not finished. */
  overview(workspaceId: WorkspaceId, since: Date): Promise<Overview>;
  /** What the keys of a workspace that are not revoked have used, as it was written last; a window may be over. */
  listBudgets(workspaceId: WorkspaceId): Promise<KeyBudget[]>;
}

export type Overview = {
  readonly queuedCount: number;
  readonly runningCount: number;
  /** One row per hour with calls, ascending; `hour` is its start. */
  readonly usage: readonly {
    readonly hour: Date;
    readonly requests: number;
    readonly hits: number;
    readonly polls: number;
  }[];
  /** How each source that was asked fared, by source, hour and outcome, ascending. */
  readonly sources: readonly SourceHour[];
};

export type SourceHour = {
  readonly source: string;
  readonly hour: Date;
  readonly outcome: Outcome;
  readonly runCount: number;
  /** Of all these runs together. */
  readonly durationMs: number;
  readonly lastEndedAt: Date;
  readonly lastError: SourceErrorReason | null;
  readonly lastQuotaLeft: number | null;
};

export type KeyBudget = { readonly keyId: string; readonly kind: BudgetKind; readonly budget: Budget };
