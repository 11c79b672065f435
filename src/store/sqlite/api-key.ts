import type { ApiKey, KeyStatus } from "../../domain/api-key.ts";
import { type AuditAction, type Author, auditEvent } from "../../domain/audit.ts";
import { AppError } from "../../domain/error.ts";
import { newKeyFault, rightsText, rotationFault } from "../../domain/key-change.ts";
import { foldName, type Plan, type WorkspaceId } from "../../domain/workspace.ts";
import type { ApiKeyStore, KeyPage, NewApiKey, NextApiKey } from "../port/api-key.ts";
import type { Page } from "../port/page.ts";
import { allowedIpsIn, listText, scopesIn } from "./api-key-text.ts";
import type { auditTable } from "./audit.ts";
import type { subjectTable } from "./audit-subject.ts";
import type { budgetTable } from "./budget.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";
import type { Transactions } from "./transactions.ts";

type KeyRow = {
  id: string;
  workspace_id: WorkspaceId;
  name: string;
  prefix: string;
  created_at: number;
  created_by: string;
  last_used_at: number | null;
  expires_at: number | null;
  revoked_at: number | null;
  rotated_from: string | null;
  rotated_to: string | null;
  scopes: string | null;
  allowed_ips: string | null;
};

/**
 * The beginning that all keys share is not stored. The hash follows it in the file, so both together would look like a
 * key to somebody who searches the disk for keys.
 */
const sharedPrefix = "xpz_live_";

/** Without the hash: a column that is not read cannot be shown. */
const columns =
  "id, workspace_id, name, prefix, created_at, created_by, last_used_at, expires_at, revoked_at, rotated_from, rotated_to, scopes, allowed_ips";

const statusFilter: Record<KeyStatus, string> = {
  active: "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > @now)",
  revoked: "revoked_at IS NOT NULL",
  expired: "revoked_at IS NULL AND expires_at <= @now",
};

