import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3/linux-x64";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import { openConnection } from "../../src/store/sqlite/driver.ts";
import { takeLock } from "../../src/store/sqlite/lock.ts";
import { currentVersion } from "../../src/store/sqlite/migrate.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { describeStore } from "./contract.ts";

describeStore("SQLite", async () => SqliteStore.inMemory());

let folder: string;
const databaseFile = () => join(folder, "xpose.db");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xpose-store-"));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

function workspace(name: string) {
  return { id: `id of ${name}` as WorkspaceId, name, plan: "team", disabledAt: null } as const;
}

/** A store in the folder of the test, and the connection that it works with. */
function createWatched(): { store: SqliteStore; connection: Database } {
  const pragma = vi.spyOn(Database.prototype, "pragma");
  const store = SqliteStore.create(folder, "check");
  const connection = pragma.mock.contexts[0];
  if (!(connection instanceof Database)) throw new Error("the store opened no connection");
  return { store, connection };
}

/** Changes a database file as no store does. */
function alter(sql: string): void {
  const connection = new Database(databaseFile());
  connection.exec(sql);
  connection.close();
}

describe("the database file", () => {
  test("what is answered is on the disk: WAL with full synchronisation, foreign keys on", () => {
    const { store, connection } = createWatched();
    const settings = ["journal_mode", "synchronous", "foreign_keys", "trusted_schema"];
    // In SQLite 2 is FULL.
    const expected = ["wal", 2, 1, 0];
    expect(settings.map((name) => connection.pragma(name, { simple: true }))).toEqual(expected);
    store.close();
    const reopened = openConnection(databaseFile(), { mustExist: true });
    expect(settings.map((name) => reopened.pragma(name, { simple: true }))).toEqual(expected);
    reopened.close();
  });

  test("what one process commits, another one reads at once", async () => {
    const one = SqliteStore.create(folder, "check");
    const other = SqliteStore.open(folder);
    await one.insertWorkspace(workspace("Acme"), null);
    expect(await other.findWorkspace("acme")).toEqual(workspace("Acme"));
    other.close();
    one.close();
  });

  test("the state of a directory tells absent, unfinished and ready ones apart", async () => {
    expect(SqliteStore.inspect(folder)).toEqual({ state: "absent", secretCheck: null });
    const store = SqliteStore.create(folder, "check");
    expect(SqliteStore.inspect(folder)).toEqual({ state: "unfinished", secretCheck: "check" });
    await store.insertWorkspace(workspace("default"), null);
    expect(SqliteStore.inspect(folder)).toEqual({ state: "ready", secretCheck: "check" });
    store.close();
  });

  test("an empty file is unfinished, and one of a newer version is said to be so", async () => {
    writeFileSync(databaseFile(), "");
    expect(SqliteStore.inspect(folder)).toEqual({ state: "unfinished", secretCheck: null });
    rmSync(databaseFile());
    const store = SqliteStore.create(folder, "check");
    await store.insertWorkspace(workspace("default"), null);
    store.close();
    alter(`PRAGMA user_version = ${currentVersion + 1}`);
    expect(SqliteStore.inspect(folder)).toEqual({ state: "newer", secretCheck: null });
  });

  test("one of before the present segments loses its corpora when it is upgraded, and nothing else", async () => {
    const first = readFileSync(join(import.meta.dirname, "../../migrations/0001_first.sql"), "utf8");
    alter(`${first};
      INSERT INTO property VALUES ('secret_check', 'check');
      INSERT INTO workspace VALUES ('w', 'default', 'default', 'team', NULL, 'old');
      INSERT INTO corpus VALUES ('leak', NULL, 0.5, 'leak', 'old');
      INSERT INTO corpus_import VALUES ('i', 'leak', 'a.csv', '01', 'csv', 3, 1, 'i.seg');
      PRAGMA user_version = 1`);
    expect(SqliteStore.inspect(folder)).toEqual({ state: "older", secretCheck: "check" });
    const store = SqliteStore.open(folder);
    expect(SqliteStore.inspect(folder).state).toBe("ready");
    expect(await store.listCorpora()).toEqual([]);
    expect(await store.findWorkspace("default")).toMatchObject({ id: "w" });
    store.close();
    const connection = openConnection(databaseFile(), { mustExist: true });
    // What was answered from the old corpora is stale.
    expect(connection.prepare("SELECT corpora_revision FROM workspace").get()).not.toEqual({ corpora_revision: "old" });
    connection.close();
  });

  test("a missing database is not made by opening it", () => {
    expect(() => SqliteStore.open(folder)).toThrow();
    expect(SqliteStore.inspect(folder).state).toBe("absent");
  });

  test("a full disk is storage_full: nothing of the change is there, reads go on, and so do writes once there is room", async () => {
    const { store, connection } = createWatched();
    await store.insertWorkspace(workspace("Acme"), null);
    connection.pragma(`max_page_count = ${connection.pragma("page_count", { simple: true })}`);
    const tooBig = workspace("x".repeat(100_000));
    await expect(store.insertWorkspace(tooBig, null)).rejects.toMatchObject({ code: "storage_full" });
    expect(await store.listWorkspaces()).toEqual([workspace("Acme")]);
    connection.pragma("max_page_count = 100000");
    await store.insertWorkspace(tooBig, null);
    expect(await store.listWorkspaces()).toHaveLength(2);
    store.close();
  });

  test("a damaged database is unavailable, not an answer", async () => {
    const { store, connection } = createWatched();
    for (let count = 0; count < 200; count += 1) await store.insertWorkspace(workspace(`Acme ${count}`), null);
    connection.pragma("wal_checkpoint(TRUNCATE)");
    store.close();
    const bytes = readFileSync(databaseFile());
    writeFileSync(databaseFile(), bytes.fill(0xff, 4096 * 30));
    const damaged = SqliteStore.open(folder);
    await expect(damaged.listWorkspaces()).rejects.toMatchObject({ code: "unavailable" });
    damaged.close();
  });
});

