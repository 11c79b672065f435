import { expect, test } from "vitest";
import { wantedRows } from "../../scripts/bench/wanted-rows.ts";

test("rows and groups can be mixed", () => {
  expect([...wantedRows("start,3,hits")].sort((a, b) => a - b)).toEqual([1, 2, 3, 6, 8, 9]);
});

test.each(["17", "", "hits,", "wrk", "1.0", "toString"])("%j is refused", (text) => {
  expect(() => wantedRows(text)).toThrow("--only: got");
});
