import { expect, test } from "vitest";
import { median, percentile } from "../../scripts/bench/percentile.ts";

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

test.each([
  [0.5, 50],
  [0.99, 99],
  [0.991, 100],
  [1, 100],
  [0, 1],
])("of 1 to 100, in any order, a share of %d does not exceed %d", (share, value) => {
  expect(percentile(hundred, share)).toBe(value);
});

test("one number is every percentile, and none is no number", () => {
  expect([percentile([7], 0.01), percentile([7], 0.99), percentile([], 0.5)]).toEqual([7, 7, Number.NaN]);
});

test("the median is the middle one, or between the two in the middle", () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([])]).toEqual([2, 2.5, Number.NaN]);
});
