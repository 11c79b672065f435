import { planRequired } from "../../domain/admission.ts";
import { type ApiKey, type KeyStatus, maxActiveKeys } from "../../domain/api-key.ts";
import { AppError } from "../../domain/error.ts";
import { foldName, hasApiAccess, type Plan, type WorkspaceId } from "../../domain/workspace.ts";
import type { KeyPage, NewApiKey, Page } from "../store.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./workspace.ts";

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
};

/** Never the hash: what is not read cannot be shown. */
const columns =
  "id, workspace_id, name, prefix, created_at, created_by, last_used_at, expires_at, revoked_at, rotated_from, rotated_to";

const statusFilter: Record<KeyStatus, string> = {
  active: "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > @now)",
  revoked: "revoked_at IS NOT NULL",
  expired: "revoked_at IS NULL AND expires_at <= @now",
};

export function apiKeyTable(connection: Connection) {
  const insert = connection.prepare(
    `INSERT INTO api_key (id, workspace_id, name, folded_name, prefix, hash, created_at, created_by, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const byId = connection.prepare<[string], KeyRow>(`SELECT ${columns} FROM api_key WHERE id = ?`);
  const planOf = connection.prepare<[string], { plan: Plan }>("SELECT plan FROM workspace WHERE id = ?");
  const activeNames = connection.prepare<[{ workspaceId: string; now: number }], { folded_name: string }>(
    `SELECT folded_name FROM api_key WHERE workspace_id = @workspaceId AND ${statusFilter.active}`,
  );

  return {
    /** Limits that no index can hold are checked here, inside the transaction. */
    insert(workspaceId: WorkspaceId, key: NewApiKey): ApiKey {
      const workspace = planOf.get(workspaceId);
      if (workspace === undefined) throw new AppError("not_found", "There is no such workspace");
      if (!hasApiAccess(workspace.plan)) throw planRequired();
      const foldedName = foldName(key.name);
      const taken = activeNames.all({ workspaceId, now: key.createdAt.getTime() });
      if (taken.some((row) => row.folded_name === foldedName)) {
        throw new AppError("conflict", "An active key of that name exists already");
      }
      if (taken.length >= maxActiveKeys) {
        throw new AppError("conflict", `The workspace has ${maxActiveKeys} active keys, the most it may have`);
      }
      const { id, name, prefix, hash, createdAt, createdBy, expiresAt } = key;
      const expiry = expiresAt?.getTime() ?? null;
      insert.run(id, workspaceId, name, foldedName, prefix, hash, createdAt.getTime(), createdBy, expiry);
      return toApiKey(byId.get(id) as KeyRow);
    },

    /** Newest first. The cursor names the last row of the page before. */
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

function toApiKey(row: KeyRow): ApiKey {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    prefix: row.prefix,
    createdAt: toDate(row.created_at),
    createdBy: row.created_by,
    lastUsedAt: toDate(row.last_used_at),
    expiresAt: toDate(row.expires_at),
    revokedAt: toDate(row.revoked_at),
    rotatedFrom: row.rotated_from,
    rotatedTo: row.rotated_to,
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
