import type { AuditEventBody } from "../wire/audit.ts";
import { keyedHash } from "./keyed-hash.ts";
import { sha256Hex } from "./sha256.ts";
import { timestamp } from "./time.ts";
import type { WorkspaceId } from "./workspace.ts";

/** The actions that the audit trail records (docs/contract.md 9.8). */
export type AuditAction =
  | "key.created"
  | "key.rotated"
  | "key.revoked"
  | "enrich.requested"
  | "enrich.polled"
  | "export.made"
  | "bulk.requested"
  | "auth.denied"
  | "workspace.created"
  | "workspace.plan_changed"
  | "workspace.disabled"
  | "workspace.enabled"
  | "workspace.operator_created"
  | "workspace.operator_revoked"
  | "workspace.session_started"
  | "workspace.session_ended"
  | "corpus.imported"
  | "corpus.removed"
  | "corpus.forgotten"
  | "source.added"
  | "source.changed"
  | "source.removed"
  | "watch.changed"
  | "events.read"
  | "audit.baseline"
  | "audit.checkpoint"
  | "audit.gap"
  | "audit.restored";

/** The part of an event that describes its caller: who acts, from where, and with which outcome. */
export type Author = {
  readonly at: Date;
  /** `key:<id>`, `operator:<name>`, `cli` or `anonymous`. */
  readonly actor: string;
  /** The address of the client; null for an action that does not come over the network. */
  readonly ip: string | null;
  /** An HTTP status, or `ok` or `failed`. */
  readonly outcome: string;
  readonly correlationId: string | null;
};

export type AuditEvent = Author & {
  readonly action: AuditAction;
  /** Null for events outside any workspace: denials of unknown keys, gaps, corpora and sources that all share. */
  readonly workspaceId: WorkspaceId | null;
  readonly keyId: string | null;
  readonly keyName: string | null;
  readonly requestId: string | null;
  /** The keyed hash of the indicator, 64 hex digits; never the address itself. */
  readonly indicatorHmac: string | null;
  /** The number of events that this event stands for; null for actions that are never grouped. */
  readonly count: number | null;
  /** The object of the action when no other field names it: a plan, or the name of an operator, corpus or source. */
  readonly detail: string | null;
  /** The rows after the change; null for an action that changes no access rights. Chained, but never shown. */
  readonly subjects: readonly AuditSubject[] | null;
};

/**
 * The current row of a key, operator or workspace. `id` is `key:<id>`, `operator:<id>` or `workspace:<id>`; `digest` is
 * 64 hex digits, see `subjectDigest`.
 */
export type AuditSubject = { readonly id: string; readonly digest: string };

/** The end of the chain: the number of the last event and its mac, 64 hex digits. */
export type AuditHead = { readonly row: number; readonly mac: string };

/** The head of an empty chain. The first event has number 1. */
export const emptyHead: AuditHead = { row: 0, mac: "0".repeat(64) };

/** A stored event with its place in the chain. */
export type AuditRow = AuditHead & {
  /** The fields of the event as one JSON array; these bytes are chained. */
  readonly text: string;
  /** Null when xpose did not write this text. */
  readonly event: AuditEvent | null;
  /**
   * A stored row packs several events. Its last event carries the number of entries that the row has in the index of
   * holders; the other events carry 0. The sum over a trail is the number of entries that the index must have.
   */
  readonly holderCount: number;
};

/** Everything that a check of the whole trail needs besides its rows, read in one transaction. */
export type AuditState = {
  readonly head: AuditHead;
  /** The event before the first event of the trail; `emptyHead` until retention has removed events. */
  readonly start: AuditHead;
  /** Digests of subjects at the start, by id. */
  readonly startSubjects: ReadonlyMap<string, string>;
  /** Digests of all current subjects, by id. */
  readonly subjects: ReadonlyMap<string, string>;
  /** The number of entries in the index of holders. */
  readonly holderCount: number;
};

/** Version of the chained bytes. A later format continues the same chain under another number. */
const formatVersion = 1;
/** The format with subjects, which are one more field. Frequent events have no subjects and stay short. */
const formatWithSubjects = 2;

/** Makes an event from its author, its action and the fields of `about`; all other fields are null. */
export function auditEvent(
  by: Author,
  action: AuditAction,
  about: Partial<Omit<AuditEvent, keyof Author | "action">> = {},
): AuditEvent {
  const { at, actor, ip, outcome, correlationId } = by;
  return {
    at,
    workspaceId: null,
    actor,
    action,
    keyId: null,
    keyName: null,
    requestId: null,
    indicatorHmac: null,
    ip,
    outcome,
    correlationId,
    count: null,
    detail: null,
    subjects: null,
    ...about,
  };
}

