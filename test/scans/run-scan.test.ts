import { describe, expect, test } from "vitest";
import type { Reply } from "../../src/domain/call.ts";
import { type EnrichOptions, noOptions } from "../../src/domain/enrich-options.ts";
import { SourceError } from "../../src/domain/error.ts";
import { makeFinding } from "../../src/domain/finding.ts";
import type { ClaimedScan, ScanId, SourceRun } from "../../src/domain/scan.ts";
import { runGroup } from "../../src/scans/run-group.ts";
import { runScan, type ScanTools } from "../../src/scans/run-scan.ts";
import type { Source } from "../../src/sources/source.ts";
import { found, inventedSource } from "../helpers/invented-source.ts";
import { turnOver } from "../helpers/manual-clock.ts";
import { openTestService } from "../helpers/test-service.ts";

const address = "jane.doe@example.com";
const hourMs = 3_600_000;
const fail = (reason: "unreachable" | "auth") => () => Promise.reject(new SourceError(reason, "invented fault"));

type RunOptions = {
  isRefresh?: boolean;
  wanted?: Partial<EnrichOptions>;
  signal?: AbortSignal;
  scanTimeoutMs?: number;
  tools?: Partial<ScanTools>;
};

/** A service whose scans the test runs: `run` starts a scan, asks `sources` and returns the stored result. */
async function openBench() {
  const service = await openTestService({ store: () => ({ claimScans: async () => [] }) });
  const { store, tenant, rules, runnerTools, live } = service;

  /** A forced new scan of the address, claimed by the test. */
  async function claim(wanted: Partial<EnrichOptions> = {}): Promise<ClaimedScan> {
    const leaseUntil = service.clock.after(hourMs);
    const runner = { owner: "test", leaseUntil, isRefresh: true };
    const options = { ...noOptions, ...wanted };
    const [reply] = await store.handleCalls([{ ...tenant.enrichCall(address), options, runner }], rules(), []);
    if (reply?.kind !== "claimed") throw new Error("the scan was not claimed");
    return reply.scan;
  }

  async function run(sources: readonly Source[], options: RunOptions = {}) {
    const { isRefresh = false, wanted, signal = new AbortController().signal, scanTimeoutMs = 90_000, tools } = options;
    const scan = await claim(wanted);
    const limits = { ...live(), scanTimeoutMs };
    await runScan({ scan, sources, live: limits, isRefresh, signal }, { ...runnerTools, ...tools });
    return await read(scan.claim.scanId);
  }

  async function read(scanId: ScanId) {
    const views = ["envelope", "sources", "evidence"] as const;
    const calls = views.map((view) => tenant.pollCall(scanId, view));
    const [envelope, sources, evidence] = await store.handleCalls(calls, rules(), []);
    return {
      scanId,
      envelope,
      outcomes: outcomesOf(sources),
      atoms: atomsOf(evidence),
      isPartial: isPartial(envelope),
    };
  }

  return { ...service, claim, run, read };
}

function outcomesOf(reply: Reply | undefined): Record<string, string> {
  if (reply?.kind !== "sources") throw new Error("no list of sources");
  return Object.fromEntries(reply.runs.map(({ source, outcome, error }) => [source, error ?? outcome]));
}

type Atom = {
  source: string;
  title: string;
  last_seen: string;
  first_seen: string;
  details: { [key: string]: unknown };
};

function atomsOf(reply: Reply | undefined): Atom[] {
  return reply?.kind === "evidence" ? (JSON.parse(reply.body) as { findings: Atom[] }).findings : [];
}

function isPartial(reply: Reply | undefined): boolean | null {
  return reply?.kind === "completed" ? reply.isPartial : null;
}

/** A source that counts how often it is asked. */
function counted(name: string, lookup: Source["lookup"], settings: Partial<Source> = {}) {
  const asked = { count: 0 };
  const source = inventedSource(
    name,
    (indicator, limits) => {
      asked.count += 1;
      return lookup(indicator, limits);
    },
    settings,
  );
  return { asked, source };
}

