import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { maxFieldsIds } from "../../../src/corpus/import/fields-table.ts";
import { IdSorter, SortedIds } from "../../../src/corpus/import/id-sorter.ts";

const folder = mkdtempSync(join(tmpdir(), "xpose-ids-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Entry = { high: number; low: number; id: number };

type Sizes = { readonly perRun?: number; readonly perPass?: number };

/** The keys with their records, as [id, entry]. */
function sort(lanes: readonly (readonly Entry[])[], { perRun, perPass }: Sizes = {}) {
  const sorters = lanes.map((entries, lane) => {
    const sorter = new IdSorter(join(folder, `ids${lane}.tmp`), perRun);
    for (const [index, { high, low, id }] of entries.entries()) sorter.add(high, low, id, lane * 1000 + index);
    return sorter;
  });
  const ids = new SortedIds(
    sorters.map((sorter) => sorter.finish()),
    perPass,
  );
  const sorted: [number, number, [number, number][]][] = [];
  while (ids.next()) {
    const records = Array.from({ length: ids.size }, (_, index): [number, number] => [ids.id(index), ids.entry(index)]);
    sorted.push([ids.high, ids.low, records]);
  }
  for (const sorter of sorters) sorter.close();
  return sorted;
}

const half = fc.oneof(fc.constantFrom(0, 1, 2 ** 22 - 1, 2 ** 22, 2 ** 31, 2 ** 32 - 1), fc.nat(2 ** 32 - 1));
const anyLane = fc.array(fc.record({ high: half, low: half, id: fc.nat(4) }), { maxLength: 200 });
/** Few keys, so that most have many records. */
const crowdedLane = fc.array(
  fc.record({ high: fc.constantFrom(0, 2 ** 22 - 1), low: fc.constantFrom(0, 2 ** 32 - 1), id: fc.nat(30) }),
  { maxLength: 400 },
);

test("records come out by key, each number of a lane once with its lowest entry, also in passes and from disk", () => {
  const lanes = fc.oneof(fc.tuple(anyLane, anyLane), fc.tuple(crowdedLane, crowdedLane));
  fc.assert(
    fc.property(lanes, (given) => {
      const model = new Map<string, { key: [number, number]; records: Map<number, number> }>();
      for (const [lane, entries] of given.entries()) {
        for (const [index, { high, low, id }] of entries.entries()) {
          const name = `${String(high).padStart(10, "0")}${String(low).padStart(10, "0")}`;
          const group = model.get(name) ?? { key: [high, low], records: new Map() };
          model.set(name, group);
          const number = lane * maxFieldsIds + id;
          if (!group.records.has(number)) group.records.set(number, lane * 1000 + index);
        }
      }
      const expected = [...model]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, { key, records }]) => [...key, [...records].sort(([a], [b]) => a - b)]);
      expect(sort(given)).toEqual(expected);
      expect(sort(given, { perRun: 7 })).toEqual(expected);
      expect(sort(given, { perRun: 7, perPass: 10 })).toEqual(expected);
      expect(sort(given, { perRun: 64, perPass: 2 })).toEqual(expected);
    }),
  );
});

test("the spill file of numbers is unlinked while in use, so a crash leaves nothing", () => {
  const path = join(folder, "unnamed.tmp");
  const sorter = new IdSorter(path, 6);
  for (let row = 1; row <= 50; row++) sorter.add(row, 0, row, row);
  const ids = new SortedIds([sorter.finish()]);
  expect(ids.next()).toBe(true);
  expect(existsSync(path)).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
  let count = 1;
  while (ids.next()) count++;
  expect(count).toBe(50);
  sorter.close();
});
