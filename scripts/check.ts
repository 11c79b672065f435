/**
 * The full check: types, lint, unit tests, the build, tests on the executable, a short benchmark (without verdicts),
 * and a tenth of the soak and of the siege. It stops at failing types, lint or build, but not at failing tests, so that
 * one run shows them all. The last line counts the tests of both suites: `N passed, N failed, N skipped`.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Report = { numPassedTests: number; numFailedTests: number; numPendingTests: number };

const root = join(import.meta.dir, "..");
const reports = mkdtempSync(join(tmpdir(), "xpose-check-"));
const total = { passed: 0, failed: 0, skipped: 0 };

run("types", ["npm", "run", "--silent", "types"]);
run("lint", ["npm", "run", "--silent", "lint"]);
test("unit tests", "test");
run("build", ["npm", "run", "--silent", "build"]);
test("tests on the executable", "test:appliance");
run("benchmark, short", ["npm", "run", "--silent", "bench", "--", "--short"]);
run("soak, a tenth of it", ["npm", "run", "--silent", "soak", "--", "--share", "10"]);
run("siege, a tenth of it", ["npm", "run", "--silent", "test:siege", "--", "--share", "10"]);
finish(total.failed === 0 ? 0 : 1);

function run(name: string, command: string[]): boolean {
  console.log(`== ${name}`);
  const { success } = Bun.spawnSync(command, { cwd: root, stdout: "inherit", stderr: "inherit" });
  if (!success && !name.includes("tests")) {
    console.log(`${name} failed`);
    total.failed += 1;
    finish(1);
  }
  return success;
}

function test(name: string, script: string): void {
  const file = join(reports, `${script.replace(":", "-")}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const isGreen = run(name, ["npm", "run", "--silent", script, "--", ...reporters]);
  const report = JSON.parse(readFileSync(file, "utf8")) as Report;
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests;
  total.skipped += report.numPendingTests;
  // A suite that cannot be loaded fails without a failed test.
  if (!isGreen && report.numFailedTests === 0) total.failed += 1;
}

function finish(exitCode: number): never {
  rmSync(reports, { recursive: true, force: true });
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
  process.exit(exitCode);
}
