import type Database from "better-sqlite3/linux-x64";

/** An event as the database holds it: its place, its mac and its other columns by name. */
export type StoredEvent = {
  readonly row: number;
  readonly mac: Uint8Array;
  readonly fields: Readonly<Record<string, string | number | null>>;
};

/** Rewrites the audit trail as somebody does who can write the database and has no secret. */
export function rewriteTrail(connection: Database, change: (events: StoredEvent[]) => StoredEvent[]): void {
  connection.exec("DROP TRIGGER IF EXISTS audit_refuses_update; DROP TRIGGER IF EXISTS audit_refuses_delete");
  const stored = connection.prepare<[], { row: number; mac: Uint8Array } & StoredEvent["fields"]>(
    "SELECT * FROM audit ORDER BY row",
  );
  const before = stored.all().map(({ row, mac, ...fields }) => ({ row, mac, fields }));
  connection.exec("BEGIN; DELETE FROM audit");
  for (const { row, mac, fields } of change(before)) {
    const names = Object.keys(fields);
    const values = names.map((name) => fields[name] ?? null);
    const places = names.map(() => ", ?").join("");
    connection
      .prepare(`INSERT INTO audit (row, mac${names.map((name) => `, ${name}`).join("")}) VALUES (?, ?${places})`)
      .run(row, mac, ...values);
  }
  connection.exec("COMMIT");
}
