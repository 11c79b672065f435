import { describe, expect, test } from "vitest";
import {
  type Decision,
  type Demand,
  decide,
  isFreshAnswer,
  isKeptAnswer,
  type ScanFacts,
} from "../../src/domain/freshness.ts";
import type { ScanId, ScanState } from "../../src/domain/scan.ts";

const minute = 60_000;
const hour = 60 * minute;
const lifetimes = { cacheTtlMs: 24 * hour, partialTtlMs: 15 * minute, retentionMs: 30 * 24 * hour };
const current = { settingsFingerprint: "settings-1", corporaRevision: "corpora-1" };
const otherSettings = { ...current, settingsFingerprint: "settings-2" };
const otherCorpora = { ...current, corporaRevision: "corpora-2" };
const now = new Date("2026-06-01T12:00:00Z");

function ago(ms: number): Date {
  return new Date(now.getTime() - ms);
}

function scanId(text: string): ScanId {
  return text as ScanId;
}

const scan: ScanFacts = {
  id: scanId("a"),
  state: "completed",
  data: current,
  asOf: ago(hour),
  finishedAt: ago(hour),
  isPartial: false,
  reach: "full",
  requestedAt: ago(hour),
  freshSince: null,
  oldestAnswerAt: null,
};

function finished(at: Date, facts: Partial<ScanFacts> = {}): ScanFacts {
  return { ...scan, asOf: at, finishedAt: at, ...facts };
}

function unfinished(state: ScanState, facts: Partial<ScanFacts> = {}): ScanFacts {
  return { ...scan, state, asOf: null, finishedAt: null, ...facts };
}

describe("which scan serves a call", () => {
  test.each<{ rule: string; scans: ScanFacts[]; kind: Decision["kind"]; limits?: Partial<typeof lifetimes> }>([
    { rule: "5.1 no scan", scans: [], kind: "start" },
    { rule: "5.1 fresh", scans: [scan], kind: "hit" },
    { rule: "5.1 finished this instant", scans: [finished(now)], kind: "hit" },
    { rule: "5.1 one millisecond below the lifetime", scans: [finished(ago(24 * hour - 1))], kind: "hit" },
    { rule: "5.1 exactly the lifetime", scans: [finished(ago(24 * hour))], kind: "start" },
    { rule: "5.1 old", scans: [finished(ago(48 * hour))], kind: "start" },
    { rule: "5.1 lifetime 0 is never a hit", scans: [finished(now)], kind: "start", limits: { cacheTtlMs: 0 } },
    {
      rule: "5.1 lifetime 0 is never a hit, also when the clock moved back",
      scans: [finished(ago(-hour))],
      kind: "start",
      limits: { cacheTtlMs: 0 },
    },
    { rule: "5.1 clock moved back a little", scans: [finished(ago(-minute))], kind: "hit" },
    { rule: "5.1 clock moved back ten years", scans: [finished(ago(-10 * 365 * 24 * hour))], kind: "hit" },
    { rule: "5.1 past retention", scans: [finished(ago(2 * hour))], kind: "start", limits: { retentionMs: hour } },
    { rule: "5.1 at retention", scans: [finished(ago(hour))], kind: "start", limits: { retentionMs: hour } },
    {
      rule: "5.1 measured from the oldest answer it reused",
      scans: [{ ...scan, asOf: ago(25 * hour), finishedAt: ago(hour) }],
      kind: "start",
    },
    { rule: "5.3 settings changed", scans: [{ ...scan, data: otherSettings }], kind: "start" },
    { rule: "5.3 corpora changed", scans: [{ ...scan, data: otherCorpora }], kind: "start" },
    { rule: "5.3 unknown data", scans: [{ ...scan, data: null }], kind: "start" },
    {
      rule: "5.3 changed back: the older scan counts again",
      scans: [{ ...scan, data: otherSettings }, finished(ago(2 * hour))],
      kind: "hit",
    },
    { rule: "5.5 queued", scans: [unfinished("queued", { data: null })], kind: "join" },
    {
      rule: "5.5 queued again after a crash, older data",
      scans: [unfinished("queued", { data: otherCorpora })],
      kind: "join",
    },
    { rule: "5.5 scanning on the current data", scans: [unfinished("scanning")], kind: "join" },
    { rule: "5.5 running on the current data", scans: [unfinished("running")], kind: "join" },
    {
      rule: "5.5 scanning with older settings",
      scans: [unfinished("scanning", { data: otherSettings })],
      kind: "start",
    },
    { rule: "5.5 running on older corpora", scans: [unfinished("running", { data: otherCorpora })], kind: "start" },
    { rule: "5.5 a fresh result goes before a newer running scan", scans: [unfinished("scanning"), scan], kind: "hit" },
    {
      rule: "5.5 a stale result beside a running scan",
      scans: [unfinished("scanning"), finished(ago(48 * hour))],
      kind: "join",
    },
    { rule: "5.6 failed", scans: [{ ...scan, state: "failed" }], kind: "start" },
    { rule: "5.6 failed, without an age", scans: [unfinished("failed", { finishedAt: now })], kind: "start" },
    { rule: "5.8 partial, fresh", scans: [finished(ago(14 * minute), { isPartial: true })], kind: "hit" },
    { rule: "5.8 partial, at its lifetime", scans: [finished(ago(15 * minute), { isPartial: true })], kind: "start" },
    {
      rule: "5.8 partial lives from its completion, not from an answer it reused",
      scans: [{ ...scan, asOf: ago(2 * hour), finishedAt: ago(minute), isPartial: true }],
      kind: "hit",
    },
    {
      rule: "5.8 partial, past its lifetime, does not make way for an older whole one",
      scans: [finished(ago(15 * minute), { isPartial: true }), scan],
      kind: "start",
    },
    {
      rule: "5.8 partial never outlives the normal lifetime",
      scans: [finished(ago(14 * minute), { isPartial: true })],
      kind: "start",
      limits: { cacheTtlMs: 10 * minute },
    },
    {
      rule: "5.8 partial lifetime 0",
      scans: [finished(now, { isPartial: true })],
      kind: "start",
      limits: { partialTtlMs: 0 },
    },
  ])("$rule: $kind", ({ scans, kind, limits }) => {
    expect(decide(scans, current, { ...lifetimes, ...limits }, now).kind).toBe(kind);
  });
});

