import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { beginHead, readKeptHead } from "../../src/access/audit-head.ts";
import { verifyAudit } from "../../src/access/verify-audit.ts";
import {
  type AuditEvent,
  type AuditHead,
  auditEvent,
  chainedMac,
  emptyHead,
  eventText,
} from "../../src/domain/audit.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import type { Store } from "../../src/store/port/store.ts";
import { readLines } from "../../src/store/sqlite/audit.ts";
import { auditEvents } from "../helpers/audit-events.ts";
import { rewriteTrail, type StoredEvent } from "../helpers/rewritten-trail.ts";
import { testAuditKey, testAuthor } from "../helpers/test-author.ts";
import { openWatchedStore } from "../helpers/watched-store.ts";

let folder: string;
let headFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xpose-verify-"));
  headFile = join(folder, "audit.head");
});

afterEach(() => rmSync(folder, { recursive: true }));

const event = (detail: string) => auditEvent(testAuthor, "source.added", { detail });
const events = (count: number) => Array.from({ length: count }, (_, index) => event(`source ${index + 1}`));

type Trail = Pick<Store, "readChain" | "auditState">;

/** Verifies with the kept head and with heads from the log. */
function verify(store: Trail, given: readonly AuditHead[] = []) {
  return verifyAudit(store, testAuditKey, { kept: readKeptHead(headFile), given });
}

/** Verifies without a kept head, as in a backup that is not restored yet. */
function verifyWith(store: Trail, given: readonly AuditHead[]) {
  return verifyAudit(store, testAuditKey, { kept: null, given });
}

describe("9.8 tampering is detected, with its position", () => {
  const rowCount = 40;

  type Change = (rows: StoredEvent[]) => StoredEvent[];

  async function openTampered(change: Change) {
    const { store, connection } = openWatchedStore();
    await store.appendEvents(events(rowCount));
    await beginHead(store, headFile);
    rewriteTrail(connection, change);
    return store;
  }

  const edit =
    (row: number, to: (event: StoredEvent) => Partial<StoredEvent>): Change =>
    (rows) =>
      rows.map((event) => (event.row === row ? { ...event, ...to(event) } : event));
  const set = (row: number, fields: StoredEvent["fields"]) =>
    edit(row, (event) => ({ fields: { ...event.fields, ...fields } }));
  const without =
    (row: number): Change =>
    (rows) =>
      rows.filter((event) => event.row !== row);
  const copyTo =
    (row: number): Change =>
    (rows) => [...rows, ...rows.slice(11, 12).map((event) => ({ ...event, row }))];
  const renumbered: Change = (rows) => rows.map((event, index) => ({ ...event, row: index + 1 }));
  const places: Record<number, number> = { 5: 30, 30: 5 };

  test.each([
    { what: "a changed actor", change: set(17, { actor: "operator:mallory" }), badRow: 17 },
    { what: "a changed time", change: set(1, { at: 0 }), badRow: 1 },
    { what: "null changed to text", change: set(40, { ip: "" }), badRow: 40 },
    { what: "a changed MAC", change: edit(9, () => ({ mac: "0".repeat(64) })), badRow: 9 },
    { what: "a truncated MAC", change: edit(9, ({ mac }) => ({ mac: `${mac.slice(0, 63)} ` })), badRow: 9 },
    { what: "a deleted row", change: without(17), badRow: 17 },
    { what: "a deleted first row", change: without(1), badRow: 1 },
    { what: "a deleted row with the others moved up", change: (rows) => renumbered(without(17)(rows)), badRow: 17 },
    {
      what: "two swapped rows",
      change: (rows) => rows.map((event) => ({ ...event, row: places[event.row] ?? event.row })),
      badRow: 5,
    },
    { what: "a row added at the end", change: copyTo(41), badRow: 41 },
    { what: "a row added far after the end", change: copyTo(500), badRow: 41 },
    { what: "a row added before the first", change: copyTo(0), badRow: 0 },
    { what: "a row with a negative number", change: copyTo(-7), badRow: -7 },
    { what: "a truncated tail", change: (rows) => rows.slice(0, 30), badRow: 31 },
    { what: "an emptied trail", change: () => [], badRow: 1 },
  ] satisfies { what: string; change: Change; badRow: number }[])("$what", async ({ change, badRow }) => {
    const store = await openTampered(change);
    expect(await verify(store)).toMatchObject({ ok: false, badRow });
  });

  test.each([
    ["the number of the last event", "UPDATE audit SET last_event = last_event + 1"],
    ["the mac of the last event", "UPDATE audit SET last_mac = '00'"],
    ["the index by which a workspace finds its events", "DELETE FROM audit_holder"],
  ])("tampering beside the events is detected: %s", async (_what, sql) => {
    const { store, connection } = openWatchedStore();
    await store.appendEvents(events(3).map((one) => ({ ...one, keyId: "3f2a8c1e-5d0b-4c7a-9a51-0f6f7b1f2a33" })));
    expect(await verifyWith(store, [])).toMatchObject({ ok: true, rows: 3 });
    for (const name of ["audit_refuses_update", "audit_holder_refuses_delete"]) connection.exec(`DROP TRIGGER ${name}`);
    connection.exec(sql);
    expect(await verifyWith(store, [])).toMatchObject({ ok: false, badRow: 3 });
  });

  test("an unchanged trail is accepted, with the kept head and a head from the log", async () => {
    const store = await openTampered((rows) => rows);
    const { row, mac } = await store.auditHead();
    const [tenth] = await store.readChain(9, 1);
    if (tenth === undefined) return expect.unreachable();
    const check = await verify(store, [tenth]);
    expect(check).toMatchObject({ ok: true, rows: rowCount, head: { row, mac }, badRow: null, problem: null });
    expect(await verifyAudit(store, new Uint8Array(32), { kept: null, given: [] })).toMatchObject({
      ok: false,
      badRow: 1,
    });
  });

  test("every given head is checked, even two of the same row", async () => {
    const store = await openTampered((rows) => rows.slice(0, 30));
    const { head: old } = readKeptHead(headFile);
    await store.appendEvents(events(10).map((one) => ({ ...one, actor: "operator:mallory" })));
    const replaced = await store.auditHead();
    if (old === null) return expect.unreachable();
    expect(replaced.row).toBe(old.row);
    expect(await verifyWith(store, [replaced])).toMatchObject({ ok: true });
    expect(await verifyWith(store, [replaced, old])).toMatchObject({ ok: false, badRow: 40 });
  });

  test("a trail longer than one step is read to its end, with progress", async () => {
    const { store } = openWatchedStore();
    await store.appendEvents(events(2_500));
    const progress: number[] = [];
    const check = await verifyAudit(store, testAuditKey, { kept: null, given: [] }, (count) => progress.push(count));
    expect(check).toMatchObject({ ok: true, rows: 2_500 });
    expect(progress).toEqual([1000, 2000, 2500, 2500]);
  });
});

