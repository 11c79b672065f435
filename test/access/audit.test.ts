import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openAuditTrail } from "../../src/access/audit.ts";
import { beginHead, readKeptHead } from "../../src/access/audit-head.ts";
import { verifyAudit } from "../../src/access/verify-audit.ts";
import { auditBody, auditEvent, emptyHead, headText } from "../../src/domain/audit.ts";
import { AppError } from "../../src/domain/error.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import type { Store } from "../../src/store/port/store.ts";
import { auditEvents } from "../helpers/audit-events.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { rewriteTrail } from "../helpers/rewritten-trail.ts";
import { testAuditKey, testAuthor } from "../helpers/test-author.ts";
import { openWatchedStore } from "../helpers/watched-store.ts";

let folder: string;
let headFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xpose-audit-"));
  headFile = join(folder, "audit.head");
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const event = (detail: string) => auditEvent(testAuthor, "source.added", { detail });
const events = (count: number) => Array.from({ length: count }, (_, index) => event(`source ${index + 1}`));

/** An audit trail on an in-memory database that can be made read-only. `turn` advances the clock by one second. */
function openTrail() {
  const { store, connection } = openWatchedStore();
  const clock = new ManualClock();
  const lines: { fields: object; message: string }[] = [];
  let fault: AppError | null = null;
  const replaced: Pick<Store, "appendEvents" | "auditHead" | "readChain"> = {
    appendEvents: (waiting) => (fault === null ? store.appendEvents(waiting) : Promise.reject(fault)),
    auditHead: () => store.auditHead(),
    readChain: (afterRow, limit) => store.readChain(afterRow, limit),
  };
  const log = (fields: object, message: string) => void lines.push({ fields, message });
  const { now, steadyNow } = clock;
  // As `init` does.
  writeFileSync(headFile, headText(emptyHead));
  const trail = openAuditTrail({ store: replaced, now, steadyNow, headFile, log: { info: log, error: log } });
  return {
    ...trail,
    store,
    connection,
    clock,
    lines,
    setFault(isBroken: boolean) {
      fault = isBroken ? new AppError("unavailable", "The database is not available now") : null;
    },
    async turn(ms = 1000) {
      await clock.advance(ms);
      await vi.advanceTimersByTimeAsync(1000);
      await clock.advance(0);
    },
    rows: () => auditEvents(store),
  };
}

describe("9.8 rows that cannot be written", () => {
  test("are queued, and written in order within a second once the database is writable again", async () => {
    const trail = openTrail();
    trail.setFault(true);
    trail.wait([event("a"), event("b")]);
    await trail.turn();
    expect([trail.waitingCount(), await trail.rows()]).toEqual([2, []]);
    trail.wait([event("c")]);
    trail.setFault(false);
    await trail.turn();
    expect((await trail.rows()).map(({ detail }) => detail)).toEqual(["a", "b", "c"]);
    expect([trail.waitingCount(), trail.droppedCount()]).toEqual([0, 0]);
    await trail.stop();
  });

  test("are queued up to 10,000; further events are counted, and the first row afterwards is a gap with their number", async () => {
    const trail = openTrail();
    trail.setFault(true);
    trail.wait(events(9_999));
    trail.wait([event("the last that waits"), event("lost 1"), event("lost 2")]);
    trail.wait([event("lost 3")]);
    await trail.turn();
    expect([trail.waitingCount(), trail.droppedCount()]).toEqual([10_000, 3]);
    trail.wait([event("lost 4")]);
    trail.setFault(false);
    await trail.turn();
    const rows = await trail.rows();
    expect(rows).toHaveLength(10_001);
    expect(rows[0]).toMatchObject({ action: "audit.gap", count: 4, actor: "cli", workspaceId: null });
    expect([rows[1]?.detail, rows.at(-1)?.detail]).toEqual(["source 1", "the last that waits"]);
    trail.wait([event("later")]);
    await trail.turn();
    expect((await trail.rows()).slice(10_001)).toMatchObject([{ action: "source.added", detail: "later" }]);
    expect(trail.droppedCount()).toBe(4);
    await trail.stop();
  });

  test("events taken and put back keep their order and gap; events queued in between come after them", async () => {
    const trail = openTrail();
    trail.wait([...events(10_000), event("lost")]);
    const taken = trail.takeWaiting();
    expect(taken).toHaveLength(10_001);
    trail.wait([event("meanwhile")]);
    trail.putBack(taken);
    expect([trail.waitingCount(), trail.droppedCount()]).toEqual([10_000, 2]);
    const again = trail.takeWaiting();
    expect(again[0]).toMatchObject({ action: "audit.gap", count: 2 });
    expect(again.slice(1)).toEqual(taken.slice(1));
    expect(trail.takeWaiting()).toEqual([]);
    await trail.stop();
  });

  test("a stop retries while another process holds the database", async () => {
    const trail = openTrail();
    trail.setFault(true);
    trail.wait([event("a")]);
    const stopped = trail.stop();
    setTimeout(() => trail.setFault(false), 60);
    await stopped;
    expect(await trail.rows()).toHaveLength(1);
  });

  test("a stop writes the queue, then copies and logs the head", async () => {
    const trail = openTrail();
    trail.wait([event("a")]);
    await trail.stop();
    const head = await trail.store.auditHead();
    expect(head.row).toBe(1);
    expect(readFileSync(headFile, "utf8")).toBe(`${headText(head)}\n`);
    expect(trail.lines).toContainEqual({ fields: { head: headText(head) }, message: "audit head" });
  });
});

