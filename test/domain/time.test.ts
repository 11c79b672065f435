import { expect, test } from "vitest";
import { parseLeakYear, timestamp } from "../../src/domain/time.ts";

test("times are in UTC without fractions of a second", () => {
  expect(timestamp(new Date("2026-05-02T11:14:00.999+02:00"))).toBe("2026-05-02T09:14:00+00:00");
});

test.each([
  ["2021", 2021],
  ["2021-04", 2021],
  ["2021-04-08", 2021],
  [" 2021 ", 2021],
  ["2020-02-29", 2020],
  ["2021-02-29", null],
  ["2021-13", null],
  ["2021-00-01", null],
  ["2021-04-31", null],
  ["1969", null],
  ["0021", null],
  ["21", null],
  ["20210408", null],
  ["2021-4-8", null],
  ["2021-04-08T00:00:00Z", null],
  ["April 2021", null],
  ["", null],
])("the leak year of %j is %j", (text, year) => {
  expect(parseLeakYear(text)).toBe(year);
});