test("events written together are read back unchanged, whatever prefix they share", async () => {
  const names = fc.array(fc.constantFrom("\u{1f600}", "\u{1f601}", "\u{10ffff}", "a", "b", '"', "1 ", "\ud83d"), {
    maxLength: 4,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(names, { minLength: 1, maxLength: 6 }), async (texts) => {
      const { store } = openWatchedStore();
      const written = texts.map((parts) => ({ ...event("x"), keyName: parts.join("").toWellFormed() }));
      await store.appendEvents(written);
      expect((await auditEvents(store)).map(({ row, mac, ...one }) => one)).toEqual(written);
      expect(await verifyWith(store, [])).toMatchObject({ ok: true, rows: texts.length });
    }),
    { numRuns: 200 },
  );
});

test("rows of an older version, with whole events per line, form one chain with later rows", async () => {
  const { store, connection } = openWatchedStore();
  const texts = events(3).map(eventText);
  let head = emptyHead;
  const lines = texts.map((text) => {
    head = { row: head.row + 1, mac: chainedMac(testAuditKey, head, text) };
    return `${head.mac} ${text}\n`;
  });
  const insert = "INSERT INTO audit (first_event, last_event, last_mac, events) VALUES (1, 3, ?, ?)";
  connection.prepare(insert).run(head.mac, lines.join(""));
  await store.appendEvents(events(5));
  expect(await verifyWith(store, [head])).toMatchObject({ ok: true, rows: 8 });
  expect((await auditEvents(store)).map(({ detail }) => detail)).toEqual(
    [...events(3), ...events(5)].map(({ detail }) => detail),
  );
});

test("the schema refuses to change or delete an audit row", async () => {
  const { store, connection } = openWatchedStore();
  await store.appendEvents([{ ...event("a"), keyId: "3f2a8c1e-5d0b-4c7a-9a51-0f6f7b1f2a33" } satisfies AuditEvent]);
  expect(() => connection.exec("UPDATE audit SET events = 'x'")).toThrow("audit events are never changed");
  expect(() => connection.exec("DELETE FROM audit")).toThrow("audit events are never deleted");
  expect(() => connection.exec("UPDATE audit_holder SET holder = 'x'")).toThrow("audit events are never changed");
  expect(() => connection.exec("DELETE FROM audit_holder")).toThrow("audit events are never deleted");
  expect(() => connection.exec("INSERT OR REPLACE INTO audit SELECT * FROM audit")).toThrow(
    "audit events are never changed",
  );
  expect(await store.readChain(0, 10)).toHaveLength(1);
});

