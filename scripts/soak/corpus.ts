/**
 * Long checks of the breach corpus:
 *
 *   npm run build && npm run soak:corpus [-- --share 10] [-- --only oracle,kill,flips,secrets,hostile] [-- --seed 1]
 *
 * oracle   10 million look-ups compared with SQLite, over formats, merges, removals and forgotten addresses
 * kill     kill -9 at 100 random moments of imports, merges and removals: the old or the new state, no stray files
 * flips    10,000 flipped bits in a segment: an error or the right answer, never a wrong answer
 * secrets  marked secrets in every column of every format, even with a killed import: stored nowhere
 * hostile  files made to exhaust memory, disk or time: a clear outcome, at most 256 MiB, the old state intact
 *
 * Prints one JSON line per check; exits with 1 when a check failed.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { deflateRawSync, gzipSync, zstdCompressSync } from "node:zlib";
import Database from "better-sqlite3/linux-x64";
import { forgetIndicator } from "../../src/corpus/forget.ts";
import type { FormatName } from "../../src/corpus/formats/format.ts";
import { importCorpus } from "../../src/corpus/import/import.ts";
import { openLibrary } from "../../src/corpus/library.ts";
import { liveSegments, mergeCorpora } from "../../src/corpus/merge-corpora.ts";
import { removeOrphans } from "../../src/corpus/remove-orphans.ts";
import { mergeSegments } from "../../src/corpus/segment/merge.ts";
import { PageReader, pageSize } from "../../src/corpus/segment/page.ts";
import { CorruptSegment, openSegment } from "../../src/corpus/segment/segment.ts";
import { deriveKeys } from "../../src/domain/keyed-hash.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { openInlineLane } from "../../test/helpers/inline-lane.ts";
import { peakMemoryOf } from "../corpus/peak-memory.ts";

const { values } = parseArgs({
  options: {
    share: { type: "string", default: "1" },
    only: { type: "string", default: "oracle,kill,flips,secrets,hostile" },
    seed: { type: "string", default: "1" },
    dir: { type: "string", default: tmpdir() },
  },
});
/** 1 = all of the work, 0.1 = a tenth. */
const scale = 1 / Number(values.share);
const root = join(import.meta.dir, "..", "..");
const xpose = join(root, "dist", "xpose");
const folder = mkdtempSync(join(values.dir, "xpose-soak-"));

/** xorshift32: the same run for the same seed. */
let state = Number(values.seed) >>> 0 || 1;
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}
function pick<Item>(items: readonly Item[]): Item {
  return items[random(items.length)] as Item;
}

function must(isTrue: boolean, what: string): asserts isTrue {
  if (!isTrue) throw new Error(what);
}

// Look-ups against an oracle.

type Draw = { readonly address: string; readonly site: string };

/** How a format writes a record, and the title of its finding; null = the title of the corpus. */
const writers: Readonly<
  Record<string, { head?: string; line: (draw: Draw) => string; title: (name: string, site: string) => string }>
> = {
  combo: { line: ({ address }) => `${address}:pw`, title: (name) => `Present in ${name}` },
  list: { line: ({ address }) => address, title: (name) => `Present in ${name}` },
  ulp: {
    line: ({ address, site }) => `https://${site}/login:${address}:pw`,
    title: (name, site) => `Credentials for ${site} in ${name}`,
  },
  stealer: {
    line: ({ address, site }) => `URL: https://${site}/\nUsername: ${address}\nPassword: pw\n=====`,
    title: (name, site) => `Credentials for ${site} in ${name}`,
  },
  csv: {
    head: "email,title,severity\n",
    line: ({ address, site }) => `${address},About ${site},low`,
    title: (_, site) => `About ${site}`,
  },
  jsonl: {
    line: ({ address, site }) => JSON.stringify({ email: address, title: `About ${site}`, severity: "low" }),
    title: (_, site) => `About ${site}`,
  },
  dehashed: {
    head: "id,email,password,hashed_password,database_name\n",
    line: ({ address, site }) => `1,${address},pw,,${site}`,
    title: (_, site) => `Present in ${site}`,
  },
};

