import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { RecordSorter, recordHeadSize, SortedRecords } from "../../../src/corpus/import/record-sorter.ts";

const folder = mkdtempSync(join(tmpdir(), "xpose-sorter-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Six records in memory, so that more are spilled and merged. */
const tinyLimits = { records: 6, bytes: 16 << 10 };

type Entry = { high: number; low: number; fields: string };

function sort(lanes: readonly (readonly Entry[])[], limits?: typeof tinyLimits) {
  const sorters = lanes.map((entries, lane) => {
    const sorter = new RecordSorter(join(folder, `spill${lane}.tmp`), limits);
    for (const [index, { high, low, fields }] of entries.entries()) {
      const bytes = Buffer.from(fields);
      sorter.add(high, low, lane * 1000 + index, bytes, bytes.length);
    }
    return sorter;
  });
  const records = new SortedRecords(sorters.flatMap((sorter) => sorter.finish()));
  const sorted: unknown[] = [];
  while (records.next()) {
    const { high, low, entry } = records;
    const fields = records.bytes.toString("utf8", recordHeadSize, recordHeadSize + records.fieldsSize);
    sorted.push({ high, low, entry, fields });
  }
  for (const sorter of sorters) sorter.close();
  return sorted;
}

const half = fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1);
const anyEntry = fc.record({
  high: half,
  low: half,
  fields: fc.constantFrom("", "a", "b", "ä", "x".repeat(3000)),
});
const anyLane = fc.array(anyEntry, { maxLength: 150 });

test("records come out by key and fields, each once, with the lowest entry, also merged from disk", () => {
  fc.assert(
    fc.property(anyLane, anyLane, (one, other) => {
      const model = new Map<string, Entry & { entry: number }>();
      for (const [lane, entries] of [one, other].entries()) {
        for (const [index, record] of entries.entries()) {
          const digits = (value: number) => value.toString(16).padStart(8, "0");
          const id = digits(record.high) + digits(record.low) + Buffer.from(record.fields).toString("hex");
          if (!model.has(id)) model.set(id, { ...record, entry: lane * 1000 + index });
        }
      }
      const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record);
      expect(sort([one, other], tinyLimits)).toEqual(expected);
      expect(sort([one, other])).toEqual(expected);
    }),
  );
});

test("the spill file is unlinked while in use, so a crash leaves nothing", () => {
  const path = join(folder, "unnamed.tmp");
  const sorter = new RecordSorter(path, tinyLimits);
  for (let row = 1; row <= 50; row++) sorter.add(row, 0, row, Buffer.alloc(0), 0);
  const records = new SortedRecords(sorter.finish());
  expect(records.next()).toBe(true);
  expect(existsSync(path)).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
  let count = 1;
  while (records.next()) count++;
  expect(count).toBe(50);
  sorter.close();
});