describe("locks", () => {
  const path = () => join(folder, "service.lock");

  test("an exclusive lock keeps everybody out until it is released", () => {
    const lock = takeLock(path(), "exclusive");
    expect(takeLock(path(), "exclusive")).toBeNull();
    expect(takeLock(path(), "shared")).toBeNull();
    lock?.release();
    const next = takeLock(path(), "shared");
    expect(next).not.toBeNull();
    next?.release();
  });

  test("shared locks stand side by side and keep an exclusive one out until the last is released", () => {
    const [one, other] = [takeLock(path(), "shared"), takeLock(path(), "shared")];
    expect(one).not.toBeNull();
    expect(other).not.toBeNull();
    expect(takeLock(path(), "exclusive")).toBeNull();
    one?.release();
    expect(takeLock(path(), "exclusive")).toBeNull();
    other?.release();
    const last = takeLock(path(), "exclusive");
    expect(last).not.toBeNull();
    last?.release();
  });

  test("a lock that nobody refers to is held all the same", async () => {
    expect(takeLock(path(), "exclusive")).not.toBeNull();
    for (let round = 0; round < 5; round += 1) {
      Bun.gc(true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(takeLock(path(), "exclusive")).toBeNull();
  });

  test("a lock goes with its process, however that ends", async () => {
    const module = join(import.meta.dirname, "../../src/store/sqlite/lock.ts");
    const code = `import { takeLock } from ${JSON.stringify(module)};
      console.log(takeLock(${JSON.stringify(path())}, "exclusive") === null ? "refused" : "held");
      setInterval(() => {}, 60_000);`;
    const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
    expect(String((await once(child.stdout, "data"))[0])).toBe("held\n");
    expect(takeLock(path(), "exclusive")).toBeNull();
    child.kill("SIGKILL");
    await once(child, "exit");
    const lock = takeLock(path(), "exclusive");
    expect(lock).not.toBeNull();
    lock?.release();
  });

  test("a file that cannot be opened is an error, not a lock that somebody else holds", () => {
    expect(() => takeLock(join(folder, "missing", "service.lock"), "shared")).toThrow();
  });
});
