import { describe, expect, test } from "vitest";
import { isPaused, pauseTurns, type Turns, takeTurn } from "../../src/domain/pace.ts";

const [second, day] = [1000, 86_400_000];
const now = new Date("2026-06-01T12:00:00Z");
const at = (seconds: number) => now.getTime() + seconds * second;
const soon = new Date(at(30));
const pace = { count: 2, windowMs: 10 * second };

describe("the next turn of a source", () => {
  const cases: readonly {
    readonly what: string;
    readonly before: Turns | null;
    readonly pace: typeof pace | null;
    readonly slot: number | null;
    readonly turns: Turns | null;
  }[] = [
    { what: "the first", before: null, pace, slot: at(0), turns: { slots: [at(0)], pausedUntil: 0 } },
    {
      what: "after a full window",
      before: { slots: [at(-4), at(-1)], pausedUntil: 0 },
      pace,
      slot: at(6),
      turns: { slots: [at(-4), at(-1), at(6)], pausedUntil: 0 },
    },
    {
      what: "old turns are dropped",
      before: { slots: [at(-11), at(-10)], pausedUntil: 0 },
      pace,
      slot: at(0),
      turns: { slots: [at(0)], pausedUntil: 0 },
    },
    {
      what: "after a pause",
      before: { slots: [], pausedUntil: at(20) },
      pace,
      slot: at(20),
      turns: { slots: [at(20)], pausedUntil: at(20) },
    },
    { what: "too late for the caller", before: { slots: [], pausedUntil: at(31) }, pace, slot: null, turns: null },
    { what: "without a pace", before: { slots: [], pausedUntil: 0 }, pace: null, slot: at(0), turns: null },
    { what: "without a pace, paused", before: { slots: [], pausedUntil: at(9) }, pace: null, slot: at(9), turns: null },
    {
      what: "a pause of more than a day is not believed",
      before: { slots: [], pausedUntil: now.getTime() + day + 1 },
      pace,
      slot: at(0),
      turns: { slots: [at(0)], pausedUntil: 0 },
    },
    {
      what: "nor without a pace, and it goes",
      before: { slots: [at(-1)], pausedUntil: now.getTime() + day + 1 },
      pace: null,
      slot: at(0),
      turns: { slots: [at(-1)], pausedUntil: 0 },
    },
    {
      what: "turns taken before the clock moved back do not count",
      before: { slots: [at(500), at(501)], pausedUntil: 0 },
      pace,
      slot: at(0),
      turns: { slots: [at(0)], pausedUntil: 0 },
    },
  ];
  test.each(cases)("$what", ({ before, pace, slot, turns }) => {
    expect(takeTurn(before, pace, soon, now)).toEqual({ slot: slot === null ? null : new Date(slot), turns });
  });
});

test("a pause never shortens a longer one, and leaves turns as they are", () => {
  expect(pauseTurns(null, soon)).toEqual({ slots: [], pausedUntil: at(30) });
  expect(pauseTurns({ slots: [at(1)], pausedUntil: at(40) }, soon)).toEqual({ slots: [at(1)], pausedUntil: at(40) });
  expect(pauseTurns({ slots: [at(1)], pausedUntil: at(20) }, soon)).toEqual({ slots: [at(1)], pausedUntil: at(30) });
});

test.each([
  { what: "was never asked", turns: null, is: false },
  { what: "has a turn left", turns: { slots: [at(-1)], pausedUntil: 0 }, is: false },
  { what: "has used up its rate", turns: { slots: [at(-2), at(-1)], pausedUntil: 0 }, is: true },
  { what: "has turns that wait", turns: { slots: [at(-1), at(9)], pausedUntil: 0 }, is: true },
  { what: "has turns of an older window", turns: { slots: [at(-11), at(-10)], pausedUntil: 0 }, is: false },
  { what: "was told to wait", turns: { slots: [], pausedUntil: at(1) }, is: true },
  { what: "has waited", turns: { slots: [], pausedUntil: at(0) }, is: false },
  {
    what: "was told to wait before the clock moved back",
    turns: { slots: [], pausedUntil: at(2 * 86_400) },
    is: false,
  },
])("a source that $what is paused: $is", ({ turns, is }) => {
  expect(isPaused(turns, pace, now)).toBe(is);
});

test("a source without a pace is paused by a pause only", () => {
  expect(isPaused({ slots: [at(-1), at(-1), at(-1)], pausedUntil: 0 }, null, now)).toBe(false);
  expect(isPaused({ slots: [], pausedUntil: at(1) }, null, now)).toBe(true);
});
