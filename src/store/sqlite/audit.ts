import {
  type AuditEvent,
  type AuditHead,
  type AuditRow,
  type AuditState,
  type AuditSubject,
  type Author,
  auditEvent,
  chainedMac,
  checkpointText,
  emptyHead,
  eventText,
  parseEvent,
} from "../../domain/audit.ts";
import { AppError } from "../../domain/error.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { AuditPage, AuditRetention, AuditStore } from "../port/audit.ts";
import type { Page } from "../port/page.ts";
import type { subjectTable } from "./audit-subject.ts";
import type { callHandler } from "./call.ts";
import type { Connection } from "./driver.ts";
import { lazily } from "./lazily.ts";
import type { sourceFingerprintTable } from "./source-fingerprint.ts";
import type { Transactions } from "./transactions.ts";

type EventsRow = { first_event: number; last_event: number; last_mac: string; events: string };
/** The same with the raw bytes of the file: reading as text repairs invalid UTF-8 and would hide a changed byte. */
type StoredRow = Omit<EventsRow, "events"> & { events: Uint8Array };

type RemovableRow = { readonly firstEvent: number; readonly events: readonly AuditRow[] };

/** Maximum number of events in a row of the table. */
const maxEventsPerRow = 256;
const macLength = 64;
/** Placeholder for the mac of a row that contradicts itself. It never matches. */
const brokenMac = "";
/** These limits keep one step of `removeOldest` below about 10 ms. */
const [maxRemovedEvents, maxRemovedRows] = [512, 128];

/**
 * The audit trail. The schema refuses to change an event, and to delete an event that is not before the start of the
 * trail. Only `removeOldest` moves the start.
 */