describe("9.8 denials", () => {
  const from = { ip: "203.0.113.7", correlationId: "c-1" };

  test("of unknown keys are one row per address and minute, with a count", async () => {
    const trail = openTrail();
    for (let count = 0; count < 500; count += 1) trail.denied(from, "401", "unknown");
    trail.denied({ ...from, ip: "203.0.113.8" }, "401", "unknown");
    await trail.turn();
    const first = { action: "auth.denied", actor: "anonymous", workspaceId: null, keyId: null, outcome: "401" };
    expect(await trail.rows()).toMatchObject([
      { ...first, ip: "203.0.113.7", count: 1, correlationId: "c-1" },
      { ...first, ip: "203.0.113.8", count: 1 },
    ]);
    await trail.turn(58_000);
    for (let count = 0; count < 10; count += 1) trail.denied(from, "401", "unknown");
    expect(await trail.rows()).toHaveLength(2);
    await trail.turn(1_000);
    expect((await trail.rows()).slice(2)).toMatchObject([{ ...first, ip: "203.0.113.7", count: 509 }]);
    await trail.turn(60_000);
    expect(await trail.rows()).toHaveLength(3);
    trail.denied(from, "401", "unknown");
    await trail.stop();
    expect((await trail.rows()).slice(3)).toMatchObject([{ ...first, ip: "203.0.113.7", count: 1 }]);
  });

  test("of unknown keys are counted for each further minute, and a stop loses no count", async () => {
    const trail = openTrail();
    for (let minute = 0; minute < 5; minute += 1) {
      for (let count = 0; count < 100; count += 1) trail.denied(from, "401", "unknown");
      await trail.turn(60_000);
    }
    trail.denied(from, "401", "unknown");
    await trail.stop();
    const counts = (await trail.rows()).map(({ count }) => count ?? 0);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(501);
    expect(counts.length).toBeLessThanOrEqual(7);
  });

  test("are not written with the next call, whose duration would reveal whether the key was known", async () => {
    const trail = openTrail();
    trail.denied(from, "401", "unknown");
    trail.denied(from, "403", { workspaceId: "a" as WorkspaceId, operator: "alice" });
    expect([trail.takeWaiting(), trail.waitingCount()]).toEqual([[], 2]);
    await trail.turn();
    expect(await trail.rows()).toHaveLength(2);
    await trail.stop();
  });

  test("count towards the limit of the queue", async () => {
    const trail = openTrail();
    trail.setFault(true);
    trail.wait(events(9_999));
    const key = { workspaceId: "a" as WorkspaceId, keyId: "b", keyName: "c" };
    for (let count = 0; count < 3; count += 1) trail.denied(from, "401", key);
    expect([trail.waitingCount(), trail.droppedCount()]).toEqual([10_000, 2]);
    await trail.turn();
    trail.setFault(false);
    await trail.turn();
    expect((await trail.rows())[0]).toMatchObject({ action: "audit.gap", count: 2 });
    expect(await trail.rows()).toHaveLength(10_001);
    await trail.stop();
  });

  test("of addresses over the limit share one row without an address", async () => {
    const trail = openTrail();
    for (let index = 0; index < 10_000; index += 1) trail.denied({ ...from, ip: `address ${index}` }, "401", "unknown");
    await trail.turn();
    for (let index = 0; index < 5; index += 1) trail.denied({ ...from, ip: `another ${index}` }, "401", "unknown");
    await trail.stop();
    const shared = (await trail.rows()).filter(({ ip }) => ip === null);
    expect(shared).toMatchObject([{ action: "auth.denied", count: 1 }, { count: 4 }]);
    expect(trail.droppedCount()).toBe(0);
  });

  test("of a known key or operator belong to its workspace, one row each", async () => {
    const trail = openTrail();
    const workspaceId = "0b5cf6a4-3f0e-4b86-9f7e-0d6f5a2f7c11" as WorkspaceId;
    const key = { workspaceId, keyId: "3f2a8c1e-5d0b-4c7a-9a51-0f6f7b1f2a33", keyName: "splunk" };
    trail.denied(from, "401", key);
    trail.denied(from, "403", key);
    trail.denied(from, "403", { workspaceId, operator: "alice" });
    await trail.stop();
    const bodies = (await trail.rows()).map(auditBody);
    expect(bodies).toMatchObject([
      { workspace_id: workspaceId, actor: `key:${key.keyId}`, key_id: key.keyId, key_name: "splunk", outcome: "401" },
      { workspace_id: workspaceId, actor: `key:${key.keyId}`, outcome: "403" },
      { workspace_id: workspaceId, actor: "operator:alice", key_id: null, outcome: "403" },
    ]);
    for (const body of bodies)
      expect(body).toMatchObject({ action: "auth.denied", ip: from.ip, correlation_id: "c-1" });
  });
});

