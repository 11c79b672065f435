import type { Workspace, WorkspaceId } from "../../domain/workspace.ts";
import type { EventPage, StoredEvent } from "../port/event.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";

type Row = {
  place: number;
  workspace_id: WorkspaceId;
  name: string;
  number: number;
  type: string;
  at: number;
  sealed: Uint8Array;
};

type NewRow = Pick<Row, "number" | "type" | "sealed"> & { at: Date; indicatorHash: string | null };

const columns = "place, workspace_id, name, number, type, at, sealed";

/** Events of watch lists. */
export function eventTable(connection: Connection) {
  const insert = connection.prepare(
    "INSERT INTO event (workspace_id, number, type, at, indicator_hash, sealed) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const after = connection.prepare<[string, number, string | null, string | null, number], Row>(
    `SELECT ${columns} FROM event JOIN workspace ON workspace.id = workspace_id
     WHERE workspace_id = ? AND number > ? AND (? IS NULL OR type IN (SELECT value FROM json_each(?)))
     ORDER BY number LIMIT ?`,
  );
  const forget = connection.prepare("DELETE FROM event WHERE indicator_hash = ?");
  const expired = connection.prepare(
    "DELETE FROM event WHERE place IN (SELECT place FROM event WHERE at < ? ORDER BY at LIMIT ?)",
  );

  return {
    insert(workspaceId: WorkspaceId, { number, type, at, indicatorHash, sealed }: NewRow): void {
      insert.run(workspaceId, number, type, at.getTime(), indicatorHash, sealed);
    },
    after(workspaceId: WorkspaceId, { afterNumber, limit, types }: EventPage): StoredEvent[] {
      const wanted = types === null ? null : JSON.stringify(types);
      return after.all(workspaceId, afterNumber, wanted, wanted, limit).map(toEvent);
    },
    /** Deletes the events about an indicator, in every workspace. */
    forget(indicatorHash: string): void {
      forget.run(indicatorHash);
    },
    removeBefore: (before: Date, maxRows: number): number => expired.run(before.getTime(), maxRows).changes,
  };
}

export function toEvent(row: Row): StoredEvent {
  const { place, workspace_id: id, name, number, type, at, sealed } = row;
  const workspace: Pick<Workspace, "id" | "name"> = { id, name };
  return { place, workspace, number, type, at: toDate(at), sealed };
}
