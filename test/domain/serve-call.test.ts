import { describe, expect, test } from "vitest";
import { admitCalls, type KeyFacts } from "../../src/domain/admit-call.ts";
import { auditEvent } from "../../src/domain/audit.ts";
import type { Call, CallRules, CompletedReply, EnrichCall, HistoryCall, PollCall } from "../../src/domain/call.ts";
import type { CaseFacts } from "../../src/domain/case.ts";
import { noOptions } from "../../src/domain/enrich-options.ts";
import { AppError } from "../../src/domain/error.ts";
import type { Decision } from "../../src/domain/freshness.ts";
import type { ScanId } from "../../src/domain/scan.ts";
import {
  asksForScans,
  completedReply,
  type HistoryFacts,
  type IndicatorFacts,
  mayStart,
  type PollFacts,
  pollOf,
  serveCalls,
} from "../../src/domain/serve-call.ts";
import { acme, callRules, enrichCall, key, now, oneScan, pollCall, whoamiCall } from "../helpers/call-facts.ts";
import { testAuthor } from "../helpers/test-author.ts";

const storedScan = "00000000-0000-4000-8000-0000000000aa" as ScanId;
const stored = {
  envelopeTail: '"indicator":{}}',
  digest: "sha256:00",
  isPartial: false,
  omittedCount: 0,
  failedSources: [],
};
const hit: CompletedReply = completedReply(storedScan, "hit", stored);
const unavailable = new AppError("unavailable", "Not now");
const wrong = new AppError("invalid_email", "Not an address");
const runner = { owner: "command", leaseUntil: new Date("2026-06-01T12:01:00Z"), isRefresh: false };

const start: IndicatorFacts = { decision: { kind: "start" }, hit: null };
const join: IndicatorFacts = { decision: { kind: "join", scanId: storedScan, freshSince: null }, hit: null };
const found: IndicatorFacts = { decision: { kind: "hit", scanId: storedScan }, hit };

const completed: PollFacts = {
  state: "completed",
  indicatorHash: "aa".repeat(32),
  finishedAt: now,
  wasPolled: false,
  runs: [],
  evidence: "the evidence",
  result: stored,
  caseFacts: null,
  indicator: { type: "email", value: "jane.doe@example.com" },
  reach: "full",
  compared: null,
  since: null,
  isSinceUnknown: false,
};
const caseFacts: CaseFacts = {
  scanId: oneScan,
  indicator: { type: "email", value: "jane.doe@example.com" },
  askedAt: now,
  finishedAt: now,
  reach: "full",
  runs: [],
  result: { envelopeTail: '"exposure":{}}', evidence: "{}", digest: "sha256:00" },
};

type Facts = {
  readonly scans?: readonly (IndicatorFacts | PollFacts | HistoryFacts | null)[];
  readonly unfinishedCount?: number;
  readonly fault?: AppError | null;
  readonly rules?: Partial<CallRules>;
  readonly key?: KeyFacts;
};

/** Serves calls that all use `key`; `scans` has the facts of each call. */
function serve(calls: readonly Call[], facts: Facts = {}) {
  const { scans = [], unfinishedCount = 0, fault = null } = facts;
  const rules = callRules(facts.rules);
  const callers = {
    keys: new Map([["hash", facts.key ?? key]]),
    workspaces: new Map([[acme.id, acme]]),
    budgets: new Map([[key.id, { request: null, poll: null }]]),
  };
  const indicators = new Map<number, IndicatorFacts>();
  const polls = new Map<number, PollFacts>();
  const histories = new Map<number, HistoryFacts | null>();
  for (const [index, known] of scans.entries()) {
    if (known === null) continue;
    if ("nextCursor" in known) histories.set(index, known);
    else if ("decision" in known) indicators.set(index, known);
    else polls.set(index, known);
  }
  const admitted = admitCalls(calls, callers, rules);
  const lists = { bulks: new Map(), bulkPolls: new Map() };
  const known = { indicators, polls, histories, ...lists, answers: new Map(), unfinishedCount };
  return serveCalls(calls, admitted, known, rules, fault);
}

