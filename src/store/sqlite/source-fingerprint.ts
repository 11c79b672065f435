import type { Author } from "../../domain/audit.ts";
import { sourceChanges } from "../../domain/source-change.ts";
import type { auditTable } from "./audit.ts";
import type { Connection } from "./driver.ts";

const prefix = "source/";

/** The settings of the sources that the service used last, so that changes between two starts are recorded too. */
export function sourceFingerprintTable(connection: Connection, audit: Pick<ReturnType<typeof auditTable>, "append">) {
  const known = connection.prepare<[], { name: string; value: string }>(
    `SELECT name, value FROM property WHERE name LIKE '${prefix}%' ORDER BY name`,
  );
  const save = connection.prepare("INSERT OR REPLACE INTO property (name, value) VALUES (?, ?)");
  const drop = connection.prepare("DELETE FROM property WHERE name = ?");

  return {
    note(fingerprints: ReadonlyMap<string, string>, by: Author): void {
      const before = new Map(known.all().map(({ name, value }) => [name.slice(prefix.length), value]));
      for (const [name, fingerprint] of fingerprints) {
        if (before.get(name) !== fingerprint) save.run(prefix + name, fingerprint);
      }
      for (const name of before.keys()) if (!fingerprints.has(name)) drop.run(prefix + name);
      audit.append(sourceChanges(before, fingerprints, by));
    },
  };
}
