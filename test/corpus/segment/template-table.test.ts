import { expect, test } from "vitest";
import { TemplateTable } from "../../../src/corpus/segment/template-table.ts";

function openTable(maxSize?: number) {
  const texts: string[] = [];
  const writer = { addTemplate: (text: Uint8Array) => texts.push(Buffer.from(text).toString()) - 1 };
  return { texts, table: new TemplateTable(writer, maxSize) };
}

test("each template is written once, for any number of templates", () => {
  const { texts, table } = openTable();
  const fields = (index: number) => Buffer.from(`{"subject":"s${index}.example"}`);
  const first = Array.from({ length: 20_000 }, (_, index) => table.idOf(fields(index), null));
  expect(Array.from({ length: 20_000 }, (_, index) => table.idOf(fields(index), null))).toEqual(first);
  expect(texts).toHaveLength(20_000);
  expect(texts[first[777] ?? -1]).toBe('{"subject":"s777.example"}');
});

test("the same fields in two entries are two templates, and no fields are the plain template", () => {
  const { texts, table } = openTable();
  const fields = Buffer.from('{"title":"A"}');
  const ids = [table.idOf(fields, 0), table.idOf(fields, 1), table.idOf(fields, 0), table.idOf(Buffer.alloc(0), 1)];
  expect(ids).toEqual([0, 1, 0, 2]);
  expect(texts).toEqual(['{"title":"A","entry":0}', '{"title":"A","entry":1}', '{"entry":1}']);
  expect([table.plainId(), table.idOf(Buffer.alloc(0), null)]).toEqual([3, 3]);
});

test("a full table may write a template again, and its id still has the right text", () => {
  const { texts, table } = openTable(4096);
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 5000; index++) {
      const text = `{"subject":"s${index}.example"}`;
      expect(texts[table.idOf(Buffer.from(text), null)]).toBe(text);
    }
  }
  expect(texts.length).toBeGreaterThan(5000);
  expect(texts.length).toBeLessThan(10_000);
});