export function apiKeyTable(
  connection: Connection,
  audit: Pick<ReturnType<typeof auditTable>, "append">,
  subjects: Pick<ReturnType<typeof subjectTable>, "of">,
  budgets: Pick<ReturnType<typeof budgetTable>, "copy">,
) {
  const insert = connection.prepare(
    `INSERT INTO api_key (id, workspace_id, name, folded_name, prefix, hash, created_at, created_by, expires_at, rotated_from, scopes, allowed_ips)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const revoke = connection.prepare("UPDATE api_key SET revoked_at = ?, rotated_to = ? WHERE id = ?");
  // The workspace is part of the look-up, so a foreign id and an unknown id take the same work and get the same answer.
  const byId = connection.prepare<[string, string], KeyRow>(
    `SELECT ${columns} FROM api_key WHERE id = ? AND workspace_id = ?`,
  );
  const planOf = connection.prepare<[string], { plan: Plan }>("SELECT plan FROM workspace WHERE id = ?");
  const activeNames = connection.prepare<[{ workspaceId: string; now: number }], { folded_name: string }>(
    `SELECT folded_name FROM api_key WHERE workspace_id = @workspaceId AND ${statusFilter.active}`,
  );

  function find(workspaceId: WorkspaceId, id: string): ApiKey | null {
    const row = byId.get(id, workspaceId);
    return row === undefined ? null : toApiKey(row);
  }

  function get(workspaceId: WorkspaceId, id: string): ApiKey {
    const key = find(workspaceId, id);
    if (key === null) throw new Error("a key that was just written is missing");
    return key;
  }

  const planIn = (workspaceId: WorkspaceId): Plan | null => planOf.get(workspaceId)?.plan ?? null;

  function write(workspaceId: WorkspaceId, key: NewApiKey, rotatedFrom: string | null): void {
    const { id, name, prefix, hash, createdAt, createdBy, expiresAt, scopes, allowedIps } = key;
    const [at, expiry] = [createdAt.getTime(), expiresAt?.getTime() ?? null];
    insert.run(
      id,
      workspaceId,
      name,
      foldName(name),
      prefix.slice(sharedPrefix.length),
      hash,
      at,
      createdBy,
      expiry,
      rotatedFrom,
      listText(scopes),
      listText(allowedIps),
    );
  }

  /** `nextId` names the key that replaced this key. */
  function record(
    by: Author,
    action: AuditAction,
    key: ApiKey,
    { nextId = null, detail = nextId }: { nextId?: string | null; detail?: string | null } = {},
  ): void {
    const { workspaceId, id: keyId, name: keyName } = key;
    const changed = subjects.of("key", nextId === null ? [keyId] : [keyId, nextId]);
    audit.append([auditEvent(by, action, { workspaceId, keyId, keyName, detail, subjects: changed })]);
  }

  return {
    find,

    /** Limits that no index can enforce are checked here, inside the transaction. */
    insert(workspaceId: WorkspaceId, key: NewApiKey, by: Author): ApiKey {
      const active = activeNames.all({ workspaceId, now: key.createdAt.getTime() });
      const names = active.map((row) => row.folded_name);
      const fault = newKeyFault(key.name, planIn(workspaceId), names);
      if (fault !== null) throw fault;
      write(workspaceId, key, null);
      const created = get(workspaceId, key.id);
      record(by, "key.created", created, { detail: rightsText(created) });
      return created;
    },

    rotate(workspaceId: WorkspaceId, id: string, next: NextApiKey, by: Author): ApiKey | null {
      const old = find(workspaceId, id);
      if (old === null) return null;
      const fault = rotationFault(old, planIn(workspaceId), next.createdAt);
      if (fault !== null) throw fault;
      const { name, expiresAt, scopes, allowedIps } = old;
      write(workspaceId, { ...next, name, expiresAt, scopes, allowedIps }, id);
      revoke.run(next.createdAt.getTime(), next.id, id);
      budgets.copy(id, next.id);
      record(by, "key.rotated", old, { nextId: next.id });
      return get(workspaceId, next.id);
    },

    revoke(workspaceId: WorkspaceId, id: string, by: Author): ApiKey | null {
      const key = find(workspaceId, id);
      if (key === null || key.revokedAt !== null) return key;
      revoke.run(by.at.getTime(), null, id);
      record(by, "key.revoked", key);
      return get(workspaceId, id);
    },

    /** Newest first. The cursor names the last row of the previous page. */
    list(workspaceId: WorkspaceId, page: KeyPage): Page<ApiKey> {
      const after = parseCursor(page.cursor);
      const rows = connection
        .prepare<[Record<string, string | number>], KeyRow>(
          `SELECT ${columns} FROM api_key
           WHERE workspace_id = @workspaceId AND (created_at, id) < (@createdAt, @id)
             AND ${page.status === null ? "@now = @now" : `@now = @now AND ${statusFilter[page.status]}`}
           ORDER BY created_at DESC, id DESC LIMIT @limit`,
        )
        .all({ workspaceId, ...after, now: page.now.getTime(), limit: page.limit + 1 });
      const items = rows.slice(0, page.limit).map(toApiKey);
      const last = items.at(-1);
      const hasMore = rows.length > page.limit && last !== undefined;
      return { items, nextCursor: hasMore ? cursorOf(last) : null };
    },
  };
}

export function apiKeyStore(
  { read, write, writeUrgently }: Transactions,
  keys: () => ReturnType<typeof apiKeyTable>,
): ApiKeyStore {
  return {
    insertKey: (...args) => write(() => keys().insert(...args)),
    rotateKey: (...args) => writeUrgently(() => keys().rotate(...args)),
    revokeKey: (...args) => writeUrgently(() => keys().revoke(...args)),
    findKey: (...args) => read(() => keys().find(...args)),
    listKeys: (...args) => read(() => keys().list(...args)),
  };
}

function toApiKey(row: KeyRow): ApiKey {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    prefix: sharedPrefix + row.prefix,
    createdAt: toDate(row.created_at),
    createdBy: row.created_by,
    lastUsedAt: toDate(row.last_used_at),
    expiresAt: toDate(row.expires_at),
    revokedAt: toDate(row.revoked_at),
    rotatedFrom: row.rotated_from,
    rotatedTo: row.rotated_to,
    scopes: scopesIn(row.scopes),
    allowedIps: allowedIpsIn(row.allowed_ips),
  };
}

function cursorOf(key: ApiKey): string {
  return Buffer.from(`${key.createdAt.getTime()} ${key.id}`).toString("base64url");
}

function parseCursor(cursor: string | null): { createdAt: number; id: string } {
  if (cursor === null) return { createdAt: Number.MAX_SAFE_INTEGER, id: "" };
  const [createdAt = "", id = ""] = Buffer.from(cursor, "base64url").toString().split(" ");
  if (!/^\d{1,15}$/.test(createdAt) || id === "") throw new AppError("invalid_request", "The cursor is not valid");
  return { createdAt: Number(createdAt), id };
}
