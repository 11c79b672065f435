import { afterEach, describe, expect, test, vi } from "vitest";
import { AppError } from "../../src/domain/error.ts";
import type { ScanId } from "../../src/domain/scan.ts";
import { Runner } from "../../src/scans/runner.ts";
import type { Source } from "../../src/sources/source.ts";
import { found, inventedSource } from "../helpers/invented-source.ts";
import { turnOver } from "../helpers/manual-clock.ts";
import { openTestService, type Tenant, type TestService } from "../helpers/test-service.ts";

const heartbeatMs = 5_000;
const noSignal = new AbortController().signal;

afterEach(() => {
  vi.useRealTimers();
});

/** A source that answers only when the test says so, and records the addresses it was asked about. */
function gated(name = "alpha") {
  const asked: string[] = [];
  const signals: AbortSignal[] = [];
  const open: (() => void)[] = [];
  const lookup: Source["lookup"] = ({ value }, { signal }) => {
    asked.push(value);
    signals.push(signal);
    const { promise, resolve } = Promise.withResolvers<ReturnType<typeof found>>();
    open.push(() => resolve(found("Example Shop")));
    return promise;
  };
  return {
    source: inventedSource(name, lookup),
    asked,
    signals,
    get openCount(): number {
      return open.length;
    },
    async release(count = open.length): Promise<void> {
      for (const answer of open.splice(0, count)) answer();
      await turnOver();
    },
  };
}

/** Stores queued scans; they do not run before the runner is woken. */
async function enqueue(service: TestService, tenant: Tenant, addresses: readonly string[]): Promise<ScanId[]> {
  const calls = addresses.map((address) => tenant.enrichCall(address));
  await service.store.handleCalls(calls, service.rules(), []);
  await turnOver();
  return calls.map(({ newScanId }) => newScanId);
}

async function stateOf({ store, rules }: TestService, tenant: Tenant, scanId: ScanId): Promise<string> {
  const [reply] = await store.handleCalls([tenant.pollCall(scanId)], rules(), []);
  if (reply === undefined) return "no reply";
  return reply.kind === "unfinished" ? reply.state : reply.kind;
}

/** The test drives only the heartbeat; everything else runs normally. */
function holdHeartbeat(): { beat: () => Promise<void> } {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  return {
    async beat() {
      vi.advanceTimersByTime(heartbeatMs);
      await turnOver();
    },
  };
}

describe("which scans run", () => {
  test("at most `scan.concurrency` scans run at once, and a free place is filled immediately", async () => {
    const service = await openTestService({ live: { concurrency: 2 } });
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const addresses = ["a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com"];
    const ids = await enqueue(service, service.tenant, addresses);
    service.runner.wake();
    service.runner.wake();
    await turnOver();
    expect(gate.asked).toEqual(addresses.slice(0, 2));
    await gate.release(1);
    expect(gate.asked).toEqual(addresses.slice(0, 3));
    while (gate.openCount > 0) {
      expect(gate.openCount).toBeLessThanOrEqual(2);
      await gate.release(1);
    }
    expect(gate.asked).toEqual(addresses);
    const states = await Promise.all(ids.map((id) => stateOf(service, service.tenant, id)));
    expect(states).toEqual(ids.map(() => "completed"));
  });

  test("turns go round robin over workspaces, so that a busy workspace cannot starve others", async () => {
    const service = await openTestService({ live: { concurrency: 1 } });
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const [second, third] = [await service.addTenant("Second"), await service.addTenant("Third")];
    await enqueue(service, service.tenant, ["1a@example.com", "1b@example.com", "1c@example.com", "1d@example.com"]);
    await enqueue(service, second, ["2a@example.com", "2b@example.com"]);
    await enqueue(service, third, ["3a@example.com"]);
    service.runner.wake();
    await turnOver();
    while (gate.openCount > 0) await gate.release(1);
    const order = gate.asked.map((address) => address.slice(0, 2));
    expect(order).toEqual(["1a", "2a", "3a", "1b", "2b", "1c", "1d"]);
  });

  test("scans are claimed and started together, at most 8 per turn", async () => {
    const counts: number[] = [];
    const service = await openTestService({
      live: { concurrency: 20 },
      store: (real) => ({
        async claimScans(request) {
          const scans = await real.claimScans(request);
          counts.push(scans.length);
          return scans;
        },
      }),
    });
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const addresses = Array.from({ length: 30 }, (_, index) => `a${index}@example.com`);
    await enqueue(service, service.tenant, addresses);
    service.runner.wake();
    while (gate.openCount < 20) await turnOver();
    expect(counts).toEqual([8, 8, 4]);
    await gate.release();
    while (gate.openCount < 10) await turnOver();
    expect(counts.slice(3).reduce((sum, count) => sum + count)).toBe(10);
    expect(gate.asked).toEqual(addresses);
  });

  test("a scan that another process claimed is left alone", async () => {
    const service = await openTestService();
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const runner = { owner: "command:1", leaseUntil: service.clock.after(60_000), isRefresh: false };
    await service.store.handleCalls([{ ...service.tenant.enrichCall("a@example.com"), runner }], service.rules(), []);
    service.runner.wake();
    await turnOver();
    expect(gate.asked).toEqual([]);
  });

  test("a wake is never lost, at whatever step of the previous look it comes", async () => {
    for (let delay = 0; delay < 12; delay += 1) {
      let claimCount = 0;
      const { runnerTools, live } = await openTestService();
      const looking = Promise.withResolvers<void>();
      const claimScans = async () => {
        claimCount += 1;
        looking.resolve();
        return [];
      };
      const runner = new Runner(live, { ...runnerTools, store: { ...runnerTools.store, claimScans } });
      runner.wake();
      await looking.promise;
      for (let step = 0; step < delay; step += 1) await null;
      const before = claimCount;
      runner.wake();
      await turnOver();
      expect(claimCount, `woken after ${delay} steps`).toBe(before + 1);
    }
  });

  test("a store that cannot be read is logged; the next wake looks again", async () => {
    let isBroken = true;
    const service = await openTestService({
      store: (real) => ({
        claimScans: (request) =>
          isBroken ? Promise.reject(new AppError("unavailable", "no claim")) : real.claimScans(request),
      }),
    });
    const [id = service.newScanId()] = await enqueue(service, service.tenant, ["a@example.com"]);
    service.runner.wake();
    await turnOver();
    expect(service.lines).toMatchObject([{ level: "error", message: "no scan could be claimed" }]);
    isBroken = false;
    service.runner.wake();
    await service.runner.whenSettled(id, 5_000, noSignal);
    expect(await stateOf(service, service.tenant, id)).toBe("completed");
  });
});

