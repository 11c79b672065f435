import type { AuditEvent, AuditHead, AuditRow, AuditState, Author } from "../../domain/audit.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Page } from "./page.ts";

/** The audit trail. */
export interface AuditStore {
  /** Writes events that belong to no other change, now or not at all: it does not wait for another process. */
  appendEvents(events: readonly AuditEvent[]): Promise<void>;
  /** Newest first. */
  listEvents(workspaceId: WorkspaceId, page: AuditPage): Promise<Page<AuditEvent>>;
  /** The rows after `afterRow` (-Infinity: from the first one on), oldest first, at most `limit`. */
  readChain(afterRow: number, limit: number): Promise<AuditRow[]>;
  auditHead(): Promise<AuditHead>;
  /** All that a check of the whole trail needs beside its rows, of one moment. */
  auditState(): Promise<AuditState>;
  /**
   * Removes the oldest events of the trail that are past their retention, some hundred at most, and writes the event
   * `audit.checkpoint`, which says where the trail begins now. Returns how many events were removed. Throws when they are not
   * as they were written: then nothing is removed.
   */
  removeOldEvents(retention: AuditRetention, by: Author): Promise<number>;
  /** Remembers the settings of the enabled sources, hashed, by name, and writes an event for each that differs from before. */
  noteSources(fingerprints: ReadonlyMap<string, string>, by: Author): Promise<void>;
}

export type AuditRetention = {
  /** Events older than this may go. */
  readonly before: Date;
  readonly now: Date;
  /** The row of the head that is kept beside the secret. It stays, and so does all behind it. */
  readonly keptRow: number;
};

export type AuditPage = { readonly limit: number; readonly cursor: string | null; readonly keyId: string | null };
