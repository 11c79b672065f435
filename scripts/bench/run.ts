/**
 * The performance goals as ratios: the service compared with the smallest server possible on this runtime.
 *
 *   npm run build && npm run bench -- [--only hits,7] [--short] [--seconds 10] [--rounds 3] [--json FILE]
 *
 * Prints a table and writes it as JSON (`dist/bench.json`). Exits with 1 when a ratio misses its bar. `--short` runs
 * every part for a few seconds without verdicts. docs/performance.md explains the measurements.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compile } from "../compile.ts";
import { corpusRows } from "./corpus-rows.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import { hitRows } from "./hit-rows.ts";
import { importRow } from "./import-row.ts";
import { describeMachine, machine } from "./machine.ts";
import { coreCount, hasTaskset, isPinned, moveToClientCore } from "./pinning.ts";
import { goals, renderTable, tableRows } from "./ratio-table.ts";
import { openRounds } from "./rounds.ts";
import { hasWrk } from "./saturate.ts";
import { scanRows } from "./scan-rows.ts";
import { startRow } from "./start-row.ts";
import { startServer } from "./started-server.ts";
import { wantedRows } from "./wanted-rows.ts";

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    short: { type: "boolean", default: false },
    seconds: { type: "string" },
    rounds: { type: "string" },
    /** Hits per second of rows 4 and 5. */
    rate: { type: "string", default: "5000" },
    /** Sizes of the files of rows 10 to 15. */
    records: { type: "string", default: "54000000" },
    base: { type: "string", default: "50000000" },
    json: { type: "string" },
  },
});
const isShort = options.short;
const seconds = Number(options.seconds ?? (isShort ? 1 : 10));
const roundCount = Number(options.rounds ?? (isShort ? 1 : 3));
const perSecond = Number(options.rate);
const wanted = options.only === undefined ? new Set(goals.map(({ row }) => row)) : wantedRows(options.only);

const root = join(import.meta.dir, "..", "..");
const executable = join(root, "dist", "xpose");
const floor = join(root, "dist", "bench-floor");
const slowDelayMs = 1000;
const fiveDelayMs = 50;

process.exitCode = await main();

async function main(): Promise<number> {
  console.error(describeMachine(machine()));
  if (!hasWrk) console.error("wrk is not installed (Debian: apt-get install wrk): rows 1, 2, 3 and 9 are skipped");
  if (!hasTaskset) console.error("taskset is not installed (Debian: util-linux): nothing is pinned to a core");
  else if (coreCount < 2) console.error("one core only: server and clients share it");
  if (!existsSync(executable)) buildProduct();
  compile(["scripts/bench/floor.ts"], floor);
  moveToClientCore();

  const folder = mkdtempSync(join(tmpdir(), "xpose-bench-"));
  const rounds = openRounds(wanted);
  try {
    await measure(folder, rounds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.error(`measured in ${Math.round(performance.now() / 1000)} s`);
  const rows = tableRows(rounds.measured());
  const file = options.json ?? join(root, "dist", "bench.json");
  const document = {
    machine: machine(),
    at: new Date(),
    seconds,
    roundCount,
    perSecond,
    isPinned,
    isShort,
    rows,
    notes: rounds.notes,
  };
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
  console.log(renderTable(rows, !isShort));
  const isMissed = rows.some((row) => "verdict" in row && row.verdict === "missed");
  return isMissed && !isShort ? 1 : 0;
}

async function measure(folder: string, rounds: ReturnType<typeof openRounds>): Promise<void> {
  const isWanted = (...rows: number[]) => rows.some((row) => wanted.has(row));
  if (isWanted(1, 2, 3, 4, 5, 6, 7, 8, 9, 16)) {
    await using slow = await startSource("slow", slowDelayMs, folder);
    await using five = await startSource("five", fiveDelayMs, folder);
    console.error("filling a data directory");
    const data = await prepareDataDirectory({
      executable,
      folder: join(folder, "service"),
      scannedCount: isShort ? 500 : 10_000,
      unseenCount: isShort ? 50 : 900,
      slowUrl: slow.url,
      fiveUrl: five.url,
    });
    const common = { data, floor, rounds, wanted, roundCount, seconds, perSecond };
    if (isWanted(8)) await startRow({ ...common, startsPerRound: isShort ? 2 : 7 });
    if (isWanted(1, 2, 3, 6, 9)) await hitRows(common);
    if (isWanted(5)) await importRow({ ...common, recordCount: isShort ? 200_000 : 10_000_000 });
    if (isWanted(4, 7, 16)) await scanRows({ ...common, slowDelayMs, five: { url: five.url, delayMs: fiveDelayMs } });
  }
  if (!isWanted(10, 11, 12, 13, 14, 15)) return;
  if (isShort) {
    console.error("rows 10 to 15 are skipped: no breach file is small enough for the short form");
    for (const row of [10, 11, 12, 13, 14, 15]) rounds.skip(row, "short form");
    return;
  }
  const args = ["--records", options.records, "--base", options.base, "--rounds", String(roundCount)];
  await corpusRows(rounds, args);
}

function startSource(name: string, delayMs: number, folder: string) {
  const command = [process.execPath, join(import.meta.dir, "slow-source.ts"), String(delayMs)];
  return startServer(command, join(folder, `${name}.log`));
}

function buildProduct(): void {
  mkdirSync(join(root, "dist"), { recursive: true });
  const build = Bun.spawnSync([process.execPath, join(root, "scripts/build.ts")], {
    stdout: "inherit",
    stderr: "inherit",
  });
  if (!build.success) process.exit(1);
}
