import { expect, test } from "vitest";
import { openSemaphore } from "../../src/egress/semaphore.ts";

const patient = () => new AbortController().signal;

test("waiters enter in order, each when a place is free", async () => {
  const semaphore = openSemaphore(1);
  const entered: string[] = [];
  await semaphore.enter(patient());
  const first = semaphore.enter(patient()).then(() => entered.push("first"));
  const second = semaphore.enter(patient()).then(() => entered.push("second"));
  expect(entered).toEqual([]);
  semaphore.leave();
  await first;
  expect(entered).toEqual(["first"]);
  semaphore.leave();
  await second;
  expect(entered).toEqual(["first", "second"]);
});

test("a waiter that aborts takes no place", async () => {
  const semaphore = openSemaphore(1);
  await semaphore.enter(patient());
  const impatient = new AbortController();
  const given = semaphore.enter(impatient.signal);
  impatient.abort(new Error("given up"));
  await expect(given).rejects.toThrow("given up");
  semaphore.leave();
  await semaphore.enter(patient());
});

test("a place handed to a waiter that aborts at the same moment is passed on", async () => {
  const semaphore = openSemaphore(1);
  await semaphore.enter(patient());
  const impatient = new AbortController();
  const given = semaphore.enter(impatient.signal);
  const next = semaphore.enter(patient());
  impatient.abort(new Error("given up"));
  semaphore.leave();
  await expect(given).rejects.toThrow("given up");
  await next;
});

test("a caller that has already aborted does not enter", async () => {
  const semaphore = openSemaphore(1);
  await expect(semaphore.enter(AbortSignal.abort())).rejects.toThrow();
  await semaphore.enter(patient());
});
