import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Budget, budgetLeft, chargeBudget, limitOf } from "../../src/domain/budget.ts";
import { plans } from "../../src/domain/workspace.ts";

const hour = 3_600_000;
const start = new Date("2026-06-01T12:00:00Z");
const moment = (ms: number) => new Date(start.getTime() + ms);

/** Makes calls at these times and returns which of them passed. */
function run(limit: number, times: readonly number[], first: Budget | null = null) {
  let budget = first;
  const results = times.map((ms) => {
    const result = chargeBudget(budget, limit, hour, moment(ms));
    budget = result.budget;
    return result;
  });
  return { passed: results.map(({ isAllowed }) => isAllowed), last: results.at(-1), budget };
}

describe("8.2 limits by plan", () => {
  const limits = { team: 600, enterprise: 6000, windowMs: hour };

  test("polls have 20 times the budget of requests", () => {
    expect(plans.slice(2).map((plan) => [limitOf(limits, plan, "request"), limitOf(limits, plan, "poll")])).toEqual([
      [600, 12_000],
      [6000, 120_000],
    ]);
  });

  test("0 means unlimited for polls as well", () => {
    expect(limitOf({ ...limits, team: 0 }, "team", "request")).toBe(0);
    expect(limitOf({ ...limits, team: 0 }, "team", "poll")).toBe(0);
    expect(limitOf({ ...limits, team: 0 }, "enterprise", "poll")).toBe(120_000);
  });
});

describe("8.2 a window", () => {
  test("admits exactly N calls", () => {
    for (const limit of [1, 2, 20]) {
      const { passed } = run(limit, Array(limit + 5).fill(0));
      expect(passed).toEqual([...Array(limit).fill(true), ...Array(5).fill(false)]);
    }
  });

  test("opens with its first counted call, and a new window opens at its end, to the millisecond", () => {
    expect(run(1, [0, hour - 1, hour, hour, 2 * hour - 1, 2 * hour]).passed).toEqual([
      true,
      false,
      true,
      false,
      false,
      true,
    ]);
  });

  test("is not extended by refused calls", () => {
    const { passed } = run(1, [0, hour / 2, hour - 1, hour]);
    expect(passed).toEqual([true, false, false, true]);
  });

  test("reports the remaining calls, never a negative number, and its end", () => {
    expect(run(3, [0]).last?.charge).toEqual({ limit: 3, remaining: 2, resetInMs: hour });
    expect(run(3, [0, 1000]).last?.charge).toEqual({ limit: 3, remaining: 1, resetInMs: hour - 1000 });
    expect(run(1, [0, hour - 1]).last?.charge).toEqual({ limit: 1, remaining: 0, resetInMs: 1 });
    const lowered = chargeBudget({ windowStartedAt: start, count: 500 }, 20, hour, start);
    expect([lowered.isAllowed, lowered.charge.remaining]).toEqual([false, 0]);
  });

  test("a raised limit applies from the next call on", () => {
    const { budget } = run(1, [0]);
    expect(chargeBudget(budget, 2, hour, moment(1)).isAllowed).toBe(true);
  });

  test("a clock that was set back neither opens a window nor extends one beyond its length", () => {
    const { budget } = run(2, [0, 0]);
    const back = -24 * hour;
    const moved = chargeBudget(budget, 2, hour, moment(back));
    expect([moved.isAllowed, moved.charge.resetInMs]).toEqual([false, hour]);
    expect(run(2, [back + hour - 1, back + hour], moved.budget).passed).toEqual([false, true]);
  });

  test("no window ever admits more than N calls, and calls are refused only in a full window", () => {
    const times = fc.array(fc.integer({ min: 0, max: 5 * hour }), { maxLength: 200 });
    fc.assert(
      fc.property(times, fc.integer({ min: 1, max: 10 }), (unsorted, limit) => {
        const sorted = unsorted.toSorted((a, b) => a - b);
        let budget: Budget | null = null;
        const windows = new Map<number, number>();
        for (const ms of sorted) {
          const result = chargeBudget(budget, limit, hour, moment(ms));
          budget = result.budget;
          const opened = budget.windowStartedAt.getTime();
          if (result.isAllowed) windows.set(opened, (windows.get(opened) ?? 0) + 1);
          else expect(windows.get(opened)).toBe(limit);
          expect(result.charge.resetInMs).toBeGreaterThan(0);
          expect(result.charge.resetInMs).toBeLessThanOrEqual(hour);
        }
        for (const count of windows.values()) expect(count).toBeLessThanOrEqual(limit);
      }),
    );
  });
});

describe("what is left, for a caller who is not charged (pipeline 15.1)", () => {
  const used = (count: number, ageMs: number): Budget => ({ windowStartedAt: moment(-ageMs), count });
  test.each([
    { what: "never charged", budget: null, remaining: 5, resetInMs: null },
    { what: "an open window", budget: used(2, 1000), remaining: 3, resetInMs: hour - 1000 },
    { what: "a full window", budget: used(5, hour - 1), remaining: 0, resetInMs: 1 },
    { what: "a window that is over", budget: used(5, hour), remaining: 5, resetInMs: null },
    { what: "a lowered limit", budget: used(9, 1000), remaining: 0, resetInMs: hour - 1000 },
    { what: "a window from before the clock moved back", budget: used(2, -hour), remaining: 3, resetInMs: hour },
  ])("$what", ({ budget, remaining, resetInMs }) => {
    expect(budgetLeft(budget, 5, hour, start)).toEqual({ limit: 5, remaining, resetInMs });
  });
});
