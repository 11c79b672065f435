import { expect, test } from "vitest";
import { openHalfRates } from "../../src/watch/interval-scans.ts";

const minute = 60_000;
const hibp = { name: "hibp", pace: { count: 10, windowMs: minute } };
const start = Date.parse("2026-06-01T12:00:00Z");
const at = (ms: number) => new Date(start + ms);
const turns = (...slots: number[]) => new Map([["hibp", { slots: slots.map((ms) => start + ms), pausedUntil: 0 }]]);

test("20.3 full scans use half of the rate of a source at most, whatever one of them costs", () => {
  for (const cost of [1, 2, 3]) {
    const budget = openHalfRates();
    const slots: number[] = [];
    for (let ms = 0; ms < 10 * minute; ms += 1000) {
      const recent = slots.filter((slot) => slot > ms - minute);
      if (!budget.allows([hibp], turns(...recent), at(ms))) continue;
      budget.take([hibp], at(ms));
      for (let call = 0; call < cost; call++) slots.push(ms + call);
      budget.noteCost(turns(...slots));
    }
    // The cost is learnt from the first scan.
    const after = slots.filter((slot) => slot >= minute);
    expect(after.length).toBeLessThanOrEqual(5 * 9 + cost);
    expect(after.length).toBeGreaterThanOrEqual(5 * 9 * 0.6);
  }
});

test("20.3 no full scan starts while calls use more than half of the rate", () => {
  const budget = openHalfRates();
  expect(budget.allows([hibp], turns(1, 2, 3, 4, 5), at(10))).toBe(false);
  expect(budget.allows([hibp], turns(1, 2, 3, 4), at(10))).toBe(true);
  expect(budget.allows([hibp], turns(1, 2, 3, 4, 5), at(minute + 10))).toBe(true);
});