async function oracle(): Promise<object> {
  const population = 300_000;
  const addressOf = (number: number) =>
    `${number % 3 === 0 ? "Ann.Lee" : "bob"}${number}@Example.${pick(["com", "org", "net"])}`;
  const corporaDir = join(folder, "oracle");
  mkdirSync(corporaDir);
  const keys = deriveKeys(Buffer.alloc(32, 5));
  const store = SqliteStore.inMemory(new Uint8Array(32));
  const by = () => ({ at: now(), actor: "cli", ip: null, outcome: "ok", correlationId: null });
  const library = openLibrary(corporaDir, { keys, store });
  const database = new Database(join(folder, "oracle.db"));
  database.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
  database.exec(
    "CREATE TABLE said (address TEXT, corpus TEXT, title TEXT, PRIMARY KEY (address, corpus, title)) WITHOUT ROWID",
  );
  database.exec("CREATE TABLE forgotten (address TEXT PRIMARY KEY)");
  const say = database.prepare<[string, string, string]>("INSERT OR IGNORE INTO said VALUES (?, ?, ?)");
  const unsay = database.prepare<[string]>("DELETE FROM said WHERE address = ?");
  const isForgotten = database.prepare<[string], object>("SELECT 1 FROM forgotten WHERE address = ?");
  const titlesOf = database.prepare<[string, string], { title: string }>(
    "SELECT title FROM said WHERE address = ? AND corpus = ? ORDER BY title",
  );
  const newId = () => crypto.randomUUID();
  const now = () => new Date();
  const { signal } = new AbortController();
  const names = ["one", "two", "three", "four"];
  const wanted = Math.ceil(10_000_000 * scale);
  const roundCount = Math.max(10, Math.ceil(60 * Math.min(1, scale)));
  let lookUpCount = 0;
  let fileCount = 0;
  let mergeCount = 0;
  for (let round = 0; round < roundCount; round++) {
    const name = pick(names);
    const format = pick(Object.keys(writers));
    const writer = writers[format];
    if (writer === undefined) continue;
    const draws = Array.from({ length: 1 + random(20_000) }, () => ({
      address: addressOf(random(population)),
      site: `s${random(3) === 0 ? random(5000) : random(20)}.example`,
    }));
    const path = join(folder, `file${fileCount++}`);
    writeFileSync(path, `${writer.head ?? ""}${draws.map(writer.line).join("\n")}\n`);
    const options = {
      source: { path },
      importer: "soak",
      name,
      scope: null,
      takenNames: new Set<string>(),
      format: format as FormatName,
    };
    await importCorpus(options, {
      store,
      keys,
      corporaDir,
      now,
      newId,
      by,
      openLane: openInlineLane,
      laneCount: 2,
      signal,
    });
    rmSync(path);
    database.exec("BEGIN");
    for (const { address, site } of draws) {
      const canonical = address.toLowerCase();
      if (isForgotten.get(canonical) === undefined) say.run(canonical, name, writer.title(name, site));
    }
    for (let count = random(20); count > 0; count--) {
      const value = addressOf(random(population)).toLowerCase();
      await forgetIndicator({ type: "email", value }, { store, keys, by: by() });
      database.prepare("INSERT OR IGNORE INTO forgotten VALUES (?)").run(value);
      unsay.run(value);
    }
    if (random(12) === 0) {
      const gone = pick(names);
      await store.removeCorpus(gone, newId(), by());
      database.prepare("DELETE FROM said WHERE corpus = ?").run(gone);
    }
    database.exec("COMMIT");
    if (random(3) === 0)
      mergeCount += await mergeCorpora({ store, keys, corporaDir, newId, run: mergeSegments, signal }, "idle");
    const corpora = await store.listCorpora();
    library.closeUnlisted(corpora);
    await removeOrphans(corporaDir, new Set((await liveSegments(store)).map(({ file }) => file)));
    for (let left = Math.ceil(wanted / roundCount / Math.max(1, corpora.length)); left > 0; left--) {
      // A third of the requested addresses was never imported.
      const value = addressOf(random(Math.floor(population * 1.5))).toLowerCase();
      for (const corpus of corpora) {
        const findings = await library.lookup(corpus, { type: "email", value }, signal);
        // A combo list and a list in the same corpus give the same title in two categories.
        const found = [...new Set(findings.map(({ title }) => title))].sort();
        const said = titlesOf
          .all(value, corpus.name)
          .map(({ title }) => title)
          .sort();
        must(
          found.join("\n") === said.join("\n"),
          `a difference in round ${round}: ${found.length} instead of ${said.length}`,
        );
        lookUpCount++;
      }
    }
  }
  await library.close();
  store.close();
  database.close();
  return { lookUps: lookUpCount, imports: fileCount, mergedSegments: mergeCount, differences: 0 };
}

