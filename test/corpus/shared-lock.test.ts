import { expect, test } from "vitest";
import { takeSharedLock } from "../../src/corpus/shared-lock.ts";

const lock = { release: () => undefined };

test("the lock is waited for while somebody deletes segments", async () => {
  const tries = [null, null, lock];
  expect(await takeSharedLock(() => tries.shift() ?? null, new AbortController().signal)).toBe(lock);
  expect(tries).toEqual([]);
});

test("who is told to stop does not wait for the lock any more", async () => {
  const waiting = takeSharedLock(() => null, AbortSignal.abort(new Error("interrupted")));
  await expect(waiting).rejects.toThrow("interrupted");
});
