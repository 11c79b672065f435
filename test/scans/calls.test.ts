import { describe, expect, test } from "vitest";
import type { Call } from "../../src/domain/call.ts";
import { AppError } from "../../src/domain/error.ts";
import { openCalls } from "../../src/scans/calls.ts";
import { found, inventedSource } from "../helpers/invented-source.ts";
import { turnOver } from "../helpers/manual-clock.ts";
import { testAuthor } from "../helpers/test-author.ts";
import { openTestService, type TestService } from "../helpers/test-service.ts";

/** The service, and the sizes of the transactions that served its calls. */
async function openCounted(): Promise<TestService & { sizes: number[] }> {
  const sizes: number[] = [];
  const service = await openTestService({
    store: (real) => ({
      handleCalls: (calls, rules, earlier) => {
        sizes.push(calls.length);
        return real.handleCalls(calls, rules, earlier);
      },
    }),
  });
  return { ...service, sizes };
}

describe("the calls of one turn are one transaction", () => {
  test("all calls of a turn are committed together and replied to in their order", async () => {
    const { calls, tenant, sizes } = await openCounted();
    const addresses = ["a@example.com", "b@example.com", "c@example.com"];
    const replies = await Promise.all(addresses.map((address) => calls.serve(tenant.enrichCall(address))));
    expect(sizes).toEqual([3]);
    expect(replies.map((reply) => (reply.kind === "accepted" ? reply.indicator.value : reply.kind))).toEqual(addresses);
  });

  test("a turn with very many calls is split, so that other work can run, and every call is served", async () => {
    const { calls, tenant, sizes } = await openCounted();
    const all = Array.from({ length: 600 }, (_, index) => tenant.enrichCall(`user${index}@example.com`));
    const replies = await Promise.all(all.map((call) => calls.serve(call)));
    expect(sizes).toEqual([256, 256, 88]);
    expect(replies.map((reply) => (reply.kind === "accepted" ? reply.scanId : reply.kind))).toEqual(
      all.map(({ newScanId }) => newScanId),
    );
  });

  test("a call that arrives while a turn is served waits for the next turn", async () => {
    const { calls, tenant, sizes } = await openCounted();
    await calls.serve(tenant.enrichCall("a@example.com"));
    await calls.serve(tenant.enrichCall("b@example.com"));
    expect(sizes).toEqual([1, 1]);
  });

  test("fifty calls for one address in one turn get one scan", async () => {
    const { calls, tenant } = await openCounted();
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => calls.serve(tenant.enrichCall("jane.doe@example.com"))),
    );
    const ids = new Set(replies.map((reply) => (reply.kind === "accepted" ? reply.scanId : reply.kind)));
    expect(ids.size).toBe(1);
  });

  test("no reply is sent before its transaction is committed", async () => {
    const commit = Promise.withResolvers<void>();
    const { calls, tenant } = await openTestService({
      store: (real) => ({
        handleCalls: async (batch, rules, earlier) => {
          const replies = await real.handleCalls(batch, rules, earlier);
          await commit.promise;
          return replies;
        },
      }),
    });
    let hasReply = false;
    const reply = calls.serve(tenant.enrichCall("jane.doe@example.com")).then(() => {
      hasReply = true;
    });
    await turnOver();
    expect(hasReply).toBe(false);
    commit.resolve();
    await reply;
    expect(hasReply).toBe(true);
  });

  test("the runner is woken for a miss, once per turn, and not for a hit or a poll", async () => {
    let claimCount = 0;
    const { calls, tenant, scanned } = await openTestService({
      store: (real) => ({
        claimScans: (request) => {
          claimCount += 1;
          return real.claimScans(request);
        },
      }),
    });
    const scanId = await scanned("jane.doe@example.com");
    await turnOver();
    claimCount = 0;
    await Promise.all([
      calls.serve(tenant.enrichCall("jane.doe@example.com")),
      calls.serve(tenant.pollCall(scanId)),
      calls.serve({ ...tenant.enrichCall("a@example.com"), caller: { keyHash: "00" } }),
    ]);
    await turnOver();
    expect(claimCount).toBe(0);
    await calls.serve(tenant.enrichCall("john.doe@example.com"));
    await turnOver();
    expect(claimCount).toBeGreaterThan(0);
  });
});

