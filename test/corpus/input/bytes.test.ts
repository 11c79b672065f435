import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteReader, type Pull } from "../../../src/corpus/input/bytes.ts";
import { Damaged } from "../../../src/corpus/input/unread.ts";

/** Pieces that share one buffer, like those of a file; some arrive after a wait. */
function pieces(bytes: Buffer, sizes: readonly number[], waits: boolean): Pull {
  const shared = Buffer.alloc(64);
  let at = 0;
  let turn = 0;
  return () => {
    if (at >= bytes.length) return null;
    const size = Math.min(sizes[turn++ % sizes.length] ?? 1, bytes.length - at);
    shared.fill(0xee);
    bytes.copy(shared, 0, at, at + size);
    at += size;
    const piece = shared.subarray(0, size);
    return waits && turn % 2 === 0 ? Promise.resolve(piece) : piece;
  };
}

async function rest(pull: Pull): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let piece = await pull(); piece !== null; piece = await pull()) parts.push(Buffer.from(piece));
  return Buffer.concat(parts);
}

const sizes = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 5 });
const bytes = fc.uint8Array({ maxLength: 2000 }).map((array) => Buffer.from(array));

test("held, taken and pulled bytes together are the input in order, for any pieces", async () => {
  await fc.assert(
    fc.asyncProperty(
      bytes,
      sizes,
      fc.boolean(),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 300 })), { maxLength: 6 }),
      async (all, pieceSizes, waits, steps) => {
        const reader = new ByteReader(pieces(all, pieceSizes, waits));
        const seen: Buffer[] = [];
        for (const [holdSize, takeSize] of steps) {
          await reader.hold(holdSize);
          const left = all.length - Buffer.concat(seen).length;
          expect(reader.held.length).toBeGreaterThanOrEqual(Math.min(holdSize, left));
          seen.push(Buffer.from(reader.take(takeSize)));
        }
        seen.push(await rest(reader.pull));
        expect(Buffer.concat(seen).equals(all)).toBe(true);
        expect(reader.isEnded).toBe(true);
      },
    ),
  );
});

test("a limited part gives its bytes and leaves the rest", async () => {
  await fc.assert(
    fc.asyncProperty(bytes, sizes, fc.integer({ min: 0, max: 2000 }), async (all, pieceSizes, size) => {
      const reader = new ByteReader(pieces(all, pieceSizes, true));
      const part = rest(reader.limited(size));
      if (size > all.length) {
        await expect(part).rejects.toThrow(Damaged);
        return;
      }
      expect((await part).equals(all.subarray(0, size))).toBe(true);
      expect((await rest(reader.pull)).equals(all.subarray(size))).toBe(true);
    }),
  );
});

test("holding a long part piece by piece takes linear time", async () => {
  const reader = new ByteReader(pieces(Buffer.alloc(8 << 20, 1), [64], false));
  const startedAt = performance.now();
  await reader.hold(8 << 20);
  expect(reader.held.length).toBe(8 << 20);
  expect(performance.now() - startedAt).toBeLessThan(2000);
});