export function auditTable(
  connection: Connection,
  auditKey: Uint8Array,
  subjects: Pick<ReturnType<typeof subjectTable>, "all" | "atStart" | "saveAtStart">,
) {
  const last = connection.prepare<[], AuditHead>(
    "SELECT last_event AS row, last_mac AS mac FROM audit ORDER BY first_event DESC LIMIT 1",
  );
  const insert = connection.prepare(
    "INSERT INTO audit (first_event, last_event, last_mac, events) VALUES (?, ?, ?, ?)",
  );
  const insertHolder = connection.prepare("INSERT INTO audit_holder (holder, first_event) VALUES (?, ?)");
  // A row has few holders, and the table has no other index, so each holder is looked up by its key.
  const hasHolder = connection
    .prepare<[string, number], number>("SELECT 1 FROM audit_holder WHERE holder = ? AND first_event = ?")
    .pluck();
  const from = connection.prepare<[number, number], StoredRow>(
    `SELECT first_event, last_event, last_mac, CAST(events AS BLOB) AS events FROM audit
     WHERE first_event >= coalesce((SELECT max(first_event) FROM audit WHERE first_event <= ?), ?)
     ORDER BY first_event`,
  );
  const ofHolder = connection.prepare<[string, number], EventsRow>(
    `SELECT a.first_event, a.last_event, a.last_mac, a.events FROM audit_holder h
     JOIN audit a ON a.first_event = h.first_event WHERE h.holder = ? AND h.first_event < ? ORDER BY h.first_event DESC`,
  );
  const ofStart = lazily(() => ({
    find: connection.prepare<[], AuditHead>("SELECT last_event AS row, last_mac AS mac FROM audit_start"),
    move: connection.prepare("UPDATE audit_start SET last_event = ?, last_mac = ?"),
    countHolders: connection.prepare<[], { count: number }>("SELECT count(*) AS count FROM audit_holder"),
    deleteHolder: connection.prepare("DELETE FROM audit_holder WHERE holder = ? AND first_event = ?"),
    deleteEvents: connection.prepare("DELETE FROM audit WHERE first_event <= ?"),
  }));

  const head = (): AuditHead => last.get() ?? emptyHead;
  const start = (): AuditHead => ofStart().find.get() ?? emptyHead;

  function write(before: AuditHead, events: readonly AuditEvent[]): AuditHead {
    const holders = new Set<string>();
    const firstEvent = before.row + 1;
    const lineOf = lineEncoder();
    let end = before;
    let lines = "";
    for (const event of events) {
      const text = eventText(event);
      end = { row: end.row + 1, mac: chainedMac(auditKey, end, text) };
      lines += lineOf(end.mac, text);
      if (event.workspaceId !== null) holders.add(event.workspaceId);
      if (event.keyId !== null) holders.add(event.keyId);
    }
    insert.run(firstEvent, end.row, end.mac, lines);
    for (const holder of holders) insertHolder.run(holder, firstEvent);
    return end;
  }

  /** The events of a row, unchecked. */
  function eventsOf({ first_event, events }: EventsRow) {
    return readLines(events).map(({ mac, text }, index) => {
      return { row: first_event + index, mac, text, event: parseEvent(text) };
    });
  }

  /**
   * The events of a row. Also checks every stored byte that the macs of the events do not cover: the other columns, the
   * format of the lines, and the index of holders. After a mismatch the last event is reported as broken.
   */
  function checkedEventsOf(stored: StoredRow): AuditRow[] {
    const { first_event, last_event, last_mac } = stored;
    const bytes = Buffer.from(stored.events.buffer, stored.events.byteOffset, stored.events.byteLength);
    const rows = eventsOf({ first_event, last_event, last_mac, events: bytes.toString("utf8") });
    const end = rows.at(-1);
    if (end === undefined) return [{ row: first_event, mac: brokenMac, text: "", event: null, holderCount: 0 }];
    const holders = holdersOf(rows);
    const isWhole = end.row === last_event && end.mac === last_mac && isAsWritten(rows, bytes);
    const isIndexed = [...holders].every((holder) => hasHolder.get(holder, first_event) !== undefined);
    return rows.map((row) => {
      if (row !== end) return { ...row, holderCount: 0 };
      return { ...row, holderCount: holders.size, ...(isWhole && isIndexed ? {} : { mac: brokenMac }) };
    });
  }

  /**
   * The rows that can be removed together: from the first row on, all older than the retention and none after the
   * stored head. A row dated in the future was written with a wrong clock and is removed with the rows around it.
   */
  function removable({ before, now, keptRow }: AuditRetention): RemovableRow[] {
    const candidates: RemovableRow[] = [];
    let eventCount = 0;
    let count = 0;
    for (const stored of from.iterate(0, 0)) {
      const events = checkedEventsOf(stored);
      const at = Math.max(...events.map(({ event }) => event?.at.getTime() ?? Number.NEGATIVE_INFINITY));
      if (stored.last_event >= keptRow || (at >= before.getTime() && at <= now.getTime())) break;
      candidates.push({ firstEvent: stored.first_event, events });
      if (at < before.getTime()) count = candidates.length;
      eventCount += events.length;
      if (eventCount >= maxRemovedEvents || candidates.length === maxRemovedRows) break;
    }
    return candidates.slice(0, count);
  }

  function append(events: readonly AuditEvent[]): void {
    if (events.length === 0) return;
    let before = head();
    for (let first = 0; first < events.length; first += maxEventsPerRow) {
      before = write(before, events.slice(first, first + maxEventsPerRow));
    }
  }

  return {
    head,

    /**
     * Runs in the transaction of the change. The last event is read in this transaction, so all processes extend the
     * same chain.
     */
    append,

    /** Everything besides the rows that a check of the whole trail needs. */
    state(): AuditState {
      return {
        head: head(),
        start: start(),
        startSubjects: subjects.atStart(),
        subjects: subjects.all(),
        holderCount: ofStart().countHolders.get()?.count ?? 0,
      };
    },

    /**
     * Removes the oldest expired events, some hundred at most, and writes the new start of the trail as
     * `audit.checkpoint`. Stores the digests of the removed events with this start. Returns the number of removed
     * events. Throws when they are not as they were written, so that the evidence stays.
     */
    removeOldest(retention: AuditRetention, by: Author): number {
      const rows = removable(retention);
      const events = rows.flatMap((row) => row.events);
      let end = start();
      const changed: AuditSubject[] = [];
      for (const { row, mac, text, event } of events) {
        if (row !== end.row + 1 || event === null || chainedMac(auditKey, end, text) !== mac) {
          throw new Error(`event ${row} of the audit trail is not as it was written; see xpose audit verify`);
        }
        end = { row, mac };
        changed.push(...(event.subjects ?? []));
      }
      const lastRow = rows.at(-1);
      if (lastRow === undefined) return 0;
      subjects.saveAtStart(changed);
      const { move, deleteHolder, deleteEvents } = ofStart();
      move.run(end.row, end.mac);
      for (const row of rows) for (const holder of holdersOf(row.events)) deleteHolder.run(holder, row.firstEvent);
      deleteEvents.run(lastRow.firstEvent);
      const detail = checkpointText(end, subjects.atStart());
      append([auditEvent(by, "audit.checkpoint", { count: events.length, detail })]);
      return events.length;
    },

    /** Writes the digests of all subjects, for a trail whose earlier events do not hold them. */
    writeBaseline(by: Author): void {
      const now = [...subjects.all()].map(([id, digest]) => ({ id, digest }));
      subjects.saveAtStart(now);
      const detail = checkpointText(start(), subjects.atStart());
      append([auditEvent(by, "audit.baseline", { count: now.length, detail })]);
    },

    /** Newest first. The cursor is the number of the last event of the previous page. */
    list(workspaceId: WorkspaceId, { limit, cursor, keyId }: AuditPage): Page<AuditEvent> {
      const below = cursor === null ? Number.MAX_SAFE_INTEGER : parseCursor(cursor);
      const found: Omit<AuditRow, "holderCount">[] = [];
      for (const row of ofHolder.iterate(keyId ?? workspaceId, below)) {
        const matching = eventsOf(row).filter(
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
        for (const one of checkedEventsOf(row)) if (one.row > afterRow) found.push(one);
        if (found.length >= limit) break;
      }
      return found.slice(0, limit);
    },
  };
}

export function auditStore(
  { read, write, writeAtOnce }: Transactions,
  audit: ReturnType<typeof auditTable>,
  calls: Pick<ReturnType<typeof callHandler>, "onlyFirstPolls">,
  fingerprints: () => ReturnType<typeof sourceFingerprintTable>,
): AuditStore {
  return {
    appendEvents: (events) => writeAtOnce(() => audit.append(calls.onlyFirstPolls(events))),
    listEvents: (...args) => read(() => audit.list(...args)),
    readChain: (...args) => read(() => audit.chain(...args)),
    auditHead: () => read(() => audit.head()),
    auditState: () => read(() => audit.state()),
    removeOldEvents: (...args) => write(() => audit.removeOldest(...args)),
    noteSources: (...args) => write(() => fingerprints().note(...args)),
  };
}

/**
 * Writes the lines of one row, see `readLines`. The shared prefix usually has the same length as for the previous
 * event, so that length is tried first.
 */
function lineEncoder(): (mac: string, text: string) => string {
  let [previous, shared] = ["", ""];
  return (mac, text) => {
    const isAll = text.startsWith(shared) && previous[shared.length] !== text[shared.length];
    if (!isAll) shared = sharedStart(previous, text);
    previous = text;
    return `${mac} ${shared.length} ${text.slice(shared.length)}\n`;
  };
}

/** Whether these are the bytes that xpose writes for the events, in the current or in the first format. */
function isAsWritten(rows: readonly { mac: string; text: string }[], bytes: Buffer): boolean {
  const lineOf = lineEncoder();
  const isEqual = (lines: string[]) => Buffer.from(lines.join("")).equals(bytes);
  return (
    isEqual(rows.map(({ mac, text }) => lineOf(mac, text))) || isEqual(rows.map(({ mac, text }) => `${mac} ${text}\n`))
  );
}

/** The common prefix of two texts. Never splits a surrogate pair. */
function sharedStart(one: string, other: string): string {
  let length = 0;
  while (length < one.length && one.charCodeAt(length) === other.charCodeAt(length)) length += 1;
  const isWithin = length > 0 && /[\ud800-\udbff]/.test(one.charAt(length - 1));
  return one.slice(0, isWithin ? length - 1 : length);
}

/**
 * The events of a row. Each has a line, `<mac> <count> <rest>`: the number of characters shared with the previous text,
 * and the rest of the text. The hits of a turn share time, workspace and key, which are half of their bytes. In rows of
 * the first versions a line is `<mac> <text>`, and a text begins with a bracket.
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

/** The workspaces and keys under which the events are found. */
function holdersOf(events: readonly Pick<AuditRow, "event">[]): Set<string> {
  const holders = events.flatMap(({ event }) => [event?.workspaceId, event?.keyId]);
  return new Set(holders.filter((holder) => holder != null));
}

function parseCursor(cursor: string): number {
  if (!/^[1-9]\d{0,14}$/.test(cursor)) throw new AppError("invalid_request", "The cursor is not valid");
  return Number(cursor);
}
