import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { keyFrom } from "../../../src/corpus/segment/page.ts";
import { openReadable } from "../../../src/corpus/segment/read-at.ts";
import { CorruptSegment, keyCheck, openSegment } from "../../../src/corpus/segment/segment.ts";
import { SegmentWriter } from "../../../src/corpus/segment/segment-writer.ts";
import { deriveKeys } from "../../../src/domain/keyed-hash.ts";

const folder = mkdtempSync(join(tmpdir(), "xpose-segment-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const keys = deriveKeys(Buffer.alloc(32, 1));
const info = {
  id: "import",
  corpus: "shop",
  file: "shop.csv",
  format: "csv",
  entries: [],
  defaults: {
    severity: "medium" as const,
    category: "breach",
    subject: "shop",
    title: "Present in shop",
    date: null,
    subjectTitle: null,
  },
};

type Entry = { readonly key: bigint; readonly templates: readonly string[] };
let fileCount = 0;

/** Writes entries sorted by key, each template once. */
function write(entries: readonly Entry[]): string {
  const path = join(folder, `${++fileCount}.seg`);
  const writer = new SegmentWriter(path);
  const ids = new Map<string, number>();
  for (const { key, templates } of entries) {
    const list = templates.map((text) => {
      const id = ids.get(text) ?? writer.addTemplate(Buffer.from(text));
      ids.set(text, id);
      return id;
    });
    writer.addKey(Number(key >> 32n), Number(key & 0xffffffffn), list, list.length);
  }
  writer.finish([{ ...info, firstTemplate: 0, templateCount: writer.templateCount }], keyCheck(keys));
  writer.close();
  return path;
}

function halves(key: bigint) {
  return { high: Number(key >> 32n), low: Number(key & 0xffffffffn) };
}

/** Few different halves, so that the index has ties and lists span several pages. */
const anyKey = fc
  .tuple(fc.constantFrom(0n, 7n, 2n ** 32n - 1n), fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }))
  .map(([high, low]) => (high << 32n) | low);
const anyTemplates = fc.oneof(
  fc.constant([""]),
  fc.uniqueArray(fc.string({ maxLength: 300, unit: "grapheme" }), { minLength: 1, maxLength: 30 }),
  fc.constant(Array.from({ length: 5000 }, (_, index) => `{"title":"T${index}"}`)),
);
const anyEntries = fc
  .uniqueArray(fc.record({ key: anyKey, templates: anyTemplates }), { maxLength: 60, selector: ({ key }) => key })
  .map((entries) => entries.sort((a, b) => (a.key < b.key ? -1 : 1)));

test("any set of records is found by key, and a missing key is not found", async () => {
  await fc.assert(
    fc.asyncProperty(anyEntries, anyKey, async (entries, otherKey) => {
      const segment = await openSegment(write(entries), keys);
      try {
        for (const key of [...entries.map((entry) => entry.key), otherKey]) {
          const wanted = entries.find((entry) => entry.key === key)?.templates ?? [];
          const { ids, omittedCount } = await segment.find(halves(key), 100_000);
          expect(await segment.templatesOf(ids)).toEqual(wanted);
          expect(omittedCount).toBe(0);
          const some = await segment.find(halves(key), 3);
          expect([some.ids.length, some.omittedCount]).toEqual([
            Math.min(3, wanted.length),
            Math.max(0, wanted.length - 3),
          ]);
        }
        let count = 0;
        await segment.verify((records) => {
          count += records;
        });
        expect(count).toBe(segment.recordCount);
        expect(segment.addressCount).toBe(entries.length);
      } finally {
        segment.close();
      }
    }),
    { numRuns: 40 },
  );
});

const someEntries = Array.from({ length: 1500 }, (_, index) => ({
  key: createHash("sha256").update(`${index}`).digest().readBigUInt64BE(),
  templates: index % 3 === 0 ? ["", `{"title":"T${index}"}`] : [""],
})).sort((a, b) => (a.key < b.key ? -1 : 1));

async function verify(path: string): Promise<void> {
  const segment = await openSegment(path, keys);
  try {
    await segment.verify(() => undefined);
  } finally {
    segment.close();
  }
}

