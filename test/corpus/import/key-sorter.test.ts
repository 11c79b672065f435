import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { KeySorter, partCount, SortedKeys } from "../../../src/corpus/import/key-sorter.ts";

const folder = mkdtempSync(join(tmpdir(), "xpose-keys-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const anyKey = fc.tuple(
  fc.oneof(fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 22, 2 ** 22 - 1), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  fc.oneof(fc.constantFrom(0, 1, 2 ** 32 - 1), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
);
const anyLane = fc.array(anyKey, { maxLength: 120 });

test("keys come out in order, each once, for any runs, lanes and passes", () => {
  fc.assert(
    fc.property(anyLane, anyLane, fc.integer({ min: 1, max: 50 }), (one, other, perPass) => {
      const sorters = [one, other].map((keys, lane) => {
        const sorter = new KeySorter(join(folder, `${lane}.tmp`), 7);
        for (const [high, low] of keys) sorter.add(high, low);
        return sorter;
      });
      const runs = sorters.flatMap((sorter) => sorter.finish());
      expect(readdirSync(folder)).toEqual([]);
      const middle = partCount / 2;
      const sorted: bigint[] = [];
      for (const keys of [new SortedKeys(runs, 0, middle, perPass), new SortedKeys(runs, middle, partCount, perPass)]) {
        while (keys.next()) sorted.push((BigInt(keys.high) << 32n) | BigInt(keys.low));
      }
      for (const sorter of sorters) sorter.close();
      const all = [...one, ...other].map(([high, low]) => (BigInt(high) << 32n) | BigInt(low));
      expect(sorted).toEqual([...new Set(all)].sort((a, b) => (a < b ? -1 : 1)));
    }),
  );
});
