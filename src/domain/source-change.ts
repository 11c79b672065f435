import { type AuditEvent, type Author, auditEvent } from "./audit.ts";

/** Hashed settings of sources, by name. */
export type Fingerprints = ReadonlyMap<string, string>;

/** The audit events for the differences between the previous and the present enabled sources. */
export function sourceChanges(before: Fingerprints, now: Fingerprints, by: Author): AuditEvent[] {
  const changed = [...now].filter(([name, fingerprint]) => before.get(name) !== fingerprint);
  const removed = [...before.keys()].filter((name) => !now.has(name));
  return [
    ...changed.map(([name]) => auditEvent(by, before.has(name) ? "source.changed" : "source.added", { detail: name })),
    ...removed.map((name) => auditEvent(by, "source.removed", { detail: name })),
  ];
}
