import type { AuditEventBody } from "../wire/audit.ts";
import { timestamp } from "./envelope.ts";
import { keyedHash } from "./keyed-hash.ts";
import type { WorkspaceId } from "./workspace.ts";

/** What is written down (CONTRACT.md 9.8). */
export type AuditAction =
  | "key.created"
  | "key.rotated"
  | "key.revoked"
  | "enrich.requested"
  | "enrich.polled"
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
};

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
};

/** Version of the chained bytes: a later form of events chains on under another number. */
const formatVersion = 1;

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
    ...about,
  };
}

/** An event as it is stored and chained: the format version and all fields as one JSON array, without a line end. */
export function eventText(event: AuditEvent): string {
  return JSON.stringify([
    formatVersion,
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
  ]);
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
];

/** The reverse of `eventText`; null for a text that it did not write. */
export function parseEvent(text: string): AuditEvent | null {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(fields) || fields.length !== 14 || fields[0] !== formatVersion) return null;
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
  };
}

/**
 * The mac of the event with this text behind `before`: HMAC-SHA-256, 64 hex digits, over the mac before, the number of
 * the event and its text. The first two have no blank in them, so no two different chains have the same bytes.
 */
export function chainedMac(auditKey: Uint8Array, before: AuditHead, text: string): string {
  return keyedHash(auditKey, `${before.mac} ${before.row + 1} ${text}`);
}

/** The event of CONTRACT.md 9.8 in its literal order; `count` and `detail` follow where there is one. */
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
