import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { RecordSorter } from "../../src/corpus/record-sorter.ts";
import { recordHeadSize } from "../../src/corpus/segment.ts";

const folder = mkdtempSync(join(tmpdir(), "xpose-sorter-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Six records in memory, so that anything longer is spilled and merged. */
const tinyLimits = { records: 6, bytes: 16 << 10 };

function sort(entries: readonly { key: Buffer; payload: string }[], limits?: typeof tinyLimits) {
  const sorter = new RecordSorter(join(folder, "spill.tmp"), limits);
  for (const [index, { key, payload }] of entries.entries()) sorter.add(key, index + 1, payload);
  const sorted = Array.from(sorter.sorted(), (record) => ({
    key: record.toString("hex", 0, 16),
    row: record.readUIntBE(16, 5),
    payload: record.toString("utf8", recordHeadSize),
  }));
  sorter.close();
  return sorted;
}

const anyEntry = fc.record({
  key: fc.integer({ min: 0, max: 5 }).map((value) => Buffer.alloc(16, value)),
  payload: fc.constantFrom("", "a", "b", "ä", "x".repeat(3000)),
});

test("records come out by key and payload, each once, with the lowest row, also when they are merged from disk", () => {
  fc.assert(
    fc.property(fc.array(anyEntry, { maxLength: 200 }), (entries) => {
      const model = new Map<string, { key: string; row: number; payload: string }>();
      for (const [index, { key, payload }] of entries.entries()) {
        const id = key.toString("hex") + Buffer.from(payload).toString("hex");
        if (!model.has(id)) model.set(id, { key: key.toString("hex"), row: index + 1, payload });
      }
      const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record);
      expect(sort(entries, tinyLimits)).toEqual(expected);
      expect(sort(entries)).toEqual(expected);
    }),
  );
});

test("the spill file has no name while it is used, so that a crash leaves nothing", () => {
  const path = join(folder, "unnamed.tmp");
  const sorter = new RecordSorter(path, tinyLimits);
  for (let row = 1; row <= 50; row++) sorter.add(Buffer.alloc(16, row), row, "");
  const records = sorter.sorted();
  expect(records.next().done).toBe(false);
  expect(existsSync(path)).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
  expect([...records]).toHaveLength(49);
  sorter.close();
});