describe("turns follow one another", () => {
  test("calls that a failed turn left waiting are served by the next turn, even if already requested", async () => {
    const failure = Promise.withResolvers<never>();
    const handedOver: number[] = [];
    const service = await openTestService({
      store: (real) => ({
        handleCalls: (batch, rules, earlier) => {
          handedOver.push(earlier.length);
          return handedOver.length === 1 ? failure.promise : real.handleCalls(batch, rules, earlier);
        },
      }),
    });
    const { calls, tenant } = service;
    const first = calls.serve(tenant.enrichCall("a@example.com"));
    await turnOver();
    const second = calls.serve(tenant.enrichCall("b@example.com"));
    await turnOver();
    expect(handedOver).toEqual([0]);
    failure.reject(new AppError("unavailable", "The database cannot be written"));
    expect(await first).toMatchObject({ kind: "refused", error: { code: "unavailable" } });
    expect(await second).toMatchObject({ kind: "accepted" });
    expect(handedOver).toEqual([0, 1]);
  });
});

describe("when the commit fails", () => {
  /** A service with one completed and one waiting scan, whose next writes fail with `code`. */
  async function openBroken(code: "unavailable" | "storage_full") {
    const faults: AppError[] = [];
    const service = await openTestService({
      store: (real) => ({
        handleCalls: (calls, rules, earlier) => {
          const fault = faults[0];
          return fault === undefined ? real.handleCalls(calls, rules, earlier) : Promise.reject(fault);
        },
      }),
    });
    const { tenant, store, rules } = service;
    const completedId = await service.scanned("jane.doe@example.com");
    const waiting = tenant.enrichCall("waiting@example.com");
    await store.handleCalls([waiting], rules(), []);
    const free = await service.addTenant("Free", "free");
    const disabled = await service.addTenant("Disabled");
    await store.changeWorkspace(disabled.id, { disabledAt: service.clock.now() }, testAuthor);
    const other = await service.addTenant("Other");
    faults.push(new AppError(code, "The database cannot be written"));
    return { ...service, completedId, waitingId: waiting.newScanId, free, disabled, other };
  }

  test.each(["unavailable", "storage_full"] as const)(
    "%s: hits, polls and joins are served, a miss is refused",
    async (code) => {
      const { calls, tenant, completedId, waitingId, store, rules } = await openBroken(code);
      const served = await Promise.all(
        (
          [
            tenant.enrichCall("jane.doe@example.com"),
            tenant.pollCall(completedId),
            tenant.pollCall(completedId, "sources"),
            tenant.pollCall(completedId, "evidence"),
            tenant.enrichCall("waiting@example.com"),
            tenant.pollCall(waitingId),
            tenant.enrichCall("new@example.com"),
          ] satisfies Call[]
        ).map((call) => calls.serve(call)),
      );
      expect(served.map((reply) => (reply.kind === "refused" ? reply.error.code : reply.kind))).toEqual([
        "completed",
        "completed",
        "sources",
        "evidence",
        "accepted",
        "unfinished",
        code,
      ]);
      // The refused miss left no state: with a healthy store the same call starts a new scan.
      const retry = tenant.enrichCall("new@example.com");
      const [reply] = await store.handleCalls([retry], rules(), []);
      expect(reply).toMatchObject({ kind: "accepted", scanId: retry.newScanId });
    },
  );

  test("authentication and isolation do not fail open", async () => {
    const { calls, tenant, free, disabled, other, completedId } = await openBroken("unavailable");
    const unknown = { ...tenant.enrichCall("jane.doe@example.com"), caller: { keyHash: "ab".repeat(32) } };
    const refused = await Promise.all(
      (
        [
          unknown,
          { ...unknown, caller: { keyHash: null } },
          disabled.enrichCall("jane.doe@example.com"),
          free.enrichCall("jane.doe@example.com"),
          other.pollCall(completedId),
        ] satisfies Call[]
      ).map((call) => calls.serve(call)),
    );
    expect(refused.map((reply) => (reply.kind === "refused" ? reply.error.code : reply.kind))).toEqual([
      "invalid_api_key",
      "invalid_api_key",
      "invalid_api_key",
      "plan_required",
      "not_found",
    ]);
    // The other tenant has no hit on the result of this tenant.
    const miss = await calls.serve(other.enrichCall("jane.doe@example.com"));
    expect(miss).toMatchObject({ kind: "refused", error: { code: "unavailable" } });
  });

  test("a key revoked by another process is refused although nothing can be written", async () => {
    const { calls, tenant, store, clock } = await openBroken("unavailable");
    await store.changeWorkspace(tenant.id, { disabledAt: clock.now() }, testAuthor);
    const reply = await calls.serve(tenant.enrichCall("jane.doe@example.com"));
    expect(reply).toMatchObject({ kind: "refused", error: { code: "invalid_api_key" } });
  });

  test("when nothing can be read either, no call passes", async () => {
    const { calls, tenant } = await openTestService({
      store: () => ({
        handleCalls: () => Promise.reject(new AppError("unavailable", "no write")),
        readCalls: () => Promise.reject(new AppError("unavailable", "no read")),
      }),
    });
    const served = await Promise.allSettled([
      calls.serve(tenant.enrichCall("jane.doe@example.com")),
      calls.serve(tenant.pollCall(null)),
    ]);
    expect(served).toMatchObject([
      { status: "rejected", reason: { code: "unavailable" } },
      { status: "rejected", reason: { code: "unavailable" } },
    ]);
  });

  test("a bug in our code is not reported as a database error, and the next turn is served", async () => {
    let isBroken = true;
    let readCount = 0;
    const { calls, tenant } = await openTestService({
      store: (real) => ({
        handleCalls: (batch, rules, earlier) =>
          isBroken ? Promise.reject(new Error("bug")) : real.handleCalls(batch, rules, earlier),
        readCalls: (batch, rules, fault) => {
          readCount += 1;
          return real.readCalls(batch, rules, fault);
        },
      }),
    });
    await expect(calls.serve(tenant.enrichCall("jane.doe@example.com"))).rejects.toThrow("bug");
    expect(readCount).toBe(0);
    isBroken = false;
    expect(await calls.serve(tenant.enrichCall("jane.doe@example.com"))).toMatchObject({ kind: "accepted" });
  });

  test("no caller waits for ever when the store returns too few replies", async () => {
    const { calls, tenant } = await openTestService({ store: () => ({ handleCalls: async () => [] }) });
    await expect(calls.serve(tenant.enrichCall("jane.doe@example.com"))).rejects.toThrow("without a reply");
  });
});

