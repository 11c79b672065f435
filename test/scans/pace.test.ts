import { describe, expect, test } from "vitest";
import { AppError, SourceError } from "../../src/domain/error.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import { asksToWait } from "../../src/egress/answer.ts";
import type { HttpClient, HttpResponse } from "../../src/egress/client.ts";
import { openTurns, type PacedSource } from "../../src/scans/pace.ts";
import type { Store } from "../../src/store/port/store.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { ManualClock, turnOver } from "../helpers/manual-clock.ts";
import { testAuditKey } from "../helpers/test-author.ts";

const minuteMs = 60_000;
const isThrottled = (response: HttpResponse) => response.status === 429;
const tenPerMinute: PacedSource = { name: "alpha", pace: { count: 10, windowMs: minuteMs }, isThrottled };
const onePerMinute: PacedSource = { ...tenPerMinute, pace: { count: 1, windowMs: minuteMs } };
const unpaced: PacedSource = { ...tenPerMinute, pace: null };

type Asking = { workspace?: string; withinMs?: number; signal?: AbortSignal; source?: PacedSource; part?: string };

/** Turns at an upstream that records the time and workspace of each call, and answers 200 by default. */
function openBench(source: PacedSource, replaced: Partial<Store> = {}) {
  const clock = new ManualClock();
  const start = clock.now().getTime();
  const real = SqliteStore.inMemory(testAuditKey);
  const store: Pick<Store, "takeSlot" | "pauseSource"> = {
    takeSlot: (name, pace, notAfter, now) => real.takeSlot(name, pace, notAfter, now),
    pauseSource: (name, until) => real.pauseSource(name, until),
    ...replaced,
  };
  const asked: { who: string; atMs: number }[] = [];
  const answers: HttpResponse[] = [];
  const http: HttpClient = {
    async request({ url }) {
      asked.push({ who: url, atMs: clock.now().getTime() - start });
      return answers.shift() ?? answer(200);
    },
  };

  /** Another process on the same database, or the same process after a reload. */
  function instance() {
    const turns = openTurns(store, clock.now, clock.sleep);
    return function ask(who: string, options: Asking = {}) {
      const { workspace = "w1", withinMs = 10 * minuteMs, signal = new AbortController().signal } = options;
      const deadline = clock.after(withinMs);
      const client = turns.clientFor(http, options.source ?? source, workspace as WorkspaceId, deadline);
      const state = { end: "waits" as string, answer: Promise.resolve() };
      const part = options.part === undefined ? {} : { part: options.part };
      state.answer = client.request({ url: who, signal, ...part }).then(
        ({ status }) => {
          state.end = String(status);
        },
        (error: unknown) => {
          state.end = error instanceof SourceError ? error.reason : String(error);
        },
      );
      return state;
    };
  }

  return { clock, store: real, asked, answers, instance, ask: instance() };
}

function answer(status: number, headers: HttpResponse["headers"] = {}): HttpResponse {
  return { status, headers, body: new Uint8Array() };
}

const atMs = (asked: readonly { atMs: number }[]) => asked.map((one) => one.atMs);
const who = (asked: readonly { who: string }[]) => asked.map((one) => one.who);

