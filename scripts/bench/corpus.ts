/**
 * The figures of the breach corpus as ratios, rows 10 to 15 of the goals, as JSON:
 *
 *   npm run build && bun scripts/bench/corpus.ts [--records 54000000] [--base 50000000] [--rounds 3] [--dir FOLDER]
 *
 * Needs GNU `sort`, 8 GB of disk and an idle machine. Exits with 1 when a ratio misses its bar.
 */
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Database, { type Statement } from "better-sqlite3/linux-x64";
import { PageReader, pageSize } from "../../src/corpus/segment/page.ts";
import { openReadable } from "../../src/corpus/segment/read-at.ts";
import { openSegment, type Segment } from "../../src/corpus/segment/segment.ts";
import { deriveKeys } from "../../src/domain/keyed-hash.ts";
import { peakMemoryOf } from "../corpus/peak-memory.ts";

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "54000000" },
    base: { type: "string", default: "50000000" },
    rounds: { type: "string", default: "3" },
    dir: { type: "string", default: tmpdir() },
  },
});
const roundCount = Number(values.rounds);
const root = join(import.meta.dir, "..", "..");
const xpose = join(root, "dist", "xpose");
const folder = mkdtempSync(join(values.dir, "xpose-bench-"));

type Stats = { addresses: number; records: number; bytes: number; segments: { file: string }[] };
type Row = { row: number; what: string; value: number; reach: number; aim: number };
const rows: Row[] = [];

