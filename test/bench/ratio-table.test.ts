import { expect, test } from "vitest";
import { goals, judge, renderTable, tableRows } from "../../scripts/bench/ratio-table.ts";

test("the goals are the rows 1 to 16, and every aim is at least as good as its reach", () => {
  expect(goals.map(({ row }) => row)).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
  for (const goal of goals) expect(judge(goal, goal.aim)).toBe("aim");
});

test.each([
  [1, 0.6, "aim"],
  [1, 0.46, "reach"],
  [1, 0.459, "missed"],
  [1, Number.NaN, "missed"],
  [2, 1.5, "aim"],
  [2, 2, "reach"],
  [2, 2.001, "missed"],
  [2, Number.NaN, "missed"],
])("row %d with %d: %s", (row, value, verdict) => {
  const goal = goals[row - 1];
  if (goal === undefined) throw new Error("no such row");
  expect(judge(goal, value)).toBe(verdict);
});

test("the median of the rounds is judged, not the best one", () => {
  const rows = tableRows([{ row: 1, values: [0.7, 0.3, 0.5] }]);
  expect(rows).toMatchObject([{ min: 0.3, median: 0.5, max: 0.7, verdict: "reach" }]);
});

test("rows stand in the order of the goals, with units; what was skipped says why and has no figure", () => {
  const rows = tableRows([
    { row: 7, values: [2.5] },
    { row: 3, skipped: "wrk is not installed" },
  ]);
  expect(renderTable(rows, true)).toBe(
    [
      "| # | what | min | median | max | reach | aim | verdict |",
      "| --- | --- | --- | --- | --- | --- | --- | --- |",
      "| 3 | hit p99 at half of the saturated rate / floor at the same rate | - | - | - | <= 2 | <= 1.3 | skipped: wrk is not installed |",
      "| 7 | miss with Prefer: wait, corpus only, p50 | 2.50 ms | 2.50 ms | 2.50 ms | <= 10 ms | <= 3 ms | aim |",
    ].join("\n"),
  );
});

test("the short form judges nothing", () => {
  expect(renderTable(tableRows([{ row: 1, values: [0.1] }]), false)).toContain("| not judged |");
});
