import { expect, test } from "vitest";
import { openTurnstile } from "../../src/egress/turnstile.ts";

const patient = () => new AbortController().signal;

test("who waits enters in order, each when a place is free", async () => {
  const turnstile = openTurnstile(1);
  const entered: string[] = [];
  await turnstile.enter(patient());
  const first = turnstile.enter(patient()).then(() => entered.push("first"));
  const second = turnstile.enter(patient()).then(() => entered.push("second"));
  expect(entered).toEqual([]);
  turnstile.leave();
  await first;
  expect(entered).toEqual(["first"]);
  turnstile.leave();
  await second;
  expect(entered).toEqual(["first", "second"]);
});

test("who gives up while waiting takes no place", async () => {
  const turnstile = openTurnstile(1);
  await turnstile.enter(patient());
  const impatient = new AbortController();
  const given = turnstile.enter(impatient.signal);
  impatient.abort(new Error("given up"));
  await expect(given).rejects.toThrow("given up");
  turnstile.leave();
  await turnstile.enter(patient());
});

test("a place that is handed to somebody who gives up in the same moment is passed on", async () => {
  const turnstile = openTurnstile(1);
  await turnstile.enter(patient());
  const impatient = new AbortController();
  const given = turnstile.enter(impatient.signal);
  const next = turnstile.enter(patient());
  impatient.abort(new Error("given up"));
  turnstile.leave();
  await expect(given).rejects.toThrow("given up");
  await next;
});

test("who has given up before does not enter", async () => {
  const turnstile = openTurnstile(1);
  await expect(turnstile.enter(AbortSignal.abort())).rejects.toThrow();
  await turnstile.enter(patient());
});