// Kills.

type Stats = { addresses: number; records: number; segments: { file: string; bytes: number }[] };

function run(args: string[], dataDir: string) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([xpose, ...args, "--data-dir", dataDir], {
    stdin: "ignore",
    env: environment(dataDir),
  });
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

async function runWatched(args: string[], dataDir: string, stdin: ReadableStream<Uint8Array> | null) {
  const child = Bun.spawn([xpose, ...args, "--data-dir", dataDir], {
    stdin: stdin ?? "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: environment(dataDir),
  });
  const [peakBytes, stdout, stderr] = await Promise.all([
    peakMemoryOf(child),
    child.stdout.text(),
    child.stderr.text(),
  ]);
  return { exitCode: await child.exited, stdout, stderr, peakBytes };
}

/** Temporary files of the process go to a folder that can be inspected. */
function environment(dataDir: string): Record<string, string> {
  const temporary = `${dataDir}.tmp`;
  mkdirSync(temporary, { recursive: true });
  return { PATH: process.env["PATH"] ?? "", TMPDIR: temporary, BUN_TMPDIR: temporary };
}

function newDataDir(name: string): string {
  const dataDir = join(folder, name);
  must(run(["init"], dataDir).exitCode === 0, "init failed");
  return dataDir;
}

function statsOf(dataDir: string): Stats {
  return JSON.parse(run(["corpus", "stats", "--json"], dataDir).stdout) as Stats;
}

function listOf(dataDir: string): { name: string; records: number }[] {
  return JSON.parse(run(["corpus", "list", "--json"], dataDir).stdout) as { name: string; records: number }[];
}

/** Starts a command and kills it after some milliseconds; true when it was still running. */
async function killAfter(args: string[], dataDir: string, milliseconds: number): Promise<boolean> {
  const child = Bun.spawn([xpose, ...args, "--data-dir", dataDir], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    env: environment(dataDir),
  });
  await Bun.sleep(milliseconds);
  const isRunning = child.exitCode === null;
  child.kill("SIGKILL");
  await child.exited;
  return isRunning;
}

async function kill(): Promise<object> {
  const dataDir = newDataDir("kill");
  const text = join(folder, "kill.txt");
  const lines = Array.from(
    { length: 400_000 },
    (_, index) => `https://s${index % 999}.example/:u${index}@example.com:pw`,
  );
  writeFileSync(text, lines.join("\n"));
  const tiny = join(folder, "tiny.txt");
  writeFileSync(tiny, "tiny@example.com:pw\n");
  const count = Math.ceil(100 * scale);
  const killed = { import: 0, merge: 0, remove: 0 };
  for (let at = 0; at < count; at++) {
    const kind = at % 3;
    if (kind === 0) {
      if (await killAfter(["corpus", "import", text, "--name", "large"], dataDir, 20 + random(1500))) killed.import++;
    } else if (kind === 1) {
      // Eight small segments are live, so the ninth makes the command merge.
      for (let index = 0; index < 8; index++) {
        writeFileSync(tiny, `tiny${at}-${index}@example.com:pw\n`);
        run(["corpus", "import", tiny, "--name", `m${at}`], dataDir);
      }
      writeFileSync(tiny, `tiny${at}-last@example.com:pw\n`);
      if (await killAfter(["corpus", "import", tiny, "--name", `m${at}`], dataDir, 40 + random(300))) killed.merge++;
    } else if (await killAfter(["corpus", "remove", "large"], dataDir, 10 + random(200))) killed.remove++;
    const verified = run(["corpus", "verify"], dataDir);
    must(verified.exitCode === 0, `after kill ${at}: ${verified.stdout}${verified.stderr}`);
    for (const { name, records } of listOf(dataDir)) {
      must(name !== "large" || records === lines.length, `after kill ${at} a part of an import is there`);
      must(
        !name.startsWith("m") || records >= 8 || Number(name.slice(1)) < at,
        `after kill ${at} a merge lost records`,
      );
    }
    // The next import sweeps at its start.
    writeFileSync(tiny, `sweep${at}@example.com:pw\n`);
    must(
      run(["corpus", "import", tiny, "--name", "sweep"], dataDir).exitCode === 0,
      "the import after the kill failed",
    );
    const files = readdirSync(join(dataDir, "corpora")).sort();
    const live = statsOf(dataDir)
      .segments.map(({ file }) => file)
      .sort();
    must(
      files.join() === live.join(),
      `after kill ${at} there are stray files: ${files.length} instead of ${live.length}`,
    );
  }
  return { kills: count, whileRunning: killed };
}