describe("5.10 crashes and lost leases", () => {
  /** Claims the next scan like a service that then dies. */
  function claimAndDie({ store, clock, live }: TestService) {
    return store.claimScans({
      owner: "service",
      leaseUntil: clock.after(30_000),
      afterWorkspaceId: null,
      maxCount: 1,
      fingerprintOf: live().fingerprintOf,
    });
  }

  test("a scan that a crash left behind runs again at start, under the same id", async () => {
    holdHeartbeat();
    const service = await openTestService();
    const [id = service.newScanId()] = await enqueue(service, service.tenant, ["a@example.com"]);
    const [lost] = await claimAndDie(service);
    expect(lost?.claim.scanId).toBe(id);
    expect(await stateOf(service, service.tenant, id)).toBe("scanning");
    await service.runner.start();
    await service.runner.whenSettled(id, 5_000, noSignal);
    expect(await stateOf(service, service.tenant, id)).toBe("completed");
    await service.runner.stop(0);
  });

  test("a start with a read-only database claims nothing, and queues the scans again once it can write", async () => {
    let isFull = true;
    const full = new AppError("storage_full", "The disk is full");
    holdHeartbeat();
    const service = await openTestService({
      store: (real) => ({
        requeueScans: (which, how) => (isFull ? Promise.reject(full) : real.requeueScans(which, how)),
      }),
    });
    const [scanId] = await enqueue(service, service.tenant, ["jane.doe@example.com"]);
    await claimAndDie(service);
    if (scanId === undefined) return expect.unreachable();
    await service.runner.start();
    service.runner.wake();
    await turnOver();
    expect(await stateOf(service, service.tenant, scanId)).toBe("scanning");
    expect(service.lines.map(({ message }) => message)).toContain(
      "scans from before the start could not be queued again, they wait",
    );
    isFull = false;
    service.runner.wake();
    await service.runner.whenSettled(scanId, 5_000, noSignal);
    expect(await stateOf(service, service.tenant, scanId)).toBe("completed");
    await service.runner.stop(0);
  });

  test("a scan fails after three claims, so that no scan stays unfinished for ever", async () => {
    const service = await openTestService();
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const [id = service.newScanId()] = await enqueue(service, service.tenant, ["a@example.com"]);
    for (const expected of ["queued", "queued", "failed"]) {
      await claimAndDie(service);
      await service.store.requeueScans({ owner: "service" }, { isCounted: true, now: service.clock.now() });
      expect(await stateOf(service, service.tenant, id)).toBe(expected);
    }
    holdHeartbeat();
    await service.runner.start();
    await turnOver();
    expect(gate.asked).toEqual([]);
    await service.runner.stop(0);
  });

  test("the lease of a long scan is renewed at each heartbeat", async () => {
    const { beat } = holdHeartbeat();
    const service = await openTestService();
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const [id = service.newScanId()] = await enqueue(service, service.tenant, ["a@example.com"]);
    await service.runner.start();
    await turnOver();
    for (let count = 0; count < 20; count += 1) {
      await service.clock.advance(heartbeatMs);
      await beat();
    }
    expect(gate.asked).toEqual(["a@example.com"]);
    await gate.release();
    expect(await stateOf(service, service.tenant, id)).toBe("completed");
    await service.runner.stop(0);
  });

  test("a runner that lost its lease stops asking and writes nothing", async () => {
    const { beat } = holdHeartbeat();
    const service = await openTestService();
    const { store, clock, live, tenant } = service;
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const [id = service.newScanId()] = await enqueue(service, tenant, ["a@example.com"]);
    await service.runner.start();
    await turnOver();
    await store.requeueScans({ owner: "service" }, { isCounted: true, now: clock.now() });
    const [other] = await store.claimScans({
      owner: "other",
      leaseUntil: clock.after(30_000),
      afterWorkspaceId: null,
      maxCount: 1,
      fingerprintOf: live().fingerprintOf,
    });
    expect(other?.claim.scanId).toBe(id);
    expect(gate.signals.map(({ aborted }) => aborted)).toEqual([false]);
    await beat();
    expect(gate.signals.map(({ aborted }) => aborted)).toEqual([true]);
    await gate.release();
    const [sources] = await store.handleCalls([tenant.pollCall(id, "sources")], service.rules(), []);
    expect(sources).toMatchObject({ kind: "sources", state: "scanning", runs: [] });
    await service.runner.stop(0);
  });

  test("a runner that notices its lost lease only when saving writes nothing", async () => {
    const service = await openTestService();
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const [id = service.newScanId()] = await enqueue(service, service.tenant, ["a@example.com"]);
    service.runner.wake();
    await turnOver();
    await service.store.requeueScans({ owner: "service" }, { isCounted: false, now: service.clock.now() });
    const settled = service.runner.whenSettled(id, 5_000, noSignal);
    await gate.release(1);
    await settled;
    const [sources] = await service.store.handleCalls([service.tenant.pollCall(id, "sources")], service.rules(), []);
    expect(sources).toMatchObject({ kind: "sources", runs: [] });
    expect(service.lines).toContainEqual({
      level: "warn",
      fields: { request_id: id },
      message: "scan was taken away",
    });
  });

  test("an interrupted scan is queued again when its lease is over", async () => {
    const { beat } = holdHeartbeat();
    let isFull = true;
    const service = await openTestService({
      store: (real) => ({
        saveRuns: (claim, runs, state) =>
          isFull ? Promise.reject(new AppError("storage_full", "disk full")) : real.saveRuns(claim, runs, state),
      }),
    });
    const [id = service.newScanId()] = await enqueue(service, service.tenant, ["a@example.com"]);
    await service.runner.start();
    await turnOver();
    expect(service.lines).toMatchObject([{ level: "error", message: "scan broke off", fields: { request_id: id } }]);
    isFull = false;
    await service.clock.advance(29_999);
    await beat();
    expect(await stateOf(service, service.tenant, id)).toBe("scanning");
    await service.clock.advance(1);
    await beat();
    expect(await stateOf(service, service.tenant, id)).toBe("completed");
    await service.runner.stop(0);
  });

  test("the service takes over the scan of a killed command when its lease is over", async () => {
    const { beat } = holdHeartbeat();
    const service = await openTestService();
    const { store, tenant, clock } = service;
    const runner = { owner: "command:1", leaseUntil: clock.after(120_000), isRefresh: false };
    const call = { ...tenant.enrichCall("a@example.com"), runner };
    await store.handleCalls([call], service.rules(), []);
    await service.runner.start();
    await clock.advance(119_999);
    await beat();
    expect(await stateOf(service, tenant, call.newScanId)).toBe("scanning");
    await clock.advance(1);
    await beat();
    expect(await stateOf(service, tenant, call.newScanId)).toBe("completed");
    await service.runner.stop(0);
  });

  test("a heartbeat that fails aborts nothing", async () => {
    const { beat } = holdHeartbeat();
    const service = await openTestService({
      store: () => ({ extendLeases: () => Promise.reject(new AppError("unavailable", "busy")) }),
    });
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const [id = service.newScanId()] = await enqueue(service, service.tenant, ["a@example.com"]);
    await service.runner.start();
    await turnOver();
    await beat();
    expect(service.lines).toMatchObject([{ level: "error", message: "leases could not be renewed" }]);
    await gate.release();
    expect(await stateOf(service, service.tenant, id)).toBe("completed");
    await service.runner.stop(0);
  });
});

