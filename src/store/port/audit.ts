import type { AuditEvent, AuditHead, AuditRow, AuditState, Author } from "../../domain/audit.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Page } from "./page.ts";

/** The audit trail. */
export interface AuditStore {
  /** Writes events that belong to no other change. Does not wait for another process: it writes at once or fails. */
  appendEvents(events: readonly AuditEvent[]): Promise<void>;
  /** Newest first. */
  listEvents(workspaceId: WorkspaceId, page: AuditPage): Promise<Page<AuditEvent>>;
  /** The rows after `afterRow`, oldest first, at most `limit`. -Infinity starts at the first row. */
  readChain(afterRow: number, limit: number): Promise<AuditRow[]>;
  auditHead(): Promise<AuditHead>;
  /** Everything besides the rows that a check of the whole trail needs, read at one moment. */
  auditState(): Promise<AuditState>;
  /**
   * Removes the oldest expired events, some hundred at most, and writes the event `audit.checkpoint`, which says where
   * the trail begins now. Returns the number of removed events. Throws and removes nothing when these events are not as
   * they were written.
   */
  removeOldEvents(retention: AuditRetention, by: Author): Promise<number>;
  /**
   * Stores the hashed settings of the enabled sources by name, and writes an event for each difference from the stored
   * ones.
   */
  noteSources(fingerprints: ReadonlyMap<string, string>, by: Author): Promise<void>;
}

export type AuditRetention = {
  /** Events older than this may be removed. */
  readonly before: Date;
  readonly now: Date;
  /** The row of the head stored beside the secret. This row and all later rows are kept. */
  readonly keptRow: number;
};

export type AuditPage = { readonly limit: number; readonly cursor: string | null; readonly keyId: string | null };
