import type { Author } from "../../domain/audit.ts";
import type { Operator, OperatorRole } from "../../domain/operator.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";

/** Operators and their sessions. */
export interface OperatorStore {
  insertOperator(operator: NewOperator, by: Author): Promise<Operator>;
  /**
   * Revokes an operator and ends its sessions; a revoked operator stays as it is. Null when there is no such operator.
   */
  revokeOperator(workspaceId: WorkspaceId, id: string, by: Author): Promise<Operator | null>;
  /** Oldest first, including revoked operators. */
  listOperators(workspaceId: WorkspaceId): Promise<Operator[]>;
  /** The operator with this token or unexpired session; null when it was revoked. */
  findOperator(credential: OperatorCredential, now: Date): Promise<Operator | null>;
  startSession(session: NewSession, by: Author): Promise<void>;
  /** False when there was no such session. */
  endSession(sessionHash: string, by: Author): Promise<boolean>;
}

export type NewOperator = {
  readonly id: string;
  readonly workspaceId: WorkspaceId;
  readonly name: string;
  readonly role: OperatorRole;
  readonly tokenHash: string;
  readonly createdAt: Date;
};

export type OperatorCredential = { readonly tokenHash: string } | { readonly sessionHash: string };

export type NewSession = {
  readonly hash: string;
  readonly operator: Operator;
  readonly expiresAt: Date;
};
