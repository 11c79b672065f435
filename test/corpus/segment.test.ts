import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { RecordSorter } from "../../src/corpus/record-sorter.ts";
import { CorruptSegment, openSegment, type SegmentRecord } from "../../src/corpus/segment.ts";
import { writeSegment } from "../../src/corpus/segment-writer.ts";
import { deriveKeys } from "../../src/domain/keyed-hash.ts";

const folder = mkdtempSync(join(tmpdir(), "xpose-segment-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const keys = deriveKeys(Buffer.alloc(32, 1));
const info = {
  corpus: "shop",
  file: "shop.csv",
  format: "csv",
  defaults: {
    severity: "medium" as const,
    category: "breach",
    subject: "shop",
    title: "Present in shop",
    date: null,
    subjectTitle: null,
  },
};

type Entry = { key: Buffer; row: number; payload: string };
let fileCount = 0;

async function write(entries: readonly Entry[]): Promise<string> {
  const path = join(folder, `${++fileCount}.seg`);
  const sorter = new RecordSorter(`${path}.tmp`);
  for (const { key, row, payload } of entries) sorter.add(key, row, payload);
  await writeSegment(path, { info, records: sorter.sorted() }, keys, new AbortController().signal);
  sorter.close();
  return path;
}

async function readAll(path: string): Promise<SegmentRecord[]> {
  const segment = await openSegment(path, keys);
  try {
    return (await Array.fromAsync(segment.readAll())).flat();
  } finally {
    await segment.close();
  }
}

/** Few different keys with equal beginnings, so that one key spans many blocks and the index has ties. */
const anyKey = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 255 }))
  .map(([first, last]) => Buffer.concat([Buffer.alloc(15, first), Buffer.from([last])]));
const anyEntry = fc.record({
  key: anyKey,
  payload: fc.oneof(fc.constant(""), fc.string({ maxLength: 1000, unit: "grapheme" }), fc.constant("x".repeat(4000))),
});

test("any set of records is found again by key, and a key that is not there is not", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyEntry, { maxLength: 120 }), anyKey, async (drawn, otherKey) => {
      const entries = drawn.map((entry, index) => ({ ...entry, row: index + 1 }));
      const segment = await openSegment(await write(entries), keys);
      try {
        for (const key of [...entries.map((entry) => entry.key), otherKey]) {
          const found = (await Array.fromAsync(segment.find(key))).flat();
          const wanted = new Map<string, number>();
          for (const entry of entries) {
            if (entry.key.equals(key) && !wanted.has(entry.payload)) wanted.set(entry.payload, entry.row);
          }
          expect(new Map(found.map(({ payload, row }) => [payload, row]))).toEqual(wanted);
          expect(found).toHaveLength(wanted.size);
        }
        expect((await Array.fromAsync(segment.readAll())).flat()).toHaveLength(segment.recordCount);
      } finally {
        await segment.close();
      }
    }),
    { numRuns: 40 },
  );
});

const someEntries = Array.from({ length: 400 }, (_, index) => ({
  key: createHash("sha256").update(`${index}`).digest().subarray(0, 16),
  row: index + 1,
  payload: index % 3 === 0 ? `{"title":"T${index}"}` : "",
}));

test("a segment with one changed byte anywhere is refused, not read as another answer", async () => {
  const path = await write(someEntries);
  const bytes = readFileSync(path);
  const expected = await readAll(path);
  expect(expected).toHaveLength(400);
  for (let offset = 0; offset < bytes.length; offset += 61) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8((bytes[offset] ?? 0) ^ 0x10, offset);
    writeFileSync(path, changed);
    await expect(readAll(path)).rejects.toThrow(CorruptSegment);
  }
});

test("a segment that is cut at any length or is too long is refused", async () => {
  const path = await write(someEntries.slice(0, 200));
  const bytes = readFileSync(path);
  for (let length = 0; length < bytes.length; length += 97) {
    writeFileSync(path, bytes.subarray(0, length));
    await expect(openSegment(path, keys)).rejects.toThrow(CorruptSegment);
  }
  writeFileSync(path, Buffer.concat([bytes, Buffer.from([0])]));
  await expect(openSegment(path, keys)).rejects.toThrow("wrong length");
});

test("a segment of another server secret is an error and not silence", async () => {
  const path = await write(someEntries.slice(0, 1));
  const otherKeys = deriveKeys(Buffer.alloc(32, 2));
  await expect(openSegment(path, otherKeys)).rejects.toThrow("written with another server secret");
});

test("blocks that are swapped are noticed by the look-up that reads one", async () => {
  const path = await write(someEntries);
  const bytes = readFileSync(path);
  const swapped = Buffer.from(bytes);
  bytes.copy(swapped, 4096, 8192, 12288);
  bytes.copy(swapped, 8192, 4096, 8192);
  writeFileSync(path, swapped);
  const segment = await openSegment(path, keys);
  const [first] = someEntries;
  await expect(Array.fromAsync(segment.find(first?.key ?? Buffer.alloc(16)))).rejects.toThrow(CorruptSegment);
  await segment.close();
});

test("a segment says by itself what it holds", async () => {
  const segment = await openSegment(await write(someEntries), keys);
  expect(segment.info).toEqual(info);
  expect(segment.recordCount).toBe(400);
  await segment.close();
});