describe("9.8 the kept head", () => {
  test("is copied within a second of a new row from any process, and logged once a minute", async () => {
    const trail = openTrail();
    await trail.store.appendEvents([event("by a command")]);
    await trail.turn();
    expect(readKeptHead(headFile).head?.row).toBe(1);
    await trail.store.appendEvents([event("by another")]);
    await trail.turn();
    expect(readKeptHead(headFile).head?.row).toBe(2);
    expect(trail.headState()).toMatchObject({ kind: "kept", head: { row: 2 } });
    const logged = () => trail.lines.filter(({ message }) => message === "audit head").map(({ fields }) => fields);
    await trail.turn(60_000);
    await trail.turn(60_000);
    expect(logged().at(-1)).toEqual({ head: headText(await trail.store.auditHead()) });
    expect(logged().length).toBeLessThanOrEqual(3);
    await trail.stop();
  });

  test("is kept, and an error is logged, when the trail does not continue from it, however long the trail grows", async () => {
    const trail = openTrail();
    await trail.store.appendEvents(events(5));
    await trail.turn();
    const kept = readFileSync(headFile, "utf8");
    rewriteTrail(trail.connection, (rows) => rows.slice(0, 3));
    await trail.turn();
    await trail.store.appendEvents(events(20));
    for (let count = 0; count < 3; count += 1) await trail.turn();
    expect(readFileSync(headFile, "utf8")).toBe(kept);
    expect(trail.lines.filter(({ message }) => message.includes("is not kept"))).toHaveLength(1);
    expect(trail.headState()?.kind).toBe("not_continued");
    const check = await verifyAudit(trail.store, testAuditKey, { kept: readKeptHead(headFile), given: [] });
    expect(check).toMatchObject({ ok: false, badRow: 5 });
    await trail.stop();
  });

  test.each([
    ["missing", () => rmSync(headFile)],
    ["empty", () => writeFileSync(headFile, "")],
    ["of nonsense", () => writeFileSync(headFile, "nonsense")],
  ])("a lost head (%s) is never replaced, and one error is logged", async (_what, lose) => {
    const trail = openTrail();
    await trail.store.appendEvents(events(5));
    await trail.turn();
    lose();
    const lost = readKeptHead(headFile);
    for (let count = 0; count < 3; count += 1) {
      await trail.store.appendEvents(events(2));
      await trail.turn();
    }
    expect(readKeptHead(headFile)).toEqual(lost);
    expect(trail.headState()?.kind).toBe("lost");
    expect(trail.lines.filter(({ message }) => message.includes("is not kept"))).toHaveLength(1);
    // The trail continues from a head that the operator restores from the log.
    writeFileSync(headFile, headText(await trail.store.auditHead()));
    await trail.store.appendEvents(events(2));
    await trail.turn();
    expect([trail.headState()?.kind, readKeptHead(headFile).head?.row]).toEqual(["kept", 13]);
    await trail.stop();
  });

  test("a read-only folder logs one error; the trail continues and no temporary file remains", async () => {
    const trail = openTrail();
    await trail.turn();
    mkdirSync(`${headFile}.${process.pid}.tmp`);
    trail.wait([event("a")]);
    for (let count = 0; count < 3; count += 1) await trail.turn();
    expect(await trail.rows()).toHaveLength(1);
    expect(trail.lines.filter(({ message }) => message.includes("is not kept"))).toHaveLength(1);
    expect(trail.headState()?.kind).toBe("not_written");
    await trail.stop();
  });

  test("is written once, for a new trail", async () => {
    const { store } = openWatchedStore();
    await store.appendEvents(events(1));
    expect(await beginHead(store, headFile)).toMatchObject({ kind: "kept", head: { row: 1 } });
    const { store: other } = openWatchedStore();
    expect((await beginHead(other, headFile)).kind).toBe("not_continued");
    expect(readKeptHead(headFile).head?.row).toBe(1);
  });
});
