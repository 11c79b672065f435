import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { FieldsTable } from "../../../src/corpus/import/fields-table.ts";
import { GroupTemplates } from "../../../src/corpus/import/group-templates.ts";
import { IdSorter, SortedIds } from "../../../src/corpus/import/id-sorter.ts";
import { RecordSorter, SortedRecords } from "../../../src/corpus/import/record-sorter.ts";

const folder = mkdtempSync(join(tmpdir(), "xpose-groups-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Given = { readonly lane: number; readonly text: string; readonly entry: number; readonly isListed: boolean };

/** The templates of one key, as text with the entry, in order. */
function templatesOf(given: readonly Given[], hasEntries: boolean, hasPlain: boolean): string[] {
  const names: string[] = [];
  const idOf = (name: string) => (names.includes(name) ? names.indexOf(name) : names.push(name) - 1);
  const tables = [new FieldsTable(2), new FieldsTable(2)];
  const sorters = tables.map((_, lane) => new IdSorter(join(folder, `i${lane}`)));
  const records = new RecordSorter(join(folder, "r"));
  for (const { lane, text, entry, isListed } of given) {
    const bytes = Buffer.from(text);
    const words = new Uint32Array(16);
    new Uint8Array(words.buffer).set(bytes);
    const id = isListed ? (tables[lane]?.idOf(words, bytes.length) ?? -1) : -1;
    if (id >= 0) sorters[lane]?.add(7, 7, id, entry);
    else records.add(7, 7, entry, bytes, bytes.length);
  }
  const groups = new GroupTemplates({
    templates: {
      plainId: () => idOf("plain"),
      idOf: (fields, entry) => idOf(entry === null ? fields.toString() : `${fields} ${entry}`),
    },
    lists: tables.map((table) => table.take()),
    hasEntries,
  });
  const ids = new SortedIds(sorters.map((sorter) => sorter.finish()));
  const others = new SortedRecords(records.finish());
  if (hasPlain) groups.addPlain();
  if (ids.next()) groups.addIds(ids);
  while (others.next()) groups.addRecord(others);
  const count = groups.finish();
  for (const sorter of [...sorters, records]) sorter.close();
  return Array.from(groups.ids.subarray(0, count), (id) => names[id] ?? "");
}

const anyGiven = fc.record({
  lane: fc.constantFrom(0, 1),
  text: fc.oneof(fc.constantFrom("a", "b", "ab", "é"), fc.string({ maxLength: 6 })),
  entry: fc.nat(5),
  isListed: fc.boolean(),
});

test("a key has each of its fields once, ordered by bytes, with the lowest entry, from any sorter", () => {
  fc.assert(
    fc.property(fc.array(anyGiven, { maxLength: 40 }), fc.boolean(), fc.boolean(), (given, hasEntries, hasPlain) => {
      const lowest = new Map<string, number>();
      for (const { text, entry } of given) lowest.set(text, Math.min(entry, lowest.get(text) ?? entry));
      const expected = [...lowest]
        .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        .map(([text, entry]) => (hasEntries ? `${text} ${entry}` : text));
      expect(templatesOf(given, hasEntries, hasPlain)).toEqual([...(hasPlain ? ["plain"] : []), ...expected]);
    }),
    { numRuns: 500 },
  );
});
