import type { WorkspaceId } from "./workspace.ts";

export const operatorRoles = ["admin", "viewer"] as const;
/** An admin manages keys; a viewer reads everything except keys (docs/contract.md 9.1). */
export type OperatorRole = (typeof operatorRoles)[number];

/** A person who administers one workspace. */
export type Operator = {
  readonly id: string;
  readonly workspaceId: WorkspaceId;
  readonly name: string;
  readonly role: OperatorRole;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
};
