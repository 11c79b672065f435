import { describe, expect, test } from "vitest";
import type { Steps } from "../../src/domain/steps.ts";
import { inSteps } from "../../src/event-loop/in-steps.ts";

/** Work of `count` steps of a millisecond each. */
function* busy(count: number, onStep: () => void = () => undefined): Steps<number> {
  for (let step = 0; step < count; step += 1) {
    for (const end = performance.now() + 1; performance.now() < end; );
    onStep();
    yield;
  }
  return count;
}

/** The most steps that are done between two turns of the event loop; counted, as a busy machine stretches all times. */
async function mostStepsPerTurn(work: (onStep: () => void) => Promise<unknown>): Promise<number> {
  let [isDone, steps, most] = [false, 0, 0];
  const look = () => {
    most = Math.max(most, steps);
    steps = 0;
    if (!isDone) setImmediate(look);
  };
  setImmediate(look);
  await work(() => {
    steps += 1;
  });
  isDone = true;
  return most;
}

describe("long work", () => {
  test("returns its result, and gives way to other work again and again", async () => {
    let result = 0;
    const most = await mostStepsPerTurn(async (onStep) => {
      result = await inSteps(busy(100, onStep));
    });
    expect(result).toBe(100);
    expect(most).toBeLessThan(20);
  });

  test("many of them together hold the event loop no longer than one", async () => {
    const works = Array.from({ length: 32 }, () => busy);
    const most = await mostStepsPerTurn((onStep) => Promise.all(works.map((work) => inSteps(work(10, onStep)))));
    expect(most).toBeLessThan(20);
  });

  test("stops with the reason of its signal, and does no further step", async () => {
    const abort = new AbortController();
    let steps = 0;
    const work = inSteps(
      busy(1_000, () => {
        steps += 1;
      }),
      abort.signal,
    );
    setImmediate(() => abort.abort(new Error("stopped")));
    await expect(work).rejects.toThrow("stopped");
    const before = steps;
    await new Promise((resolve) => setImmediate(resolve));
    expect(steps).toBe(before);
    expect(steps).toBeLessThan(1_000);
  });
});

test("short work is done at once, in the order of its calls", async () => {
  const done: number[] = [];
  await new Promise((resolve) => setImmediate(resolve));
  for (const at of [1, 2, 3]) {
    void inSteps(
      (function* (): Steps<void> {
        done.push(at);
        yield;
      })(),
    );
  }
  expect(done).toEqual([1, 2, 3]);
});