describe("what a question demands (pipeline 16.1, 16.2)", () => {
  const wide = (name: string) => counted(name, async () => found("Example Shop"));

  test.each([
    { what: "a max_age that the answer keeps", maxAgeMs: 2 * hourMs, asked: 1 },
    { what: "a max_age that the answer is over", maxAgeMs: hourMs / 2, asked: 2 },
    { what: "a max_age of 0", maxAgeMs: 0, asked: 2 },
    { what: "no max_age", maxAgeMs: null, asked: 1 },
  ])("$what: asked $asked times", async ({ maxAgeMs, asked: expected }) => {
    const { run, clock } = await openBench();
    const { source, asked } = wide("alpha");
    await run([source]);
    await clock.advance(hourMs);
    await run([source], { wanted: { maxAgeMs } });
    expect(asked.count).toBe(expected);
  });

  test("inside, a source outside is skipped with its reason, and not even its fresh answer is used", async () => {
    const { run } = await openBench();
    const [outer, inner] = [wide("outer"), wide("inner")];
    const sources = [outer.source, { ...inner.source, isOutside: false }];
    await run(sources);
    const second = await run(sources, { wanted: { tlp: "red" } });
    expect(second.outcomes).toEqual({ outer: "tlp", inner: "ok" });
    expect(second.atoms.map(({ source }) => source)).toEqual(["inner"]);
    expect([second.isPartial, outer.asked.count, inner.asked.count]).toEqual([false, 1, 1]);
  });

  test("inside with nothing to ask the scan is failed: silence is never clean", async () => {
    const { run } = await openBench();
    const { source, asked } = wide("outer");
    const { envelope } = await run([source], { wanted: { tlp: "red" } });
    expect([envelope?.kind, envelope?.isInside, asked.count]).toEqual(["failed", true, 0]);
  });

  test("the same holds for scans that are run together", async () => {
    const { claim, read, runnerTools, live, clock } = await openBench();
    let askedCount = 0;
    const many = {
      ...inventedSource("corpus", () => Promise.reject(new Error("asked alone")), { isOutside: false }),
      async *lookUpMany(indicators: readonly object[]) {
        askedCount += indicators.length;
        yield indicators.map((_, at) => ({ at, result: found("Example Shop").findings }));
      },
    };
    const { signal } = new AbortController();
    const run = async (wanted: Partial<EnrichOptions>) => {
      const scan = await claim(wanted);
      const sources = [many, inventedSource("outer", () => Promise.reject(new Error("offline")), { isAllowed: false })];
      await runGroup({ scans: [scan], sources, live: live(), signal }, runnerTools);
      return await read(scan.claim.scanId);
    };
    expect((await run({})).outcomes).toEqual({ corpus: "ok", outer: "skipped" });
    await clock.advance(hourMs);
    expect((await run({ tlp: "red" })).outcomes).toEqual({ corpus: "ok", outer: "tlp" });
    expect(askedCount).toBe(1);
    await run({ maxAgeMs: hourMs / 2 });
    expect(askedCount).toBe(2);
  });
});

