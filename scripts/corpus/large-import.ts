/**
 * Imports an invented file of any size through the executable's standard input and prints the cost as JSON:
 *
 *   npm run build && bun scripts/corpus/large-import.ts --records 10000000 [--format combo] [--dir FOLDER]
 *
 * While it runs, the disk holds only the segment and unlinked spill files of up to 8 bytes per record. Exits with 1
 * when a bound of the project is broken: peak memory of 256 MiB, a rate in the last quarter within 20 % of the first
 * quarter, 1.5 times the entropy of the keys.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "10000000" },
    format: { type: "string", default: "combo" },
    dir: { type: "string", default: tmpdir() },
  },
});
const root = join(import.meta.dir, "..", "..");
const xpose = join(root, "dist", "xpose");
const folder = mkdtempSync(join(values.dir, "xpose-large-"));
const dataDir = join(folder, "data");

type Progress = { read: number; written: number | null; records_per_second: number };
type Stats = { addresses: number; records: number; bytes: number; segments: unknown[] };

try {
  run([xpose, "init", "--data-dir", dataDir]);
  const startedAt = performance.now();
  const peakBytes = await importThroughPipe();
  const seconds = (performance.now() - startedAt) / 1000;
  const report = JSON.parse(readFileSync(join(folder, "report"), "utf8")) as { read: number; imported: number };
  const stats = JSON.parse(run([xpose, "corpus", "stats", "--json", "--data-dir", dataDir])) as Stats;
  const rates = ratesOf(readFileSync(join(folder, "progress"), "utf8"));
  const boundBytes = (64 - Math.log2(stats.addresses) + Math.log2(Math.E)) / 8;
  const result = {
    records: report.read,
    imported: report.imported,
    addresses: stats.addresses,
    seconds: round(seconds),
    records_per_second: Math.round(report.read / seconds),
    first_quarter_per_second: Math.round(rates.first),
    last_quarter_per_second: Math.round(rates.last),
    last_to_first: round(rates.last / rates.first),
    peak_memory_mib: round(peakBytes / 2 ** 20),
    segment_bytes: stats.bytes,
    bytes_per_address: round(stats.bytes / stats.addresses),
    // Templates are extra; the bound is about the keys alone.
    to_entropy_of_keys: round(stats.bytes / stats.addresses / boundBytes),
  };
  console.log(JSON.stringify(result, null, 2));
  const isKept = result.peak_memory_mib < 256 && result.last_to_first >= 0.8;
  if (!isKept || (values.format === "combo" && result.to_entropy_of_keys > 1.5)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function run(command: string[]): string {
  const { success, stdout, stderr } = Bun.spawnSync(command);
  if (!success) throw new Error(`${command.join(" ")}: ${stderr}`);
  return stdout.toString();
}

/** Returns the peak resident memory of the import, in bytes. */
async function importThroughPipe(): Promise<number> {
  const generator = `'${process.execPath}' '${join(import.meta.dir, "generate.ts")}' --records ${values.records} --format ${values.format}`;
  const command = `exec '${xpose}' corpus import - --name large --format ${values.format} --json --data-dir '${dataDir}'`;
  const script = `${generator} | { sh -c 'echo $$ > ${folder}/pid; ${command.replaceAll("'", "")}' > ${folder}/report 2> ${folder}/progress; }`;
  const shell = Bun.spawn(["sh", "-c", script], { stdout: "inherit", stderr: "inherit" });
  let peakBytes = 0;
  let isOver = false;
  void shell.exited.then(() => {
    isOver = true;
  });
  while (!isOver) {
    await Bun.sleep(200);
    peakBytes = Math.max(peakBytes, peakOf());
  }
  if (shell.exitCode !== 0) throw new Error(readFileSync(join(folder, "progress"), "utf8").slice(-500));
  return peakBytes;
}

function peakOf(): number {
  try {
    const pid = readFileSync(join(folder, "pid"), "utf8").trim();
    const kibibytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
    return Number(kibibytes) * 1024;
  } catch {
    return 0;
  }
}

/** Records per second in the first and last quarter of reading, without start-up. */
function ratesOf(text: string): { first: number; last: number } {
  const points = text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Progress)
    .filter(({ written }) => written === null)
    .map(({ read, records_per_second: rate }) => ({ read, seconds: read / Math.max(1, rate) }));
  const total = points.at(-1)?.read ?? 0;
  const rate = (from: number, to: number) => {
    const inside = points.filter(({ read }) => read >= total * from && read <= total * to);
    const [start, end] = [inside[0], inside.at(-1)];
    if (start === undefined || end === undefined || start === end) return Number.NaN;
    return (end.read - start.read) / (end.seconds - start.seconds);
  };
  return { first: rate(0.01, 0.26), last: rate(0.75, 1) };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
