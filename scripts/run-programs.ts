/**
 * Runs every program of a folder beside this file, one after the other: `npm run soak` and `npm run test:siege`, or with
 * `-- --share 10` a tenth of the work. Each needs the built executable, prints what it measured, and ends with 1 when a
 * guarantee did not hold.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";

const [folder = "", ...options] = process.argv.slice(2);
const programs = readdirSync(join(import.meta.dir, folder))
  .filter((name) => name.endsWith(".ts"))
  .sort();
let failedCount = 0;
for (const name of programs) {
  console.log(`== ${folder} ${name}`);
  const command = [process.execPath, join(import.meta.dir, folder, name), ...options];
  const { success } = Bun.spawnSync(command, { stdout: "inherit", stderr: "inherit" });
  if (!success) failedCount += 1;
}
console.log(`${programs.length - failedCount} of ${programs.length} ${folder} programs held`);
process.exit(failedCount === 0 ? 0 : 1);
