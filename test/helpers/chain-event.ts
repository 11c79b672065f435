import { type AuditEvent, type AuditHead, chainedMac, eventText } from "../../src/domain/audit.ts";

/** The head of the chain after `event` is appended to `before`. */
export function chainEvent(auditKey: Uint8Array, before: AuditHead, event: AuditEvent): AuditHead {
  return { row: before.row + 1, mac: chainedMac(auditKey, before, eventText(event)) };
}
