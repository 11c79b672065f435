import type { AuditEvent } from "../../domain/audit.ts";
import type { Workspace, WorkspaceId } from "../../domain/workspace.ts";

/** Events of watch lists. Bodies are sealed. */
export interface EventStore {
  /** The events after a number, ascending, and the number of the last event of the workspace at that moment. */
  readEvents(workspaceId: WorkspaceId, page: EventPage): Promise<{ events: StoredEvent[]; lastNumber: number }>;
  /** Writes the audit event unless this key has read in this hour before. */
  noteEventRead(keyId: string, event: AuditEvent): Promise<void>;
  /** Removes events of before; returns how many. */
  removeEvents(before: Date, maxRows: number): Promise<number>;
}

export type EventPage = {
  readonly afterNumber: number;
  readonly limit: number;
  /** Null for all. */
  readonly types: readonly string[] | null;
};

export type StoredEvent = {
  /** Order over all workspaces. */
  readonly place: number;
  readonly workspace: Pick<Workspace, "id" | "name">;
  readonly number: number;
  readonly type: string;
  readonly at: Date;
  readonly sealed: Uint8Array;
};
