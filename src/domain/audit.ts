import type { AuditEventBody } from "../wire/audit.ts";
import { keyedHash } from "./keyed-hash.ts";
import { sha256Hex } from "./sha256.ts";
import { timestamp } from "./time.ts";
import type { WorkspaceId } from "./workspace.ts";

/** What is written down (docs/contract.md 9.8). */
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
  | "audit.baseline"
  | "audit.checkpoint"
  | "audit.gap"
  | "audit.restored";

/** Who acts, from where, and how it ends: what an event has from its caller. */
export type Author = {
  readonly at: Date;
  /** `key:<id>`, `operator:<name>`, `cli` or `anonymous`. */
  readonly actor: string;
  /** Null for what does not come over the network. */
  readonly ip: string | null;
  /** An HTTP status, or `ok` or `failed`. */
  readonly outcome: string;
  readonly correlationId: string | null;
};

export type AuditEvent = Author & {
  readonly action: AuditAction;
  /** Null for what belongs to no workspace: denials of unknown keys, gaps, corpora and sources that all see. */
  readonly workspaceId: WorkspaceId | null;
  readonly keyId: string | null;
  readonly keyName: string | null;
  readonly requestId: string | null;
  /** The keyed hash of the indicator, 64 hex digits; an address never stands here. */
  readonly indicatorHmac: string | null;
  /** How many events this one stands for, where it may be more than one; else null. */
  readonly count: number | null;
  /** What the action was done to, where no other field says it: a plan, or the name of an operator, corpus or source. */
  readonly detail: string | null;
  /** The rows that the action changed, as it left them; null for an action that changes no right. Chained, never shown. */
  readonly subjects: readonly AuditSubject[] | null;
};

/**
 * A key, operator or workspace as it stands in its table. `id` is `key:<id>`, `operator:<id>` or `workspace:<id>`;
 * `digest` is 64 hex digits, see `subjectDigest`.
 */
export type AuditSubject = { readonly id: string; readonly digest: string };

/** Where the chain ends: the number of its last event, and that event's mac, 64 hex digits. */
export type AuditHead = { readonly row: number; readonly mac: string };

/** The chain before its first event, which is number 1. */
export const emptyHead: AuditHead = { row: 0, mac: "0".repeat(64) };

/** An event in its place, as it is stored. */
export type AuditRow = AuditHead & {
  /** Its fields as one JSON array; these bytes are chained. */
  readonly text: string;
  /** Null when the text is not one that xpose wrote. */
  readonly event: AuditEvent | null;
  /**
   * Entries in the index of holders that belong to the stored row which this event ends; 0 for the other events. So the
   * sum over a trail is the number of entries that the index must have.
   */
  readonly holderCount: number;
};

/** All that a check of the whole trail needs beside its rows, read at one moment. */
export type AuditState = {
  readonly head: AuditHead;
  /** The event before the first one of the trail; `emptyHead` until events are removed past their retention. */
  readonly start: AuditHead;
  /** Digests of subjects at the start, by id. */
  readonly startSubjects: ReadonlyMap<string, string>;
  /** Digests of all subjects as their tables hold them now, by id. */
  readonly subjects: ReadonlyMap<string, string>;
  /** Entries in the index of holders. */
  readonly holderCount: number;
};

/** Version of the chained bytes: a later form of events chains on under another number. */
const formatVersion = 1;
/** The form of an event with subjects: they are one more field. Frequent events have none and stay short. */
const formatWithSubjects = 2;

/** An event with nothing but its author, its action and what is given. */
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

/** An event as it is stored and chained: the format version and all fields as one JSON array, without a line end. */
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

/** The reverse of `eventText`; null for a text that it did not write. */
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

/** Values of a row of a table, by column. */
export type SubjectRow = Readonly<Record<string, string | number | null>>;

/**
 * SHA-256 of the row of a subject, 64 hex digits. Columns that are null do not count, so a column that a later version
 * adds leaves the digests of earlier rows as they are.
 */
export function subjectDigest(id: string, row: SubjectRow): string {
  const columns = Object.entries(row).filter(([, value]) => value !== null);
  return sha256Hex(JSON.stringify([id, ...columns.sort(([one], [other]) => (one < other ? -1 : 1))]));
}

/** The detail of `audit.checkpoint` and `audit.baseline`: where the trail begins, and a hash of the subjects there. */
export function checkpointText(start: AuditHead, subjects: ReadonlyMap<string, string>): string {
  const entries = [...subjects].sort(([one], [other]) => (one < other ? -1 : 1));
  return `${headText(start)} ${sha256Hex(JSON.stringify(entries))}`;
}

/**
 * The mac of the event with this text behind `before`: HMAC-SHA-256, 64 hex digits, over the mac before, the number of
 * the event and its text. The first two have no blank in them, so no two different chains have the same bytes.
 */
export function chainedMac(auditKey: Uint8Array, before: AuditHead, text: string): string {
  return keyedHash(auditKey, `${before.mac} ${before.row + 1} ${text}`);
}

/** The event of docs/contract.md 9.8 in its literal order; `count` and `detail` follow where there is one. */
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

/** `N:HEX`, as the log, the head file and `audit verify --head` have it. */
export function headText({ row, mac }: AuditHead): string {
  return `${row}:${mac}`;
}

/** Null when the text is no head. */
export function parseHead(text: string): AuditHead | null {
  const [, row, mac] = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text.trim()) ?? [];
  return row === undefined || mac === undefined ? null : { row: Number(row), mac: mac.toLowerCase() };
}