// Flipped bits.

async function flips(): Promise<object> {
  const dataDir = newDataDir("flips");
  const text = join(folder, "flips.txt");
  const lines = Array.from(
    { length: 20_000 },
    (_, index) => `https://s${index % 300}.example/:u${index % 9000}@example.com:pw`,
  );
  writeFileSync(text, lines.join("\n"));
  must(run(["corpus", "import", text, "--name", "leak"], dataDir).exitCode === 0, "the import failed");
  const path = join(dataDir, "corpora", statsOf(dataDir).segments[0]?.file ?? "");
  const keys = deriveKeys(Buffer.from(readFileSync(join(dataDir, "secret.key"), "utf8").trim(), "hex"));
  const bytes = readFileSync(path);
  const original = await openSegment(path, keys);
  const known = new Map<string, string>();
  const perPage = new Map<number, { high: number; low: number }[]>();
  const reader = new PageReader();
  for (let number = 0; number < original.pageCount; number++) {
    reader.open(bytes.subarray(pageSize * (1 + number), pageSize * (2 + number)));
    const found: { high: number; low: number }[] = [];
    while (reader.next()) {
      found.push({ high: reader.high, low: reader.low });
      const { ids } = await original.find(reader, 1000);
      known.set(`${reader.high} ${reader.low}`, (await original.templatesOf(ids)).join("\n"));
    }
    perPage.set(number, found);
  }
  original.close();
  const count = Math.ceil(10_000 * scale);
  let detected = 0;
  for (let at = 0; at < count; at++) {
    const offset = random(bytes.length);
    const file = openSync(path, "r+");
    writeSync(file, Buffer.from([(bytes[offset] ?? 0) ^ (1 << random(8))]), 0, 1, offset);
    const verified = await openSegment(path, keys)
      .then(async (segment) => {
        // Keys of the damaged page and of another page.
        const number = Math.floor(offset / pageSize) - 1;
        for (const key of [
          ...(perPage.get(number) ?? []).slice(0, 3),
          ...(perPage.get(random(perPage.size)) ?? []).slice(0, 1),
        ]) {
          const answer = await segment
            .find(key, 1000)
            .then(({ ids }) => segment.templatesOf(ids))
            .catch((error: unknown) => error);
          if (answer instanceof CorruptSegment) continue;
          must(
            Array.isArray(answer) && answer.join("\n") === known.get(`${key.high} ${key.low}`),
            `a wrong answer at ${offset}`,
          );
        }
        await segment.verify(() => undefined).finally(() => segment.close());
        return true;
      })
      .catch((error: unknown) => {
        if (error instanceof CorruptSegment) return false;
        throw error;
      });
    if (!verified) detected++;
    writeSync(file, bytes.subarray(offset, offset + 1), 0, 1, offset);
    closeSync(file);
  }
  must(detected === count, `${count - detected} flips were not noticed`);
  return { flips: count, detected, wrongAnswers: 0 };
}

// Secrets.