describe("which sources are asked again (contract 5.3)", () => {
  test.each([
    { case: "fresh and of the same settings", ageMs: 23 * hourMs, fingerprint: "alpha/1", isRefresh: false, asked: 1 },
    { case: "as old as the ttl", ageMs: 24 * hourMs, fingerprint: "alpha/1", isRefresh: false, asked: 2 },
    { case: "of other settings", ageMs: 0, fingerprint: "alpha/2", isRefresh: false, asked: 2 },
    { case: "fresh, but a refresh is wanted", ageMs: 0, fingerprint: "alpha/1", isRefresh: true, asked: 2 },
    {
      case: "from the future, after the clock moved back",
      ageMs: -hourMs,
      fingerprint: "alpha/1",
      isRefresh: false,
      asked: 1,
    },
  ])("an answer that is $case", async ({ ageMs, fingerprint, isRefresh, asked: expected }) => {
    const { run, clock } = await openBench();
    const { source, asked } = counted("alpha", async () => found("Example Shop"));
    await run([source]);
    await clock.advance(ageMs);
    const second = await run([{ ...source, fingerprint }], { isRefresh });
    expect(asked.count).toBe(expected);
    expect(second.outcomes).toEqual({ alpha: "ok" });
    expect(second.atoms.map(({ title }) => title)).toEqual(["Present in Example Shop"]);
  });

  test("an empty answer is reused, and only the sources with a stale answer are asked", async () => {
    const { run } = await openBench();
    const alpha = counted("alpha", async () => ({ findings: [] }));
    const beta = counted("beta", async () => found("Example Shop"));
    await run([alpha.source, beta.source]);
    const second = await run([alpha.source, { ...beta.source, fingerprint: "beta/2" }]);
    expect([alpha.asked.count, beta.asked.count]).toEqual([1, 2]);
    expect(second.outcomes).toEqual({ alpha: "no_data", beta: "ok" });
  });

  test("a failed answer is never reused", async () => {
    const { run } = await openBench();
    const alpha = counted("alpha", fail("unreachable"));
    await run([alpha.source]);
    await run([alpha.source]);
    expect(alpha.asked.count).toBe(2);
  });

  test("5.8 a source that failed when last asked is asked again, even if its older answer is fresh", async () => {
    const { run } = await openBench();
    let isUp = true;
    const alpha = counted("alpha", async () => (isUp ? found("Example Shop") : await fail("unreachable")()));
    const beta = counted("beta", async () => found("Example Forum"));
    await run([alpha.source, beta.source]);
    isUp = false;
    expect((await run([alpha.source, beta.source], { isRefresh: true })).outcomes).toEqual({
      alpha: "unreachable",
      beta: "ok",
    });
    isUp = true;
    await run([alpha.source, beta.source]);
    expect([alpha.asked.count, beta.asked.count]).toEqual([3, 2]);
    await run([alpha.source, beta.source]);
    expect([alpha.asked.count, beta.asked.count]).toEqual([3, 2]);
  });

  test("5.1 a result is as old as its oldest reused answer", async () => {
    const { run, clock, store, tenant, rules, sources } = await openBench();
    const alpha = inventedSource("alpha", async () => found("Example Shop"));
    const beta = inventedSource("beta", async () => found("Example Forum"));
    sources.splice(0, 1, alpha);
    await run([alpha]);
    await clock.advance(23 * hourMs);
    sources.push(beta);
    const { scanId } = await run([alpha, beta]);
    const [hit] = await store.handleCalls([tenant.enrichCall(address)], rules(), []);
    expect(hit).toMatchObject({ kind: "completed", scanId });
    await clock.advance(hourMs);
    const [miss] = await store.handleCalls([tenant.enrichCall(address)], rules(), []);
    expect(miss).toMatchObject({ kind: "accepted" });
  });
});

