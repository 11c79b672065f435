import { createKey } from "../../src/access/api-key.ts";
import type { DeniedPrincipal } from "../../src/access/audit.ts";
import { createWorkspace } from "../../src/access/workspace.ts";
import type { Token } from "../../src/domain/api-key.ts";
import type { AuditEvent } from "../../src/domain/audit.ts";
import type { EnrichCall, PollCall } from "../../src/domain/call.ts";
import { noOptions } from "../../src/domain/enrich-options.ts";
import { parseIndicator } from "../../src/domain/indicator.ts";
import { deriveKeys, indicatorHash, keyedHash } from "../../src/domain/keyed-hash.ts";
import type { ScanId } from "../../src/domain/scan.ts";
import type { Plan, WorkspaceId } from "../../src/domain/workspace.ts";
import { openBell } from "../../src/event-loop/bell.ts";
import type { AccessEntry } from "../../src/http/access-log.ts";
import type { Peer } from "../../src/http/caller.ts";
import { makeTrust } from "../../src/http/caller.ts";
import type { Application } from "../../src/http/exchange.ts";
import { outcomeOf } from "../../src/http/reply-response.ts";
import { routes } from "../../src/http/route-table.ts";
import { createRouter } from "../../src/http/router.ts";
import { openThrottle } from "../../src/http/throttle.ts";
import { openWaits } from "../../src/http/waits.ts";
import { type Calls, openCalls } from "../../src/scans/calls.ts";
import type { Live } from "../../src/scans/live.ts";
import { Runner, type RunnerTools } from "../../src/scans/runner.ts";
import type { Source } from "../../src/sources/source.ts";
import type { Store } from "../../src/store/port/store.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { found, inventedSource } from "./invented-source.ts";
import { ManualClock } from "./manual-clock.ts";
import { testAuditKey, testAuthor } from "./test-author.ts";
import { testDashboard } from "./test-dashboard.ts";

export type LogLine = { readonly level: "warn" | "error"; readonly fields: object; readonly message: string };

/** A client on the same machine. */
export const localPeer: Peer = { address: "127.0.0.1", isTls: false };

/** A workspace with a key, and calls with this key. */
export type Tenant = {
  readonly id: WorkspaceId;
  readonly keyId: string;
  readonly token: Token;
  readonly keyHash: string;
  readonly enrichCall: (address: string) => EnrichCall;
  readonly pollCall: (scanId: ScanId | null, view?: PollCall["view"]) => PollCall;
};

export type TestServiceOptions = {
  readonly live?: Partial<Live>;
  readonly app?: Partial<Application>;
  /** Replaces methods of the store that calls and the runner see. */
  readonly store?: (real: Store) => Partial<Store>;
};

