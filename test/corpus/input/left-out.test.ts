import { expect, test } from "vitest";
import { describeLeftOut, LeftOutList } from "../../../src/corpus/input/left-out.ts";

test("left-out files are named with the reason, without addresses in their names", () => {
  const list = new LeftOutList();
  list.add("a/tom.elm@example.com.png", "binary");
  list.add("b\n.7z", "a .7z archive");
  expect(list.list()).toEqual([
    { file: "a/…@example.com.png", reason: "binary" },
    { file: "b .7z", reason: "a .7z archive" },
  ]);
  expect(list.describe()).toBe("a/…@example.com.png is binary; b .7z is a .7z archive");
});

test("beyond a thousand they are counted by reason", () => {
  const list = new LeftOutList();
  for (let index = 0; index < 1000; index++) list.add(`${index}.png`, "binary");
  expect(list.list()).toHaveLength(1000);
  for (let index = 0; index < 9000; index++) list.add(`${index}.jpg`, "binary");
  expect(list.list()).toHaveLength(1001);
  expect(list.list().at(-1)).toEqual({ file: "9,000 more files", reason: "binary" });
  for (let index = 0; index < 1500; index++) list.add(`${index}.txt`, "empty");
  expect(list.list().at(-1)).toEqual({ file: "10,500 more files", reason: "9,000 binary; 1,500 empty" });
  for (let index = 0; index < 1000; index++) list.add("x", `reason ${index}`);
  expect(list.list().at(-1)?.file).toBe("11,500 more files");
  expect(list.list().at(-1)?.reason).toContain("982 not read");
  expect(list.count).toBe(12_500);
});

test("an error names five of them", () => {
  const files = Array.from({ length: 1234 }, (_, index) => ({ file: `${index}`, reason: "empty" }));
  expect(describeLeftOut(files)).toBe("0 is empty; 1 is empty; 2 is empty; 3 is empty; 4 is empty; and 1,229 more");
  expect(describeLeftOut([])).toBe("");
});
