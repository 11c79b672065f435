import type { Author } from "../../domain/audit.ts";
import type { Workspace, WorkspaceId } from "../../domain/workspace.ts";
import type { WorkspaceChange } from "../../domain/workspace-change.ts";
import type { NewOperator } from "./operator.ts";

/** Workspaces. */
export interface WorkspaceStore {
  /** Adds a workspace and, for the first one, its operator. */
  insertWorkspace(workspace: Workspace, firstOperator: NewOperator | null, by: Author): Promise<void>;
  changeWorkspace(id: WorkspaceId, change: WorkspaceChange, by: Author): Promise<Workspace>;
  findWorkspace(idOrName: string): Promise<Workspace | null>;
  /** By name, ascending. */
  listWorkspaces(): Promise<Workspace[]>;
}
