import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockFolder } from "../../src/egress/folder-lock.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xpose-lock-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("an exclusive lock excludes all others until it is released, a shared lock only exclusive ones", () => {
  const alone = lockFolder(folder, "exclusive");
  expect([lockFolder(folder, "exclusive"), lockFolder(folder, "shared")]).toEqual([null, null]);
  alone?.release();
  const shared = [lockFolder(folder, "shared"), lockFolder(folder, "shared")];
  expect(lockFolder(folder, "exclusive")).toBeNull();
  for (const lock of shared) lock?.release();
  const again = lockFolder(folder, "exclusive");
  expect(again).not.toBeNull();
  again?.release();
});

test("it ends with its process, even if that is killed", async () => {
  const module = join(import.meta.dirname, "../../src/egress/folder-lock.ts");
  const code = `import { lockFolder } from ${JSON.stringify(module)};
    console.log(lockFolder(${JSON.stringify(folder)}, "exclusive") === null ? "refused" : "held");
    setInterval(() => {}, 60_000);`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  expect(String((await once(child.stdout, "data"))[0])).toBe("held\n");
  expect(lockFolder(folder, "shared")).toBeNull();
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = lockFolder(folder, "exclusive");
  expect(lock).not.toBeNull();
  lock?.release();
});

test("a missing folder is an error, not a held lock", () => {
  expect(() => lockFolder(join(folder, "missing"), "shared")).toThrow();
});