test("the newest suitable scan serves the call", () => {
  const scans = [
    { ...scan, id: scanId("failed"), state: "failed" as const },
    { ...scan, id: scanId("newest") },
    { ...scan, id: scanId("older") },
  ];
  expect(decide(scans, current, lifetimes, now)).toEqual({ kind: "hit", scanId: "newest" });
  const running = [unfinished("scanning", { id: scanId("new") }), unfinished("scanning", { id: scanId("old") })];
  expect(decide(running, current, lifetimes, now)).toEqual({ kind: "join", scanId: "new", freshSince: null });
});

describe("which stored answers a scan reuses", () => {
  test.each([
    { rule: "5.3 fresh", age: hour, fingerprint: "f", reused: true, kept: true },
    { rule: "5.3 of this instant", age: 0, fingerprint: "f", reused: true, kept: true },
    { rule: "5.3 at the lifetime", age: 24 * hour, fingerprint: "f", reused: false, kept: true },
    { rule: "5.3 other fingerprint", age: hour, fingerprint: "other", reused: false, kept: false },
    { rule: "5.1 clock moved back", age: -hour, fingerprint: "f", reused: true, kept: true },
    { rule: "5.8 at retention", age: 30 * 24 * hour, fingerprint: "f", reused: false, kept: true },
    { rule: "5.8 past retention", age: 30 * 24 * hour + 1, fingerprint: "f", reused: false, kept: false },
  ])("$rule: reused $reused, kept when the source fails $kept", ({ age, fingerprint, reused, kept }) => {
    const answer = { fingerprint, answeredAt: ago(age) };
    expect(isFreshAnswer(answer, "f", lifetimes.cacheTtlMs, now)).toBe(reused);
    expect(isKeptAnswer(answer, "f", lifetimes.retentionMs, now)).toBe(kept);
  });

  test("5.1 with lifetime 0 no answer is reused", () => {
    expect(isFreshAnswer({ fingerprint: "f", answeredAt: ago(-hour) }, "f", 0, now)).toBe(false);
  });
});