describe("the outcome of a source (contract 5.7, 6.5)", () => {
  test("sources are asked concurrently, each with its own outcome", async () => {
    const { run, lines } = await openBench();
    const result = await run([
      inventedSource("found", async () => found("Example Shop")),
      inventedSource("nothing", async () => ({ findings: [] })),
      inventedSource("refused", fail("auth")),
      inventedSource("bug", () => Promise.reject(new TypeError("undefined is not a function"))),
      inventedSource("bug_at_once", () => {
        throw new Error("broken adapter");
      }),
      inventedSource("offline", () => Promise.reject(new Error("must not be asked")), { isAllowed: false }),
    ]);
    expect(result.outcomes).toEqual({
      found: "ok",
      nothing: "no_data",
      refused: "auth",
      bug: "internal",
      bug_at_once: "internal",
      offline: "skipped",
    });
    expect(result.isPartial).toBe(true);
    expect(result.atoms.map(({ source }) => source)).toEqual(["found"]);
    const failed = lines.map(({ fields }) => fields);
    expect(failed).toHaveLength(3);
    expect(failed).toContainEqual(expect.objectContaining({ source: "refused", reason: "auth" }));
    expect(JSON.stringify(failed)).not.toContain(address);
  });

  test("a source that is not allowed is skipped", async () => {
    const { run } = await openBench();
    const { source, asked } = counted("alpha", async () => found("Example Shop"), { isAllowed: false });
    const result = await run([source], { isRefresh: true });
    expect(asked.count).toBe(0);
    expect(result).toMatchObject({ outcomes: { alpha: "skipped" }, envelope: { kind: "failed" } });
  });

  test("5.9 a source that ignores its signal fails at its own time-out, and other answers are kept", async () => {
    const { run } = await openBench();
    let limits: { signal: AbortSignal; deadline: Date } | null = null;
    const deaf = inventedSource(
      "deaf",
      (_indicator, given) => {
        limits = given;
        return new Promise(() => {});
      },
      { timeoutMs: 20 },
    );
    const result = await run([deaf, inventedSource("alpha", async () => found("Example Shop"))]);
    expect(result.outcomes).toEqual({ deaf: "timeout", alpha: "ok" });
    expect(result.isPartial).toBe(true);
    expect(limits).toMatchObject({ signal: { aborted: true }, deadline: new Date("2026-06-01T12:00:00.020Z") });
  });

  test("5.9 when the time of the scan is over, unfinished sources count as timed out", async () => {
    const { run, clock } = await openBench();
    const start = clock.now().getTime();
    const deadlines: number[] = [];
    const deaf = inventedSource("deaf", (_indicator, { deadline }) => {
      deadlines.push(deadline.getTime() - start);
      return new Promise(() => {});
    });
    const result = await run([deaf, inventedSource("alpha", async () => found("Example Shop"))], { scanTimeoutMs: 20 });
    expect(result.outcomes).toEqual({ deaf: "timeout", alpha: "ok" });
    expect(deadlines).toEqual([20]);
  });

  test("an answer that comes after the time-out changes nothing", async () => {
    const { run, read } = await openBench();
    const late = Promise.withResolvers<ReturnType<typeof found>>();
    const { scanId } = await run([inventedSource("deaf", () => late.promise, { timeoutMs: 5 })]);
    late.resolve(found("Example Shop"));
    await turnOver();
    expect(await read(scanId)).toMatchObject({ outcomes: { deaf: "timeout" }, envelope: { kind: "failed" } });
  });

  test("11.3 at most 1000 findings of a source are kept, and the rest is counted", async () => {
    const { run } = await openBench();
    const names = Array.from({ length: 1_003 }, (_, index) => `Leak ${String(index).padStart(4, "0")}`);
    const result = await run([inventedSource("alpha", async () => found(...names.toReversed()))]);
    expect(result.atoms).toHaveLength(1_000);
    expect(result.atoms[0]?.details).toEqual({ omitted_findings: 3 });
    expect(result.atoms.at(-1)?.title).toBe("Present in Leak 0999");
  });

  test("7.6 equal findings of a source are merged", async () => {
    const { run } = await openBench();
    const twice = { category: "breach", title: "Present in Example Shop", subject: "shop.example" };
    const findings = [makeFinding({ ...twice, severity: "low" }), makeFinding({ ...twice, severity: "high" })];
    const { atoms } = await run([inventedSource("alpha", async () => ({ findings }))]);
    expect(atoms).toMatchObject([{ title: "Present in Example Shop", severity: "high" }]);
  });

  test("sub-calls that the plan does not allow are named, and the remaining quota is kept", async () => {
    const { claim, runnerTools, live } = await openBench();
    const saved: SourceRun[] = [];
    const store = {
      ...runnerTools.store,
      settleScan: async ({ runs }: { runs: readonly SourceRun[] }) => saved.push(...runs) > 0,
    };
    const source = inventedSource("alpha", async () => ({ findings: [], missing: ["pastes"], quotaLeft: 41 }));
    const { signal } = new AbortController();
    const options = { scan: await claim(), sources: [source], live: live(), isRefresh: false, signal };
    expect(await runScan(options, { ...runnerTools, store })).toBe(true);
    expect(saved).toMatchObject([{ outcome: "no_data", answer: { missing: ["pastes"] }, quotaLeft: 41 }]);
  });
});

