import type Database from "better-sqlite3/linux-x64";
import { readLines } from "../../src/store/sqlite/audit.ts";

/** A stored event: its number, its mac and its fields by name. */
export type StoredEvent = {
  readonly row: number;
  readonly mac: string;
  readonly fields: Readonly<Record<string, string | number | null>>;
  /** The stored subjects; null for an event without subjects. */
  readonly subjects: readonly unknown[] | null;
};

/** The fields in the order in which they are stored and chained. */
const names = [
  "version",
  "at",
  "workspace_id",
  "actor",
  "action",
  "key_id",
  "key_name",
  "request_id",
  "indicator_hmac",
  "ip",
  "outcome",
  "correlation_id",
  "count",
  "detail",
];

/** Rewrites the audit trail like an attacker who can write the database but lacks the secret. */
export function rewriteTrail(connection: Database, change: (events: StoredEvent[]) => StoredEvent[]): void {
  const refusals = ["audit_refuses_update", "audit_refuses_delete", "audit_holder_refuses_delete"];
  connection.exec(refusals.map((name) => `DROP TRIGGER IF EXISTS ${name};`).join(" "));
  const stored = connection.prepare<[], { first_event: number; events: string }>(
    "SELECT first_event, events FROM audit ORDER BY first_event",
  );
  const before = stored.all().flatMap(({ first_event, events }) =>
    readLines(events).map(({ mac, text }, index) => {
      const values = JSON.parse(text) as (string | number | null)[];
      const fields = Object.fromEntries(names.map((name, place) => [name, values[place] ?? null]));
      const subjects = (values[names.length] as unknown as unknown[] | undefined) ?? null;
      return { row: first_event + index, mac, fields, subjects };
    }),
  );
  connection.exec("BEGIN; DELETE FROM audit_holder; DELETE FROM audit");
  const insert = connection.prepare(
    "INSERT INTO audit (first_event, last_event, last_mac, events) VALUES (?, ?, ?, ?)",
  );
  const insertHolder = connection.prepare("INSERT OR IGNORE INTO audit_holder (holder, first_event) VALUES (?, ?)");
  for (const { row, mac, fields, subjects } of change(before)) {
    const values = [...names.map((name) => fields[name] ?? null), ...(subjects === null ? [] : [subjects])];
    insert.run(row, row, mac, `${mac} ${JSON.stringify(values)}\n`);
    for (const holder of [fields["workspace_id"], fields["key_id"]]) {
      if (typeof holder === "string") insertHolder.run(holder, row);
    }
  }
  connection.exec("COMMIT");
}
