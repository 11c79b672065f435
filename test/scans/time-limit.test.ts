import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { limitTime } from "../../src/scans/time-limit.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("the signal aborts when the time is over, and not before", () => {
  const { signal } = limitTime(new AbortController().signal, 1_000);
  vi.advanceTimersByTime(999);
  expect(signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(signal.reason).toMatchObject({ name: "TimeoutError" });
});

test.each(["before", "after"])(
  "it aborts with the outer signal, which aborts %s it is made, and for its reason",
  (when) => {
    const outer = new AbortController();
    const reason = new Error("the service stops");
    if (when === "before") outer.abort(reason);
    const { signal } = limitTime(outer.signal, 1_000);
    outer.abort(reason);
    expect(signal.reason).toBe(reason);
  },
);

test("a released limit never aborts and holds no resources", () => {
  const outer = new AbortController();
  const { signal, release } = limitTime(outer.signal, 1_000);
  release();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(1_000);
  outer.abort();
  expect(signal.aborted).toBe(false);
});
