import fc from "fast-check";
import { expect, test } from "vitest";
import { compareFields, FieldsTable, fieldsAt } from "../../../src/corpus/import/fields-table.ts";

/** Bytes padded to whole words, as passed by a lane. */
function wordsOf(bytes: Buffer): Uint32Array {
  const words = new Uint32Array(Math.ceil(bytes.length / 4) + 1);
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

function idOf(table: FieldsTable, text: string): number {
  const bytes = Buffer.from(text);
  return table.idOf(wordsOf(bytes), bytes.length);
}

const anyFields = fc.oneof(
  fc.nat(500).map((n) => `{"subject":"site${n}.example"}`),
  fc.constantFrom("", "a", "ab", "abc", "abcd", "abcde", '{"subject":"', '{"severity":"low","subject":"ä"}'),
  fc.string({ maxLength: 40 }),
);

test("equal fields share a number, different fields differ, and a number gives its fields back", () => {
  fc.assert(
    fc.property(fc.array(anyFields, { maxLength: 600 }), (texts) => {
      const table = new FieldsTable();
      const numbers = new Map(texts.map((text) => [text, idOf(table, text)]));
      for (const text of texts) expect(idOf(table, text)).toBe(numbers.get(text));
      expect([...numbers.values()].sort((a, b) => a - b)).toEqual(Array.from(numbers, (_, index) => index));
      const list = table.take();
      for (const [text, id] of numbers) expect(fieldsAt(list, id).toString()).toBe(Buffer.from(text).toString());
    }),
  );
});

test("fields compare by their bytes, across tables as well", () => {
  fc.assert(
    fc.property(anyFields, anyFields, (one, other) => {
      const tables = [new FieldsTable(), new FieldsTable()] as const;
      const ids = [idOf(tables[0], one), idOf(tables[1], other)] as const;
      const order = compareFields(tables[0].take(), ids[0], tables[1].take(), ids[1]);
      expect(Math.sign(order)).toBe(Buffer.compare(Buffer.from(one), Buffer.from(other)));
    }),
    { numRuns: 2000 },
  );
});

test("a full table keeps its numbers and gives no new ones", () => {
  const table = new FieldsTable(3);
  expect(["a", "b", "c", "d", "a", "c", "e"].map((text) => idOf(table, text))).toEqual([0, 1, 2, -1, 0, 2, -1]);
  const long = new FieldsTable();
  const numbers = Array.from({ length: 6000 }, (_, n) => idOf(long, `${n}`.padStart(4000, "x")));
  // 16 MiB.
  const firstRefused = numbers.indexOf(-1);
  expect(firstRefused).toBeGreaterThan(4100);
  expect(firstRefused).toBeLessThan(4200);
  expect(numbers.slice(firstRefused).every((number) => number === -1)).toBe(true);
});

test("fields with the same hash cost only a few tries each", () => {
  const table = new FieldsTable();
  const startedAt = performance.now();
  for (let n = 0; n < 300_000; n++) idOf(table, `{"subject":"${(n * 2_654_435_761) % 2 ** 32}"}`);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
