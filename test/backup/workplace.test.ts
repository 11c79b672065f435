import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openWorkplace } from "../../src/backup/workplace.ts";
import { takeLock } from "../../src/store/sqlite/lock.ts";

let folder: string;
const path = () => join(folder, "work");
const openOne = () => openWorkplace(path(), (file) => takeLock(file, "exclusive"));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xpose-workplace-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

test("it is its owner's alone, and gone with all that is in it when it is removed", () => {
  const workplace = openOne();
  expect(statSync(path()).mode & 0o777).toBe(0o700);
  writeFileSync(join(workplace.path, "half"), "x");
  workplace.remove();
  expect(readdirSync(folder)).toEqual([]);
});

test("what a killed process left is removed", () => {
  mkdirSync(join(path(), "corpora"), { recursive: true });
  for (const name of ["lock", "xpose.db", "corpora/one.seg"]) writeFileSync(join(path(), name), "");
  const workplace = openOne();
  expect(readdirSync(path()).filter((name) => !name.startsWith("lock"))).toEqual([]);
  workplace.remove();
});

test("nobody else works there meanwhile", () => {
  const workplace = openOne();
  writeFileSync(join(path(), "half"), "x");
  expect(openOne).toThrow(expect.objectContaining({ kind: "failed" }));
  expect(existsSync(join(path(), "half"))).toBe(true);
  workplace.remove();
});

test("a folder with something else in it, a link and a file are left alone", () => {
  const other = join(folder, "other");
  mkdirSync(other);
  writeFileSync(join(other, "lock"), "");
  writeFileSync(join(other, "mine"), "x");
  symlinkSync(other, path());
  expect(openOne).toThrow(expect.objectContaining({ kind: "refused" }));
  rmSync(path());
  writeFileSync(path(), "x");
  expect(openOne).toThrow(expect.objectContaining({ kind: "refused" }));
  rmSync(path());
  mkdirSync(path());
  writeFileSync(join(path(), "mine"), "x");
  expect(openOne).toThrow(expect.objectContaining({ kind: "refused" }));
  expect([readdirSync(path()), readdirSync(other).sort()]).toEqual([["mine"], ["lock", "mine"]]);
});
