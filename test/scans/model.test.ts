import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import type { Call, Reply } from "../../src/domain/call.ts";
import { noOptions } from "../../src/domain/enrich-options.ts";
import { SourceError } from "../../src/domain/error.ts";
import { makeFinding } from "../../src/domain/finding.ts";
import type { ClaimedScan, ScanId } from "../../src/domain/scan.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import type { Live } from "../../src/scans/live.ts";
import { removeExpired } from "../../src/scans/retention.ts";
import { runScan, type ScanTools } from "../../src/scans/run-scan.ts";
import type { Source } from "../../src/sources/source.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { testAuditKey, testAuthor } from "../helpers/test-author.ts";
import { leaseMs, ledgerRetentionMs, lifetimes, Model, type Statement, type World, type WorldSource } from "./model.ts";

/** The goal is 10,000 histories; a tenth of them runs by default. */
const runCount = Number(process.env["XPOSE_MODEL_RUNS"] ?? 1000);

const indicator = { type: "email", value: "jane.doe@example.com" } as const;
const indicatorHash = "1d".repeat(32);
const workspaces = ["w1", "w2"] as const;
const names = ["alpha", "beta", "gamma"] as const;
const corpusNames = ["leaks", "lists"] as const;
const statements: readonly Statement[] = [
  { title: "Present in Shop", subject: "shop.example", severity: "high" },
  { title: "Account at Shop", subject: "shop.example", severity: "low" },
  { title: "Present in Forum", subject: "forum.example", severity: "medium" },
];
const [minute, day] = [60_000, 86_400_000];

const callerOf = (workspace: string) => ({
  caller: { workspaceId: workspaceId(workspace), actor: "cli" },
  from: { ip: null, correlationId: null },
});

type ActiveScan = {
  scan: ClaimedScan;
  hear: () => void;
  abort: AbortController;
  done: Promise<boolean>;
  /** Sources that answer at once, and the sources whose runs are saved. */
  quick: string[];
  saved: ReadonlySet<string>;
};

/** The real system: a store, scans, and sources that answer according to the world. */
class Product {
  readonly store = SqliteStore.inMemory(testAuditKey);
  readonly live: Live;
  readonly #world: World;
  /** The running scan, and the controller that ends it. */
  #active: ActiveScan | null = null;
  readonly #zombies: ActiveScan[] = [];
  #servedLast: WorkspaceId | null = null;

  constructor(world: World) {
    this.#world = world;
    this.live = {
      lifetimes,
      ledgerRetentionMs,
      maxFindings: 2000,
      watch: { max: 100_000, intervalMs: 0, eventRetentionMs: 86_400_000 },
      maxTlpOutside: "amber",
      limits: { team: 600, enterprise: 6000, windowMs: 60 * minute },
      maxQueue: 100,
      concurrency: 1,
      scanTimeoutMs: day,
      fingerprintOf: () => JSON.stringify(enabledOf(world).map((one) => [one.name, one.confidence, one.isAllowed])),
      asksCorporaOnly: () => false,
      sourcesOf: () => [],
    };
  }