try {
  const text = await generate("combo", Number(values.records), 1);
  const dataDir = await importAndSort(text);
  rmSync(text);
  await lookUp(dataDir);
  await addToLarge();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (rows.some(({ value, reach }) => value > reach)) process.exitCode = 1;

function add(row: number, what: string, value: number, reach: number, aim: number): void {
  const result = { row, what, value: Math.round(value * 1000) / 1000, reach, aim };
  rows.push(result);
  console.log(JSON.stringify(result));
}

async function generate(format: string, records: number, seed: number, addresses?: number): Promise<string> {
  const path = join(folder, `${format}-${records}-${seed}.txt`);
  const script = `'${process.execPath}' '${join(root, "scripts/corpus/generate.ts")}' --format ${format} --records ${records} --seed ${seed} ${addresses === undefined ? "" : `--addresses ${addresses}`} > '${path}'`;
  await run(["sh", "-c", script]);
  return path;
}

type Ran = { readonly seconds: number; readonly peakBytes: number; readonly stdout: string };

async function run(command: string[], environment: Record<string, string> = {}): Promise<Ran> {
  const startedAt = performance.now();
  const child = Bun.spawn(command, { env: { ...process.env, ...environment }, stdout: "pipe", stderr: "pipe" });
  const streams = Promise.all([child.stdout.text(), child.stderr.text()]);
  const peaking = peakMemoryOf(child);
  const exitCode = await child.exited;
  const seconds = (performance.now() - startedAt) / 1000;
  const [stdout, stderr] = await streams;
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.slice(-500)}`);
  return { seconds, peakBytes: await peaking, stdout };
}

async function newDataDir(name: string): Promise<string> {
  const dataDir = join(folder, name);
  rmSync(dataDir, { recursive: true, force: true });
  await run([xpose, "init", "--data-dir", dataDir]);
  return dataDir;
}

function importFile(dataDir: string, path: string, name: string): Promise<Ran> {
  return run([xpose, "corpus", "import", path, "--name", name, "--json", "--data-dir", dataDir]);
}

async function statsOf(dataDir: string): Promise<Stats> {
  const { stdout } = await run([xpose, "corpus", "stats", "--json", "--data-dir", dataDir]);
  return JSON.parse(stdout) as Stats;
}

/** Rows 10 to 12. Returns the data directory of the last import. */
async function importAndSort(text: string): Promise<string> {
  const ratios: number[] = [];
  let peakBytes = 0;
  let dataDir = "";
  const temporary = join(folder, "sort");
  mkdirSync(temporary);
  for (let round = 0; round < roundCount; round++) {
    dataDir = await newDataDir("import");
    const imported = await importFile(dataDir, text, "large");
    peakBytes = Math.max(peakBytes, imported.peakBytes);
    const sorted = join(folder, "sorted");
    const sort = ["sort", "-S", "2G", "--parallel=2", "-T", temporary, "-o", sorted, text];
    ratios.push(imported.seconds / (await run(sort, { LC_ALL: "C" })).seconds);
    rmSync(sorted);
  }
  const stats = await statsOf(dataDir);
  const boundBytes = (64 - Math.log2(stats.addresses) + Math.log2(Math.E)) / 8;
  add(10, "bytes per address / entropy of the keys", stats.bytes / stats.addresses / boundBytes, 1.5, 1.15);
  add(11, `import of ${values.records} combo lines / sort -S 2G --parallel=2`, median(ratios), 0.2, 0.1);
  add(12, "peak memory of the import, MiB", peakBytes / 2 ** 20, 256, 128);
  return dataDir;
}

/** Rows 13 and 14, on the segment of a data directory. */
async function lookUp(dataDir: string): Promise<void> {
  const path = join(dataDir, "corpora", (await statsOf(dataDir)).segments[0]?.file ?? "");
  const keys = deriveKeys(Buffer.from(readFileSync(join(dataDir, "secret.key"), "utf8").trim(), "hex"));
  let readCount = 0;
  const segment = await openSegment(path, keys, (name) => {
    const file = openReadable(name);
    const count = <Result>(result: Result): Result => {
      readCount++;
      return result;
    };
    return {
      ...file,
      read: (offset, length) => count(file.read(offset, length)),
      readNow: (bytes, offset) => (file.readNow(bytes, offset) ? count(true) : false),
    };
  });
  const databasePath = join(folder, "oracle.db");
  copyKeys(path, segment, databasePath);
  // With SQLite's default cache size: the segment has no cache of its own either.
  const database = new Database(databasePath);
  const next = database.prepare<[bigint], { found: string }>(
    "SELECT CAST(key AS TEXT) AS found FROM address WHERE key >= ? ORDER BY key LIMIT 1",
  );
  const get = database.prepare<[bigint], { id: number }>("SELECT id FROM address WHERE key = ?");
  const asked = Array.from({ length: 200_000 }, (_, index) => keyOf(index, next));
  for (const { high, low, signed } of asked) {
    if ((await segment.find({ high, low }, 10)).ids.length > 0 !== (get.get(signed) !== undefined)) {
      throw new Error("the segment and SQLite do not agree");
    }
  }
  readCount = 0;
  for (const { high, low } of asked) await segment.find({ high, low }, 10);
  add(13, "page reads per look-up and segment", readCount / asked.length, 1.01, 1);
  const ratios: number[] = [];
  for (let round = 0; round < Math.max(3, roundCount); round++) {
    const own = new Float64Array(asked.length);
    for (const [index, { high, low }] of asked.entries()) {
      const startedAt = performance.now();
      await segment.find({ high, low }, 10);
      own[index] = performance.now() - startedAt;
    }
    const other = new Float64Array(asked.length);
    for (const [index, { signed }] of asked.entries()) {
      const startedAt = performance.now();
      get.get(signed);
      other[index] = performance.now() - startedAt;
    }
    ratios.push(p99(own) / p99(other));
  }
  add(14, "warm look-up p99 / SQLite INTEGER key", median(ratios), 1, 0.6);
  segment.close();
  database.close();
}

/** Fills a table with the keys of a segment. */
function copyKeys(path: string, segment: Segment, databasePath: string): void {
  const database = new Database(databasePath);
  database.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144");
  database.exec("CREATE TABLE address (key INTEGER PRIMARY KEY, id INTEGER NOT NULL)");
  const insert = database.prepare<[bigint, number]>("INSERT INTO address (key, id) VALUES (?, ?)");
  const file = openSync(path, "r");
  const page = Buffer.alloc(pageSize);
  const reader = new PageReader();
  database.exec("BEGIN");
  for (let number = 0; number < segment.pageCount; number++) {
    readSync(file, page, 0, pageSize, pageSize * (1 + number));
    reader.open(page);
    while (reader.next()) {
      insert.run(signedOf(reader.high, reader.low), 0);
    }
  }
  database.exec("COMMIT");
  closeSync(file);
  database.close();
}

function signedOf(high: number, low: number): bigint {
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}

/** Every second one exists in the corpus. */
function keyOf(index: number, next: Statement<[bigint], { found: string }>) {
  const random = crypto.getRandomValues(new BigInt64Array(1))[0] ?? 0n;
  const found = index % 2 === 0 ? next.get(random)?.found : undefined;
  const signed = found === undefined ? random : BigInt(found);
  const unsigned = BigInt.asUintN(64, signed);
  return { high: Number(unsigned >> 32n), low: Number(unsigned & 0xffffffffn), signed };
}

/** Row 15. */
async function addToLarge(): Promise<void> {
  const first: number[] = [];
  const small: string[] = [];
  for (let index = 0; index < 10; index++) small.push(await generate("combo", 1_000_000, 100 + index));
  for (let round = 0; round < Math.max(3, roundCount); round++) {
    first.push((await importFile(await newDataDir("first"), small[0] ?? "", "small")).seconds);
  }
  const base = Number(values.base);
  const dataDir = await newDataDir("base");
  const large = await generate("list", Math.ceil(base * 1.6), 7, Math.ceil(base * 1.6));
  await importFile(dataDir, large, "large");
  rmSync(large);
  console.error(`the base holds ${(await statsOf(dataDir)).addresses} addresses`);
  let tenth = 0;
  for (const path of small) tenth = (await importFile(dataDir, path, "small")).seconds;
  add(15, `10th import into ${values.base} addresses / first`, tenth / median(first), 2, 1.2);
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function p99(milliseconds: Float64Array): number {
  return milliseconds.sort()[Math.floor(milliseconds.length * 0.99)] ?? Number.NaN;
}
