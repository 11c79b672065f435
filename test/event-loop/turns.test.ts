import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { collectTurns } from "../../src/event-loop/turns.ts";

/** A collector that notes each batch when it starts and when it ends. */
function openCollector(maxCount: number, work: () => Promise<void> = async () => {}) {
  const notes: string[] = [];
  const push = collectTurns<number>(maxCount, async (batch) => {
    notes.push(`start ${batch.join(" ")}`);
    await work();
    notes.push(`end ${batch.join(" ")}`);
  });
  return { notes, push };
}

test("what comes in one turn of the event loop is one batch, in the order of arrival", async () => {
  const { notes, push } = openCollector(10);
  for (const item of [3, 1, 2]) push(item);
  expect(notes).toEqual([]);
  await expect.poll(() => notes).toEqual(["start 3 1 2", "end 3 1 2"]);
});

test("a batch holds no more than its most; the next one starts after it has ended", async () => {
  const { notes, push } = openCollector(2);
  for (const item of [1, 2, 3, 4, 5]) push(item);
  await expect.poll(() => notes).toHaveLength(6);
  expect(notes).toEqual(["start 1 2", "end 1 2", "start 3 4", "end 3 4", "start 5", "end 5"]);
});

test("what comes while a batch is served is the next batch", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { notes, push } = openCollector(10, () => promise);
  push(1);
  await expect.poll(() => notes).toEqual(["start 1"]);
  push(2);
  await setImmediate();
  push(3);
  resolve();
  await expect.poll(() => notes).toEqual(["start 1", "end 1", "start 2 3", "end 2 3"]);
});

test("other work gets its turn between two batches", async () => {
  const seen: string[] = [];
  const push = collectTurns<number>(1, async ([item]) => {
    seen.push(`batch ${item}`);
    globalThis.setImmediate(() => seen.push("other work"));
  });
  push(1);
  push(2);
  await expect.poll(() => seen).toEqual(["batch 1", "other work", "batch 2", "other work"]);
});

test("a collector that was idle serves again", async () => {
  const { notes, push } = openCollector(10);
  push(1);
  await expect.poll(() => notes).toHaveLength(2);
  push(2);
  await expect.poll(() => notes).toEqual(["start 1", "end 1", "start 2", "end 2"]);
});