const scanId = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}` as ScanId;
const byKey = { caller: { keyHash: "hash" } };

describe("a POST (contract 2, 5)", () => {
  const accepted = (id: ScanId) => ({ kind: "accepted", scanId: id });
  const refused = (code: string) => ({ kind: "refused", error: { code } });
  const cases: readonly {
    readonly what: string;
    readonly call: Partial<EnrichCall>;
    readonly facts: IndicatorFacts | null;
    readonly unfinishedCount?: number;
    readonly fault?: AppError;
    readonly reply: object;
    readonly isStarting?: true;
    readonly isHit?: true;
  }[] = [
    { what: "a hit", call: {}, facts: found, reply: hit, isHit: true },
    { what: "a hit whose scan is gone", call: {}, facts: { ...found, hit: null }, reply: refused("not_found") },
    { what: "a join", call: {}, facts: join, reply: accepted(storedScan) },
    { what: "a miss", call: {}, facts: start, reply: accepted(oneScan), isStarting: true },
    {
      what: "a miss, one place left",
      call: {},
      facts: start,
      unfinishedCount: 99,
      reply: accepted(oneScan),
      isStarting: true,
    },
    { what: "a miss, queue full", call: {}, facts: start, unfinishedCount: 100, reply: refused("overloaded") },
    { what: "a join, queue full", call: {}, facts: join, unfinishedCount: 100, reply: accepted(storedScan) },
    { what: "a hit, queue full", call: {}, facts: found, unfinishedCount: 100, reply: hit, isHit: true },
    { what: "a wrong request", call: { fault: wrong, indicator: null }, facts: null, reply: refused("invalid_email") },
    {
      what: "a request without an indicator",
      call: { indicator: null },
      facts: null,
      reply: refused("invalid_request"),
    },
    { what: "a hit, nothing can be written", call: {}, facts: found, fault: unavailable, reply: hit, isHit: true },
    { what: "a join, nothing can be written", call: {}, facts: join, fault: unavailable, reply: accepted(storedScan) },
    {
      what: "a miss, nothing can be written",
      call: {},
      facts: start,
      fault: unavailable,
      reply: refused("unavailable"),
    },
    {
      what: "a wrong request, nothing can be written",
      call: { fault: wrong, indicator: null },
      facts: null,
      fault: unavailable,
      reply: refused("invalid_email"),
    },
    { what: "a command's hit", call: { runner }, facts: found, reply: hit, isHit: true },
    { what: "a command's miss", call: { runner }, facts: start, reply: { kind: "claimed" }, isStarting: true },
    { what: "a command joins nothing", call: { runner }, facts: join, reply: { kind: "claimed" }, isStarting: true },
    {
      what: "a command does not wait in the queue",
      call: { runner },
      facts: start,
      unfinishedCount: 100,
      reply: { kind: "claimed" },
      isStarting: true,
    },
    {
      what: "a command that wants all asked again",
      call: { runner: { ...runner, isRefresh: true } },
      facts: null,
      reply: { kind: "claimed" },
      isStarting: true,
    },
    {
      what: "a command, nothing can be written",
      call: { runner },
      facts: start,
      fault: unavailable,
      reply: refused("unavailable"),
    },
  ];

  test.each(cases)("$what", ({ call, facts, reply, isStarting = false, isHit = false, ...rest }) => {
    const { replies, writes } = serve([enrichCall(call)], { scans: [facts], ...rest });
    expect(replies).toMatchObject([reply]);
    expect(writes.scans.map(({ id }) => id)).toEqual(isStarting ? [oneScan] : []);
    // Every admitted request is counted and audited, whatever its result.
    expect([...writes.usage]).toEqual([["acme", { requests: 1, hits: isHit ? 1 : 0, polls: 0 }]]);
    expect(writes.events).toMatchObject([{ action: "enrich.requested", actor: "operator:jane" }]);
  });

  test("a command's scan is claimed with its data version and the earlier answers", () => {
    const { replies, writes } = serve([enrichCall({ runner })], { scans: [start] });
    const scan = {
      claim: { scanId: oneScan, owner: "command", claimCount: 1 },
      workspace: { id: "acme", name: "Acme" },
      indicator: { type: "email", value: "jane.doe@example.com" },
      indicatorHash: "aa".repeat(32),
      settingsFingerprint: "settings",
      corporaRevision: "revision",
      reach: "full",
      freshSince: null,
      answers: [],
      failedSources: [],
    };
    expect(replies).toEqual([{ kind: "claimed", scan }]);
    expect(writes.scans).toMatchObject([{ id: oneScan, claim: { scan, leaseUntil: runner.leaseUntil } }]);
  });

  test("the trail records a request with its scan, the hash of its address, its origin and its outcome", () => {
    const calls = [enrichCall({ ...byKey }), enrichCall({ fault: wrong, indicator: null })];
    const { writes } = serve(calls, { scans: [found, null] });
    const from = { at: now, workspaceId: "acme", ip: "192.0.2.1", correlationId: "correlation" };
    expect(writes.events).toMatchObject([
      {
        ...from,
        actor: "key:key-1",
        keyId: "key-1",
        keyName: "siem",
        requestId: storedScan,
        indicatorHmac: "aa".repeat(32),
        outcome: "completed",
      },
      { ...from, actor: "operator:jane", keyId: null, requestId: null, indicatorHmac: null, outcome: "invalid_email" },
    ]);
  });
});

describe("calls of one batch", () => {
  const john = { indicatorHash: "bb".repeat(32) };

  test("misses of one address share one scan; the queue fills up", () => {
    const calls = [{}, john, {}, john, { indicatorHash: "cc".repeat(32) }].map((call, index) =>
      enrichCall({ ...call, newScanId: scanId(index) }),
    );
    const { replies, writes } = serve(calls, { scans: calls.map(() => start), unfinishedCount: 98 });
    const ids = replies.map((reply) => (reply.kind === "accepted" ? reply.scanId : reply.kind));
    expect(ids).toEqual([scanId(0), scanId(1), scanId(0), scanId(1), "refused"]);
    expect(writes.scans.map(({ id }) => id)).toEqual([scanId(0), scanId(1)]);
  });

  test("a call joins the scan that a command started rather than an older one", () => {
    const calls = [enrichCall({ runner, newScanId: scanId(1) }), enrichCall({ newScanId: scanId(2) })];
    const { replies } = serve(calls, { scans: [join, join] });
    expect(replies).toMatchObject([{ kind: "claimed" }, { kind: "accepted", scanId: scanId(1) }]);
  });

  test("a refused call does not affect other calls, and events are in the order of the calls", () => {
    const limits = { team: 1, enterprise: 1, windowMs: 3_600_000 };
    const calls = [enrichCall(byKey), enrichCall(byKey), enrichCall({ caller: { keyHash: null } }), enrichCall()];
    const { replies, writes } = serve(calls, { scans: calls.map(() => found), rules: { limits } });
    expect(replies.map((reply) => (reply.kind === "refused" ? reply.error.code : reply.kind))).toEqual([
      "completed",
      "rate_limited",
      "invalid_api_key",
      "completed",
    ]);
    expect(replies[0]).toMatchObject({ charge: { limit: 1, remaining: 0 } });
    expect(replies[3]).toEqual(hit);
    expect(writes.events.map(({ outcome, requestId }) => [outcome, requestId])).toEqual([
      ["completed", storedScan],
      ["rate_limited", null],
      ["completed", storedScan],
    ]);
    // A call over the limit is not counted.
    expect([...writes.usage.values()]).toEqual([{ requests: 2, hits: 2, polls: 0 }]);
    expect(writes.usedKeyIds).toEqual(["key-1"]);
  });
});

describe("a GET (contract 3, 5.11, 9.8)", () => {
  const old = new Date(now.getTime() - 30 * 24 * 3_600_000 - 1);
  const envelope = completedReply(oneScan, "miss_scan_complete", stored);
  const notFound = { kind: "refused", error: { code: "not_found" } };
  const sources = (state: string) => ({ kind: "sources", scanId: oneScan, state, runs: [] });
  const cases: readonly {
    readonly what: string;
    readonly view: PollCall["view"];
    readonly facts: PollFacts | null;
    readonly reply: object;
    readonly isFinal: boolean;
  }[] = [
    { what: "a completed scan", view: "envelope", facts: completed, reply: envelope, isFinal: true },
    {
      what: "its evidence",
      view: "evidence",
      facts: completed,
      reply: { kind: "evidence", body: "the evidence" },
      isFinal: true,
    },
    { what: "its sources", view: "sources", facts: completed, reply: sources("completed"), isFinal: true },
    {
      what: "a scan past its retention",
      view: "envelope",
      facts: { ...completed, finishedAt: old },
      reply: notFound,
      isFinal: false,
    },
    {
      what: "sources past the retention",
      view: "sources",
      facts: { ...completed, finishedAt: old },
      reply: notFound,
      isFinal: false,
    },
    {
      what: "a failed scan",
      view: "envelope",
      facts: { ...completed, state: "failed" },
      reply: { kind: "failed", scanId: oneScan },
      isFinal: true,
    },
    {
      what: "evidence of a failed scan",
      view: "evidence",
      facts: { ...completed, state: "failed" },
      reply: { kind: "failed", scanId: oneScan },
      isFinal: true,
    },
    {
      what: "a scan that waits",
      view: "envelope",
      facts: { ...completed, state: "queued", finishedAt: null },
      reply: { kind: "unfinished", scanId: oneScan, state: "queued" },
      isFinal: false,
    },
    {
      what: "evidence of a running scan",
      view: "evidence",
      facts: { ...completed, state: "scanning", finishedAt: null },
      reply: { kind: "unfinished", scanId: oneScan, state: "scanning" },
      isFinal: false,
    },
    {
      what: "sources of a running scan",
      view: "sources",
      facts: { ...completed, state: "running", finishedAt: null },
      reply: sources("running"),
      isFinal: false,
    },
    {
      what: "its case",
      view: "case",
      facts: { ...completed, caseFacts },
      reply: { kind: "case", ...caseFacts },
      isFinal: true,
    },
    {
      what: "the case of a failed scan",
      view: "case",
      facts: { ...completed, state: "failed", caseFacts: { ...caseFacts, result: null } },
      reply: { kind: "case", ...caseFacts, result: null },
      isFinal: true,
    },
    {
      what: "an export of a failed scan",
      view: "export",
      facts: { ...completed, state: "failed", caseFacts: { ...caseFacts, result: null } },
      reply: { kind: "failed", scanId: oneScan },
      isFinal: true,
    },
    {
      what: "an export of a running scan",
      view: "export",
      facts: { ...completed, state: "scanning", finishedAt: null },
      reply: { kind: "unfinished", scanId: oneScan, state: "scanning" },
      isFinal: false,
    },
    {
      what: "a case past the retention",
      view: "case",
      facts: { ...completed, finishedAt: old, caseFacts },
      reply: notFound,
      isFinal: false,
    },
    { what: "an unknown scan", view: "envelope", facts: null, reply: notFound, isFinal: false },
  ];

  test.each(cases)("$what", ({ view, facts, reply, isFinal }) => {
    const { replies, writes } = serve([pollCall({ ...byKey, view })], { scans: [facts] });
    expect(replies).toMatchObject([{ ...reply, charge: { limit: 12_000 } }]);
    expect([...writes.usage.values()]).toEqual([{ requests: 0, hits: 0, polls: 1 }]);
    const [named] = writes.events;
    expect(named?.action).toBe(isFinal ? "enrich.polled" : undefined);
    if (isFinal) expect(named).toMatchObject({ requestId: oneScan, indicatorHmac: completed.indicatorHash });
    expect(writes.polled).toEqual(isFinal ? [{ scanId: oneScan, keyId: "key-1" }] : []);
  });

  test.each([
    { what: "a key, the first time", call: pollCall(byKey), facts: completed, count: 1 },
    { what: "a key that was told before", call: pollCall(byKey), facts: { ...completed, wasPolled: true }, count: 0 },
    { what: "an operator", call: pollCall(), facts: completed, count: 0 },
  ])("the trail records the final answer to $what: $count", ({ call, facts, count }) => {
    const { replies, writes } = serve([call, call], { scans: [facts, facts] });
    expect(replies.map(({ kind }) => kind)).toEqual(["completed", "completed"]);
    expect(writes.events).toHaveLength(count);
    expect(writes.polled).toHaveLength(count);
  });

  test("while the database is read-only every poll looks like the first, and no poll is remembered", () => {
    const { writes } = serve([pollCall(byKey), pollCall(byKey)], { scans: [completed, completed], fault: unavailable });
    expect(writes.events.map(pollOf)).toEqual([1, 2].map(() => ({ scanId: oneScan, keyId: "key-1" })));
    expect(writes.polled).toEqual([]);
  });

  test("the trail names every export, by whom it may be, and an export is no first poll", () => {
    const facts = { ...completed, caseFacts };
    const view = "export";
    const { replies, writes } = serve(
      [pollCall({ view }), pollCall({ ...byKey, view }), pollCall({ ...byKey, view })],
      {
        scans: [facts, facts, facts],
      },
    );
    expect(replies.map(({ kind }) => kind)).toEqual(["case", "case", "case"]);
    expect(writes.events.map(({ action, keyId }) => [action, keyId])).toEqual([
      ["export.made", null],
      ["export.made", "key-1"],
      ["export.made", "key-1"],
    ]);
    expect(writes.polled).toEqual([]);
  });

  test("a fault of the query is told before the scan, and counts as a poll", () => {
    const { replies, writes } = serve([pollCall({ ...byKey, view: "export", fault: wrong })], { scans: [null] });
    expect(replies).toMatchObject([{ kind: "refused", error: wrong, charge: { limit: 12_000 } }]);
    expect([...writes.usage.values()]).toEqual([{ requests: 0, hits: 0, polls: 1 }]);
    expect(writes.events).toEqual([]);
  });

  test("a path without a valid id is answered like an unknown scan", () => {
    expect(serve([pollCall({ scanId: null })]).replies).toMatchObject([notFound]);
  });

  test("the second half of a waiting request does not count as a poll", () => {
    const { replies, writes } = serve([pollCall({ ...byKey, isCharged: true })], { scans: [completed] });
    expect(replies).toEqual([envelope]);
    expect(writes.usage.size).toBe(0);
    expect(writes.budgets).toEqual([]);
  });
});

test.each([
  { what: "a request", call: {}, isAsking: true, isStarting: true },
  { what: "a wrong request", call: { fault: wrong }, isAsking: false, isStarting: true },
  { what: "a request without an indicator", call: { indicator: null }, isAsking: false, isStarting: true },
  { what: "a command", call: { runner }, isAsking: true, isStarting: false },
  { what: "a refresh", call: { runner: { ...runner, isRefresh: true } }, isAsking: false, isStarting: false },
])("$what: its scans are read $isAsking, a miss may queue $isStarting", ({ call, isAsking, isStarting }) => {
  expect(asksForScans(enrichCall(call))).toBe(isAsking);
  expect(mayStart(enrichCall(call), { mayScan: true }, start)).toBe(isStarting);
  expect(mayStart(enrichCall(call), { mayScan: false }, start)).toBe(false);
  const decisions: Decision[] = [join.decision, found.decision];
  for (const decision of decisions) {
    expect(mayStart(enrichCall(call), { mayScan: true }, { decision, hit: null })).toBe(false);
  }
});

test("pollOf returns a value only for events of a final poll by a key", () => {
  const event = auditEvent(testAuthor, "enrich.polled", { requestId: oneScan, keyId: "key-1" });
  expect(pollOf(event)).toEqual({ scanId: oneScan, keyId: "key-1" });
  expect(pollOf({ ...event, keyId: null })).toBeNull();
  expect(pollOf({ ...event, action: "enrich.requested" })).toBeNull();
});

describe("a key of scope read (pipeline 14.4)", () => {
  const reader: KeyFacts = { ...key, scopes: ["read"] };
  const notCached = { kind: "refused", error: { code: "not_cached" } };
  test.each([
    { what: "a hit", facts: found, fault: null, reply: hit },
    { what: "a miss", facts: start, fault: null, reply: notCached },
    { what: "a scan that others started", facts: join, fault: null, reply: notCached },
    { what: "a miss, nothing can be written", facts: start, fault: unavailable, reply: notCached },
  ])("$what is charged and told, and nothing is started", ({ facts, fault, reply }) => {
    const { replies, writes } = serve([enrichCall(byKey)], { scans: [facts], key: reader, fault });
    expect(replies).toMatchObject([{ ...reply, charge: { limit: 600, remaining: 599 } }]);
    expect(writes.scans).toEqual([]);
    expect([...writes.usage.values()]).toMatchObject([{ requests: 1 }]);
    expect(writes.events).toMatchObject([{ action: "enrich.requested", keyId: "key-1" }]);
  });

  test("does not join a scan of the same batch, and polls it", () => {
    const calls = [enrichCall(), enrichCall(byKey), pollCall(byKey)];
    const { replies, writes } = serve(calls, { scans: [start, start, completed], key: reader });
    expect(replies).toMatchObject([{ kind: "accepted" }, notCached, { kind: "completed" }]);
    expect(writes.scans).toHaveLength(1);
  });
});

test("pipeline 15.1 whoami tells of the key and writes nothing", () => {
  const { replies, writes } = serve([enrichCall(byKey), whoamiCall], { scans: [found] });
  expect(replies[1]).toEqual({
    kind: "whoami",
    workspace: { id: "acme", name: "Acme", plan: "team" },
    keyId: "key-1",
    budgets: {
      request: { limit: 600, remaining: 599, resetInMs: 3_600_000 },
      poll: { limit: 12_000, remaining: 12_000, resetInMs: null },
    },
  });
  expect(writes.events).toHaveLength(1);
  expect([...writes.usage.values()]).toEqual([{ requests: 1, hits: 1, polls: 0 }]);
});

describe("options of a look-up (pipeline 16.1, 16.2)", () => {
  const since = (ms: number) => new Date(now.getTime() - ms);
  const demanding = (maxAgeMs: number | null, changed: Partial<EnrichCall> = {}) =>
    enrichCall({ options: { ...noOptions, maxAgeMs }, ...changed });

  test.each([
    { what: "a miss", facts: start },
    { what: "a scan that runs", facts: join },
  ])("with cached_only, $what is charged, told and starts nothing", ({ facts }) => {
    const call = enrichCall({ ...byKey, options: { ...noOptions, isCachedOnly: true } });
    const { replies, writes } = serve([call], { scans: [facts] });
    expect(replies).toMatchObject([{ kind: "refused", error: { code: "not_cached" }, charge: { remaining: 599 } }]);
    expect(writes.scans).toEqual([]);
    expect(writes.events).toMatchObject([{ action: "enrich.requested", outcome: "not_cached" }]);
    expect(mayStart(call, { mayScan: true }, facts)).toBe(false);
  });

  test("a scan keeps what its question demands", () => {
    const calls = [enrichCall({ options: { isCachedOnly: false, maxAgeMs: 1000, tlp: "red" } })];
    const { replies, writes } = serve(calls, { scans: [start] });
    expect(replies).toMatchObject([{ kind: "accepted", isInside: true }]);
    expect(writes.scans).toMatchObject([{ reach: "inside", freshSince: since(1000) }]);
  });

  test("a joined scan that waits must ask more, which needs a write", () => {
    const facts = { decision: { kind: "join", scanId: storedScan, freshSince: since(1000) }, hit: null } as const;
    const { replies, writes } = serve([demanding(1000)], { scans: [facts] });
    expect(replies).toMatchObject([{ kind: "accepted", scanId: storedScan }]);
    expect(writes.tightened).toEqual([{ scanId: storedScan, freshSince: since(1000) }]);
    const refused = serve([demanding(1000)], { scans: [facts], fault: unavailable });
    expect(refused.replies).toMatchObject([{ kind: "refused", error: unavailable }]);
  });

  test("calls of one batch share a scan of their reach, and the strictest decides", () => {
    const red = { ...noOptions, tlp: "red" as const };
    const calls = [
      enrichCall({ newScanId: scanId(1) }),
      enrichCall({ newScanId: scanId(2), options: red }),
      demanding(0, { newScanId: scanId(3) }),
      enrichCall({ newScanId: scanId(4), options: red }),
    ];
    const { replies, writes } = serve(calls, { scans: [start, start, start, start] });
    expect(replies.map((reply) => ("scanId" in reply ? reply.scanId : null))).toEqual([1, 2, 1, 2].map(scanId));
    expect(writes.scans.map(({ id, reach }) => [id, reach])).toEqual([
      [scanId(1), "full"],
      [scanId(2), "inside"],
    ]);
    expect(writes.tightened).toEqual([{ scanId: scanId(1), freshSince: now }]);
  });

  test("the trail has the status that the caller got", () => {
    const outcomeOf: CallRules["outcomeOf"] = ({ kind }, onPending) => `${kind} ${onPending}`;
    const calls = [enrichCall({ onPending: "503" }), pollCall({ onPending: "503", ...byKey })];
    const { writes } = serve(calls, { scans: [start, { ...completed, state: "failed" }], rules: { outcomeOf } });
    expect(writes.events.map(({ outcome }) => outcome)).toEqual(["accepted 503", "failed 503"]);
  });
});

describe("history and changes (pipeline 17.3, 17.4)", () => {
  const call: HistoryCall = {
    kind: "history",
    ...byKey,
    from: { ip: "192.0.2.1", correlationId: "correlation" },
    fault: null,
    indicator: { type: "email", value: "jane.doe@example.com" },
    indicatorHash: "aa".repeat(32),
    limit: 100,
    cursor: null,
  };

  test("a history is charged as a poll and written down with the hash of the address", () => {
    const page = { scans: [], nextCursor: "7" };
    const { replies, writes } = serve([call], { scans: [page] });
    expect(replies).toMatchObject([{ kind: "history", indicator: call.indicator, ...page, charge: { limit: 12_000 } }]);
    const event = { action: "enrich.polled", requestId: null, indicatorHmac: call.indicatorHash, keyId: "key-1" };
    expect(writes.events).toMatchObject([event]);
    expect([...writes.usage.values()]).toEqual([{ requests: 0, hits: 0, polls: 1 }]);
  });

  test("a history with a fault or a wrong cursor is charged and not written down", () => {
    const { replies, writes } = serve([{ ...call, fault: wrong, indicator: null }, call]);
    expect(replies).toMatchObject([
      { kind: "refused", error: wrong, charge: { remaining: 11_999 } },
      { kind: "refused", error: { code: "invalid_request" }, charge: { remaining: 11_998 } },
    ]);
    expect(writes.events).toEqual([]);
  });

  const compared = { scanId: oneScan, runs: [], envelopeTail: "" };
  test.each<{ what: string; facts: Partial<PollFacts>; kind: string }>([
    { what: "a completed scan", facts: {}, kind: "changes" },
    { what: "an unknown scan to compare with", facts: { isSinceUnknown: true }, kind: "refused" },
    {
      what: "an unknown scan, while this one runs",
      facts: { isSinceUnknown: true, state: "scanning" },
      kind: "refused",
    },
    { what: "a scan that runs", facts: { state: "scanning", compared: null, finishedAt: null }, kind: "unfinished" },
    { what: "a failed scan", facts: { state: "failed" }, kind: "failed" },
  ])("changes of $what: $kind", ({ facts, kind }) => {
    const { replies } = serve([pollCall({ view: "changes" })], { scans: [{ ...completed, compared, ...facts }] });
    expect(replies.map((reply) => reply.kind)).toEqual([kind]);
  });

  test("every reply about a scan of inside reach says so, and no refusal does", () => {
    const inside = { ...completed, reach: "inside" as const };
    const views = ["envelope", "sources", "evidence"] as const;
    for (const view of views) expect(serve([pollCall({ view })], { scans: [inside] }).replies[0]?.isInside).toBe(true);
    expect(serve([pollCall({ fault: wrong })], { scans: [inside] }).replies[0]).not.toHaveProperty("isInside");
  });
});