describe("16.1, 16.2 what a question demands", () => {
  const demanded = (maxAgeMs: number | null, reach: Demand["reach"] = "full"): Demand => ({ reach, maxAgeMs });
  const inside = (one: ScanFacts): ScanFacts => ({ ...one, reach: "inside" });
  const running = (maxAgeMs: number | null): ScanFacts =>
    unfinished("scanning", {
      requestedAt: ago(minute),
      freshSince: maxAgeMs === null ? null : ago(minute + maxAgeMs),
    });
  const answered = (at: Date): ScanFacts => ({ ...scan, oldestAnswerAt: at });

  test.each<{ rule: string; scans: ScanFacts[]; demand: Demand; decision: Partial<Decision> }>([
    { rule: "a young result", scans: [answered(ago(hour))], demand: demanded(2 * hour), decision: { kind: "hit" } },
    { rule: "an old result", scans: [answered(ago(hour))], demand: demanded(minute), decision: { kind: "start" } },
    {
      rule: "the oldest answer decides, not the end of the scan",
      scans: [{ ...finished(ago(minute)), oldestAnswerAt: ago(hour) }],
      demand: demanded(2 * minute),
      decision: { kind: "start" },
    },
    {
      rule: "a reused answer decides",
      scans: [{ ...scan, asOf: ago(3 * hour), finishedAt: ago(minute), oldestAnswerAt: null }],
      demand: demanded(2 * hour),
      decision: { kind: "start" },
    },
    { rule: "0 is never a hit", scans: [answered(now)], demand: demanded(0), decision: { kind: "start" } },
    {
      rule: "0 is never a hit, also when the clock moved back",
      scans: [{ ...finished(ago(-hour)), oldestAnswerAt: ago(-hour) }],
      demand: demanded(0),
      decision: { kind: "start" },
    },
    {
      rule: "a greater age is no longer life: the cache still decides",
      scans: [finished(ago(48 * hour), { oldestAnswerAt: ago(48 * hour) })],
      demand: demanded(72 * hour),
      decision: { kind: "start" },
    },
    {
      rule: "a scan that waits is joined and asks more",
      scans: [unfinished("queued", { data: null })],
      demand: demanded(hour),
      decision: { kind: "join", freshSince: ago(hour) },
    },
    {
      rule: "a scan that waits is joined as it is without a demand",
      scans: [unfinished("queued", { data: null })],
      demand: demanded(null),
      decision: { kind: "join", freshSince: null },
    },
    {
      rule: "a running scan that reuses answers",
      scans: [running(null)],
      demand: demanded(hour),
      decision: { kind: "start" },
    },
    {
      rule: "a running scan that asks less",
      scans: [running(hour)],
      demand: demanded(minute),
      decision: { kind: "start" },
    },
    {
      rule: "a running scan that asks as much",
      scans: [running(0)],
      demand: demanded(0),
      decision: { kind: "join", freshSince: null },
    },
    { rule: "a running scan that asks more", scans: [running(0)], demand: demanded(null), decision: { kind: "join" } },
    { rule: "an inside result for all", scans: [inside(scan)], demand: demanded(null), decision: { kind: "start" } },
    {
      rule: "an inside result for an inside question",
      scans: [inside(scan)],
      demand: demanded(null, "inside"),
      decision: { kind: "hit" },
    },
    {
      rule: "a full result for an inside question",
      scans: [scan],
      demand: demanded(null, "inside"),
      decision: { kind: "hit" },
    },
    {
      rule: "an inside result does not hide a full one",
      scans: [inside({ ...scan, id: scanId("inside") }), scan],
      demand: demanded(null),
      decision: { kind: "hit", scanId: scan.id },
    },
    {
      rule: "a full scan is not joined from inside",
      scans: [unfinished("queued")],
      demand: demanded(null, "inside"),
      decision: { kind: "start" },
    },
    {
      rule: "an inside scan is not joined by a question to all",
      scans: [inside(unfinished("scanning"))],
      demand: demanded(null),
      decision: { kind: "start" },
    },
    {
      rule: "an inside scan is joined from inside",
      scans: [inside(unfinished("scanning"))],
      demand: demanded(null, "inside"),
      decision: { kind: "join" },
    },
  ])("$rule: $decision.kind", ({ scans, demand, decision }) => {
    expect(decide(scans, current, lifetimes, now, demand)).toMatchObject(decision);
  });

  test.each([
    { rule: "later than the demand", answeredAt: ago(minute), since: ago(hour), isReused: true },
    { rule: "of the moment of the demand", answeredAt: ago(hour), since: ago(hour), isReused: false },
    { rule: "older", answeredAt: ago(2 * hour), since: ago(hour), isReused: false },
    { rule: "from the future, its age is unknown", answeredAt: ago(-hour), since: ago(hour), isReused: false },
    { rule: "older than the cache allows", answeredAt: ago(25 * hour), since: ago(72 * hour), isReused: false },
  ])("an answer $rule: reused $isReused", ({ answeredAt, since, isReused }) => {
    expect(isFreshAnswer({ fingerprint: "f", answeredAt }, "f", lifetimes.cacheTtlMs, now, since)).toBe(isReused);
  });
});
