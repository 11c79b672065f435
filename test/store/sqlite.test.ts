import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3/linux-x64";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import firstMigration from "../../migrations/0001_first.sql" with { type: "text" };
import { verifyAudit } from "../../src/access/verify-audit.ts";
import { auditEvent } from "../../src/domain/audit.ts";
import { defaultScopes } from "../../src/domain/key-scope.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import type { Store } from "../../src/store/port/store.ts";
import { openConnection } from "../../src/store/sqlite/driver.ts";
import { takeLock } from "../../src/store/sqlite/lock.ts";
import { currentVersion } from "../../src/store/sqlite/migrate.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { testAuditKey, testAuthor } from "../helpers/test-author.ts";
import { openTestService, type TestServiceOptions } from "../helpers/test-service.ts";
import { openWatchedStore } from "../helpers/watched-store.ts";
import { describeStore } from "./contract.ts";

describeStore("SQLite", async () => SqliteStore.inMemory(testAuditKey));

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

/** Changes a database file as no store does. */
function alter(sql: string): void {
  const connection = new Database(databaseFile());
  connection.exec(sql);
  connection.close();
}

describe("the database file", () => {
  test("what is answered is on the disk: WAL with full synchronisation, foreign keys on", () => {
    const { store, connection } = openWatchedStore(folder);
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
    const one = SqliteStore.create(folder, "check", testAuditKey);
    const other = SqliteStore.open(folder, () => ({ audit: testAuditKey })).store;
    await one.insertWorkspace(workspace("Acme"), null, testAuthor);
    expect(await other.findWorkspace("acme")).toEqual(workspace("Acme"));
    other.close();
    one.close();
  });

  test("the state of a directory tells absent, unfinished and ready ones apart", async () => {
    expect(SqliteStore.inspect(folder)).toEqual({ state: "absent", secretCheck: null });
    const store = SqliteStore.create(folder, "check", testAuditKey);
    expect(SqliteStore.inspect(folder)).toEqual({ state: "unfinished", secretCheck: "check" });
    await store.insertWorkspace(workspace("default"), null, testAuthor);
    expect(SqliteStore.inspect(folder)).toEqual({ state: "ready", secretCheck: "check" });
    store.close();
  });

  test("an empty file is unfinished, and one of a newer version is said to be so", async () => {
    writeFileSync(databaseFile(), "");
    expect(SqliteStore.inspect(folder)).toEqual({ state: "unfinished", secretCheck: null });
    rmSync(databaseFile());
    const store = SqliteStore.create(folder, "check", testAuditKey);
    await store.insertWorkspace(workspace("default"), null, testAuthor);
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
    const store = SqliteStore.open(folder, () => ({ audit: testAuditKey })).store;
    expect(SqliteStore.inspect(folder).state).toBe("ready");
    expect(await store.listCorpora()).toEqual([]);
    expect(await store.findWorkspace("default")).toMatchObject({ id: "w" });
    store.close();
    const connection = openConnection(databaseFile(), { mustExist: true });
    // Results from the old corpora are stale.
    expect(connection.prepare("SELECT corpora_revision FROM workspace").get()).not.toEqual({ corpora_revision: "old" });
    connection.close();
  });

  test("a missing database is not made by opening it", () => {
    expect(() => SqliteStore.open(folder, () => ({ audit: testAuditKey })).store).toThrow();
    expect(SqliteStore.inspect(folder).state).toBe("absent");
  });

  test("a full disk is storage_full: nothing of the change is there, reads go on, and so do writes once there is room", async () => {
    const { store, connection } = openWatchedStore(folder);
    await store.insertWorkspace(workspace("Acme"), null, testAuthor);
    connection.pragma(`max_page_count = ${connection.pragma("page_count", { simple: true })}`);
    const tooBig = workspace("x".repeat(100_000));
    await expect(store.insertWorkspace(tooBig, null, testAuthor)).rejects.toMatchObject({ code: "storage_full" });
    expect(await store.listWorkspaces()).toEqual([workspace("Acme")]);
    connection.pragma("max_page_count = 100000");
    await store.insertWorkspace(tooBig, null, testAuthor);
    expect(await store.listWorkspaces()).toHaveLength(2);
    store.close();
  });

  test("a damaged database is unavailable, not an answer", async () => {
    const { store, connection } = openWatchedStore(folder);
    for (let count = 0; count < 200; count += 1)
      await store.insertWorkspace(workspace(`Acme ${count}`), null, testAuthor);
    connection.pragma("wal_checkpoint(TRUNCATE)");
    const root = connection.prepare<[], { rootpage: number }>(
      "SELECT rootpage FROM sqlite_schema WHERE name = 'workspace'",
    );
    const page = root.get()?.rootpage ?? 0;
    store.close();
    const bytes = readFileSync(databaseFile());
    writeFileSync(databaseFile(), bytes.fill(0xff, 4096 * (page - 1), 4096 * page));
    const damaged = SqliteStore.open(folder, () => ({ audit: testAuditKey })).store;
    await expect(damaged.listWorkspaces()).rejects.toMatchObject({ code: "unavailable" });
    damaged.close();
  });
});

