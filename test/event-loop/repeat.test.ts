import { expect, test, vi } from "vitest";
import { repeat } from "../../src/event-loop/repeat.ts";

const unexpected = (error: unknown) => {
  throw error;
};

test("work is done first after its own time, then again and again until it is stopped", async () => {
  const work = vi.fn();
  const repeated = repeat(work, { firstMs: 1, everyMs: 10, onError: unexpected });
  await vi.waitFor(() => expect(work.mock.calls.length).toBeGreaterThan(2));
  await repeated.stop();
  const count = work.mock.calls.length;
  await Bun.sleep(30);
  expect(work.mock.calls.length).toBe(count);
});

test("work that is stopped before its first time is never done", async () => {
  const work = vi.fn();
  await repeat(work, { everyMs: 5, onError: unexpected }).stop();
  await Bun.sleep(20);
  expect(work).not.toHaveBeenCalled();
});

test("work that takes longer than the interval is never done twice at once", async () => {
  let running = 0;
  let most = 0;
  let count = 0;
  const work = async () => {
    running += 1;
    most = Math.max(most, running);
    await Bun.sleep(12);
    running -= 1;
    count += 1;
  };
  const repeated = repeat(work, { everyMs: 3, onError: unexpected });
  await vi.waitFor(() => expect(count).toBeGreaterThan(2));
  await repeated.stop();
  expect(most).toBe(1);
});

test("an error is told, and the next turn comes all the same", async () => {
  const errors: unknown[] = [];
  const repeated = repeat(() => Promise.reject(new Error("broken")), {
    everyMs: 2,
    onError: (error) => errors.push(error),
  });
  await vi.waitFor(() => expect(errors.length).toBeGreaterThan(1));
  await repeated.stop();
});

test("a stop aborts the work under way and waits for its end", async () => {
  let hasEnded = false;
  const started = Promise.withResolvers<void>();
  const repeated = repeat(
    async (signal) => {
      started.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      await Bun.sleep(5);
      hasEnded = true;
    },
    { everyMs: 1, onError: unexpected },
  );
  await started.promise;
  await repeated.stop();
  expect(hasEnded).toBe(true);
});
