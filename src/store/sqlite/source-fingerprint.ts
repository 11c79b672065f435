import { type AuditEvent, type Author, auditEvent } from "../../domain/audit.ts";
import type { auditTable } from "./audit.ts";
import type { Connection } from "./driver.ts";

const prefix = "source/";

/** The settings of the sources as the service saw them last: what changes between two starts is written down too. */
export function sourceFingerprintTable(connection: Connection, audit: Pick<ReturnType<typeof auditTable>, "append">) {
  const known = connection.prepare<[], { name: string; value: string }>(
    `SELECT name, value FROM property WHERE name LIKE '${prefix}%' ORDER BY name`,
  );
  const save = connection.prepare("INSERT OR REPLACE INTO property (name, value) VALUES (?, ?)");
  const drop = connection.prepare("DELETE FROM property WHERE name = ?");

  return {
    note(fingerprints: ReadonlyMap<string, string>, by: Author): void {
      const before = new Map(known.all().map(({ name, value }) => [name.slice(prefix.length), value]));
      const events: AuditEvent[] = [];
      for (const [name, fingerprint] of fingerprints) {
        const old = before.get(name);
        if (old === fingerprint) continue;
        save.run(prefix + name, fingerprint);
        events.push(auditEvent(by, old === undefined ? "source.added" : "source.changed", { detail: name }));
      }
      for (const name of before.keys()) {
        if (fingerprints.has(name)) continue;
        drop.run(prefix + name);
        events.push(auditEvent(by, "source.removed", { detail: name }));
      }
      audit.append(events);
    },
  };
}
