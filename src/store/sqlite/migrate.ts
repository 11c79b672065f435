import first from "../../../migrations/0001_first.sql" with { type: "text" };
import access from "../../../migrations/0002_access.sql" with { type: "text" };
import corpus from "../../../migrations/0003_corpus.sql" with { type: "text" };
import dashboard from "../../../migrations/0004_dashboard.sql" with { type: "text" };
import importRules from "../../../migrations/0005_import_rules.sql" with { type: "text" };
import type { Connection } from "./driver.ts";

/** In order; the number of a migration is its place in this list, counted from 1. */
const migrations: readonly string[] = [first, access, corpus, dashboard, importRules];

/** The schema version that this program works with. */
export const currentVersion = migrations.length;

/** The schema version of an open database; 0 when it has none. */
export function schemaVersion(connection: Connection): number {
  return Number(connection.pragma("user_version", { simple: true }));
}

/** Brings a database to the current schema, each step in a transaction of its own. */
export function migrate(connection: Connection): void {
  for (let version = schemaVersion(connection); version < currentVersion; version += 1) {
    connection.exec(`BEGIN IMMEDIATE; ${migrations[version]}; PRAGMA user_version = ${version + 1}; COMMIT`);
  }
}
