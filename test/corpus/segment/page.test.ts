import fc from "fast-check";
import { expect, test } from "vitest";
import { checkPage, encodeId, idSize, PageBuilder, PageReader, pageSize } from "../../../src/corpus/segment/page.ts";

type Entry = { readonly key: bigint; readonly ids: readonly number[] };

function write(entries: readonly Entry[]): Buffer[] {
  const pages: Buffer[] = [];
  const builder = new PageBuilder();
  const finish = () => {
    const page = Buffer.alloc(pageSize, 0xaa);
    builder.finish(page);
    pages.push(page);
  };
  for (const { key, ids } of entries) {
    const add = () => builder.add(Number(key >> 32n), Number(key & 0xffffffffn), ids, 0, ids.length);
    if (add()) continue;
    finish();
    expect(add()).toBe(true);
  }
  if (builder.count > 0) finish();
  return pages;
}

function read(pages: readonly Buffer[]): Entry[] {
  const entries: Entry[] = [];
  const reader = new PageReader();
  for (const page of pages) {
    checkPage(page);
    reader.open(page);
    while (reader.next()) {
      const key = (BigInt(reader.high) << 32n) | BigInt(reader.low);
      entries.push({ key, ids: [...reader.ids.subarray(0, reader.idCount)] });
    }
  }
  return entries;
}

const anyId = fc.oneof(
  fc.integer({ min: 0, max: 63 }),
  fc.constantFrom(64, 8191, 8192, 2 ** 20 - 1, 2 ** 20, 2 ** 27 - 1, 2 ** 27, 2 ** 32 - 1),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
);
const anyIds = fc.oneof(
  fc.constant([0]),
  fc.array(anyId, { minLength: 1, maxLength: 5 }),
  fc.array(anyId, { minLength: 690, maxLength: 700 }),
);
/** Keys spread evenly, close together, and far apart after close ones. */
const anyKeys = fc
  .tuple(
    fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 60 }),
    fc.array(fc.bigInt({ min: 0n, max: 3000n }), { maxLength: 60 }),
    fc.constantFrom(0n, 2n ** 32n - 1500n, 2n ** 64n - 3001n),
  )
  .map(([far, close, base]) =>
    [...new Set([...far, ...close.map((step) => base + step)])].sort((a, b) => (a < b ? -1 : 1)),
  );

test("any ascending keys with any ids survive writing and reading", () => {
  fc.assert(
    fc.property(anyKeys, fc.array(anyIds, { minLength: 1, maxLength: 20 }), (keys, lists) => {
      const entries = keys.map((key, index) => ({ key, ids: lists[index % lists.length] ?? [0] }));
      const pages = write(entries);
      expect(read(pages)).toEqual(entries);
      const reader = new PageReader();
      for (const { key, ids } of entries) {
        const found = pages.filter((page) => {
          reader.open(page);
          return reader.seek(Number(key >> 32n), Number(key & 0xffffffffn));
        });
        expect(found).toHaveLength(1);
        reader.open(found[0] ?? Buffer.alloc(0));
        reader.seek(Number(key >> 32n), Number(key & 0xffffffffn));
        expect([...reader.ids.subarray(0, reader.idCount)]).toEqual(ids);
      }
    }),
    { numRuns: 60 },
  );
});

test("idSize gives the size of an encoded id", () => {
  const bytes = new Uint8Array(8);
  for (const id of [0, 63, 64, 8191, 8192, 2 ** 20 - 1, 2 ** 20, 2 ** 27 - 1, 2 ** 27, 2 ** 32 - 1]) {
    expect(encodeId(bytes, 0, id, true)).toBe(idSize(id));
  }
});

test("addresses that share one id take at most 1.15 times the entropy of their keys", () => {
  const count = 20_000;
  // As dense as in a segment of a hundred million addresses.
  const step = 2 ** 64 / 1e8;
  let state = 1;
  const random = () => {
    state = Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9;
    return (state >>> 0) / 2 ** 32;
  };
  let at = 0;
  const entries = Array.from({ length: count }, () => {
    at -= Math.log(1 - random()) * step;
    return { key: BigInt(Math.floor(at)), ids: [0] };
  });
  const bytesPerAddress = (write(entries).length * pageSize) / count;
  const entropyBytes = (64 - Math.log2(1e8) + Math.log2(Math.E)) / 8;
  expect(bytesPerAddress / entropyBytes).toBeLessThan(1.15);
});