async function secrets(): Promise<object> {
  const marker = "Canary7Secret";
  const hash = createHash("md5").update(marker).digest("hex");
  const address = (index: number) => `canary.person${index}@example.com`;
  const files: Readonly<Record<string, (index: number) => string>> = {
    combo: (index) => `${address(index)}:${marker}`,
    list: (index) => address(index),
    ulp: (index) => `https://shop.example/${marker}:${address(index)}:${marker}`,
    stealer: (index) =>
      `URL: https://shop.example/${marker}\nUsername: ${address(index)}\nPassword: ${marker}\nStorage: ${marker}\n===`,
    csv: (index) => `${address(index)},${marker},${hash},${marker},${marker}`,
    jsonl: (index) =>
      JSON.stringify({ email: address(index), password: marker, name: marker, nested: { phone: marker } }),
    dehashed: (index) => `${marker},${address(index)},${marker},${marker},${hash},${marker},,${marker},${marker},Shop`,
    "hibp-domain": (index) => `"canary.person${index}":["Adobe"],`,
  };
  const heads: Readonly<Record<string, string>> = {
    csv: "email,password,hash,name,phone\n",
    dehashed: "id,email,ip_address,username,hashed_password,password,vin,name,phone,database_name\n",
    "hibp-domain": "{",
  };
  let searchedCount = 0;
  for (const [format, line] of Object.entries(files)) {
    // The file of a domain is named after the domain, and its keys are local parts.
    const path = join(folder, format === "hibp-domain" ? "example.com.json" : `secrets-${format}`);
    const tail = format === "hibp-domain" ? `"last":["Adobe"]}` : "";
    const text = Array.from({ length: 150_000 }, (_, index) => line(index)).join("\n");
    writeFileSync(path, `${heads[format] ?? ""}${text}\n${tail}`);
    const dataDir = newDataDir(`secrets-${format}-data`);
    const logs: string[] = [];
    for (const delay of [100, 300, 600]) {
      await killAfter(["corpus", "import", path, "--name", "leak", "--format", format], dataDir, delay);
      searchedCount += mustNotHold(dataDir, marker, hash);
    }
    const imported = run(["corpus", "import", path, "--name", "leak", "--format", format], dataDir);
    must(imported.exitCode === 0, `${format}: ${imported.stderr.slice(-300)}`);
    logs.push(imported.stdout, imported.stderr, run(["corpus", "list", "--json"], dataDir).stdout);
    logs.push(run(["corpus", "forget", address(1)], dataDir).stdout, run(["corpus", "verify"], dataDir).stdout);
    for (const text of logs) must(!isMarked(text, marker, hash), `${format}: a secret was printed`);
    searchedCount += mustNotHold(dataDir, marker, hash);
    rmSync(path);
  }
  return { formats: Object.keys(files).length, filesSearched: searchedCount, found: 0 };
}

function isMarked(text: string, marker: string, hash: string): boolean {
  const folded = text.toLowerCase();
  return [marker.toLowerCase(), hash, "canary.person"].some((secret) => folded.includes(secret));
}

function mustNotHold(dataDir: string, marker: string, hash: string): number {
  let count = 0;
  for (const place of [dataDir, `${dataDir}.tmp`]) {
    for (const name of readdirSync(place, { recursive: true, encoding: "utf8" })) {
      try {
        // The runtime unpacks this library; it contains no data of ours.
        if (name.includes(".bun-")) continue;
        must(!isMarked(readFileSync(join(place, name)).toString("latin1"), marker, hash), `a secret is in ${name}`);
        count++;
      } catch (error) {
        if (!(error instanceof Error && "code" in error)) throw error;
      }
    }
  }
  return count;
}

// Hostile files.