describe("stop", () => {
  test("active scans may finish within the grace period, and no other scan starts", async () => {
    const service = await openTestService({ live: { concurrency: 1 } });
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const ids = await enqueue(service, service.tenant, ["a@example.com", "b@example.com"]);
    service.runner.wake();
    await turnOver();
    const stopped = service.runner.stop(5_000);
    await gate.release();
    await stopped;
    service.runner.wake();
    await turnOver();
    expect(gate.asked).toEqual(["a@example.com"]);
    const states = await Promise.all(ids.map((id) => stateOf(service, service.tenant, id)));
    expect(states).toEqual(["completed", "queued"]);
  });

  test("a scan that is not done within the grace period is queued again, without counting the claim", async () => {
    const service = await openTestService();
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const [id = service.newScanId()] = await enqueue(service, service.tenant, ["a@example.com"]);
    for (let count = 0; count < 5; count += 1) {
      const runner = new Runner(service.live, service.runnerTools);
      runner.wake();
      await turnOver();
      await runner.stop(1);
      expect(gate.signals.at(-1)?.aborted).toBe(true);
      expect(await stateOf(service, service.tenant, id)).toBe("queued");
    }
    await gate.release();
    expect(await stateOf(service, service.tenant, id)).toBe("queued");
    expect(service.lines).toEqual([]);
    service.runner.wake();
    await turnOver();
    await gate.release();
    expect(await stateOf(service, service.tenant, id)).toBe("completed");
  });

  test("an idle runner stops at once", async () => {
    holdHeartbeat();
    const { runner } = await openTestService();
    await runner.start();
    await runner.stop(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("whenSettled", () => {
  /** The state of a wait: whether it has ended, and how. */
  function watch(wait: Promise<void>): { isOver: boolean } {
    const state = { isOver: false };
    void wait.then(() => {
      state.isOver = true;
    });
    return state;
  }

  async function openWaiting() {
    const service = await openTestService();
    const gate = gated();
    service.sources.splice(0, 1, gate.source);
    const [id = service.newScanId()] = await enqueue(service, service.tenant, ["a@example.com"]);
    service.runner.wake();
    await turnOver();
    return { ...service, gate, id };
  }

  test("all waits end when the scan ends, and its result can be read then", async () => {
    const service = await openWaiting();
    const waits = [1, 2, 3].map(() => watch(service.runner.whenSettled(service.id, 60_000, noSignal)));
    const foreign = watch(service.runner.whenSettled(service.newScanId(), 60_000, noSignal));
    await turnOver();
    expect(waits.map(({ isOver }) => isOver)).toEqual([false, false, false]);
    await service.gate.release();
    expect(waits.map(({ isOver }) => isOver)).toEqual([true, true, true]);
    expect(foreign.isOver).toBe(false);
    expect(await stateOf(service, service.tenant, service.id)).toBe("completed");
  });

  test("a wait ends with its time, and the scan goes on", async () => {
    const service = await openWaiting();
    await service.runner.whenSettled(service.id, 1, noSignal);
    expect(await stateOf(service, service.tenant, service.id)).toBe("scanning");
  });

  test("a client that disconnects ends only its own wait", async () => {
    const { runner, id, gate } = await openWaiting();
    const client = new AbortController();
    const left = watch(runner.whenSettled(id, 60_000, client.signal));
    const stays = watch(runner.whenSettled(id, 60_000, noSignal));
    client.abort();
    await turnOver();
    expect([left.isOver, stays.isOver]).toEqual([true, false]);
    await gate.release();
    expect(stays.isOver).toBe(true);
  });

  test("a client that has already disconnected does not wait", async () => {
    const { runner, id } = await openWaiting();
    const wait = watch(runner.whenSettled(id, 60_000, AbortSignal.abort()));
    await turnOver();
    expect(wait.isOver).toBe(true);
  });

  test("a stop ends every wait, and later waits end immediately", async () => {
    const { runner, id, gate } = await openWaiting();
    const before = watch(runner.whenSettled(id, 60_000, noSignal));
    const stopped = runner.stop(5_000);
    const after = watch(runner.whenSettled(id, 60_000, noSignal));
    await turnOver();
    expect([before.isOver, after.isOver]).toEqual([true, true]);
    await gate.release();
    await stopped;
  });
});