describe("5.9 the rate of a source", () => {
  test("calls within the rate go immediately, and the next call waits for the window", async () => {
    const { clock, ask, asked } = openBench(tenPerMinute);
    for (let index = 0; index < 12; index += 1) ask(`call ${index}`);
    await turnOver();
    expect(asked).toHaveLength(10);
    await clock.advance(minuteMs - 1);
    expect(asked).toHaveLength(10);
    await clock.advance(1);
    expect(atMs(asked).slice(10)).toEqual([minuteMs, minuteMs]);
  });

  test("calls to a source without a rate that come together share a turn, workspace by workspace", async () => {
    let slotCount = 0;
    const real = SqliteStore.inMemory(testAuditKey);
    const { ask, asked } = openBench(unpaced, {
      takeSlot: (name, pace, notAfter, now) => {
        slotCount += 1;
        return real.takeSlot(name, pace, notAfter, now);
      },
    });
    for (const workspace of ["w1", "w2"]) for (const name of ["a", "b", "c"]) ask(`${workspace}${name}`, { workspace });
    await turnOver();
    expect(who(asked)).toEqual(["w1a", "w2a", "w1b", "w2b", "w1c", "w2c"]);
    expect(slotCount).toBe(1);
  });

  test("no window of the pace has more calls than its count, whatever their times", async () => {
    const { clock, ask, asked } = openBench({ ...tenPerMinute, pace: { count: 3, windowMs: minuteMs } });
    for (let index = 0; index < 40; index += 1) {
      ask(`call ${index}`, { withinMs: 60 * minuteMs });
      await clock.advance((index * 7_919) % 31_000);
    }
    await clock.advance(60 * minuteMs);
    const times = atMs(asked);
    expect(times).toHaveLength(40);
    for (const [index, time] of times.entries()) {
      expect(time - (times[index - 3] ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(minuteMs);
    }
  });

  test("two processes on one database share the window", async () => {
    const { clock, instance, asked } = openBench(tenPerMinute);
    const [service, command] = [instance(), instance()];
    for (let index = 0; index < 7; index += 1) {
      service(`service ${index}`);
      command(`command ${index}`);
    }
    await turnOver();
    expect(asked).toHaveLength(10);
    await clock.advance(minuteMs);
    expect(asked).toHaveLength(14);
    expect(atMs(asked).slice(10)).toEqual([minuteMs, minuteMs, minuteMs, minuteMs]);
  });

  test("the window holds across a restart", async () => {
    const { clock, instance, asked } = openBench(onePerMinute);
    instance()("before");
    await clock.advance(1_000);
    instance()("after");
    await clock.advance(minuteMs);
    expect(atMs(asked)).toEqual([0, minuteMs]);
  });

  test("sources do not wait for each other", async () => {
    const { ask, asked } = openBench(onePerMinute);
    ask("alpha");
    ask("alpha again");
    ask("beta", { source: { ...onePerMinute, name: "beta" } });
    await turnOver();
    expect(who(asked)).toEqual(["alpha", "beta"]);
  });

  test("turns go round robin over workspaces", async () => {
    const { clock, ask, asked } = openBench(onePerMinute);
    const waiting = ["1a", "1b", "1c", "1d", "2a", "2b", "3a"];
    for (const name of waiting) ask(name, { workspace: name.charAt(0), withinMs: 60 * minuteMs });
    await clock.advance(10 * minuteMs);
    expect(who(asked)).toEqual(["1a", "2a", "3a", "1b", "2b", "1c", "1d"]);
  });

  test("a workspace with few calls gets its turn even when another workspace has a long queue", async () => {
    const { clock, ask, asked } = openBench(onePerMinute);
    for (let index = 0; index < 8; index += 1) ask(`busy ${index}`, { workspace: "busy" });
    const small = ask("small", { workspace: "small", withinMs: 2 * minuteMs });
    await clock.advance(2 * minuteMs);
    expect(small.end).toBe("200");
    expect(who(asked)).toContain("small");
  });
});

describe("5.9 a turn beyond the time left", () => {
  test("is refused immediately with rate_limited, without a request", async () => {
    const { ask, asked } = openBench(onePerMinute);
    ask("first");
    await turnOver();
    const late = ask("late", { withinMs: minuteMs - 1 });
    await turnOver();
    expect(late.end).toBe("rate_limited");
    expect(who(asked)).toEqual(["first"]);
  });

  test("takes into account the calls that wait ahead", async () => {
    const { ask } = openBench(onePerMinute);
    const ends = [0, 1, 2, 3, 4].map((index) => ask(`call ${index}`, { withinMs: 2 * minuteMs }));
    await turnOver();
    expect(ends.map(({ end }) => end)).toEqual(["200", "waits", "waits", "rate_limited", "rate_limited"]);
  });

  test("is refused immediately even when another process took the turns", async () => {
    const { instance, clock } = openBench({ ...tenPerMinute, pace: { count: 2, windowMs: minuteMs } });
    const [service, command] = [instance(), instance()];
    service("one");
    service("two");
    await turnOver();
    const patient = command("patient");
    await turnOver();
    const hasty = command("hasty", { withinMs: 10_000 });
    await turnOver();
    expect([patient.end, hasty.end]).toEqual(["waits", "rate_limited"]);
    await clock.advance(minuteMs);
    expect(patient.end).toBe("200");
  });

  test("a refused call takes no turn from the others", async () => {
    const { clock, ask, asked } = openBench(onePerMinute);
    ask("first");
    ask("late", { withinMs: 10 });
    ask("second", { withinMs: minuteMs });
    await clock.advance(minuteMs);
    expect(asked).toEqual([
      { who: "first", atMs: 0 },
      { who: "second", atMs: minuteMs },
    ]);
  });

  test("a clock that was set back does not block a source for that time", async () => {
    const { clock, ask, asked } = openBench(onePerMinute);
    ask("first");
    await clock.advance(-60 * minuteMs);
    const next = ask("next", { withinMs: 1_000 });
    await turnOver();
    expect(next.end).toBe("200");
    expect(who(asked)).toEqual(["first", "next"]);
  });
});

describe("an abort while waiting", () => {
  test("ends the wait immediately with timeout, and other calls still get their turn", async () => {
    const { clock, ask, asked } = openBench(onePerMinute);
    const scan = new AbortController();
    ask("first");
    const head = ask("head", { signal: scan.signal });
    const other = ask("other");
    await turnOver();
    scan.abort();
    await turnOver();
    expect([head.end, other.end]).toEqual(["timeout", "waits"]);
    await clock.advance(2 * minuteMs);
    expect(other.end).toBe("200");
    expect(who(asked)).toEqual(["first", "other"]);
  });

  test("a call whose time is already over makes no request", async () => {
    const { ask, asked } = openBench(unpaced);
    const call = ask("late", { signal: AbortSignal.abort() });
    await turnOver();
    expect(call.end).toBe("timeout");
    expect(asked).toEqual([]);
  });
});

describe("5.9 an upstream that asks to slow down", () => {
  test("is asked once more when its pause fits in the time left", async () => {
    const { clock, ask, asked, answers } = openBench(unpaced);
    answers.push(answer(429, { "retry-after": "7" }));
    const call = ask("call", { withinMs: 10_000 });
    await clock.advance(6_999);
    expect(call.end).toBe("waits");
    await clock.advance(1);
    expect(call.end).toBe("200");
    expect(atMs(asked)).toEqual([0, 7_000]);
  });

  test("is never asked a third time", async () => {
    const { clock, ask, asked, answers } = openBench(unpaced);
    for (let index = 0; index < 5; index += 1) answers.push(answer(429, { "retry-after": "1" }));
    const call = ask("call");
    await clock.advance(10 * minuteMs);
    expect(call.end).toBe("429");
    expect(asked).toHaveLength(2);
  });

  test("fails the call immediately with rate_limited when its pause does not fit", async () => {
    const { ask, asked, answers } = openBench(unpaced);
    answers.push(answer(429, { "retry-after": "11" }));
    const call = ask("call", { withinMs: 10_000 });
    await turnOver();
    expect(call.end).toBe("rate_limited");
    expect(asked).toHaveLength(1);
  });

  test("without a hint it is paused for a minute", async () => {
    const { clock, ask, answers, asked } = openBench(unpaced);
    answers.push(answer(429));
    const call = ask("call");
    await clock.advance(minuteMs);
    expect(call.end).toBe("200");
    expect(atMs(asked)).toEqual([0, minuteMs]);
  });

  test("is paused for other workspaces and other processes too, and after a restart", async () => {
    const { clock, instance, answers, asked } = openBench(unpaced);
    const [service, command] = [instance(), instance()];
    answers.push(answer(429, { "retry-after": "30" }));
    const first = service("first", { withinMs: 10_000 });
    await turnOver();
    const calls = [
      service("same process, no time", { workspace: "w2", withinMs: 29_999 }),
      command("other process, no time", { withinMs: 29_999 }),
      service("same process", { workspace: "w2" }),
      command("other process"),
      instance()("after a restart"),
    ];
    await turnOver();
    expect([first, ...calls].map(({ end }) => end)).toEqual([
      "rate_limited",
      "rate_limited",
      "rate_limited",
      "waits",
      "waits",
      "waits",
    ]);
    await clock.advance(30_000);
    expect(calls.slice(2).map(({ end }) => end)).toEqual(["200", "200", "200"]);
    expect(atMs(asked)).toEqual([0, 30_000, 30_000, 30_000]);
  });

  test("waiting calls fail immediately when a new pause is longer than their time", async () => {
    const { clock, ask, answers, asked } = openBench(onePerMinute);
    answers.push(answer(429, { "retry-after": "300" }));
    const first = ask("first");
    const hasty = ask("hasty", { withinMs: 2 * minuteMs });
    const patient = ask("patient", { withinMs: 30 * minuteMs });
    await turnOver();
    expect([first.end, hasty.end, patient.end]).toEqual(["waits", "rate_limited", "waits"]);
    await clock.advance(30 * minuteMs);
    expect([first.end, patient.end]).toEqual(["200", "200"]);
    expect(
      atMs(asked)
        .slice(1)
        .every((time) => time >= 300_000),
    ).toBe(true);
  });

  test("a pause that begins while a call waits also delays this call", async () => {
    const { clock, ask, answers, asked } = openBench({ ...tenPerMinute, pace: { count: 2, windowMs: minuteMs } });
    answers.push(answer(200), answer(429, { "retry-after": "90" }));
    ask("first");
    ask("second", { withinMs: 30_000 });
    ask("third");
    await turnOver();
    await clock.advance(90_000 - 1);
    expect(who(asked)).toEqual(["first", "second"]);
    await clock.advance(minuteMs);
    expect(who(asked)).toEqual(["first", "second", "third"]);
    expect(asked[2]?.atMs).toBeGreaterThanOrEqual(90_000);
  });

  test("a pause that cannot be stored still applies in this process, without a busy wait", async () => {
    let slotCount = 0;
    const bench = openBench(unpaced, {
      takeSlot: async (_name, _pace, _notAfter, now) => {
        slotCount += 1;
        return now;
      },
      pauseSource: () => Promise.reject(new AppError("storage_full", "disk full")),
    });
    bench.answers.push(answer(429, { "retry-after": "5" }));
    bench.ask("first");
    await turnOver();
    const next = bench.ask("next");
    await bench.clock.advance(4_999);
    expect(next.end).toBe("waits");
    await bench.clock.advance(1);
    expect(next.end).toBe("200");
    expect(slotCount).toBeLessThan(5);
  });

  test("each source decides which answers ask to slow down", async () => {
    const source = { ...unpaced, isThrottled: ({ headers }: HttpResponse) => headers["x-limit"] === "reached" };
    const { clock, ask, answers, asked } = openBench(source);
    answers.push(answer(429), answer(403, { "x-limit": "reached", "retry-after": "3" }));
    const [quota, slowed] = [ask("quota"), ask("slowed")];
    await clock.advance(3_000);
    expect([quota.end, slowed.end]).toEqual(["429", "200"]);
    expect(asked).toHaveLength(3);
  });
});

describe("21.15 a 503 with Retry-After", () => {
  const source: PacedSource = { ...unpaced, isThrottled: asksToWait };

  test("is retried after at least a second", async () => {
    const { clock, ask, asked, answers } = openBench(source);
    answers.push(answer(503, { "retry-after": "0" }));
    const call = ask("call", { withinMs: 10_000 });
    await clock.advance(1_000);
    expect(call.end).toBe("200");
    expect(atMs(asked)).toEqual([0, 1_000]);
  });

  test("is returned when the wait does not fit, and pauses the source for other calls", async () => {
    const { clock, ask, answers, asked } = openBench(source);
    answers.push(answer(503, { "retry-after": "30" }));
    const call = ask("call", { withinMs: 10_000 });
    await turnOver();
    const [hasty, patient] = [ask("hasty", { withinMs: 10_000 }), ask("patient")];
    await turnOver();
    expect([call.end, hasty.end, patient.end]).toEqual(["503", "rate_limited", "waits"]);
    await clock.advance(30_000);
    expect(patient.end).toBe("200");
    expect(who(asked)).toEqual(["call", "patient"]);
  });

  test("without Retry-After does not pause the source", async () => {
    const { ask, answers } = openBench(source);
    answers.push(answer(503));
    const [down, next] = [ask("down"), ask("next")];
    await turnOver();
    expect([down.end, next.end]).toEqual(["503", "200"]);
  });
});

describe("21.11 a part that must wait", () => {
  test("is paused alone, for all workspaces and processes", async () => {
    const { clock, instance, answers, asked } = openBench(unpaced);
    const [service, command] = [instance(), instance()];
    answers.push(answer(429, { "retry-after": "600" }));
    const first = service("logs", { part: "logs", withinMs: 10_000 });
    await turnOver();
    const again = [
      service("logs again", { part: "logs", withinMs: minuteMs }),
      command("logs too", { part: "logs", withinMs: 10_000 }),
    ];
    const others = [service("main"), command("main too"), service("pastes", { part: "pastes" })];
    await turnOver();
    expect([first, ...again].map(({ end }) => end)).toEqual(["rate_limited", "rate_limited", "rate_limited"]);
    expect(others.map(({ end }) => end)).toEqual(["200", "200", "200"]);
    expect(who(asked)).toEqual(["logs", "main", "main too", "pastes"]);
    await clock.advance(600_000);
    const later = service("logs later", { part: "logs" });
    await turnOver();
    expect(later.end).toBe("200");
  });

  test("takes its turn at the rate of the source, and waits while the whole source is paused", async () => {
    const { clock, ask, answers, asked } = openBench(onePerMinute);
    ask("main");
    ask("logs", { part: "logs" });
    await clock.advance(minuteMs);
    expect(atMs(asked)).toEqual([0, minuteMs]);
    const paced = openBench(unpaced);
    paced.answers.push(answer(429, { "retry-after": "30" }));
    paced.ask("main", { withinMs: 10_000 });
    await turnOver();
    const part = paced.ask("logs", { part: "logs", withinMs: 10_000 });
    await turnOver();
    expect(part.end).toBe("rate_limited");
    expect(answers).toEqual([]);
  });
});

test("a turn that cannot be stored is refused, and the next call is served", async () => {
  let isBroken = true;
  const { ask, asked } = openBench(unpaced, {
    takeSlot: (_name, _pace, _notAfter, now) =>
      isBroken ? Promise.reject(new AppError("unavailable", "busy")) : Promise.resolve(now),
  });
  const first = ask("first");
  await turnOver();
  expect(first.end).toBe("internal");
  isBroken = false;
  const next = ask("next");
  await turnOver();
  expect(next.end).toBe("200");
  expect(who(asked)).toEqual(["next"]);
});

test("an error of the request reaches the caller, and its turn counts as taken", async () => {
  const { clock, store } = openBench(onePerMinute);
  const turns = openTurns(store, clock.now, clock.sleep);
  const http: HttpClient = { request: () => Promise.reject(new SourceError("tls", "invented fault")) };
  const client = turns.clientFor(http, onePerMinute, "w1" as WorkspaceId, clock.after(1_000));
  const request = { url: "https://example.com/", signal: new AbortController().signal };
  await expect(client.request(request)).rejects.toMatchObject({ reason: "tls" });
  await expect(client.request(request)).rejects.toMatchObject({ reason: "rate_limited" });
});
