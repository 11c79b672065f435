import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");

function sha256(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

test("the same source gives the same bytes, whatever the folder it is built in", { timeout: 120_000 }, () => {
  // Below dist, so that it is on the same file system and packages can be linked instead of copied.
  const other = mkdtempSync(join(root, "dist", "another-folder-"));
  try {
    const listing = ["ls-files", "-z", "--", ".", ":!test", ":!docs"];
    const tracked = execFileSync("git", listing, { cwd: root, encoding: "utf8" });
    for (const file of tracked.split("\0").filter((name) => name !== "")) {
      mkdirSync(dirname(join(other, file)), { recursive: true });
      execFileSync("cp", [join(root, file), join(other, file)]);
    }
    execFileSync("cp", ["-al", join(root, "node_modules"), join(other, "node_modules")]);
    execFileSync(process.execPath, ["scripts/build.ts"], { cwd: other, stdio: "pipe" });
    expect(sha256(join(other, "dist", "xpose"))).toBe(sha256(join(root, "dist", "xpose")));
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});