describe("completed, partial, failed (contract 5.7, 5.8)", () => {
  test.each([
    { runs: ["ok", "no_data"], state: "completed", partial: false },
    { runs: ["no_data"], state: "completed", partial: false },
    { runs: ["no_data", "skipped"], state: "completed", partial: false },
    { runs: ["ok", "failed"], state: "completed", partial: true },
    { runs: ["no_data", "failed"], state: "completed", partial: true },
    { runs: ["failed", "failed"], state: "failed", partial: null },
    { runs: ["skipped"], state: "failed", partial: null },
    { runs: ["skipped", "failed"], state: "failed", partial: null },
    { runs: [], state: "failed", partial: null },
  ])("$runs is $state, partial: $partial", async ({ runs, state, partial }) => {
    const { run } = await openBench();
    const lookups: Record<string, Source["lookup"]> = {
      ok: async () => found("Example Shop"),
      no_data: async () => ({ findings: [] }),
      failed: fail("unreachable"),
      skipped: async () => found("Example Forum"),
    };
    const sources = runs.map((outcome, index) =>
      inventedSource(`s${index}`, lookups[outcome] ?? fail("auth"), { isAllowed: outcome !== "skipped" }),
    );
    const result = await run(sources);
    expect([result.envelope?.kind, result.isPartial]).toEqual([state, partial]);
  });

  test("the last answer of a source that failed stays, with its old last_seen", async () => {
    const { run, clock } = await openBench();
    const beta = inventedSource("beta", async () => ({ findings: [] }));
    await run([inventedSource("alpha", async () => found("Example Shop")), beta]);
    await clock.advance(25 * hourMs);
    const result = await run([inventedSource("alpha", fail("unreachable")), beta]);
    expect(result).toMatchObject({ isPartial: true, outcomes: { alpha: "unreachable", beta: "no_data" } });
    expect(result.atoms).toMatchObject([{ source: "alpha", last_seen: "2026-06-01T12:00:00+00:00" }]);
  });

  test.each([
    { why: "it is older than the retention", ageMs: 30 * 24 * hourMs + 1, fingerprint: "alpha/1" },
    { why: "the settings of its source changed", ageMs: 25 * hourMs, fingerprint: "alpha/2" },
  ])("the last answer of a failed source does not stay when $why", async ({ ageMs, fingerprint }) => {
    const { run, clock } = await openBench();
    const beta = inventedSource("beta", async () => ({ findings: [] }));
    await run([inventedSource("alpha", async () => found("Example Shop")), beta]);
    await clock.advance(ageMs);
    const result = await run([inventedSource("alpha", fail("unreachable"), { fingerprint }), beta]);
    expect(result).toMatchObject({ atoms: [], isPartial: true });
  });

  test("a kept answer does not make a scan completed: silence must not read as clean", async () => {
    const { run, clock } = await openBench();
    await run([inventedSource("alpha", async () => found("Example Shop"))]);
    await clock.advance(25 * hourMs);
    const result = await run([inventedSource("alpha", fail("unreachable"))]);
    expect(result.envelope).toMatchObject({ kind: "failed" });
  });

  test("a new answer replaces the old answer, and a finding that returns has its old first_seen", async () => {
    const { run, clock } = await openBench();
    await run([inventedSource("alpha", async () => found("Example Shop"))]);
    await clock.advance(25 * hourMs);
    const gone = await run([inventedSource("alpha", async () => found("Example Forum"))]);
    expect(gone.atoms.map(({ title }) => title)).toEqual(["Present in Example Forum"]);
    await clock.advance(25 * hourMs);
    const back = await run([inventedSource("alpha", async () => found("Example Shop"))]);
    expect(back.atoms).toMatchObject([
      { first_seen: "2026-06-01T12:00:00+00:00", last_seen: "2026-06-03T14:00:00+00:00" },
    ]);
  });

  test("0.7 the order in which sources answer does not affect the exposure", async () => {
    async function exposureOf(order: readonly string[]): Promise<unknown> {
      const { run } = await openBench();
      const gates = new Map(order.map((name) => [name, Promise.withResolvers<void>()]));
      const sources = ["alpha", "beta", "gamma"].map((name) =>
        inventedSource(name, async () => {
          await gates.get(name)?.promise;
          return found("Example Shop", `Leak of ${name}`);
        }),
      );
      const result = run(sources);
      for (const name of order) {
        gates.get(name)?.resolve();
        await turnOver();
      }
      const { envelope } = await result;
      return envelope?.kind === "completed" ? JSON.parse(envelope.envelope).exposure : envelope?.kind;
    }
    const first = await exposureOf(["alpha", "beta", "gamma"]);
    expect(first).toMatchObject({ total: 6 });
    expect(await exposureOf(["gamma", "alpha", "beta"])).toEqual(first);
  });
});

