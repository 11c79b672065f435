import { expect, test } from "vitest";
import { takeSharedLock } from "../../src/corpus/shared-lock.ts";

const lock = { release: () => undefined };

test("waits for the lock while another process deletes segments", async () => {
  const tries = [null, null, lock];
  expect(await takeSharedLock(() => tries.shift() ?? null, new AbortController().signal)).toBe(lock);
  expect(tries).toEqual([]);
});

test("stops waiting for the lock when the signal aborts", async () => {
  const waiting = takeSharedLock(() => null, AbortSignal.abort(new Error("interrupted")));
  await expect(waiting).rejects.toThrow("interrupted");
});