async function hostile(): Promise<object> {
  const dataDir = newDataDir("hostile");
  const good = join(folder, "good.txt");
  writeFileSync(good, "jane.doe@example.com:pw\n");
  must(run(["corpus", "import", good, "--name", "good"], dataDir).exitCode === 0, "the good import failed");
  const before = JSON.stringify(statsOf(dataDir));
  const outcomes: Record<string, string> = {};
  let peakBytes = 0;
  const bytes = (name: string, content: Uint8Array | string) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const shell = (name: string, script: string) => {
    const path = join(folder, name);
    must(Bun.spawnSync(["sh", "-c", `${script} > '${path}'`]).success, `${name} could not be made`);
    return path;
  };
  const fifo = () => {
    const path = join(folder, "fifo");
    Bun.spawnSync(["mkfifo", path]);
    return path;
  };
  const size = Math.ceil(1000 * Math.max(0.05, scale));
  const line = "u1@example.com:pw\n";
  const refusedFiles: [string, () => string][] = [
    ["a line of 1 GB", () => shell("line", `head -c ${size}000000 /dev/zero | tr '\\0' x`)],
    ["NULs", () => shell("nuls", `head -c ${size}000000 /dev/zero`)],
    ["a FIFO", fifo],
    ["a device", () => "/dev/zero"],
    ["a cut .gz", () => bytes("cut.gz", gzipSync(line.repeat(100_000)).subarray(0, 500))],
    [
      "a wrong .zst frame",
      () => bytes("bad.zst", Buffer.concat([zstdCompressSync(line).subarray(0, 12), Buffer.alloc(99, 7)])),
    ],
    ["a .zip with ../", () => bytes("out.zip", zipOf("../a.txt", Buffer.from(line)))],
    ["a .zip bomb", () => bytes("bomb.zip", zipOf("a.txt", Buffer.alloc(size << 20, `${"x".repeat(1023)}\n`)))],
    [
      "a .gz bomb without records",
      () =>
        bytes(
          "bomb.gz",
          Buffer.concat(Array(Math.ceil(size / 8)).fill(gzipSync(Buffer.alloc(8 << 20, `${"x".repeat(1023)}\n`)))),
        ),
    ],
  ];
  for (const [what, make] of refusedFiles) {
    const path = make();
    const args = ["corpus", "import", path, "--name", "bad", "--format", "combo"];
    const { exitCode, stderr, peakBytes: peak } = await runWatched(args, dataDir, null);
    if (!path.startsWith("/dev/")) rmSync(path);
    outcomes[what] = stderr.trim().split("\n").at(-1) ?? "";
    must(exitCode === 1, `${what}: exit ${exitCode}`);
    must(JSON.stringify(statsOf(dataDir)) === before, `${what}: the state changed`);
    peakBytes = Math.max(peakBytes, peak);
  }
  const loop = join(folder, "loop");
  mkdirSync(loop);
  writeFileSync(join(loop, "a.txt"), line);
  Bun.spawnSync(["ln", "-s", loop, join(loop, "again")]);
  must(
    run(["corpus", "import", loop, "--name", "loop"], dataDir).exitCode === 0,
    "a folder with a loop of links failed",
  );
  must(run(["corpus", "remove", "loop"], dataDir).exitCode === 0, "it could not be removed");
  const lineCount = Math.ceil(50_000_000 * scale);
  const lines = Bun.spawn(["sh", "-c", `yes u1@example.com:pw | head -n ${lineCount}`], { stdout: "pipe" });
  const same = await runWatched(["corpus", "import", "-", "--name", "same", "--json"], dataDir, lines.stdout);
  must(same.exitCode === 0, "identical lines failed");
  const report = JSON.parse(same.stdout) as { read: number; imported: number };
  must(report.read === lineCount && report.imported === 1, `identical lines: ${same.stdout}`);
  peakBytes = Math.max(peakBytes, same.peakBytes);
  must(peakBytes < 256 * 2 ** 20, `the peak of memory was ${peakBytes} bytes`);
  return { outcomes, identicalLines: lineCount, peakMemoryMib: Math.round(peakBytes / 2 ** 20) };
}

/** A .zip archive with one deflated file and no checksum: it is refused before the checksum matters. */
function zipOf(name: string, content: Buffer): Buffer {
  const packed = deflateRawSync(content);
  const shared = Buffer.alloc(26);
  shared.writeUInt16LE(20, 0);
  shared.writeUInt16LE(8, 4);
  shared.writeUInt32LE(packed.length, 14);
  shared.writeUInt32LE(content.length, 18);
  shared.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), shared, Buffer.from(name), packed]);
  const central = Buffer.concat([
    Buffer.from("PK\x01\x02\x14\x00", "latin1"),
    shared,
    Buffer.alloc(14),
    Buffer.from(name),
  ]);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}

const checks: Readonly<Record<string, () => Promise<object>>> = { oracle, kill, flips, secrets, hostile };
try {
  for (const name of values.only.split(",")) {
    const startedAt = performance.now();
    try {
      const result = await checks[name]?.();
      console.log(
        JSON.stringify({
          check: name,
          ok: true,
          ...result,
          seconds: Math.round((performance.now() - startedAt) / 1000),
        }),
      );
    } catch (error) {
      console.log(
        JSON.stringify({ check: name, ok: false, error: error instanceof Error ? error.message : String(error) }),
      );
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
