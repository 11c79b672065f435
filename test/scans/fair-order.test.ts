import { expect, test } from "vitest";
import { fairOrder } from "../../src/scans/fair-order.ts";

const heavyCallers = new Set(["heavy", ...Array.from({ length: 5 }, (_, index) => `heavy ${index}`)]);
const ordered = (...callers: string[]) => fairOrder(callers, (caller) => caller, heavyCallers);

test("callers of short replies go first, each in its turn", () => {
  expect(ordered("heavy", "heavy", "a", "heavy", "b", "a")).toEqual(["a", "b", "a", "heavy", "heavy", "heavy"]);
});

test("callers of long replies take turns, however many calls one of them makes", () => {
  expect(ordered("heavy 1", "heavy 1", "heavy 1", "heavy 2", "heavy 3", "heavy 2")).toEqual([
    ...["heavy 1", "heavy 2", "heavy 3"],
    ...["heavy 1", "heavy 2"],
    "heavy 1",
  ]);
});

test("every call has its place, once", () => {
  const calls = Array.from({ length: 100 }, (_, at) => ({
    at,
    caller: at % 3 === 0 ? `heavy ${at % 5}` : `${at % 7}`,
  }));
  const places = fairOrder(calls, ({ caller }) => caller, heavyCallers).map(({ at }) => at);
  expect(places.sort((a, b) => a - b)).toEqual([...calls.keys()]);
});
