import { AppError } from "./error.ts";
import { foldName, type WorkspaceId } from "./workspace.ts";

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

/**
 * May an operator of this name be added beside those that the workspace has? Null, or what the caller is told. The audit
 * trail names operators, so two at once must not share a name; the name of a revoked one is free.
 */
export function newOperatorFault(
  name: string,
  operators: readonly Pick<Operator, "name" | "revokedAt">[],
): AppError | null {
  const taken = operators.some((one) => one.revokedAt === null && foldName(one.name) === foldName(name));
  return taken ? new AppError("conflict", "An operator of that name exists already") : null;
}
