import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const unitFile = fileURLToPath(new URL("../systemd/xpose.service", import.meta.url));
const unit = readFileSync(unitFile, "utf8");
const isMissing = Bun.which("systemd-analyze") === null;
if (isMissing) console.warn("systemd-analyze is not installed: the unit file is not checked by systemd itself");

function analyze(...words: string[]): { exitCode: number; output: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["systemd-analyze", ...words]);
  return { exitCode, output: `${stdout}${stderr}` };
}

/** All values of a setting, in the words of the file. */
function valuesOf(name: string): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].flatMap((match) => (match[1] ?? "").split(" "));
}

test.skipIf(isMissing)("systemd finds no fault in the unit", () => {
  const folder = mkdtempSync(join(tmpdir(), "xpose-unit-"));
  try {
    const file = join(folder, "xpose.service");
    // A program that is there: the unit names the place where xpose gets installed.
    writeFileSync(file, unit.replaceAll(/^(Exec\w+)=\/usr\/local\/bin\/xpose/gm, `$1=${process.execPath}`));
    expect(analyze("verify", file)).toEqual({ exitCode: 0, output: "" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.skipIf(isMissing)("the exposure of the unit is at most 1.5 of 10", () => {
  const { exitCode, output } = analyze("security", "--offline=true", "--threshold=15", unitFile);
  expect(output).toMatch(/Overall exposure level for xpose\.service: [01]\.\d/);
  expect(exitCode).toBe(0);
});

test("the unit lets the thread that merges corpora give way to look-ups", () => {
  expect(valuesOf("SystemCallFilter").slice(-2)).toEqual(["setpriority", "sched_setattr"]);
});

test("the unit clears every variable that makes the runtime load code, open a debugger or trust anybody", () => {
  const dangerous = ["BUN_OPTIONS", "BUN_BE_BUN", "BUN_INSPECT", "NODE_OPTIONS", "NODE_TLS_REJECT_UNAUTHORIZED"];
  expect(valuesOf("UnsetEnvironment")).toEqual(expect.arrayContaining(dangerous));
});

test("the unit leaves the runtime its machine code and a private folder for its libraries", () => {
  expect(valuesOf("MemoryDenyWriteExecute")).toEqual([]);
  expect(valuesOf("Environment")).toEqual(["BUN_TMPDIR=%C/xpose"]);
  expect(valuesOf("CacheDirectory")).toEqual(["xpose"]);
  expect(valuesOf("CacheDirectoryMode")).toEqual(["0700"]);
});