/** The service composed like in `serve`, with a database in memory, invented sources and its own clock. */
export async function openTestService(options: TestServiceOptions = {}) {
  const real = SqliteStore.inMemory(testAuditKey);
  /** The store that calls and the runner use. */
  const store: Store = { ...real, ...options.store?.(real) };
  const clock = new ManualClock();
  const keys = deriveKeys(new Uint8Array(32).fill(7));
  const lines: LogLine[] = [];
  const accessEntries: AccessEntry[] = [];
  /** May be changed at any time, like by a reload. */
  const sources: Source[] = [inventedSource("alpha", async () => found("Example Shop"))];
  let idCount = 0;
  const newId = () => {
    idCount += 1;
    return `abcdef00-0000-4000-8000-${String(idCount).padStart(12, "0")}`;
  };
  const newScanId = () => newId() as ScanId;
  const randomBytes = (count: number) => crypto.getRandomValues(new Uint8Array(count));
  const settings: Live = {
    lifetimes: { cacheTtlMs: 24 * 3_600_000, partialTtlMs: 15 * 60_000, retentionMs: 30 * 24 * 3_600_000 },
    limits: { team: 600, enterprise: 6000, windowMs: 3_600_000 },
    maxQueue: 10_000,
    concurrency: 16,
    scanTimeoutMs: 90_000,
    ledgerRetentionMs: 400 * 24 * 3_600_000,
    maxFindings: 2000,
    watch: { max: 100_000, intervalMs: 0, eventRetentionMs: 30 * 24 * 3_600_000 },
    maxTlpOutside: "amber",
    fingerprintOf: () => JSON.stringify(sources.map(({ fingerprint }) => fingerprint)),
    asksCorporaOnly: () => sources.every(({ isAllowed, lookUpMany }) => !isAllowed || lookUpMany !== undefined),
    sourcesOf: () => [...sources],
    ...options.live,
  };
  const live = () => settings;
  const log = {
    warn: (fields: object, message: string) => void lines.push({ level: "warn", fields, message }),
    error: (fields: object, message: string) => void lines.push({ level: "error", fields, message }),
  };
  const tools: RunnerTools = { store, now: clock.now, steadyNow: clock.steadyNow, log };
  const runner = new Runner(live, tools);
  const waitingEvents: AuditEvent[] = [];
  const denials: { ip: string | null; outcome: string; who: DeniedPrincipal }[] = [];
  let failOpenCount = 0;
  const trail = {
    takeWaiting: () => waitingEvents.splice(0),
    putBack: (events: readonly AuditEvent[]) => void waitingEvents.unshift(...events),
    wait: (events: readonly AuditEvent[]) => void waitingEvents.push(...events),
    denied: (from: { ip: string | null }, outcome: string, who: DeniedPrincipal) =>
      void denials.push({ ip: from.ip, outcome, who }),
  };
  const calls: Calls = openCalls({
    store,
    live,
    now: clock.now,
    steadyNow: clock.steadyNow,
    outcomeOf,
    trail,
    onMiss: () => runner.wake(),
    onFailOpen: (count) => {
      failOpenCount += count;
    },
  });
  const app: Application = {
    instance: "0123456789abcdef",
    keys,
    store: real,
    calls,
    trail,
    trust: makeTrust([], []),
    logIns: openThrottle(10, 60_000, clock.steadyNow),
    whoamis: openThrottle(60, 60_000, clock.steadyNow),
    publicUrl: null,
    hasGetLookUp: false,
    bulkLimit: 1000,
    dashboard: testDashboard(clock, live),
    metrics: {
      countRequest: () => undefined,
      countStrangeForward: () => undefined,
      countBulk: () => undefined,
      render: () => "",
    },
    waits: openWaits({ perHolder: 64, total: 1000 }),
    whenSettled: (scanId, timeoutMs, signal) => runner.whenSettled(scanId, timeoutMs, signal),
    eventBell: openBell(),
    onWatched: () => undefined,
    newScanId,
    hashOf: (indicator) => indicatorHash(keys, indicator),
    now: clock.now,
    newId,
    randomBytes,
    steadyNow: clock.steadyNow,
    phase: () => "serving",
    diskProblem: () => null,
    accessLog: { write: (entry) => void accessEntries.push(entry), flush: () => undefined },
    log,
    ...options.app,
  };

  async function addTenant(name: string, plan: Plan = "team"): Promise<Tenant> {
    const by = { ...testAuthor, at: clock.now() };
    const { id } = await createWorkspace(name, "team", real, newId, by);
    const request = { workspaceId: id, name: "test", expiresAt: null };
    const { token, key } = await createKey(request, { store: real, keys, by, entropy: { newId, randomBytes } });
    if (plan !== "team") await real.changeWorkspace(id, { plan }, by);
    const keyHash = keyedHash(keys.token, token);
    return {
      id,
      keyId: key.id,
      token,
      keyHash,
      enrichCall(address) {
        const indicator = parseIndicator("email", address);
        const hash = indicatorHash(keys, indicator);
        const newScan = { newScanId: newScanId(), options: noOptions, runner: null };
        const from = { ip: null, correlationId: null };
        return { kind: "enrich", caller: { keyHash }, from, fault: null, indicator, indicatorHash: hash, ...newScan };
      },
      pollCall: (scanId, view = "envelope") => ({
        kind: "poll",
        caller: { keyHash },
        from: { ip: null, correlationId: null },
        scanId,
        view,
        isCharged: false,
      }),
    };
  }

  const tenant = await addTenant("default");
  const router = createRouter(routes, app);
  return {
    store: real,
    runnerTools: tools,
    clock,
    keys,
    sources,
    lines,
    accessEntries,
    live,
    runner,
    calls,
    app,
    respond: (request: Request, peer: Peer = localPeer) => router(request, peer),
    waitingEvents,
    denials,
    failOpenCount: () => failOpenCount,
    newId,
    newScanId,
    tenant,
    addTenant,
    rules: () => ({ ...settings, now: clock.now(), steadyNow: clock.now(), outcomeOf }),
    /** Starts a scan of `address` and waits for its end. Returns its id. */
    async scanned(address: string, who: Tenant = tenant): Promise<ScanId> {
      const reply = await calls.serve(who.enrichCall(address));
      if (reply.kind !== "accepted") throw new Error(`not a miss: ${reply.kind}`);
      await runner.whenSettled(reply.scanId, 5_000, new AbortController().signal);
      return reply.scanId;
    },
  };
}

export type TestService = Awaited<ReturnType<typeof openTestService>>;
