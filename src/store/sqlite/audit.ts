import {
  type AuditEvent,
  type AuditHead,
  type AuditRow,
  chainedMac,
  emptyHead,
  eventText,
  parseEvent,
} from "../../domain/audit.ts";
import { AppError } from "../../domain/error.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { AuditPage, Page } from "../store.ts";
import type { Connection } from "./driver.ts";

type EventsRow = { first_event: number; last_event: number; last_mac: string; events: string };

/** So many events share a row of the table at most. */
const maxEventsPerRow = 256;
const macLength = 64;
/** What stands for the mac of an event whose row contradicts itself: it agrees with no event. */
const brokenMac = "";

/** The audit trail. It has no method that changes or deletes an event, and the schema refuses both. */
export function auditTable(connection: Connection, auditKey: Uint8Array) {
  const last = connection.prepare<[], AuditHead>(
    "SELECT last_event AS row, last_mac AS mac FROM audit ORDER BY first_event DESC LIMIT 1",
  );
  const insert = connection.prepare(
    "INSERT INTO audit (first_event, last_event, last_mac, events) VALUES (?, ?, ?, ?)",
  );
  const insertHolder = connection.prepare("INSERT INTO audit_holder (holder, first_event) VALUES (?, ?)");
  // Few holders per row, and the table has no other index: each is asked for by its key.
  const hasHolder = connection
    .prepare<[string, number], number>("SELECT 1 FROM audit_holder WHERE holder = ? AND first_event = ?")
    .pluck();
  const from = connection.prepare<[number, number], EventsRow>(
    `SELECT first_event, last_event, last_mac, events FROM audit
     WHERE first_event >= coalesce((SELECT max(first_event) FROM audit WHERE first_event <= ?), ?)
     ORDER BY first_event`,
  );
  const ofHolder = connection.prepare<[string, number], EventsRow>(
    `SELECT a.first_event, a.last_event, a.last_mac, a.events FROM audit_holder h
     JOIN audit a ON a.first_event = h.first_event WHERE h.holder = ? AND h.first_event < ? ORDER BY h.first_event DESC`,
  );

  const head = (): AuditHead => last.get() ?? emptyHead;

  function write(before: AuditHead, events: readonly AuditEvent[]): AuditHead {
    const holders = new Set<string>();
    const firstEvent = before.row + 1;
    let end = before;
    let lines = "";
    let [previous, shared] = ["", ""];
    for (const event of events) {
      const text = eventText(event);
      end = { row: end.row + 1, mac: chainedMac(auditKey, end, text) };
      // Mostly what the event before had in common with the one before it: then nothing is looked for.
      const isAll = text.startsWith(shared) && previous[shared.length] !== text[shared.length];
      if (!isAll) shared = sharedStart(previous, text);
      lines += `${end.mac} ${shared.length} ${text.slice(shared.length)}\n`;
      previous = text;
      if (event.workspaceId !== null) holders.add(event.workspaceId);
      if (event.keyId !== null) holders.add(event.keyId);
    }
    insert.run(firstEvent, end.row, end.mac, lines);
    for (const holder of holders) insertHolder.run(holder, firstEvent);
    return end;
  }

  /** A row of the table as its events; one that contradicts itself or the index of holders shows as broken. */
  function rowsOf({ first_event, last_event, last_mac, events }: EventsRow): AuditRow[] {
    const rows = readLines(events).map(({ mac, text }, index) => {
      return { row: first_event + index, mac, text, event: parseEvent(text) };
    });
    const end = rows.at(-1);
    const holders = new Set(rows.flatMap(({ event }) => (event === null ? [] : holdersIn(event))));
    const isWhole = end?.row === last_event && end.mac === last_mac;
    const isIndexed = [...holders].every((holder) => hasHolder.get(holder, first_event) !== undefined);
    if (end === undefined || (isWhole && isIndexed)) return rows;
    return [...rows.slice(0, -1), { ...end, mac: brokenMac }];
  }

  return {
    head,

    /** Part of the transaction that the events tell of; the last event is read in there, so that all processes extend one line. */
    append(events: readonly AuditEvent[]): void {
      if (events.length === 0) return;
      let before = head();
      for (let start = 0; start < events.length; start += maxEventsPerRow) {
        before = write(before, events.slice(start, start + maxEventsPerRow));
      }
    },

    /** Newest first. The cursor is the number of the last event of the page before. */
    list(workspaceId: WorkspaceId, { limit, cursor, keyId }: AuditPage): Page<AuditEvent> {
      const below = cursor === null ? Number.MAX_SAFE_INTEGER : parseCursor(cursor);
      const found: AuditRow[] = [];
      for (const row of ofHolder.iterate(keyId ?? workspaceId, below)) {
        const matching = rowsOf(row).filter(
          ({ row: number, event }) =>
            number < below && event?.workspaceId === workspaceId && (keyId === null || event.keyId === keyId),
        );
        for (const one of matching.reverse()) found.push(one);
        if (found.length > limit) break;
      }
      const items = found.slice(0, limit).flatMap(({ event }) => (event === null ? [] : [event]));
      const lastRow = found[limit - 1]?.row;
      return { items, nextCursor: found.length > limit && lastRow !== undefined ? String(lastRow) : null };
    },

    /** Oldest first. */
    chain(afterRow: number, limit: number): AuditRow[] {
      const found: AuditRow[] = [];
      for (const row of from.iterate(afterRow + 1, afterRow)) {
        for (const one of rowsOf(row)) if (one.row > afterRow) found.push(one);
        if (found.length >= limit) break;
      }
      return found.slice(0, limit);
    },
  };
}

/** What both texts begin with. It does not end within a character: half of one is no text, and would be stored as another. */
function sharedStart(one: string, other: string): string {
  let length = 0;
  while (length < one.length && one.charCodeAt(length) === other.charCodeAt(length)) length += 1;
  const isWithin = length > 0 && /[\ud800-\udbff]/.test(one.charAt(length - 1));
  return one.slice(0, isWithin ? length - 1 : length);
}

/**
 * The events of a row of the table. Each has a line, `<mac> <count> <rest>`: so many characters of the text before it,
 * and the rest. What the hits of a turn have in common (time, workspace, key) is half of their bytes, and the trail is
 * kept for ever. In rows of before this was so, a line is `<mac> <text>`, and a text begins with a bracket.
 */
export function readLines(events: string): { readonly mac: string; readonly text: string }[] {
  let text = "";
  return events
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const [, count = "0", rest = ""] = /^(?:(\d{1,9}) )?(.*)$/s.exec(line.slice(macLength + 1)) ?? [];
      text = text.slice(0, Number(count)) + rest;
      return { mac: line.slice(0, macLength), text };
    });
}

/** Under which an event is found: its workspace and its key. */
function holdersIn({ workspaceId, keyId }: AuditEvent): string[] {
  return [workspaceId, keyId].filter((holder) => holder !== null);
}

function parseCursor(cursor: string): number {
  if (!/^[1-9]\d{0,14}$/.test(cursor)) throw new AppError("invalid_request", "The cursor is not valid");
  return Number(cursor);
}
