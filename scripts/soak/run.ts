/**
 * Runs every program of this folder in turn: `npm run soak`, or `npm run soak -- --share 10` for a tenth of the work.
 * Each program needs the built executable, prints its measurements, and exits with 1 when a guarantee is broken.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";

const programs = readdirSync(import.meta.dir)
  .filter((name) => name.endsWith(".ts") && name !== "run.ts" && name !== "share.ts")
  .sort();
let failedCount = 0;
for (const name of programs) {
  console.log(`== soak ${name}`);
  const command = [process.execPath, join(import.meta.dir, name), ...process.argv.slice(2)];
  const { success } = Bun.spawnSync(command, { stdout: "inherit", stderr: "inherit" });
  if (!success) failedCount += 1;
}
console.log(`${programs.length - failedCount} of ${programs.length} soak programs held`);
process.exit(failedCount === 0 ? 0 : 1);