  now = () => new Date(this.#world.now);

  async open(): Promise<this> {
    for (const name of workspaces) {
      await this.store.insertWorkspace(
        { id: workspaceId(name), name, plan: "team", disabledAt: null },
        null,
        testAuthor,
      );
    }
    return this;
  }

  async serve(call: Call): Promise<Reply> {
    const [reply] = await this.store.handleCalls(
      [call],
      { ...this.live, now: this.now(), steadyNow: this.now(), outcomeOf: ({ kind }) => kind },
      [],
    );
    if (reply === undefined) throw new Error("a call without a reply");
    return reply;
  }

  enrich(workspace: string, newId: string, command: { owner: string; isRefresh: boolean } | null): Promise<Reply> {
    const runner = command === null ? null : { ...command, leaseUntil: this.#leaseUntil() };
    return this.serve({
      kind: "enrich",
      ...callerOf(workspace),
      fault: null,
      indicator,
      indicatorHash,
      newScanId: scanId(newId),
      options: noOptions,
      runner,
    });
  }

  poll(workspace: string, id: string, view: "envelope" | "sources" | "evidence"): Promise<Reply> {
    return this.serve({ kind: "poll", ...callerOf(workspace), isCharged: false, scanId: scanId(id), view });
  }

  async claim(): Promise<ClaimedScan | null> {
    const [leaseUntil, afterWorkspaceId] = [this.#leaseUntil(), this.#servedLast];
    const { fingerprintOf } = this.live;
    const request = { owner: "service", leaseUntil, afterWorkspaceId, maxCount: 1, fingerprintOf };
    return (await this.store.claimScans(request))[0] ?? null;
  }

  #leaseUntil = () => new Date(this.#world.now + leaseMs);

  /** Runs a claimed scan until all sources except the slow ones have answered and are saved. */
  async begin(scan: ClaimedScan, slow: readonly string[]): Promise<void> {
    this.#servedLast = scan.workspace.id;
    this.#active = await this.#run(scan, slow, false);
    const { quick, saved, done } = this.#active;
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    done.then(end, end);
    // A slow source whose last answer is used again is saved some turns after the quick ones.
    for (let turns = 0; turns < 40; turns += 1) {
      while (!isOver && !quick.every((name) => saved.has(name))) await nextTurn();
      await nextTurn();
    }
  }

  /** A command runs its own scan, concurrently with a scan of the service. */
  async runCommand(scan: ClaimedScan, isRefresh: boolean): Promise<boolean> {
    const { done } = await this.#run(scan, [], isRefresh);
    return await done;
  }

  async #run(scan: ClaimedScan, slow: readonly string[], isRefresh: boolean): Promise<ActiveScan> {
    const { promise: heard, resolve: hear } = Promise.withResolvers<void>();
    const sources = await this.#sourcesOf(scan.workspace.id, slow, heard);
    const abort = new AbortController();
    const saved = new Set<string>();
    const store: ScanTools["store"] = {
      ...this.store,
      async saveRuns(claim, runs, state) {
        const isHeld = await product.saveRuns(claim, runs, state);
        for (const { source } of runs) saved.add(source);
        return isHeld;
      },
    };
    const product = this.store;
    const tools = { store, now: this.now, steadyNow: () => this.#world.now, log: { warn: () => {} } };
    const done = runScan({ scan, sources, live: this.live, isRefresh, signal: abort.signal }, tools);
    // An aborted scan is checked when it ends.
    done.catch(() => {});
    const quick = sources.map(({ name }) => name).filter((name) => !slow.includes(name));
    return { scan, hear, abort, done, quick, saved };
  }

  async finish(): Promise<boolean | undefined> {
    await this.endZombies();
    this.#active?.hear();
    const isSettled = await this.#active?.done;
    this.#active = null;
    return isSettled;
  }

  /** The process dies, is stopped, or hangs until another process has its scan and then resumes. */
  async crash(how: "killed" | "stopped" | "hangs"): Promise<void> {
    const [active, isCounted] = [this.#active, how !== "stopped"];
    this.#active = null;
    if (active === null) throw new Error("no scan is under way");
    if (how !== "hangs") active.abort.abort(new Error("stop"));
    expect(await this.store.requeueScans({ owner: "service" }, { isCounted, now: this.now() })).toBe(1);
    if (how === "hangs") this.#zombies.push(active);
    else await expect(active.done).rejects.toThrow("stop");
  }

  /** Resumes hung processes; they must not write anything. */
  async endZombies(): Promise<void> {
    for (const zombie of this.#zombies.splice(0)) {
      zombie.hear();
      expect(await zombie.done).toBe(false);
    }
  }

  /** The work of a heartbeat of the runner. */
  async beat(): Promise<void> {
    const claims = this.#active === null ? [] : [this.#active.scan.claim];
    expect(await this.store.extendLeases(claims, this.#leaseUntil())).toEqual(claims);
    await this.store.requeueScans({ leaseOverAt: this.now() }, { isCounted: true, now: this.now() });
  }

  async #sourcesOf(workspace: WorkspaceId, slow: readonly string[], heard: Promise<void>): Promise<Source[]> {
    const online = enabledOf(this.#world).map((one): Source => {
      const { name, origin, confidence, isAllowed } = one;
      const lookup = async () => {
        if (slow.includes(name)) await heard;
        if (!one.isUp) throw new SourceError("unreachable", "down");
        return { findings: one.says.map(toFinding) };
      };
      return {
        name,
        origin,
        confidence,
        isAllowed,
        isOutside: true,
        pace: null,
        kind: "http",
        fingerprint: `${confidence}`,
        timeoutMs: day,
        lookup,
      };
    });
    const corpora = (await this.store.listCorpora()).filter(({ scope }) => scope === null || scope === workspace);
    const offline = corpora.map(({ name, origin, confidence, revision, imports }): Source => {
      const said = imports.flatMap(({ sha256 }) => statements.filter((statement) => statement.title === sha256));
      const lookup = async () => ({ findings: said.map(toFinding) });
      const fixed = { kind: "corpus", isAllowed: true, isOutside: false, pace: null, timeoutMs: day };
      return { ...fixed, name, origin, confidence, fingerprint: revision, lookup };
    });
    return [...online, ...offline];
  }
}

function enabledOf(world: World) {
  return world.sources.filter((source) => source.isEnabled);
}

function toFinding({ title, subject, severity }: Statement) {
  return makeFinding({ category: "breach", severity, title, subject });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function workspaceId(text: string): WorkspaceId {
  return text as WorkspaceId;
}

function scanId(text: string): ScanId {
  return text as ScanId;
}

const atomKeys = [
  "source",
  "source_confidence",
  "corroboration_count",
  "corroborated_by",
  "severity",
  "title",
] as const;
const atom = z.strictObject({
  source: z.string(),
  source_confidence: z.number(),
  corroboration_count: z.number(),
  corroborated_by: z.array(z.string()),
  severity: z.string(),
  title: z.string(),
  first_seen: z.string(),
  last_seen: z.string(),
});
const envelopeTail = z.object({ exposure: z.object({ findings: z.array(atom.loose()), total: z.number() }) });
const evidence = z.object({ findings: z.array(z.object({ ...atom.shape, answered_at: z.string() })) });

/** Equal evidence has equal digests, and different evidence different digests, across all histories. */
const digestOf = new Map<string, string>();
const evidenceOf = new Map<string, string>();

class Sequence {
  readonly world: World = {
    now: Date.parse("2026-06-01T12:00:00Z"),
    sources: names.map((name) => ({
      name,
      // Sources of one origin never corroborate each other.
      origin: name === "gamma" ? "beta" : name,
      ...{ confidence: 0.9, isEnabled: true, isAllowed: true, isUp: true, says: [] },
    })),
  };
  readonly model = new Model(this.world);
  readonly product = new Product(this.world);
  #idCount = 0;

  newId = () => {
    this.#idCount += 1;
    return `scan-${this.#idCount}`;
  };
  /** The scan that the service runs now. */
  active = () => this.model.scans.find((scan) => scan.state === "scanning" && scan.owner === "service");

  /** Checks that every view of a scan agrees with the model. */
  async compare(scan: Model["scans"][number]): Promise<void> {
    const { product } = this;
    const stranger = scan.workspace === "w1" ? "w2" : "w1";
    expect(await product.poll(stranger, scan.id, "envelope")).toMatchObject({ error: { code: "not_found" } });
    const [reply, sources] = [
      await product.poll(scan.workspace, scan.id, "envelope"),
      await product.poll(scan.workspace, scan.id, "sources"),
    ];
    if (this.model.isGone(scan)) return expect(reply).toMatchObject({ error: { code: "not_found" } });
    const outcomes = [...scan.runs].map(([source, { outcome }]) => ({ source, outcome }));
    const runs = outcomes.sort((a, b) => (a.source < b.source ? -1 : 1));
    expect(sources).toMatchObject({ state: scan.state, runs });
    if (sources.kind === "sources") expect(sources.runs).toHaveLength(runs.length);
    if (scan.state !== "completed") {
      const isFailed = scan.state === "failed";
      return expect(reply).toEqual({
        scanId: scan.id,
        ...(isFailed ? { kind: "failed" } : { kind: "unfinished", state: scan.state, indicator }),
      });
    }
    expect(reply).toMatchObject({ kind: "completed", isPartial: scan.isPartial });
    if (reply.kind !== "completed") return;
    const { exposure } = envelopeTail.parse(JSON.parse(reply.envelope));
    const expected = scan.findings;
    const body = await product.poll(scan.workspace, scan.id, "evidence");
    if (body.kind === "evidence") expect(evidence.parse(JSON.parse(body.body)).findings).toEqual(expected);
    else expect.unreachable("a completed scan has its evidence");
    expect(exposure.findings).toMatchObject(expected.map(({ answered_at, ...rest }) => rest));
    expect(exposure.total).toBe(expected.length);
    const text = JSON.stringify(expected.map((finding) => atomKeys.map((key) => finding[key])));
    expect([digestOf.get(text) ?? reply.digest, evidenceOf.get(reply.digest) ?? text]).toEqual([reply.digest, text]);
    digestOf.set(text, reply.digest);
    evidenceOf.set(reply.digest, text);
  }
}

type Command = fc.AsyncCommand<Model, Sequence>;

function command(
  name: string,
  run: (sequence: Sequence) => Promise<void>,
  check: (model: Model) => boolean = () => true,
): Command {
  return { check, run: (_, sequence) => run(sequence), toString: () => name };
}

const isActive = (model: Model) => model.scans.some((scan) => scan.state === "scanning" && scan.owner === "service");
const mayBegin = (model: Model) => !isActive(model) && model.next() !== undefined;

async function post({ model, product, newId }: Sequence, workspace: string): Promise<void> {
  const id = newId();
  const reply = await product.enrich(workspace, id, null);
  const { isHit, scan } = model.post(workspace, id);
  expect(reply).toMatchObject({ kind: isHit ? "completed" : "accepted", scanId: scan.id });
}

async function begin(sequence: Sequence, slow: readonly string[]): Promise<void> {
  const { model, product } = sequence;
  const claimed = await product.claim();
  const scan = model.next();
  expect(claimed?.claim.scanId).toBe(scan?.id);
  if (claimed === null || scan === undefined) return;
  await product.begin(claimed, slow);
  model.claim(scan, "service");
  model.begin(scan, slow, false);
  if (model.slowOf(scan).length === 0) await finish(sequence);
  else await sequence.compare(scan);
}

async function finish(sequence: Sequence): Promise<void> {
  const scan = sequence.active();
  expect(await sequence.product.finish()).toBe(true);
  if (scan === undefined) return expect.unreachable("no scan is under way");
  sequence.model.finish(scan);
  await sequence.compare(scan);
}

const someSources = fc.subarray([...names]);
const workspace = fc.constantFrom("w1", "w1", "w2");

const scan = workspace.map((name) =>
  command(`scan(${name})`, async (sequence) => {
    await post(sequence, name);
    while (mayBegin(sequence.model)) await begin(sequence, []);
  }),
);

const start = fc.tuple(workspace, someSources).map(([name, slow]) =>
  command(`start(${name}, slow: ${slow})`, async (sequence) => {
    await post(sequence, name);
    if (mayBegin(sequence.model)) await begin(sequence, slow);
  }),
);

const resume = someSources.map((slow) =>
  command(`resume(slow: ${slow})`, (sequence) => begin(sequence, slow), mayBegin),
);

const crash = fc.constantFrom("killed", "hangs", "stopped").map((how) =>
  command(
    `crash(${how})`,
    async ({ model, product, active }) => {
      await product.crash(how);
      const scan = active();
      if (scan !== undefined) model.requeue(scan, how !== "stopped");
    },
    isActive,
  ),
);

const enrich = fc
  .tuple(workspace, fc.boolean(), fc.constantFrom(false, false, true))
  .map(([name, isRefresh, isKilled]) =>
    command(`enrich(${name}${isRefresh ? ", refresh" : ""}${isKilled ? ", killed" : ""})`, async (sequence) => {
      const { model, product } = sequence;
      const id = sequence.newId();
      const fresh = isRefresh ? undefined : model.freshScan(name);
      const reply = await product.enrich(name, id, { owner: id, isRefresh });
      expect(reply.kind).toBe(fresh === undefined ? "claimed" : "completed");
      if (reply.kind !== "claimed") return expect(reply).toMatchObject({ scanId: fresh?.id });
      const own = model.add(name, id);
      model.claim(own, id);
      // A command that is killed at once leaves a claim whose lease must end first.
      if (isKilled) return;
      expect(await product.runCommand(reply.scan, isRefresh)).toBe(true);
      model.begin(own, [], isRefresh);
      model.finish(own);
      await sequence.compare(own);
    }),
  );

const corpusName = fc.constantFrom(...corpusNames);

const importFile = fc
  .tuple(corpusName, fc.constantFrom(...statements), fc.constantFrom(null, null, "w1"))
  .map(([name, statement, scope]) =>
    command(`import(${name}, ${statement.title}, ${scope})`, async ({ model, product, newId }) => {
      const [revision, sha256] = [newId(), statement.title];
      const file = { id: revision, fileName: "leak.csv", format: "csv", recordCount: 1, readCount: 1 };
      const how = { contentSha256: null, rules: 1, importer: "test", options: {}, skipped: {}, durationMs: 1 };
      const segment = { file: revision, addressCount: 1, recordCount: 1, templateCount: 1, sizeBytes: 1 };
      const known = model.corpora.get(name);
      const publication = product.store.publishImport(
        {
          name,
          scope: scope === null ? null : workspaceId(scope),
          confidence: { value: 0.75, isGiven: false },
          origin: { value: "corpora", isGiven: false },
          revision,
          import: { ...file, ...how, sha256, importedAt: product.now() },
          segment,
        },
        testAuthor,
      );
      if (known !== undefined && known.scope !== scope) return expect(publication).rejects.toThrow("scope");
      const isKnown = known?.says.includes(statement) ?? false;
      expect((await publication).outcome).toBe(isKnown ? "already_imported" : "published");
      if (isKnown) return;
      model.change(name, { scope, revision, says: [...(known?.says ?? []), statement] }, revision);
    }),
  );

const remove = corpusName.map((name) =>
  command(`remove(${name})`, async ({ model, product, newId }) => {
    const revision = newId();
    expect(await product.store.removeCorpus(name, revision, testAuthor)).toBe(model.corpora.has(name));
    if (model.corpora.has(name)) model.change(name, null, revision);
  }),
);

const changes: fc.Arbitrary<Partial<WorldSource>> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ isUp: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ says: fc.subarray([...statements]) }) },
  { weight: 1, arbitrary: fc.record({ isEnabled: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ isAllowed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ confidence: fc.constantFrom(0.5, 0.9) }) },
);
const change = fc.tuple(fc.nat(names.length - 1), changes).map(([index, fields]) =>
  command(`change(${names[index]}, ${JSON.stringify(fields)})`, async ({ world }) => {
    Object.assign(world.sources[index] ?? {}, fields);
  }),
);

const shortSteps = [1, 14, 16, 61, 13 * 60, 23 * 60, -1, -120].map((minutes) => minutes * minute);
const longSteps = [25, 31, 401, -1, -31].map((days) => days * day);
const clock = fc.constantFrom(...shortSteps, ...longSteps).map((stepMs) =>
  command(`clock(${stepMs / minute} min)`, async ({ world, model, product, active }) => {
    world.now += stepMs;
    await product.beat();
    const own = active();
    if (own !== undefined) own.leaseUntil = world.now + leaseMs;
    for (const held of model.scans) {
      if (held.state === "scanning" && held.leaseUntil <= world.now) model.requeue(held, true);
    }
  }),
);

const sweep = fc.constant(
  command("sweep", async ({ model, product }) => {
    await removeExpired(product.store, {
      live: () => product.live,
      auditRetentionMs: 400 * day,
      now: product.now,
      signal: new AbortController().signal,
    });
    model.sweep();
  }),
);

const commands = fc.oneof(
  { weight: 6, arbitrary: scan },
  { weight: 3, arbitrary: start },
  { weight: 2, arbitrary: resume },
  { weight: 2, arbitrary: fc.constant(command("finish", finish, isActive)) },
  { weight: 3, arbitrary: crash },
  { weight: 3, arbitrary: enrich },
  { weight: 2, arbitrary: importFile },
  { weight: 1, arbitrary: remove },
  { weight: 5, arbitrary: change },
  { weight: 5, arbitrary: clock },
  { weight: 1, arbitrary: sweep },
);

test(`${runCount} random histories of scans, faults, imports, clock steps and restarts fit the model`, async () => {
  // No source is slow by the clock here; a million timers would only cost memory.
  vi.spyOn(AbortSignal, "timeout").mockImplementation(() => new AbortController().signal);
  await fc.assert(
    fc.asyncProperty(fc.commands([commands], { maxCommands: 40, size: "max" }), async (history) => {
      const sequence = new Sequence();
      await sequence.product.open();
      await fc.asyncModelRun(() => ({ model: sequence.model, real: sequence }), history);
      await sequence.product.endZombies();
      for (const scan of sequence.model.scans) await sequence.compare(scan);
      sequence.product.store.close();
    }),
    { numRuns: runCount },
  );
  expect(digestOf.size).toBeGreaterThan(runCount / 100);
}, 600_000);
