import { expect, test } from "vitest";
import { openThrottle } from "../../src/http/throttle.ts";

function open() {
  let now = 0;
  const throttle = openThrottle(10, 60_000, () => now);
  return {
    ...throttle,
    at(ms: number) {
      now = ms;
    },
  };
}

test("9.9 ten tries of one address pass in a minute, the eleventh waits, another address does not", () => {
  const { take } = open();
  expect(Array.from({ length: 12 }, () => take("a"))).toEqual([...Array(10).fill(null), 60, 60]);
  expect(take("b")).toBeNull();
});

test("after the reported wait exactly the tries pass whose minute is over", () => {
  const { take, at } = open();
  for (let index = 0; index < 10; index += 1) {
    at(index * 1500);
    take("a");
  }
  at(20_000);
  const wait = take("a");
  expect(wait).toBe(40);
  at(20_000 + 40_000);
  expect([take("a"), take("a")]).toEqual([null, 2]);
});

test("refused tries do not count, so that a client that keeps trying gets in again", () => {
  const { take, at } = open();
  for (let index = 0; index < 100; index += 1) take("a");
  at(60_000);
  expect(take("a")).toBeNull();
});

test("no minute has more than ten successful tries", () => {
  const { take, at } = open();
  const passed: number[] = [];
  for (let ms = 0; ms < 300_000; ms += 700) {
    at(ms);
    if (take("a") === null) passed.push(ms);
  }
  for (const from of passed) expect(passed.filter((ms) => ms >= from && ms < from + 60_000).length).toBeLessThan(11);
});

test("the memory of addresses is bounded: the one that tried longest ago goes first", () => {
  const { take } = open();
  for (let index = 0; index < 10; index += 1) take("first");
  for (let index = 0; index < 9_999; index += 1) take(`10.0.${index >> 8}.${index & 255}`);
  expect(take("first")).toBe(60);
  for (const address of ["x", "y"]) take(address);
  expect(take("first")).toBeNull();
});
