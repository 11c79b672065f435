import { describe, expect, test } from "vitest";
import { verifyAudit } from "../../src/access/verify-audit.ts";
import { type AuditHead, type Author, auditEvent } from "../../src/domain/audit.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import { type Retention, removeExpired, removeOldEvents } from "../../src/scans/retention.ts";
import type { AuditRetention } from "../../src/store/port/audit.ts";
import type { RetentionLimits } from "../../src/store/port/scan.ts";
import { auditEvents } from "../helpers/audit-events.ts";
import { testAuditKey, testAuthor } from "../helpers/test-author.ts";
import { openTestService } from "../helpers/test-service.ts";
import { openWatchedStore } from "../helpers/watched-store.ts";

const dayMs = 24 * 3_600_000;
const never = new AbortController().signal;

function settings(live: Retention["live"], clock: { readonly now: () => Date }): Retention {
  return { live, auditRetentionMs: 400 * dayMs, now: clock.now, signal: never };
}

test("5.11 a finished scan is found until its retention is over, then 404", async () => {
  const { store, live, clock, calls, tenant, scanned } = await openTestService();
  const scanId = await scanned("jane.doe@example.com");
  await clock.advance(30 * dayMs);
  expect(await removeExpired(store, settings(live, clock))).toBe(0);
  expect(await calls.serve(tenant.pollCall(scanId))).toMatchObject({ kind: "completed" });
  await clock.advance(1);
  expect(await removeExpired(store, settings(live, clock))).toBeGreaterThan(0);
  expect(await calls.serve(tenant.pollCall(scanId))).toMatchObject({ kind: "refused", error: { code: "not_found" } });
});

test("5.11 the ledger outlives the answers: a finding that comes back has its old first_seen", async () => {
  const { store, live, clock, calls, tenant, scanned } = await openTestService();
  await scanned("jane.doe@example.com");
  await clock.advance(399 * dayMs);
  await removeExpired(store, settings(live, clock));
  const again = await calls.serve(tenant.pollCall(await scanned("jane.doe@example.com")));
  expect(again.kind === "completed" && again.envelope).toContain('"first_seen":"2026-06-01T12:00:00+00:00"');
  await clock.advance(401 * dayMs);
  await removeExpired(store, settings(live, clock));
  const last = await calls.serve(tenant.pollCall(await scanned("jane.doe@example.com")));
  expect(last.kind === "completed" && last.envelope).toContain('"first_seen":"2028-');
});

/** A store with `rowCount` expired rows. */
function storeOf(rowCount: number) {
  const steps: { limits: RetentionLimits; maxRows: number }[] = [];
  let left = rowCount;
  return {
    steps,
    async removeExpired(limits: RetentionLimits, maxRows: number): Promise<number> {
      steps.push({ limits, maxRows });
      const count = Math.min(left, maxRows);
      left -= count;
      return count;
    },
  };
}

test("many rows are removed in small steps, with calls served in between", async () => {
  const { live, clock } = await openTestService();
  const store = storeOf(1_200);
  let turnCount = 0;
  const count = () => {
    turnCount += 1;
    if (store.steps.length < 3) setImmediate(count);
  };
  setImmediate(count);
  expect(await removeExpired(store, settings(live, clock))).toBe(1_200);
  expect(store.steps.map(({ maxRows }) => maxRows)).toEqual([500, 500, 500]);
  expect(turnCount).toBeGreaterThanOrEqual(2);
  expect(store.steps[0]?.limits).toEqual({
    scansFinishedBefore: clock.after(-30 * dayMs),
    answersBefore: clock.after(-30 * dayMs),
    sightingsBefore: clock.after(-400 * dayMs),
    usageBefore: clock.after(-400 * dayMs),
  });
});

test("a stopping service ends the removal after the current step", async () => {
  const { live, clock } = await openTestService();
  const store = storeOf(5_000);
  const stop = new AbortController();
  const removal = removeExpired(store, { ...settings(live, clock), signal: stop.signal });
  stop.abort();
  expect(await removal).toBe(500);
  expect(store.steps).toHaveLength(1);
});

