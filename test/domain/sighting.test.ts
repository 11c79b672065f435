import { expect, test } from "vitest";
import { seenAgain } from "../../src/domain/sighting.ts";

const day = (number: number) => new Date(Date.UTC(2026, 5, number));
const before = { firstSeenAt: day(3), lastSeenAt: day(5) };

test.each([
  { what: "a first sighting", before: null, at: day(9), ledgerBefore: day(1), first: day(9), last: day(9) },
  { what: "a later one", before, at: day(9), ledgerBefore: day(1), first: day(3), last: day(9) },
  { what: "an older answer", before, at: day(4), ledgerBefore: day(1), first: day(3), last: day(5) },
  { what: "the last moment of its retention", before, at: day(9), ledgerBefore: day(5), first: day(3), last: day(9) },
  { what: "one past its retention", before, at: day(9), ledgerBefore: day(6), first: day(9), last: day(9) },
])("$what", ({ before, at, ledgerBefore, first, last }) => {
  expect(seenAgain(before, at, ledgerBefore)).toEqual({ firstSeenAt: first, lastSeenAt: last });
});
