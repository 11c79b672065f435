import { expect, test } from "vitest";
import { parseDuration } from "../../src/domain/duration.ts";

test.each([
  { text: "90s", ms: 90_000 },
  { text: "15m", ms: 900_000 },
  { text: "24h", ms: 86_400_000 },
  { text: "90d", ms: 7_776_000_000 },
  { text: "36500d", ms: 3_153_600_000_000 },
  { text: "36501d", ms: null },
  { text: "0s", ms: null },
  { text: "90", ms: null },
  { text: "90 d", ms: null },
  { text: "1.5h", ms: null },
  { text: "-1d", ms: null },
  { text: "1d12h", ms: null },
  { text: "1w", ms: null },
  { text: "", ms: null },
])("contract 12.2 '$text' is $ms ms", ({ text, ms }) => {
  expect(parseDuration(text, 1)).toBe(ms);
});

test("the shortest duration is the caller's word", () => {
  expect(parseDuration("0s", 0)).toBe(0);
  expect(parseDuration("2h", 1, 3_600_000)).toBeNull();
});