describe("audit.retention", () => {
  const by = { ...testAuthor, at: new Date("2026-06-01T12:00:00Z") };
  const hour = 3_600_000;

  /** A trail with an event each hour, `keptRow` behind the last one. */
  async function openTrail(count: number) {
    const { store, connection } = openWatchedStore();
    for (let index = 0; index < count; index += 1) {
      const at = new Date(by.at.getTime() + index * hour);
      await store.appendEvents([auditEvent({ ...by, at }, "source.added", { detail: `${index + 1}` })]);
    }
    const now = new Date(by.at.getTime() + count * hour);
    const keptRow = () => count;
    const settings = { now: () => now, signal: never };
    return {
      store,
      connection,
      now,
      remove: (hours: number, kept: () => number | null = keptRow, time = now) =>
        removeOldEvents(store, kept, () => ({ ...by, at: time }), {
          ...settings,
          now: () => time,
          auditRetentionMs: hours * hour,
        }),
      verify: (given: readonly AuditHead[] = []) => verifyAudit(store, testAuditKey, { kept: null, given }),
      firstRow: async () => (await store.readChain(Number.NEGATIVE_INFINITY, 1))[0]?.row,
    };
  }

  test("expired events are removed behind a chained checkpoint where the check starts, and others stay", async () => {
    const { store, remove, verify, firstRow } = await openTrail(20);
    const [removed] = await store.readChain(4, 1);
    const [kept] = await store.readChain(15, 1);
    expect(await remove(6)).toBe(14);
    expect(await firstRow()).toBe(15);
    const [checkpoint] = await store.readChain(20, 1);
    expect(checkpoint?.event).toMatchObject({ action: "audit.checkpoint", actor: "cli", count: 14 });
    expect(await verify()).toMatchObject({ ok: true, rows: 7 });
    if (kept === undefined || removed === undefined) return expect.unreachable();
    expect(await verify([kept])).toMatchObject({ ok: true });
    expect(await verify([removed])).toMatchObject({ ok: false, problem: expect.stringContaining("removed") });
    expect(await remove(6)).toBe(0);
    // The next removal begins where the first ended.
    expect(await remove(3)).toBe(3);
    expect(await firstRow()).toBe(18);
    expect(await verify()).toMatchObject({ ok: true, rows: 5 });
  });

  test("access rights recorded by removed events are still checked", async () => {
    const { store, connection, remove, verify } = await openTrail(1);
    const workspace = { id: "w" as WorkspaceId, name: "acme", plan: "team", disabledAt: null } as const;
    await store.insertWorkspace(workspace, null, by);
    await store.changeWorkspace(workspace.id, { plan: "free" }, by);
    const later = new Date(by.at.getTime() + 9 * hour);
    await store.appendEvents([auditEvent({ ...by, at: later }, "source.added")]);
    expect(await remove(1, () => 4, later)).toBe(3);
    expect(await verify()).toMatchObject({ ok: true });
    connection.exec("UPDATE workspace SET plan = 'enterprise'");
    expect(await verify()).toMatchObject({ ok: false, problem: expect.stringContaining("workspace w is not as") });
    connection.exec("UPDATE workspace SET plan = 'free'");
    expect(await verify()).toMatchObject({ ok: true });
    connection.exec("DELETE FROM workspace");
    expect(await verify()).toMatchObject({ ok: false, problem: expect.stringContaining("is gone") });
  });

  test("events after the kept head stay, and without a kept head all events stay", async () => {
    const { remove, firstRow } = await openTrail(20);
    expect(await remove(1, () => null)).toBe(0);
    expect(await remove(1, () => 6)).toBe(5);
    expect(await firstRow()).toBe(6);
  });

  test("many events are removed in small steps, with calls served in between", async () => {
    const { store } = openWatchedStore();
    const event = (index: number) => auditEvent(by, "source.added", { detail: `${index}`.repeat(20) });
    await store.appendEvents(Array.from({ length: 5_000 }, (_, index) => event(index)));
    let [stepCount, turnCount] = [0, 0];
    const watched = {
      async removeOldEvents(retention: AuditRetention, author: Author) {
        stepCount += 1;
        setImmediate(() => {
          turnCount += 1;
        });
        return await store.removeOldEvents(retention, author);
      },
    };
    const now = new Date(by.at.getTime() + 1);
    const settings = { auditRetentionMs: 0, now: () => now, signal: never };
    const removed = await removeOldEvents(
      watched,
      () => 5_000,
      () => ({ ...by, at: now }),
      settings,
    );
    expect(removed).toBeGreaterThan(4_700);
    expect(stepCount).toBeGreaterThanOrEqual(5);
    expect(turnCount).toBeGreaterThanOrEqual(stepCount - 1);
    expect(await verifyAudit(store, testAuditKey, { kept: null, given: [] })).toMatchObject({ ok: true });
  });

  test("a clock that was once wrong neither keeps old events nor removes young events", async () => {
    const { store } = openWatchedStore();
    const at = (hours: number) => new Date(by.at.getTime() + hours * hour);
    for (const hours of [0, 1, 900_000, 2, 3, -900_000, 4]) {
      await store.appendEvents([auditEvent({ ...by, at: at(hours) }, "source.added", { detail: `${hours}` })]);
    }
    const remove = (before: number, now: number) =>
      store.removeOldEvents({ before: at(before), now: at(now), keptRow: 7 }, { ...by, at: at(now) });
    const left = async () => (await auditEvents(store)).map(({ detail }) => detail?.slice(0, 7));
    // The event from the future is removed with its neighbours.
    expect(await remove(3, 5)).toBe(4);
    // The event from the past comes after a young event, so both stay.
    expect((await left()).slice(0, 3)).toEqual(["3", "-900000", "4"]);
  });

  test("a tampered range of events stays, as evidence", async () => {
    const { store, connection, remove, firstRow } = await openTrail(20);
    connection.exec("DROP TRIGGER audit_refuses_update");
    connection.exec(
      "UPDATE audit SET events = replace(events, 'source.added', 'source.removed') WHERE first_event = 3",
    );
    await expect(remove(6)).rejects.toThrow("event 3 of the audit trail is not as it was written");
    expect(await firstRow()).toBe(1);
    expect((await store.auditHead()).row).toBe(20);
  });

  test("only events before the start can be deleted, and the start never moves back", async () => {
    const { connection, remove } = await openTrail(20);
    await remove(6);
    expect(() => connection.exec("DELETE FROM audit")).toThrow("audit events are never deleted");
    expect(() => connection.exec("UPDATE audit_start SET last_event = 3")).toThrow("never moves back");
    expect(() => connection.exec("DELETE FROM audit_start")).toThrow("is never deleted");
  });
});

test("audit.retention: hourly usage totals are removed like events", async () => {
  const { store, live, clock, calls, tenant } = await openTestService();
  await calls.serve(tenant.enrichCall("jane.doe@example.com"));
  const hours = async () => (await store.overview(tenant.id, new Date(0))).usage.length;
  await clock.advance(399 * dayMs);
  await removeExpired(store, settings(live, clock));
  expect(await hours()).toBe(1);
  await clock.advance(2 * dayMs);
  await removeExpired(store, settings(live, clock));
  expect(await hours()).toBe(0);
});
