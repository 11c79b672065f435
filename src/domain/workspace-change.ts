import type { AuditAction } from "./audit.ts";
import { AppError } from "./error.ts";
import type { Plan, Workspace } from "./workspace.ts";

export type WorkspaceChange = { readonly plan: Plan } | { readonly disabledAt: Date | null };

/** Checks that a workspace may be added. Null, or the refusal. `named` is the existing workspace with its name. */
export function newWorkspaceFault(named: Workspace | null): AppError | null {
  return named === null ? null : new AppError("conflict", "A workspace of that name exists already");
}

/** The audit action of a change, and its detail. */
export function namedChange(change: WorkspaceChange): { readonly action: AuditAction; readonly detail: Plan | null } {
  if ("plan" in change) return { action: "workspace.plan_changed", detail: change.plan };
  return { action: change.disabledAt === null ? "workspace.enabled" : "workspace.disabled", detail: null };
}
