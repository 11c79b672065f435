import { expect, test } from "vitest";
import { EntryTable } from "../../../src/corpus/import/entry-table.ts";

test("files are numbered in order, and files over the limit share an entry per format", () => {
  const table = new EntryTable(2);
  const numbers = [
    table.add("a", "combo"),
    table.add("b", "csv"),
    table.add("c", "csv"),
    table.add("d", "combo"),
    table.add("e", "csv"),
  ];
  expect(numbers).toEqual([0, 1, 2, 3, 2]);
  expect(table.names).toEqual(["a", "b", "…", "…"]);
  expect(table.formats).toEqual(["combo", "csv", "csv", "combo"]);
  expect(table.count).toBe(5);
});