test("a segment with one changed byte anywhere is refused, and a look-up gives the right answer or an error", async () => {
  const path = write(someEntries);
  const bytes = readFileSync(path);
  await verify(path);
  for (let offset = 0; offset < bytes.length; offset += 61) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8((bytes[offset] ?? 0) ^ (1 << (offset % 8)), offset);
    writeFileSync(path, changed);
    await expect(verify(path)).rejects.toThrow(CorruptSegment);
    const segment = await openSegment(path, keys).catch(() => null);
    if (segment === null) continue;
    const { key, templates } = someEntries[offset % someEntries.length] ?? { key: 0n, templates: [] };
    const found = await segment
      .find(halves(key), 100)
      .then(({ ids }) => segment.templatesOf(ids))
      .catch((error: unknown) => error);
    if (!(found instanceof CorruptSegment)) expect(found).toEqual(templates);
    segment.close();
  }
});

test("a segment truncated at any length or too long is refused", async () => {
  const path = write(someEntries.slice(0, 200));
  const bytes = readFileSync(path);
  for (let length = 0; length < bytes.length; length += 97) {
    writeFileSync(path, bytes.subarray(0, length));
    await expect(openSegment(path, keys)).rejects.toThrow(CorruptSegment);
  }
  writeFileSync(path, Buffer.concat([bytes, Buffer.from([0])]));
  await expect(openSegment(path, keys)).rejects.toThrow("wrong length");
});

test("a segment of another server secret is an error, not an empty answer", async () => {
  const path = write(someEntries.slice(0, 1));
  const otherKeys = deriveKeys(Buffer.alloc(32, 2));
  await expect(openSegment(path, otherKeys)).rejects.toThrow("written with another server secret");
});

test("swapped pages are detected by the look-up that reads one", async () => {
  const path = write(someEntries);
  const bytes = readFileSync(path);
  const swapped = Buffer.from(bytes);
  bytes.copy(swapped, 4096, 8192, 12288);
  bytes.copy(swapped, 8192, 4096, 8192);
  writeFileSync(path, swapped);
  const segment = await openSegment(path, keys);
  await expect(segment.find(halves(someEntries[0]?.key ?? 0n), 10)).rejects.toThrow(CorruptSegment);
  segment.close();
});

test("a segment describes its own contents", async () => {
  const segment = await openSegment(write(someEntries), keys);
  expect(segment.imports).toEqual([{ ...info, firstTemplate: 0, templateCount: 501 }]);
  expect(segment.recordCount).toBe(2000);
  expect(segment.importOf(500).corpus).toBe("shop");
  expect(() => segment.importOf(501)).toThrow(CorruptSegment);
  segment.close();
});

test("the halves of a key are its bytes", () => {
  expect(keyFrom(Buffer.from("0100000002000000", "hex"))).toEqual({ high: 1, low: 2 });
});

test("many keys are found as each by itself is, whatever their number, and each page is read once", async () => {
  const path = write(someEntries);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: someEntries.length - 1 })),
      fc.array(anyKey),
      async (at, others) => {
        const segment = await openSegment(path, keys);
        const asked = [...at.map((index) => someEntries[index]?.key ?? 0n), ...others].map(halves);
        asked.sort((a, b) => a.high - b.high);
        const single = await Promise.all(asked.map((key) => segment.find(key, 100)));
        expect(await segment.findMany(asked, 100)).toEqual(single.map(({ ids }) => ids));
        segment.close();
      },
    ),
    { numRuns: 40 },
  );
  let [readBytes, readCount] = [0, 0];
  const open = (file: string) => {
    const real = openReadable(file);
    return {
      ...real,
      readNow: () => false,
      read: (offset: number, length: number) => {
        readBytes += length;
        readCount += 1;
        return real.read(offset, length);
      },
    };
  };
  const segment = await openSegment(path, keys, open);
  [readBytes, readCount] = [0, 0];
  const all = someEntries.map(({ key }) => halves(key)).sort((a, b) => a.high - b.high);
  const found = await segment.findMany(all, 100);
  expect(found.every((ids) => ids !== null && ids.length > 0)).toBe(true);
  expect(readBytes).toBe(segment.pageCount * 4096);
  expect(readCount).toBe(1);
  // A key with more ids than are wanted is for `find`.
  expect((await segment.findMany(all, 1)).filter((ids) => ids === null)).toHaveLength(someEntries.length / 3);
  segment.close();
});
