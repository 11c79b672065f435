import {
  type AuditAction,
  type AuditEvent,
  type AuditHead,
  type AuditRow,
  chainEvent,
  emptyHead,
} from "../../domain/audit.ts";
import { AppError } from "../../domain/error.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { AuditPage, Page } from "../store.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./workspace.ts";

type EventRow = {
  row: number;
  at: number;
  workspace_id: WorkspaceId | null;
  actor: string;
  action: AuditAction;
  key_id: string | null;
  key_name: string | null;
  request_id: string | null;
  indicator_hmac: string | null;
  ip: string | null;
  outcome: string;
  correlation_id: string | null;
  count: number | null;
  detail: string | null;
  mac: Buffer;
};

const columns =
  "row, at, workspace_id, actor, action, key_id, key_name, request_id, indicator_hmac, ip, outcome, correlation_id, count, detail, mac";

/** The audit trail. It has no method that changes or deletes a row, and the schema refuses both. */
export function auditTable(connection: Connection, auditKey: Uint8Array) {
  const last = connection.prepare<[], { row: number; mac: Buffer }>(
    "SELECT row, mac FROM audit ORDER BY row DESC LIMIT 1",
  );
  const insert = connection.prepare(
    `INSERT INTO audit (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const after = connection.prepare<[number, number], EventRow>(
    `SELECT ${columns} FROM audit WHERE row > ? ORDER BY row LIMIT ?`,
  );
  const ofWorkspace = connection.prepare<[string, number, number], EventRow>(
    `SELECT ${columns} FROM audit WHERE workspace_id = ? AND row < ? ORDER BY row DESC LIMIT ?`,
  );
  // The key's rows are few beside those of the workspace, whose index the planner would take.
  const ofKey = connection.prepare<[string, string, number, number], EventRow>(
    `SELECT ${columns} FROM audit INDEXED BY audit_by_key
     WHERE key_id = ? AND workspace_id = ? AND row < ? ORDER BY row DESC LIMIT ?`,
  );

  const head = (): AuditHead => last.get() ?? emptyHead;

  return {
    head,

    /** Part of the transaction that the events tell of; the last row is read in there, so that all processes extend one line. */
    append(events: readonly AuditEvent[]): void {
      if (events.length === 0) return;
      let before = head();
      for (const event of events) {
        const next = chainEvent(auditKey, before, event);
        insert.run(
          next.row,
          event.at.getTime(),
          event.workspaceId,
          event.actor,
          event.action,
          event.keyId,
          event.keyName,
          event.requestId,
          event.indicatorHmac,
          event.ip,
          event.outcome,
          event.correlationId,
          event.count,
          event.detail,
          next.mac,
        );
        before = next;
      }
    },

    /** Newest first. The cursor is the last row of the page before. */
    list(workspaceId: WorkspaceId, { limit, cursor, keyId }: AuditPage): Page<AuditEvent> {
      const below = cursor === null ? Number.MAX_SAFE_INTEGER : parseCursor(cursor);
      const rows =
        keyId === null
          ? ofWorkspace.all(workspaceId, below, limit + 1)
          : ofKey.all(keyId, workspaceId, below, limit + 1);
      const items = rows.slice(0, limit).map(toAuditRow);
      const lastRow = items.at(-1)?.row;
      return { items, nextCursor: rows.length > limit && lastRow !== undefined ? String(lastRow) : null };
    },

    /** Oldest first. */
    chain: (afterRow: number, limit: number): AuditRow[] => after.all(afterRow, limit).map(toAuditRow),
  };
}

function parseCursor(cursor: string): number {
  if (!/^[1-9]\d{0,14}$/.test(cursor)) throw new AppError("invalid_request", "The cursor is not valid");
  return Number(cursor);
}

function toAuditRow(row: EventRow): AuditRow {
  return {
    row: row.row,
    at: toDate(row.at),
    workspaceId: row.workspace_id,
    actor: row.actor,
    action: row.action,
    keyId: row.key_id,
    keyName: row.key_name,
    requestId: row.request_id,
    indicatorHmac: row.indicator_hmac,
    ip: row.ip,
    outcome: row.outcome,
    correlationId: row.correlation_id,
    count: row.count,
    detail: row.detail,
    mac: row.mac,
  };
}
