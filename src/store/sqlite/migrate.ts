import first from "../../../migrations/0001_first.sql" with { type: "text" };
import access from "../../../migrations/0002_access.sql" with { type: "text" };
import corpus from "../../../migrations/0003_corpus.sql" with { type: "text" };
import dashboard from "../../../migrations/0004_dashboard.sql" with { type: "text" };
import importRules from "../../../migrations/0005_import_rules.sql" with { type: "text" };
import auditStart from "../../../migrations/0006_audit_start.sql" with { type: "text" };
import omittedFindings from "../../../migrations/0007_omitted_findings.sql" with { type: "text" };
import keyScopes from "../../../migrations/0008_key_scopes.sql" with { type: "text" };
import bulk from "../../../migrations/0009_bulk.sql" with { type: "text" };
import watch from "../../../migrations/0010_watch.sql" with { type: "text" };
import scanTerms from "../../../migrations/0011_scan_terms.sql" with { type: "text" };
import { isOutOfSpace } from "../../domain/disk-fault.ts";
import { schemaFaults } from "./compare-schema.ts";
import { type Connection, openConnection } from "./driver.ts";

/** In order; the number of a migration is its place in this list, counted from 1. Frozen: see migrate.test.ts. */
const migrations: readonly string[] = [
  first,
  access,
  corpus,
  dashboard,
  importRules,
  auditStart,
  omittedFindings,
  keyScopes,
  bulk,
  watch,
  scanTerms,
];

/** The schema version that this program works with. */
export const currentVersion = migrations.length;

/**
 * An upgrade that was not done. The message names the table or statement that prevented it. The database is unchanged.
 */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/** The schema version of an open database; 0 when it has none. */
export function schemaVersion(connection: Connection): number {
  return Number(connection.pragma("user_version", { simple: true }));
}

/**
 * Upgrades a database to the current schema. All steps and the new version are one transaction, and the resulting
 * schema is compared with the expected schema before the commit. After a failure the database is unchanged, so the
 * older program can still open it. Throws `MigrationError`, and the error of the driver when the disk is full.
 */
export function migrate(connection: Connection): void {
  const from = schemaVersion(connection);
  if (from >= currentVersion) return;
  connection.exec("BEGIN IMMEDIATE");
  try {
    // A new database cannot differ.
    if (from > 0) requireSchema(connection, from, `the database says schema version ${from}, but `);
    for (let version = from; version < currentVersion; version += 1) step(connection, version + 1);
    if (from > 0) requireSchema(connection, currentVersion, `after the upgrade to schema version ${currentVersion} `);
    connection.exec("COMMIT");
  } catch (error) {
    if (connection.inTransaction) connection.exec("ROLLBACK");
    throw error;
  }
}

/** An empty database in memory with the schema of a version. The caller closes it. */
export function openSchema(version: number): Connection {
  const connection = openConnection(":memory:", { mustExist: false });
  for (const migration of migrations.slice(0, version)) connection.exec(migration);
  return connection;
}

function step(connection: Connection, version: number): void {
  try {
    connection.exec(migrations[version - 1] ?? "");
    connection.pragma(`user_version = ${version}`);
  } catch (error) {
    if (isOutOfSpace(error) || !(error instanceof Error)) throw error;
    throw new MigrationError(`migration ${String(version).padStart(4, "0")} failed: ${error.message}`, {
      cause: error,
    });
  }
}

function requireSchema(connection: Connection, version: number, where: string): void {
  const expected = openSchema(version);
  try {
    const [fault, ...others] = schemaFaults(connection, expected);
    if (fault === undefined) return;
    const more = others.length === 0 ? "" : `, and ${others.length} further differences`;
    throw new MigrationError(`${where}${fault}${more}`);
  } finally {
    expected.close();
  }
}