describe("long replies", () => {
  /** A service whose sources say much about every address of `heavy.example`. */
  async function openHeavy() {
    const service = await openCounted();
    const title = "x".repeat(200);
    const many = Array.from({ length: 1500 }, (_, index) => found(`${title} ${index}`).findings).flat();
    service.sources.splice(
      0,
      1,
      inventedSource("alpha", async () => ({ findings: many })),
    );
    await service.scanned("victim@heavy.example");
    const light = await service.addTenant("Light");
    service.sources.splice(
      0,
      1,
      inventedSource("alpha", async () => found("Example Shop")),
    );
    return { ...service, light };
  }

  test("a turn ends when its replies are long, and the rest is served in later turns", async () => {
    const { calls, tenant, sizes } = await openHeavy();
    sizes.length = 0;
    const asked = Array.from({ length: 12 }, () => calls.serve(tenant.enrichCall("victim@heavy.example")));
    const replies = await Promise.all(asked);
    expect(new Set(replies.map(({ kind }) => kind))).toEqual(new Set(["completed"]));
    // Each turn gets what the one before left.
    expect(sizes.length).toBeGreaterThan(2);
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    // Each call was charged once.
    expect(replies.at(-1)?.charge?.remaining).toBe(600 - 13);
  });

  test("they are in nobody's way: a caller of short ones is served before those that wait", async () => {
    const { calls, tenant, light } = await openHeavy();
    const ended: string[] = [];
    const ask = (name: string, call: Call) => calls.serve(call).then(() => void ended.push(name));
    const first = Array.from({ length: 20 }, () => ask("long", tenant.enrichCall("victim@heavy.example")));
    await Promise.all([...first, ask("short", light.enrichCall("a@example.com"))]);
    // The first turn finds out; in the next one the short one goes first.
    expect(ended.indexOf("short")).toBeLessThan(8);
    ended.length = 0;
    const again = Array.from({ length: 20 }, () => ask("long", tenant.enrichCall("victim@heavy.example")));
    await Promise.all([...again, ask("short", light.enrichCall("a@example.com"))]);
    expect(ended.indexOf("short")).toBeLessThan(4);
  });
});

test("8.2 a window ends by the time that passed, whatever the clock of the wall is set to", async () => {
  const { store, live, clock, tenant, waitingEvents } = await openTestService({
    live: { limits: { team: 1, enterprise: 1, windowMs: 3_600_000 } },
  });
  let setByMs = 0;
  const calls = openCalls({
    store,
    live,
    now: () => clock.after(setByMs),
    steadyNow: clock.steadyNow,
    outcomeOf: ({ kind }) => kind,
    trail: { takeWaiting: () => [], putBack: () => undefined, wait: () => undefined, denied: () => undefined },
    onMiss: () => undefined,
    onFailOpen: () => undefined,
  });
  const ask = async () => (await calls.serve(tenant.enrichCall("jane.doe@example.com"))).kind;
  expect([await ask(), await ask()]).toEqual(["accepted", "refused"]);
  for (const setBy of [24 * 3_600_000, -24 * 3_600_000]) {
    setByMs = setBy;
    expect(await ask()).toBe("refused");
  }
  await clock.advance(3_600_000);
  expect(await ask()).toBe("accepted");
  expect(waitingEvents).toEqual([]);
});
