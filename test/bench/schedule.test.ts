import fc from "fast-check";
import { expect, test } from "vitest";
import { schedule } from "../../scripts/bench/schedule.ts";

test("starts are evenly spaced, and none is after the end", () => {
  const { count, startOf } = schedule(1000, 2);
  expect([count, startOf(0), startOf(1), startOf(count - 1)]).toEqual([2000, 0, 1, 1999]);
});

test("nothing is due before the start and all of it long after the end", () => {
  const { dueAt } = schedule(10, 1);
  expect([dueAt(-1), dueAt(0), dueAt(99), dueAt(100), dueAt(1e9)]).toEqual([0, 1, 1, 2, 10]);
});

test("what is due is exactly what should have started by then", () => {
  const rate = fc.integer({ min: 1, max: 100_000 });
  fc.assert(
    fc.property(rate, fc.nat(50_000), fc.double({ min: 0, max: 1, noNaN: true }), (perSecond, index, share) => {
      const { count, startOf, dueAt } = schedule(perSecond, 1);
      const elapsedMs = startOf(index % count) + (share * 1000) / perSecond;
      const due = dueAt(elapsedMs);
      expect(startOf(due - 1)).toBeLessThanOrEqual(elapsedMs);
      if (due < count) expect(startOf(due)).toBeGreaterThan(elapsedMs);
    }),
  );
});