describe("a copy of the database", () => {
  const copyFolder = () => join(folder, "copy");
  const copyFile = () => join(copyFolder(), "xpose.db");

  function reopen(where: string, options = {}): Store {
    return SqliteStore.open(where, () => ({ audit: testAuditKey }), options).store;
  }

  /** A store with some 4 MB in it, and a second connection that writes as another process does. */
  async function openBusy() {
    const store = SqliteStore.create(folder, "check", testAuditKey);
    const events = Array.from({ length: 4000 }, (_, index) =>
      auditEvent(testAuthor, "corpus.imported", { detail: `${index} `.repeat(250) }),
    );
    await store.appendEvents(events);
    mkdirSync(copyFolder());
    return { store, writer: reopen(folder) };
  }

  test("is of one moment and ends, though another connection writes between any two of its steps", async () => {
    const { store, writer } = await openBusy();
    const before = await store.auditHead();
    let writes: Promise<unknown> = Promise.resolve();
    let stepCount = 0;
    await store.backup(copyFile(), (done, total) => {
      expect(done).toBeLessThan(total);
      stepCount += 1;
      writes = writes.then(() => writer.insertWorkspace(workspace(`during ${stepCount}`), null, testAuthor));
    });
    await writes;
    expect(stepCount).toBeGreaterThan(1);
    expect((await store.listWorkspaces()).length).toBe(stepCount);
    expect(SqliteStore.faultIn(copyFolder())).toBeNull();
    const copy = reopen(copyFolder(), { isAlone: true });
    // Shared memory: the copy may lie where there is none.
    expect(readdirSync(copyFolder())).not.toContain("xpose.db-shm");
    expect([await copy.auditHead(), await copy.listWorkspaces()]).toEqual([before, []]);
    for (const one of [copy, writer, store]) one.close();
  });

  test("ends when its progress is not wanted any more", async () => {
    const { store, writer } = await openBusy();
    const stop = () => {
      throw new Error("interrupted");
    };
    await expect(store.backup(copyFile(), stop)).rejects.toThrow("interrupted");
    writer.close();
    store.close();
  });

  test("a file that cannot be written is an error that says so", async () => {
    const { store, writer } = await openBusy();
    mkdirSync(copyFile());
    await expect(store.backup(copyFile(), () => undefined)).rejects.toMatchObject({ code: "unavailable" });
    writer.close();
    store.close();
  });

  test.each([
    ["no database", (bytes: Buffer) => bytes.fill(0x20)],
    ["one that is cut short", (bytes: Buffer) => bytes.subarray(0, bytes.length - 8192)],
    ["one with a damaged page", (bytes: Buffer) => bytes.fill(0xff, bytes.length - 4096)],
  ])("%s has a fault", (_, damage) => {
    SqliteStore.create(folder, "check", testAuditKey).close();
    expect(SqliteStore.faultIn(folder)).toBeNull();
    writeFileSync(databaseFile(), damage(readFileSync(databaseFile())));
    expect(SqliteStore.faultIn(folder)).toEqual(expect.any(String));
  });

  test.each([
    ["a trigger", "CREATE TRIGGER mine AFTER INSERT ON session BEGIN DELETE FROM operator; END"],
    ["a view", "CREATE VIEW mine AS SELECT * FROM operator"],
    ["a row that refers to nothing", "PRAGMA foreign_keys = OFF; INSERT INTO session VALUES ('a', 'nobody', 1)"],
  ])("%s that xpose never makes is a fault", (_, sql) => {
    SqliteStore.create(folder, "check", testAuditKey).close();
    alter(sql);
    expect(SqliteStore.faultIn(folder)).toEqual(expect.any(String));
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

describe("9.8 a change and its audit row are one transaction", () => {
  const refuse =
    "CREATE TRIGGER refuse BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no audit row can be written'); END";
  const id = (last: number) => `00000000-0000-4000-8000-${String(last).padStart(12, "0")}`;
  const rights = { expiresAt: null, scopes: defaultScopes, allowedIps: [] };
  const key = { name: "siem", prefix: "xpz_live_0000", createdAt: testAuthor.at, createdBy: "cli", ...rights };
  const [acme, by] = [workspace("Acme").id, testAuthor];
  const operator = { id: id(3), workspaceId: acme, name: "alice", role: "admin", createdAt: by.at } as const;
  const publication = {
    name: "leak",
    scope: null,
    confidence: { value: 0.75, isGiven: false },
    origin: { value: "leak", isGiven: false },
    revision: "r2",
    import: {
      id: id(8),
      fileName: "leak.csv",
      sha256: "ab",
      format: "csv",
      contentSha256: null,
      rules: 1,
      importer: "cli",
      options: {},
      readCount: 1,
      recordCount: 1,
      skipped: {},
      importedAt: by.at,
      durationMs: 1,
    },
    segment: { file: "s", addressCount: 1, recordCount: 1, templateCount: 1, sizeBytes: 4096 },
  };

  /** A store that holds one of everything, and whose audit trail takes no row any more. */
  async function openRefusing() {
    const { store, connection } = openWatchedStore(folder);
    await store.insertWorkspace(workspace("Acme"), null, by);
    await store.insertKey(acme, { ...key, id: id(1), hash: "aa".repeat(32) }, by);
    const alice = await store.insertOperator({ ...operator, tokenHash: "bb".repeat(32) }, by);
    await store.startSession({ hash: "cc".repeat(32), operator: alice, expiresAt: new Date(by.at.getTime() + 1) }, by);
    await store.publishImport(
      {
        ...publication,
        name: "old",
        import: { ...publication.import, id: id(7) },
        segment: { ...publication.segment, file: "old" },
      },
      by,
    );
    await store.noteSources(new Map([["hibp", "settings"]]), by);
    connection.exec(refuse);
    return { store, connection, alice };
  }

  type Refusing = Awaited<ReturnType<typeof openRefusing>>;
  const actions: Record<string, (open: Refusing) => Promise<unknown>> = {
    insertKey: ({ store }) => store.insertKey(acme, { ...key, name: "new", id: id(2), hash: "ab".repeat(32) }, by),
    rotateKey: ({ store }) => store.rotateKey(acme, id(1), { ...key, id: id(2), hash: "ab".repeat(32) }, by),
    revokeKey: ({ store }) => store.revokeKey(acme, id(1), by),
    insertWorkspace: ({ store }) => store.insertWorkspace(workspace("New"), null, by),
    setPlan: ({ store }) => store.changeWorkspace(acme, { plan: "free" }, by),
    disable: ({ store }) => store.changeWorkspace(acme, { disabledAt: by.at }, by),
    insertOperator: ({ store }) =>
      store.insertOperator({ ...operator, id: id(4), name: "bob", tokenHash: "dd".repeat(32) }, by),
    revokeOperator: ({ store }) => store.revokeOperator(acme, operator.id, by),
    startSession: ({ store, alice }) => store.startSession({ hash: "ee", operator: alice, expiresAt: by.at }, by),
    endSession: ({ store }) => store.endSession("cc".repeat(32), by),
    publishImport: ({ store }) => store.publishImport(publication, by),
    removeCorpus: ({ store }) => store.removeCorpus("old", "r3", by),
    forget: ({ store }) => store.forget({ indicatorHash: "aa", corpusHash: "bb" }, by),
    noteSources: ({ store }) => store.noteSources(new Map([["misp", "settings"]]), by),
  };

  test.each(Object.keys(actions))("%s does not happen when its row cannot be written", async (name) => {
    const open = await openRefusing();
    const tables = [
      "api_key",
      "operator",
      "session",
      "workspace",
      "budget",
      "corpus",
      "corpus_import",
      "forgotten",
      "property",
    ];
    const contents = () => tables.map((table) => open.connection.prepare(`SELECT * FROM ${table}`).all());
    const before = contents();
    await expect(actions[name]?.(open)).rejects.toThrow("no audit row can be written");
    expect(contents()).toEqual(before);
    open.connection.exec("DROP TRIGGER refuse");
    await actions[name]?.(open);
    expect(contents()).not.toEqual(before);
    open.store.close();
  });
});

test("what was asked is added up per workspace and hour: requests, hits among them, and polls", async () => {
  const { tenant, calls, clock, scanned, connection } = await openWatchedService();
  const scanId = await scanned("jane.doe@example.com");
  for (let count = 0; count < 2; count += 1) await calls.serve(tenant.enrichCall("jane.doe@example.com"));
  for (let count = 0; count < 3; count += 1) await calls.serve(tenant.pollCall(scanId));
  await calls.serve({ ...tenant.pollCall(scanId), isCharged: true });
  await clock.advance(3_600_000);
  await calls.serve(tenant.enrichCall("jane.doe@example.com"));
  const hour = Date.parse("2026-06-01T12:00:00Z");
  expect(connection.prepare("SELECT * FROM usage ORDER BY hour").all()).toEqual([
    { workspace_id: tenant.id, hour, requests: 3, hits: 2, polls: 3 },
    { workspace_id: tenant.id, hour: hour + 3_600_000, requests: 1, hits: 1, polls: 0 },
  ]);
});

describe("8.6, 9.8 what cannot be counted or written down is answered all the same", () => {
  async function openWithout(sql: string) {
    const service = await openWatchedService();
    const scanId = await service.scanned("jane.doe@example.com");
    service.connection.exec(`DELETE FROM budget; ${sql}`);
    return { ...service, scanId };
  }

  test("when the audit trail takes no row", async () => {
    const sql = "CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END";
    const { tenant, calls, scanId, waitingEvents, failOpenCount } = await openWithout(sql);
    const hit = await calls.serve(tenant.enrichCall("jane.doe@example.com"));
    const poll = await calls.serve(tenant.pollCall(scanId));
    for (const reply of [hit, poll]) expect([reply.kind, "charge" in reply]).toEqual(["completed", false]);
    expect(waitingEvents.map(({ action }) => action)).toEqual(["enrich.requested", "enrich.polled"]);
    expect(failOpenCount()).toBe(2);
    expect(
      await calls.serve({ ...tenant.enrichCall("jane.doe@example.com"), caller: { keyHash: "00" } }),
    ).toMatchObject({
      kind: "refused",
      error: { code: "invalid_api_key" },
    });
  });

  test.each([
    ["the counter takes no row", "CREATE TRIGGER no BEFORE INSERT ON budget BEGIN SELECT RAISE(ABORT, 'no'); END"],
    ["the counter cannot be changed", "CREATE TRIGGER no BEFORE UPDATE ON budget BEGIN SELECT RAISE(ABORT, 'no'); END"],
    ["the counter is gone", "DROP TABLE budget"],
    ["the totals are gone", "DROP TABLE usage"],
  ])("when %s: hits, polls and misses pass, are written down, and the metric rises", async (_what, sql) => {
    const { tenant, calls, store, scanId, waitingEvents, failOpenCount, connection } = await openWithout("");
    // The windows are open, so that a count is changed and not begun.
    if (sql.includes("UPDATE")) {
      await calls.serve(tenant.enrichCall("jane.doe@example.com"));
      await calls.serve(tenant.pollCall(scanId));
    }
    connection.exec(sql);
    const before = (await store.auditHead()).row;
    const hit = await calls.serve(tenant.enrichCall("jane.doe@example.com"));
    const poll = await calls.serve(tenant.pollCall(scanId));
    const miss = await calls.serve(tenant.enrichCall("john.roe@example.com"));
    const kinds = [hit, poll, miss].map((reply) => [reply.kind, "charge" in reply, reply.isUncounted]);
    expect(kinds).toEqual([
      ["completed", false, true],
      ["completed", false, true],
      ["accepted", false, true],
    ]);
    expect(waitingEvents).toEqual([]);
    expect((await store.auditHead()).row).toBeGreaterThanOrEqual(before + 2);
    expect(failOpenCount()).toBe(3);
    // Authentication never fails open.
    expect(
      await calls.serve({ ...tenant.enrichCall("jane.doe@example.com"), caller: { keyHash: "00" } }),
    ).toMatchObject({ kind: "refused", error: { code: "invalid_api_key" } });
    expect(failOpenCount()).toBe(3);
  });

  test("when the counter can be read and not written: a limit that is reached stays one", async () => {
    const { tenant, calls, connection, scanned } = await openWatchedService({
      live: { limits: { team: 2, enterprise: 2, windowMs: 3_600_000 } },
    });
    await scanned("jane.doe@example.com");
    await calls.serve(tenant.enrichCall("jane.doe@example.com"));
    connection.exec("CREATE TRIGGER no BEFORE UPDATE ON budget BEGIN SELECT RAISE(ABORT, 'no'); END");
    expect(await calls.serve(tenant.enrichCall("jane.doe@example.com"))).toMatchObject({
      kind: "refused",
      error: { code: "rate_limited" },
    });
  });

  test("keys that cannot be read are unavailable, and nobody passes", async () => {
    const { tenant, calls, scanned, connection } = await openWatchedService();
    const scanId = await scanned("jane.doe@example.com");
    connection.exec("ALTER TABLE api_key RENAME TO gone");
    for (const call of [tenant.enrichCall("jane.doe@example.com"), tenant.pollCall(scanId)]) {
      await expect(calls.serve(call)).rejects.toMatchObject({ code: "unavailable" });
    }
  });
});

/** The service, and the connection that its store works with. */
async function openWatchedService(options: TestServiceOptions = {}) {
  const pragma = vi.spyOn(Database.prototype, "pragma");
  const service = await openTestService(options);
  const connection = pragma.mock.contexts[0];
  if (!(connection instanceof Database)) throw new Error("the store opened no connection");
  return { ...service, connection };
}

test("a directory of the first version is brought up to date with everything in it, and its audit trail begins", async () => {
  const connection = openConnection(databaseFile(), { mustExist: false });
  const workspaceId = workspace("Acme").id;
  connection.exec(`${firstMigration}; PRAGMA user_version = 1;
    INSERT INTO property (name, value) VALUES ('secret_check', 'check');
    INSERT INTO workspace VALUES ('${workspaceId}', 'Acme', 'acme', 'team', NULL, '');
    INSERT INTO api_key (id, workspace_id, name, folded_name, prefix, hash, created_at, created_by)
      VALUES ('key', '${workspaceId}', 'siem', 'siem', 'xpz_live_0000', 'aa', 0, 'cli');
    INSERT INTO operator VALUES ('operator', '${workspaceId}', 'admin', 'admin', 'bb', 0, NULL)`);
  connection.close();
  expect(SqliteStore.inspect(folder).state).toBe("older");
  const store = SqliteStore.open(folder, () => ({ audit: testAuditKey })).store;
  expect(SqliteStore.inspect(folder).state).toBe("ready");
  expect(await store.findWorkspace("acme")).toEqual(workspace("Acme"));
  expect(await store.findOperator({ tokenHash: "bb" }, testAuthor.at)).toMatchObject({ name: "admin" });
  const [baseline] = await store.readChain(0, 10);
  expect(baseline).toMatchObject({ row: 1, event: { action: "audit.baseline", actor: "cli", count: 3 } });
  expect(await store.revokeKey(workspaceId, "key", testAuthor)).toMatchObject({ revokedAt: testAuthor.at });
  expect((await store.auditHead()).row).toBe(2);
  expect(await verifyAudit(store, testAuditKey, { kept: null, given: [] })).toMatchObject({ ok: true });
  store.close();
  // Once only.
  const again = SqliteStore.open(folder, () => ({ audit: testAuditKey })).store;
  expect((await again.auditHead()).row).toBe(2);
  again.close();
});

test("9.8 events that waited are written at once or not at all, so that no later row comes before them", async () => {
  const { store } = openWatchedStore(folder);
  const other = new Database(databaseFile());
  other.exec("BEGIN IMMEDIATE");
  const event = auditEvent(testAuthor, "audit.gap", { count: 3 });
  const ends: string[] = [];
  const nextTurn = new Promise((resolve) => setImmediate(resolve)).then(() => ends.push("another turn"));
  await expect(store.appendEvents([event])).rejects.toMatchObject({ code: "unavailable" });
  ends.push("refused");
  await nextTurn;
  expect(ends).toEqual(["refused", "another turn"]);
  other.exec("ROLLBACK");
  expect((await store.auditHead()).row).toBe(0);
  await store.appendEvents([event]);
  expect((await store.auditHead()).row).toBe(1);
  other.close();
  store.close();
});
