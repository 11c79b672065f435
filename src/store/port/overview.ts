import type { Budget, BudgetKind } from "../../domain/budget.ts";
import type { SourceErrorReason } from "../../domain/error.ts";
import type { Outcome } from "../../domain/scan.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";

/** The data of the dashboard about a workspace. */
export interface OverviewStore {
  /** The totals of a workspace by hour since `since`, and the number of its unfinished scans. */
  overview(workspaceId: WorkspaceId, since: Date): Promise<Overview>;
  /** The last written use of each key of a workspace that is not revoked. The window may be over. */
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
  /** The outcomes of each source that was asked, by source, hour and outcome, ascending. */
  readonly sources: readonly SourceHour[];
};

export type SourceHour = {
  readonly source: string;
  readonly hour: Date;
  readonly outcome: Outcome;
  readonly runCount: number;
  /** The total of all these runs. */
  readonly durationMs: number;
  readonly lastEndedAt: Date;
  readonly lastError: SourceErrorReason | null;
  readonly lastQuotaLeft: number | null;
};

export type KeyBudget = { readonly keyId: string; readonly kind: BudgetKind; readonly budget: Budget };
