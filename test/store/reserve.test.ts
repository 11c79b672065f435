import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openReserve } from "../../src/store/sqlite/reserve.ts";
import { canMount, SmallDisk } from "../helpers/small-disk.ts";

let folder: string;
const file = () => join(folder, "reserve");
const size = () => (existsSync(file()) ? statSync(file()).size : 0);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xpose-reserve-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

function fullDisk(): Error {
  return Object.assign(new Error("no space left"), { code: "ENOSPC" });
}

test("it is filled by the first look, with bytes that cannot be stored in less", () => {
  const reserve = openReserve(folder);
  expect(size()).toBe(0);
  expect(reserve.tend()).toBe(false);
  expect(size()).toBe(4 * 1024 ** 2);
  expect(Bun.gzipSync(readFileSync(file())).length).toBeGreaterThan(4 * 1024 ** 2);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
});

describe("work that a full disk stops", () => {
  test("is done again with the reserve given up, which is taken back afterwards", () => {
    const reserve = openReserve(folder);
    reserve.tend();
    const sizes: number[] = [];
    const work = () => {
      sizes.push(size());
      if (sizes.length === 1) throw fullDisk();
      return "done";
    };
    expect(reserve.spare(work)).toBe("done");
    expect([sizes, size()]).toEqual([[4 * 1024 ** 2, 0], 4 * 1024 ** 2]);
    // Until the next look that finds room.
    expect(reserve.isFull()).toBe(true);
    expect(reserve.tend()).toBe(false);
  });

  test("fails as it did when that does not help, and the reserve is taken back", () => {
    const reserve = openReserve(folder);
    reserve.tend();
    const fault = fullDisk();
    const work = () => {
      throw fault;
    };
    expect(() => reserve.spare(work)).toThrow(fault);
    expect(size()).toBe(4 * 1024 ** 2);
  });

  test("is not done again without a reserve, nor after another error", () => {
    const reserve = openReserve(folder);
    let count = 0;
    const failing = (error: Error) => () => {
      count += 1;
      throw error;
    };
    expect(() => reserve.spare(failing(fullDisk()))).toThrow("no space left");
    reserve.tend();
    expect(() => reserve.spare(failing(new Error("another one")))).toThrow("another one");
    expect(count).toBe(2);
  });
});

describe.skipIf(!canMount)("on a small disk", () => {
  test("it takes a sixteenth, and nothing that others need", () => {
    const path = join(folder, "disk");
    using disk = new SmallDisk(path, 8);
    writeFileSync(join(path, "much"), new Uint8Array(disk.freeBytes() - 200 * 1024));
    const reserve = openReserve(path);
    reserve.tend();
    // An eighth of a MiB is left to others.
    expect(statSync(join(path, "reserve")).size).toBe(72 * 1024);
    expect(disk.freeBytes()).toBe(128 * 1024);
    rmSync(join(path, "much"));
    expect(reserve.tend()).toBe(false);
    expect(statSync(join(path, "reserve")).size).toBe(512 * 1024);
  });

  test("it takes back what the work leaves, and the rest once there is room", () => {
    const path = join(folder, "disk");
    using disk = new SmallDisk(path, 16);
    const reserve = openReserve(path);
    reserve.tend();
    disk.fill();
    expect(reserve.tend()).toBe(true);
    const write = () => writeFileSync(join(path, "work"), new Uint8Array(300 * 1024));
    reserve.spare(write);
    expect([statSync(join(path, "work")).size, disk.freeBytes()]).toEqual([300 * 1024, 0]);
    expect(statSync(join(path, "reserve")).size).toBe(724 * 1024);
    expect(reserve.tend()).toBe(true);
    disk.free();
    expect(reserve.tend()).toBe(false);
    expect(statSync(join(path, "reserve")).size).toBe(1024 ** 2);
  });
});

test("a folder that is gone or cannot be written is no full disk, and no error", () => {
  const reserve = openReserve(join(folder, "missing"));
  expect([reserve.tend(), reserve.isFull()]).toEqual([false, false]);
  expect(reserve.lend(() => "done")).toBe("done");
});
