import * as z from "zod/mini";
import { count, id, sha256, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";

/** docs/contract.md 9.8. */
export const auditAction = z.enum([
  "key.created",
  "key.rotated",
  "key.revoked",
  "enrich.requested",
  "enrich.polled",
  "export.made",
  "bulk.requested",
  "auth.denied",
  "workspace.created",
  "workspace.plan_changed",
  "workspace.disabled",
  "workspace.enabled",
  "workspace.operator_created",
  "workspace.operator_revoked",
  "workspace.session_started",
  "workspace.session_ended",
  "corpus.imported",
  "corpus.removed",
  "corpus.forgotten",
  "source.added",
  "source.changed",
  "source.removed",
  "watch.changed",
  "events.read",
  "audit.baseline",
  "audit.checkpoint",
  "audit.gap",
  "audit.restored",
]);

/** An event of the audit trail (docs/contract.md 9.8). The order of the members is part of the contract. */
export const auditEvent = z.strictObject({
  at: time,
  workspace_id: z.nullable(id).check(z.describe("null for an event that belongs to no workspace")),
  actor: text.check(z.describe("key:<id>, operator:<name>, cli or anonymous")),
  action: auditAction,
  key_id: z.nullable(id),
  key_name: z.nullable(text),
  request_id: z.nullable(id),
  indicator_hmac: z.nullable(sha256).check(z.describe("a keyed hash, never the address itself")),
  ip: z.nullable(text),
  outcome: text.check(z.describe("an HTTP status, or ok or failed")),
  correlation_id: z.nullable(text),
  count: z.exactOptional(count.check(z.describe("the number of events that this event stands for"))),
  detail: z.exactOptional(
    text.check(z.describe("a plan, the rights of a key, or the name of an operator, corpus or source")),
  ),
});
export type AuditEventBody = Shape<typeof auditEvent>;

export const auditList = z.strictObject({
  events: z.array(auditEvent).check(z.describe("newest first")),
  next_cursor: z.nullable(text),
});
export type AuditList = Shape<typeof auditList>;

const row = count.check(z.describe("number of the event in the trail, from 1 on"));

/** A line of `audit export`. */
export const auditLine = z.strictObject({ row, ...auditEvent.shape, mac: sha256 });
export type AuditLine = Shape<typeof auditLine>;

/** A line of `audit export` for a stored row that xpose did not write. */
const unreadableAuditLine = z.strictObject({ row: z.int(), unreadable: text, mac: text });
export type UnreadableAuditLine = Shape<typeof unreadableAuditLine>;

/** The report of `audit verify`. */
export const auditCheck = z.strictObject({
  ok: z.boolean(),
  rows: count,
  head: text.check(z.describe("N:HEX")),
  first_bad_row: z.nullable(z.int()),
  problem: z.nullable(text),
});
export type AuditCheckBody = Shape<typeof auditCheck>;
