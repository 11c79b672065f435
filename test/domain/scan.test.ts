import { describe, expect, test } from "vitest";
import {
  type Answer,
  asOf,
  claimsAfterRequeue,
  finalState,
  isPartial,
  maxClaims,
  type Outcome,
} from "../../src/domain/scan.ts";

const answer: Answer = {
  source: "hibp",
  fingerprint: "settings",
  confidence: 0.9,
  origin: "hibp",
  answeredAt: new Date("2026-06-01T12:00:00Z"),
  missing: [],
  sha256: "00".repeat(32),
  findings: [],
};

describe("how a scan ends (contract 5.7, 5.8)", () => {
  test.each<{ outcomes: Outcome[]; state: string; partial: boolean }>([
    { outcomes: ["ok"], state: "completed", partial: false },
    { outcomes: ["no_data"], state: "completed", partial: false },
    { outcomes: ["ok", "no_data", "skipped"], state: "completed", partial: false },
    { outcomes: ["ok", "failed"], state: "completed", partial: true },
    { outcomes: ["no_data", "failed"], state: "completed", partial: true },
    { outcomes: ["failed"], state: "failed", partial: true },
    { outcomes: ["failed", "skipped"], state: "failed", partial: true },
    { outcomes: ["skipped"], state: "failed", partial: false },
    { outcomes: [], state: "failed", partial: false },
  ])("$outcomes ends $state", ({ outcomes, state, partial }) => {
    const runs = outcomes.map((outcome) => ({ outcome }));
    expect(finalState(runs)).toBe(state);
    expect(isPartial(runs)).toBe(partial);
  });
});

test.each([
  { claimCount: 1, isCounted: true, after: 1 },
  { claimCount: maxClaims - 1, isCounted: true, after: maxClaims - 1 },
  { claimCount: maxClaims, isCounted: true, after: null },
  { claimCount: maxClaims, isCounted: false, after: maxClaims - 1 },
  { claimCount: 1, isCounted: false, after: 0 },
])("a scan with $claimCount claims is queued again, counted $isCounted: $after (contract 5.10)", (one) => {
  expect(claimsAfterRequeue(one.claimCount, one.isCounted)).toBe(one.after);
});

describe("how old a result is (contract 5.1)", () => {
  const [older, finishedAt] = [new Date("2026-06-01T11:00:00Z"), new Date("2026-06-01T12:00:00Z")];
  const answerOf = (answeredAt: Date) => ({ ...answer, answeredAt });
  test.each([
    { what: "no answer", runs: [{ isReused: false, answer: null }], at: finishedAt },
    { what: "an answer of its own", runs: [{ isReused: false, answer: answerOf(older) }], at: finishedAt },
    { what: "a reused answer", runs: [{ isReused: true, answer: answerOf(older) }], at: older },
    {
      what: "a reused answer dated later",
      runs: [{ isReused: true, answer: answerOf(new Date("2027-01-01")) }],
      at: finishedAt,
    },
  ])("$what", ({ runs, at }) => {
    expect(asOf(runs, finishedAt)).toEqual(at);
  });
});
