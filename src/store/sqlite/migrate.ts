import first from "../../../migrations/0001_first.sql" with { type: "text" };
import corpus from "../../../migrations/0003_corpus.sql" with { type: "text" };
import type { Connection } from "./driver.ts";

/** In order; `version` is the number in the name of the file. */
const migrations: readonly { readonly version: number; readonly sql: string }[] = [
  { version: 1, sql: first },
  { version: 3, sql: corpus },
];

/** The schema version that this program works with. */
export const currentVersion = Math.max(...migrations.map(({ version }) => version));

/** The schema version of an open database; 0 when it has none. */
export function schemaVersion(connection: Connection): number {
  return Number(connection.pragma("user_version", { simple: true }));
}

/** Brings a database to the current schema, each step in a transaction of its own. */
export function migrate(connection: Connection): void {
  const reached = schemaVersion(connection);
  for (const { version, sql } of migrations) {
    if (version > reached) connection.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${version}; COMMIT`);
  }
}