describe("saving during a scan", () => {
  test("sources that finish in one turn are saved together, and polls see the state advance", async () => {
    const { run, runnerTools } = await openBench();
    const batches: { sources: string[]; state: string }[] = [];
    const gate = Promise.withResolvers<void>();
    const slow = inventedSource("slow", async () => {
      await gate.promise;
      return found("Example Forum");
    });
    const quick = ["a", "b", "c"].map((name, index) =>
      inventedSource(name, async () => {
        for (let step = 0; step < index * 20; step += 1) await null;
        return found("Example Shop");
      }),
    );
    const result = run([slow, ...quick], {
      tools: {
        store: {
          ...runnerTools.store,
          saveRuns: (claim, runs, state) => {
            batches.push({ sources: runs.map(({ source }) => source), state });
            return runnerTools.store.saveRuns(claim, runs, state);
          },
        },
      },
    });
    await turnOver();
    expect(batches).toEqual([{ sources: ["a", "b", "c"], state: "scanning" }]);
    gate.resolve();
    const { outcomes } = await result;
    expect(batches).toEqual([
      { sources: ["a", "b", "c"], state: "scanning" },
      { sources: ["slow"], state: "running" },
    ]);
    expect(outcomes).toEqual({ a: "ok", b: "ok", c: "ok", slow: "ok" });
  });

  test("a scan that lost its claim writes nothing more and returns false", async () => {
    const { claim, store, clock, runnerTools, live, read } = await openBench();
    const scan = await claim();
    const { signal } = new AbortController();
    const options = { scan, live: live(), isRefresh: false, signal };
    await store.requeueScans({ owner: "test" }, { isCounted: false, now: clock.now() });
    const sources = [inventedSource("alpha", async () => found("Example Shop"))];
    expect(await runScan({ ...options, sources }, runnerTools)).toBe(false);
    expect(await runScan({ ...options, sources: [] }, runnerTools)).toBe(false);
    expect(await read(scan.claim.scanId)).toMatchObject({
      outcomes: {},
      envelope: { kind: "unfinished", state: "queued" },
    });
  });

  test.each(["before", "during"])(
    "an abort %s the look-ups ends the scan at once, unsaved, without blaming a source",
    async (when) => {
      const { claim, runnerTools, live, read, lines } = await openBench();
      const scan = await claim();
      const stop = new AbortController();
      if (when === "before") stop.abort(new Error("the service stops"));
      const sources = [inventedSource("deaf", () => new Promise(() => {}))];
      const run = runScan({ scan, sources, live: live(), isRefresh: false, signal: stop.signal }, runnerTools);
      stop.abort(new Error("the service stops"));
      await expect(run).rejects.toThrow("the service stops");
      expect(await read(scan.claim.scanId)).toMatchObject({ outcomes: {}, envelope: { kind: "unfinished" } });
      expect(lines).toEqual([]);
    },
  );
});