/** The stored and chained form of an event: format version and all fields as one JSON array, without a line end. */
export function eventText(event: AuditEvent): string {
  const fields: unknown[] = [
    event.subjects === null ? formatVersion : formatWithSubjects,
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
  ];
  if (event.subjects !== null) fields.push(event.subjects.map(({ id, digest }) => [id, digest]));
  return JSON.stringify(fields);
}

type EventFields = [
  version: number,
  at: number,
  workspaceId: WorkspaceId | null,
  actor: string,
  action: AuditAction,
  keyId: string | null,
  keyName: string | null,
  requestId: string | null,
  indicatorHmac: string | null,
  ip: string | null,
  outcome: string,
  correlationId: string | null,
  count: number | null,
  detail: string | null,
  subjects?: [id: string, digest: string][],
];

/** The reverse of `eventText`; null for a text that `eventText` did not write. */
export function parseEvent(text: string): AuditEvent | null {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(fields)) return null;
  const isKnown =
    (fields[0] === formatVersion && fields.length === 14) ||
    (fields[0] === formatWithSubjects && fields.length === 15 && isSubjectList(fields[14]));
  if (!isKnown) return null;
  const [
    ,
    at,
    workspaceId,
    actor,
    action,
    keyId,
    keyName,
    requestId,
    indicatorHmac,
    ip,
    outcome,
    correlationId,
    count,
    detail,
    subjects,
  ] = fields as EventFields;
  return {
    at: new Date(at),
    workspaceId,
    actor,
    action,
    keyId,
    keyName,
    requestId,
    indicatorHmac,
    ip,
    outcome,
    correlationId,
    count,
    detail,
    subjects: subjects?.map(([id, digest]) => ({ id, digest })) ?? null,
  };
}

function isSubjectList(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (entry) => Array.isArray(entry) && entry.length === 2 && entry.every((part) => typeof part === "string"),
    )
  );
}

/** The values of a table row, by column. */
export type SubjectRow = Readonly<Record<string, string | number | null>>;

/**
 * SHA-256 of the row of a subject, 64 hex digits. Null columns are left out, so a column that a later version adds does
 * not change the digests of earlier rows.
 */
export function subjectDigest(id: string, row: SubjectRow): string {
  const columns = Object.entries(row).filter(([, value]) => value !== null);
  return sha256Hex(JSON.stringify([id, ...columns.sort(([one], [other]) => (one < other ? -1 : 1))]));
}

/** The detail of `audit.checkpoint` and `audit.baseline`: the start of the trail and a hash of the subjects there. */
export function checkpointText(start: AuditHead, subjects: ReadonlyMap<string, string>): string {
  const entries = [...subjects].sort(([one], [other]) => (one < other ? -1 : 1));
  return `${headText(start)} ${sha256Hex(JSON.stringify(entries))}`;
}

/**
 * The mac of the event that follows `before`: HMAC-SHA-256, 64 hex digits, over the previous mac, the number of the
 * event and its text. The first two hold no blank, so different chains never produce the same bytes.
 */
export function chainedMac(auditKey: Uint8Array, before: AuditHead, text: string): string {
  return keyedHash(auditKey, `${before.mac} ${before.row + 1} ${text}`);
}

/** The event with its members in the order of docs/contract.md 9.8; `count` and `detail` only when they are set. */
export function auditBody(event: AuditEvent): AuditEventBody {
  const { at, workspaceId, actor, action, keyId, keyName, requestId, indicatorHmac, ip, outcome, correlationId } =
    event;
  return {
    at: timestamp(at),
    workspace_id: workspaceId,
    actor,
    action,
    key_id: keyId,
    key_name: keyName,
    request_id: requestId,
    indicator_hmac: indicatorHmac,
    ip,
    outcome,
    correlation_id: correlationId,
    ...(event.count === null ? {} : ({ count: event.count } satisfies Partial<AuditEventBody>)),
    ...(event.detail === null ? {} : ({ detail: event.detail } satisfies Partial<AuditEventBody>)),
  };
}

/** `N:HEX`, the form of the log, the head file and `audit verify --head`. */
export function headText({ row, mac }: AuditHead): string {
  return `${row}:${mac}`;
}

/** The reverse of `headText`; null when the text is not a head. */
export function parseHead(text: string): AuditHead | null {
  const [, row, mac] = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text.trim()) ?? [];
  return row === undefined || mac === undefined ? null : { row: Number(row), mac: mac.toLowerCase() };
}