describe("9.8 a byte not covered by a MAC", () => {
  const keyId = "3f2a8c1e-5d0b-4c7a-9a51-0f6f7b1f2a33";

  async function openTrail() {
    const { store, connection } = openWatchedStore();
    await store.appendEvents([
      ...events(3).map((one) => ({ ...one, keyId, keyName: "a \ufffd name" })),
      { ...event("x"), keyId: "another" },
    ]);
    const triggers = connection.prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'trigger'");
    for (const { name } of triggers.all()) connection.exec(`DROP TRIGGER ${name}`);
    return { store, connection };
  }

  test.each([
    ["a text after the last line", "UPDATE audit SET events = events || 'hidden'"],
    ["a number in another notation", "UPDATE audit SET events = replace(events, ' 0 ', ' 00 ')"],
    [
      "invalid UTF-8 that decodes to the original character",
      "UPDATE audit SET events = CAST(replace(CAST(events AS BLOB), x'efbfbd', x'f09f98') AS TEXT)",
    ],
    ["a row without an event", "INSERT INTO audit VALUES (5, 9, 'x', 'hidden')"],
  ])("is detected in the events: %s", async (_what, sql) => {
    const { store, connection } = await openTrail();
    expect(await verifyWith(store, [])).toMatchObject({ ok: true, rows: 4 });
    const { changes } = connection.prepare(sql).run();
    expect(changes).toBeGreaterThan(0);
    expect(await verifyWith(store, [])).toMatchObject({ ok: false });
  });

  test("is detected in the events: a line that shares a shorter prefix than possible", async () => {
    const { store, connection } = await openTrail();
    const { events: text } = connection.prepare<[], { events: string }>("SELECT events FROM audit").get() ?? {
      events: "",
    };
    const lines = readLines(text);
    const [first = "", second = "", ...others] = text.split("\n");
    const count = Number(second.split(" ")[1]);
    const [mac, shared] = [lines[1]?.mac, lines[1]?.text.slice(count - 1)];
    connection
      .prepare("UPDATE audit SET events = ?")
      .run([first, `${mac} ${count - 1} ${shared}`, ...others].join("\n"));
    expect((await store.readChain(0, 10)).map((row) => row.text)).toEqual(lines.map((line) => line.text));
    expect(await verifyWith(store, [])).toMatchObject({ ok: false });
  });

  test.each([
    ["for an event of another key", `INSERT INTO audit_holder VALUES ('mine', 1)`],
    ["for no event", "PRAGMA foreign_keys = OFF; INSERT INTO audit_holder VALUES ('another', 77)"],
  ])("is detected in the index: an entry %s", async (_what, sql) => {
    const { store, connection } = await openTrail();
    connection.exec(sql);
    expect(await verifyWith(store, [])).toMatchObject({
      ok: false,
      badRow: null,
      problem: expect.stringContaining("index"),
    });
  });
});

describe("a check while the service runs", () => {
  const workspace = { id: "w" as WorkspaceId, name: "acme", plan: "team", disabledAt: null } as const;

  test("is not affected by concurrent changes: it compares the tables with the trail of the same moment", async () => {
    const { store } = openWatchedStore();
    await store.appendEvents(events(1_500));
    let count = 0;
    const beside: Trail = {
      readChain: (after, limit) => store.readChain(after, limit),
      async auditState() {
        count += 1;
        await store.insertWorkspace(
          { ...workspace, id: `w${count}` as WorkspaceId, name: `n${count}` },
          null,
          testAuthor,
        );
        const state = await store.auditState();
        await store.changeWorkspace(`w${count}` as WorkspaceId, { plan: "free" }, testAuthor);
        return state;
      },
    };
    expect(await verifyWith(beside, [])).toMatchObject({ ok: true, rows: 1_503 });
  });

  test("starts again when unread events are removed", async () => {
    const { store } = openWatchedStore();
    await store.appendEvents(events(3_000));
    let isRemoved = false;
    const beside: Trail = {
      async readChain(after, limit) {
        if (!isRemoved && after > 0) {
          isRemoved = true;
          const now = new Date(testAuthor.at.getTime() + 1);
          for (let step = 0; step < 4; step += 1) {
            await store.removeOldEvents({ before: now, now, keptRow: 2_999 }, { ...testAuthor, at: now });
          }
        }
        return await store.readChain(after, limit);
      },
      auditState: () => store.auditState(),
    };
    const check = await verifyWith(beside, []);
    expect([isRemoved, check.ok, check.problem]).toEqual([true, true, null]);
    expect(check.rows).toBeLessThan(2_000);
  });
});
