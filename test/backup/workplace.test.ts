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

test("it is accessible only to its owner, and removed with all its contents", async () => {
  const workplace = await openOne();
  expect(statSync(path()).mode & 0o777).toBe(0o700);
  writeFileSync(join(workplace.path, "half"), "x");
  workplace.remove();
  expect(readdirSync(folder)).toEqual([]);
});

test("the remains of a killed process are removed", async () => {
  mkdirSync(join(path(), "corpora"), { recursive: true });
  for (const name of ["lock", "xpose.db", "corpora/one.seg"]) writeFileSync(join(path(), name), "");
  const workplace = await openOne();
  expect(readdirSync(path()).filter((name) => !name.startsWith("lock"))).toEqual([]);
  workplace.remove();
});

test("no other process can work there at the same time", async () => {
  const workplace = await openOne();
  writeFileSync(join(path(), "half"), "x");
  await expect(openOne()).rejects.toThrow(expect.objectContaining({ kind: "failed" }));
  expect(existsSync(join(path(), "half"))).toBe(true);
  workplace.remove();
});

test("when two processes block each other at the same moment, one gets the lock on its next try", async () => {
  let tryCount = 0;
  const workplace = await openWorkplace(path(), (file) => {
    tryCount += 1;
    return tryCount === 1 ? null : takeLock(file, "exclusive");
  });
  expect(tryCount).toBe(2);
  workplace.remove();
});

test("a folder with foreign contents, a link and a file are left alone", async () => {
  const other = join(folder, "other");
  mkdirSync(other);
  writeFileSync(join(other, "lock"), "");
  writeFileSync(join(other, "mine"), "x");
  symlinkSync(other, path());
  await expect(openOne()).rejects.toThrow(expect.objectContaining({ kind: "refused" }));
  rmSync(path());
  writeFileSync(path(), "x");
  await expect(openOne()).rejects.toThrow(expect.objectContaining({ kind: "refused" }));
  rmSync(path());
  mkdirSync(path());
  writeFileSync(join(path(), "mine"), "x");
  await expect(openOne()).rejects.toThrow(expect.objectContaining({ kind: "refused" }));
  expect([readdirSync(path()), readdirSync(other).sort()]).toEqual([["mine"], ["lock", "mine"]]);
});
