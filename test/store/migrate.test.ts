import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3/linux-x64";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sha256Hex } from "../../src/domain/sha256.ts";
import type { Store } from "../../src/store/port/store.ts";
import { schemaFaults } from "../../src/store/sqlite/compare-schema.ts";
import { currentVersion, openSchema } from "../../src/store/sqlite/migrate.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { testAuditKey } from "../helpers/test-author.ts";

const migrationsDir = join(import.meta.dirname, "../../migrations");

/** SHA-256 of every migration. One that was published is never changed: what comes later is a migration of its own. */
const frozen: Readonly<Record<string, string>> = {
  "0001_first.sql": "57b35de20854b81d11aad418b4eec78400a9c0f2b7947e6a2726686905c2598a",
  "0002_access.sql": "75c67e59a8a80f862ca7bcac18d930c13eb42ffd70806234571fea2e07a77641",
  "0003_corpus.sql": "7aaf26884ad378381360e5ad1ed23a6c324e9f1251dcab2edac39b95d3de0ac8",
  "0004_dashboard.sql": "20bc2421ec3e225d69751923ae0a6d28fccb3b8b0a0893c04046fbbc323c0df0",
  "0005_import_rules.sql": "78ef66656d2499dac3f4a849ab8929ccaebb1f7dd93d0d032e99bb336103ef1f",
  "0006_audit_start.sql": "f95f14e28567f2a70aca316a6714bfd117ed4a660293413a1c9a7cdb489891cf",
  "0007_omitted_findings.sql": "dac288b20f02f94d2ff9cf7ced0367e05cb9be0f2d91836e7b744b9da60401bd",
  "0008_key_scopes.sql": "6eaa0ca4d2ec28fa072ecc33c4b21bd08006038115044b87354e506ad7f246d9",
  "0009_bulk.sql": "36525eeac8a417bee3f874d220cf6a345e7984f6c4f7f274e065a34a694d9b0c",
  "0010_watch.sql": "4bf021aa1ef195ee1322487f5887e0d0b85c9de94b9afd1509c57687eced0bec",
  "0011_scan_terms.sql": "d5d3c35601f1ba165636c4c65cff081e05c8a19e44df1cc45d49e1c7c2723a37",
};

let folder: string;
const databaseFile = () => join(folder, "xpose.db");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xpose-migrate-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Makes a database of an older version, with a workspace and a key, then does `sql` to it as no program of ours does. */
function makeOlder(version: number, sql = ""): void {
  const schema = openSchema(version);
  const connection = new Database(databaseFile());
  connection.pragma("journal_mode = WAL");
  for (const { sql: one } of schema
    .prepare<[], { sql: string | null }>("SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
    .all()) {
    if (one !== null) connection.exec(one);
  }
  schema.close();
  connection.exec(`
    INSERT INTO property VALUES ('secret_check', 'check');
    INSERT INTO workspace VALUES ('w', 'default', 'default', 'team', NULL, 'revision');
    INSERT INTO api_key (id, workspace_id, name, folded_name, prefix, hash, created_at, created_by)
      VALUES ('key', 'w', 'siem', 'siem', '0000', 'aa', 0, 'cli');
    PRAGMA user_version = ${version}; ${sql}`);
  connection.close();
}

/** The whole content of a database: version, schema and rows. */
function contents(): unknown {
  const connection = new Database(databaseFile());
  const schema = connection.prepare<[], { type: string; name: string; sql: string }>(
    "SELECT type, name, sql FROM sqlite_schema ORDER BY rowid",
  );
  const tables = schema.all().filter(({ type }) => type === "table");
  const rows = tables.map(({ name }) => [name, connection.prepare(`SELECT * FROM "${name}"`).all()]);
  const all = [connection.pragma("user_version", { simple: true }), schema.all(), rows];
  connection.close();
  return all;
}

function open(): Store {
  return SqliteStore.open(folder, () => ({ audit: testAuditKey })).store;
}

test("every migration is as it was published, and none is left out", () => {
  const files = readdirSync(migrationsDir).sort();
  expect(files).toHaveLength(currentVersion);
  const hashes = files.map((name) => [name, sha256Hex(readFileSync(join(migrationsDir, name), "utf8"))]);
  expect(Object.fromEntries(hashes)).toEqual(frozen);
});

test.each(Array.from({ length: currentVersion - 1 }, (_, index) => index + 1))(
  "a database of version %i gets the schema of a new one and keeps its rows",
  async (version) => {
    makeOlder(version);
    const store = open();
    expect(await store.findWorkspace("default")).toMatchObject({ id: "w", plan: "team" });
    expect(await store.findKey("w" as never, "key")).toMatchObject({ name: "siem" });
    store.close();
    const [connection, expected] = [new Database(databaseFile()), openSchema(currentVersion)];
    expect(schemaFaults(connection, expected)).toEqual([]);
    connection.close();
    expected.close();
  },
);

describe("an upgrade that fails leaves everything as it was, and names the table", () => {
  test.each([
    [
      "in the last of several steps, by a row",
      4,
      "INSERT INTO property VALUES ('audit_baseline_due', '0')",
      /migration 0006 failed: UNIQUE constraint failed: property\.name/,
    ],
    ["a table that is missing", 3, "DROP TABLE session", /the table "session" is missing/],
    [
      "a table of a later version",
      3,
      "CREATE TABLE source_usage (a TEXT)",
      /the table "source_usage" is not one of xpose/,
    ],
    ["a column more", 5, "ALTER TABLE api_key ADD COLUMN mine TEXT", /the table "api_key" is not as xpose makes it/],
    ["an index that is missing", 5, "DROP INDEX scan_queue", /the index "scan_queue" of the table "scan" is missing/],
    [
      "a foreign trigger",
      5,
      "CREATE TRIGGER evil AFTER INSERT ON api_key BEGIN DELETE FROM session; END",
      /the trigger "evil" of the table "api_key" is not one of xpose/,
    ],
    ["several", 5, "DROP TABLE session; DROP TABLE polled", /"session" is missing, and 3 further differences/],
  ])("%s", (_what, version, sql, message) => {
    makeOlder(version, sql);
    const before = contents();
    expect(() => open()).toThrow(message);
    expect(contents()).toEqual(before);
  });

  test("and the next try goes through once the reason is gone", () => {
    makeOlder(2, "DROP INDEX scan_queue");
    expect(() => open()).toThrow('the index "scan_queue"');
    const connection = new Database(databaseFile());
    connection.exec("CREATE INDEX scan_queue ON scan (workspace_id) WHERE state = 'queued'");
    connection.close();
    open().close();
  });
});

test("a schema that is equal but for blanks has no fault, and one of a trigger that shares a table's name has", () => {
  const expected = openSchema(currentVersion);
  const connection = openSchema(currentVersion);
  connection.exec("DROP INDEX usage_by_age; CREATE INDEX   usage_by_age\n ON usage (hour)");
  expect(schemaFaults(connection, expected)).toEqual([]);
  connection.exec("CREATE TRIGGER audit AFTER INSERT ON session BEGIN SELECT 1; END");
  expect(schemaFaults(connection, expected)).toEqual([
    'the trigger "audit" of the table "session" is not one of xpose',
  ]);
  connection.close();
  expected.close();
});
