import { expect, test } from "vitest";
import { openWaits } from "../../src/http/waits.ts";

test("a holder gets so many places and no more, until one is left", () => {
  const { take } = openWaits({ perHolder: 2, total: 10 });
  const [first, second] = [take("a"), take("a")];
  expect(take("a")).toBeNull();
  expect(take("b")).not.toBeNull();
  first?.();
  expect(take("a")).not.toBeNull();
  expect(take("a")).toBeNull();
  second?.();
  expect(take("a")).not.toBeNull();
});

test("all holders together get no more than there are", () => {
  const { take } = openWaits({ perHolder: 5, total: 7 });
  const places = Array.from({ length: 10 }, (_, index) => take(`holder ${index % 2}`));
  expect(places.filter((place) => place !== null)).toHaveLength(7);
  for (const leave of places) leave?.();
  expect(take("another")).not.toBeNull();
});
