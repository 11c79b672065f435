import type { Author } from "../domain/audit.ts";
import { AppError } from "../domain/error.ts";
import { type Plan, parseWorkspaceName, type Workspace, type WorkspaceId } from "../domain/workspace.ts";
import type { NewOperator } from "../store/port/operator.ts";
import type { WorkspaceStore } from "../store/port/workspace.ts";
import type { WorkspaceBody } from "../wire/workspace.ts";

/**
 * Adds a workspace (docs/contract.md 12.3). Throws `invalid_request` for a name that is empty, too long or has the form
 * of an id, and `conflict` for a name in use, ignoring case.
 */
export async function createWorkspace(
  name: string,
  plan: Plan,
  store: Pick<WorkspaceStore, "insertWorkspace">,
  newId: () => string,
  by: Author,
  firstOperator: ((workspaceId: WorkspaceId) => NewOperator) | null = null,
): Promise<Workspace> {
  const parsed = parseWorkspaceName(name);
  if (parsed === null) {
    throw new AppError(
      "invalid_request",
      "The name of a workspace needs 1 to 64 characters, no control characters, and must not have the form of an id",
    );
  }
  const workspace: Workspace = { id: newId() as WorkspaceId, name: parsed, plan, disabledAt: null };
  await store.insertWorkspace(workspace, firstOperator?.(workspace.id) ?? null, by);
  return workspace;
}

/** Finds a workspace by id or name. Throws `not_found`. */
export async function getWorkspace(idOrName: string, store: Pick<WorkspaceStore, "findWorkspace">): Promise<Workspace> {
  const workspace = await store.findWorkspace(idOrName);
  if (workspace === null) throw new AppError("not_found", "There is no such workspace");
  return workspace;
}

/** The object printed by commands and shown in the dashboard. */
export function workspaceBody(workspace: Workspace): WorkspaceBody {
  const status = workspace.disabledAt === null ? "active" : "disabled";
  return { id: workspace.id, name: workspace.name, plan: workspace.plan, status };
}
