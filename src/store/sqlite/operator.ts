import { type AuditAction, type Author, auditEvent } from "../../domain/audit.ts";
import { newOperatorFault, type Operator, type OperatorRole } from "../../domain/operator.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { NewOperator, NewSession, OperatorCredential, OperatorStore } from "../port/operator.ts";
import type { auditTable } from "./audit.ts";
import type { subjectTable } from "./audit-subject.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";
import type { Transactions } from "./transactions.ts";

type OperatorRow = {
  id: string;
  workspace_id: WorkspaceId;
  name: string;
  role: OperatorRole;
  created_at: number;
  revoked_at: number | null;
};

const columns = "o.id, o.workspace_id, o.name, o.role, o.created_at, o.revoked_at";

/** Operators and their sessions. */
export function operatorTable(
  connection: Connection,
  audit: Pick<ReturnType<typeof auditTable>, "append">,
  subjects: Pick<ReturnType<typeof subjectTable>, "of">,
) {
  const insert = connection.prepare(
    "INSERT INTO operator (id, workspace_id, name, role, token_hash, created_at) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const byId = connection.prepare<[string, string], OperatorRow>(
    `SELECT ${columns} FROM operator o WHERE o.id = ? AND o.workspace_id = ?`,
  );
  const ofWorkspace = connection.prepare<[string], OperatorRow>(
    `SELECT ${columns} FROM operator o WHERE o.workspace_id = ? ORDER BY o.created_at, o.id`,
  );
  const revoke = connection.prepare("UPDATE operator SET revoked_at = ? WHERE id = ?");
  const byToken = connection.prepare<[string], OperatorRow & { hash: string }>(
    `SELECT ${columns}, o.token_hash AS hash FROM operator o WHERE o.token_hash = ? AND o.revoked_at IS NULL`,
  );
  const bySession = connection.prepare<[string, number], OperatorRow & { hash: string }>(
    `SELECT ${columns}, s.hash FROM session s JOIN operator o ON o.id = s.operator_id
     WHERE s.hash = ? AND s.expires_at > ? AND o.revoked_at IS NULL`,
  );
  const insertSession = connection.prepare("INSERT INTO session (hash, operator_id, expires_at) VALUES (?, ?, ?)");
  const dropSession = connection.prepare("DELETE FROM session WHERE hash = ?");
  const dropSessionsOf = connection.prepare("DELETE FROM session WHERE operator_id = ?");
  const dropAllSessions = connection.prepare("DELETE FROM session");
  const dropExpired = connection.prepare("DELETE FROM session WHERE expires_at <= ?");

  function find(workspaceId: WorkspaceId, id: string): Operator | null {
    const row = byId.get(id, workspaceId);
    return row === undefined ? null : toOperator(row);
  }

  function findBy(credential: OperatorCredential, now: Date): Operator | null {
    const hash = "tokenHash" in credential ? credential.tokenHash : credential.sessionHash;
    const row = "tokenHash" in credential ? byToken.get(hash) : bySession.get(hash, now.getTime());
    if (row === undefined || !crypto.timingSafeEqual(Buffer.from(row.hash), Buffer.from(hash))) return null;
    return toOperator(row);
  }

  function record(by: Author, action: AuditAction, { workspaceId, name }: Operator, changed: string | null): void {
    const about = changed === null ? null : subjects.of("operator", [changed]);
    audit.append([auditEvent(by, action, { workspaceId, detail: name, subjects: about })]);
  }

  return {
    insert(operator: NewOperator, by: Author): Operator {
      const { id, workspaceId, name, role, tokenHash, createdAt } = operator;
      const fault = newOperatorFault(name, ofWorkspace.all(workspaceId).map(toOperator));
      if (fault !== null) throw fault;
      insert.run(id, workspaceId, name, role, tokenHash, createdAt.getTime());
      const created: Operator = { id, workspaceId, name, role, createdAt, revokedAt: null };
      record(by, "workspace.operator_created", created, id);
      return created;
    },

    revoke(workspaceId: WorkspaceId, id: string, by: Author): Operator | null {
      const operator = find(workspaceId, id);
      if (operator === null || operator.revokedAt !== null) return operator;
      revoke.run(by.at.getTime(), id);
      dropSessionsOf.run(id);
      record(by, "workspace.operator_revoked", operator, id);
      return { ...operator, revokedAt: by.at };
    },

    list: (workspaceId: WorkspaceId): Operator[] => ofWorkspace.all(workspaceId).map(toOperator),
    findBy,

    startSession({ hash, operator, expiresAt }: NewSession, by: Author): void {
      dropExpired.run(by.at.getTime());
      insertSession.run(hash, operator.id, expiresAt.getTime());
      record(by, "workspace.session_started", operator, null);
    },

    endAllSessions(): void {
      dropAllSessions.run();
    },

    endSession(hash: string, by: Author): boolean {
      const operator = findBy({ sessionHash: hash }, by.at);
      if (operator === null) return false;
      dropSession.run(hash);
      record(by, "workspace.session_ended", operator, null);
      return true;
    },
  };
}

export function operatorStore(
  { read, write, writeUrgently }: Transactions,
  operators: () => ReturnType<typeof operatorTable>,
): OperatorStore {
  return {
    insertOperator: (...args) => write(() => operators().insert(...args)),
    revokeOperator: (...args) => writeUrgently(() => operators().revoke(...args)),
    listOperators: (workspaceId) => read(() => operators().list(workspaceId)),
    findOperator: (...args) => read(() => operators().findBy(...args)),
    startSession: (...args) => writeUrgently(() => operators().startSession(...args)),
    endSession: (...args) => writeUrgently(() => operators().endSession(...args)),
  };
}

function toOperator(row: OperatorRow): Operator {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    role: row.role,
    createdAt: toDate(row.created_at),
    revokedAt: toDate(row.revoked_at),
  };
}
