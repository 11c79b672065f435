import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { peakMemoryOf } from "../../scripts/corpus/peak-memory.ts";
import { Appliance, client } from "../helpers/appliance.ts";

type Stats = { addresses: number; records: number; segments: { file: string }[] };
type Listed = { name: string; records: number };

function textOf(count: number, line: (index: number) => string): string {
  return `${Array.from({ length: count }, (_, index) => line(index)).join("\n")}\n`;
}

function fileOf(appliance: Appliance, name: string, content: string | Uint8Array): string {
  const path = join(appliance.folder, name);
  writeFileSync(path, content);
  return path;
}

/** Starts a command; `stdin` is what it can read before the standard input stays silent or ends. */
function spawn(appliance: Appliance, args: readonly string[], stdin: ReadableStream<Uint8Array> | "ignore" = "ignore") {
  const command = [appliance.executable, ...args, "--data-dir", appliance.dataDir];
  return Bun.spawn(command, { env: appliance.environment(), stdin, stdout: "pipe", stderr: "pipe" });
}

function streamOf(bytes: string | Uint8Array, isEnding: boolean): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from(bytes));
      if (isEnding) controller.close();
    },
  });
}

/** Linux 6.12 and later: a thread may ask for slices of its own length (sched_setattr(2)). */
const hasSlices = Bun.semver.satisfies(/^[\d.]+\d/.exec(release())?.[0] ?? "", ">=6.12.0");

/** Name, nice value (proc_pid_stat(5), field 19) and slice in ns of each thread; the slice is null if unknown. */
function schedulingOf(pid: number): { name: string; nice: number; sliceNs: number | null }[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => {
    const folder = `/proc/${pid}/task/${id}`;
    const name = readFileSync(join(folder, "comm"), "utf8").trim();
    const nice = Number(readFileSync(join(folder, "stat"), "utf8").split(") ").at(-1)?.split(" ")[16]);
    const details = existsSync(join(folder, "sched")) ? readFileSync(join(folder, "sched"), "utf8") : "";
    const slice = /^se\.slice\s*:\s*(\d+)$/m.exec(details)?.[1];
    return { name, nice, sliceNs: slice === undefined ? null : Number(slice) };
  });
}

/** Expects the folder of the corpora to hold exactly the live segments. */
function expectNoStrayFile(appliance: Appliance): void {
  const live = appliance.json<Stats>("corpus", "stats").segments.map(({ file }) => file);
  expect(readdirSync(join(appliance.dataDir, "corpora")).sort()).toEqual(live.sort());
}

test("a kill -9 at any moment of an import or removal leaves the old or new state, and no orphaned file", async () => {
  await using appliance = new Appliance();
  appliance.json("init");
  const count = 300_000;
  const large = fileOf(
    appliance,
    "large.txt",
    textOf(count, (index) => `https://s${index % 99}.example/:u${index}@example.com:pw`),
  );
  for (let round = 0; round < 10; round++) {
    const isImport = round % 3 !== 2;
    const args = isImport ? ["import", large, "--name", "large"] : ["remove", "large"];
    const child = spawn(appliance, ["corpus", ...args]);
    await Bun.sleep(isImport ? 60 * (1 + round) : 20 * round);
    child.kill("SIGKILL");
    await child.exited;
    expect(appliance.json("corpus", "verify")).toMatchObject({ ok: true });
    const listed = appliance.json<Listed[]>("corpus", "list").find(({ name }) => name === "large");
    expect([undefined, count]).toContain(listed?.records);
    const tiny = fileOf(appliance, "tiny.txt", `tiny${round}@example.com:pw\n`);
    appliance.json("corpus", "import", tiny, "--name", "tiny");
    expectNoStrayFile(appliance);
  }
}, 120_000);

test.each(["SIGINT", "SIGTERM"] as const)("%s in the middle of an import leaves nothing", async (signal) => {
  await using appliance = new Appliance();
  appliance.json("init");
  const text = textOf(200_000, (index) => `u${index}@example.com:pw`);
  const child = spawn(appliance, ["corpus", "import", "-", "--name", "leak"], streamOf(text, false));
  await Bun.sleep(500);
  // The import runs with low priority, so that hits of a service on the same machine come first.
  const [main, ...threads] = schedulingOf(child.pid);
  const workers = threads.filter(({ name }) => name === "Worker");
  expect(workers.length).toBeGreaterThan(0);
  for (const thread of [main, ...workers]) {
    expect(thread?.nice).toBeGreaterThan(0);
    if (hasSlices && thread?.sliceNs !== null) expect(thread?.sliceNs).toBe(100_000);
  }
  child.kill(signal);
  expect(await child.exited).toBe(1);
  expect(readdirSync(join(appliance.dataDir, "corpora"))).toEqual([]);
  expect(appliance.json("corpus", "list")).toEqual([]);
});

test("the service merges in the background, and look-ups before, during and after return the same", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  for (let index = 0; index < 6; index++) {
    const text = textOf(2000, (number) => `u${number}@example.com:pw${index}`);
    appliance.json("corpus", "import", fileOf(appliance, `${index}.txt`, text), "--name", `leak${index}`);
  }
  expect(appliance.json<Stats>("corpus", "stats").segments).toHaveLength(6);
  const service = await appliance.serve();
  const api = client(service.url, key);
  for (let index = 0; ; index++) {
    const response = await api.enrich(`u${index}@example.com`, { Prefer: "wait=10" });
    expect(await response.json()).toMatchObject({ status: "completed", exposure: { total: 6 } });
    if (service.log().includes("corpus segments merged")) break;
    expect(index).toBeLessThan(1900);
  }
  expect(appliance.json<Stats>("corpus", "stats").segments).toHaveLength(1);
  const after = await api.enrich("u1999@example.com", { Prefer: "wait=10" });
  expect(await after.json()).toMatchObject({ exposure: { total: 6 } });
  expectNoStrayFile(appliance);
  service.kill("SIGTERM");
  expect(await service.exited).toBe(0);
  expect(service.log()).not.toMatch(/"level":"(?:error|fatal)"/);
}, 60_000);

test("a scan of a forgotten address is gone for every caller while the service runs", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const file = fileOf(appliance, "leak.txt", "jane.doe@example.com:pw\njohn@example.org:pw\n");
  appliance.json("corpus", "import", file, "--name", "leak");
  const service = await appliance.serve();
  const api = client(service.url, key);
  const { request_id } = (await (await api.enrich("jane.doe@example.com")).json()) as { request_id: string };
  await api.settle(request_id);
  expect(appliance.json("corpus", "forget", "JANE.DOE@example.com")).toEqual({ forgotten: true });
  // The files do not hold it either, not even the free pages and the log of the database.
  const found = Bun.spawnSync(["grep", "-rla", "jane.doe", appliance.dataDir]);
  expect(found.stdout.toString()).toBe("");
  expect((await api.get(`/api/v1/soc/enrich/${request_id}`)).status).toBe(404);
  const again = await api.enrich("jane.doe@example.com", { Prefer: "wait=10" });
  expect(await again.json()).toMatchObject({ exposure: { total: 0 } });
  const other = await api.enrich("john@example.org", { Prefer: "wait=10" });
  expect(await other.json()).toMatchObject({ exposure: { total: 1 } });
});

describe("marked secrets", () => {
  const marker = "Canary7Secret";
  const address = (index: number) => `canary.person${index}@example.com`;
  const lines: [string, string, (index: number) => string][] = [
    ["combo", "", (index) => `${address(index)}:${marker}`],
    ["ulp", "", (index) => `https://shop.example/${marker}:${address(index)}:${marker}`],
    [
      "stealer",
      "",
      (index) => `URL: https://s.example/${marker}\nUsername: ${address(index)}\nPassword: ${marker}\n===`,
    ],
    ["csv", "email,password,name,phone\n", (index) => `${address(index)},${marker},${marker},${marker}`],
    ["jsonl", "", (index) => JSON.stringify({ email: address(index), password: marker, nested: { name: marker } })],
  ];

  test.each(lines)("of a %s file are nowhere, also when the import is killed", async (format, head, line) => {
    await using appliance = new Appliance();
    appliance.json("init");
    const path = fileOf(appliance, "leak", `${head}${textOf(60_000, line)}`);
    const temporary = join(appliance.folder, "temporary");
    mkdirSync(temporary);
    const args = ["corpus", "import", path, "--name", "leak", "--format", format, "--data-dir", appliance.dataDir];
    const env = appliance.environment({ TMPDIR: temporary, BUN_TMPDIR: temporary });
    const search = () =>
      Bun.spawnSync(["grep", "-rliaE", `${marker}|canary.person`, appliance.dataDir, temporary]).stdout.toString();
    const killed = Bun.spawn([appliance.executable, ...args], { env, stdout: "ignore", stderr: "ignore" });
    await Bun.sleep(250);
    killed.kill("SIGKILL");
    await killed.exited;
    expect(search()).toBe("");
    const { success, stdout, stderr } = Bun.spawnSync([appliance.executable, ...args], { env });
    expect(success).toBe(true);
    expect(`${stdout}${stderr}`).not.toMatch(/canary/i);
    expect(search()).toBe("");
  });
});

test("a million lines through the standard input take less than 256 MiB and report their progress", async () => {
  await using appliance = new Appliance();
  appliance.json("init");
  const text = textOf(1_000_000, (index) => `u${index}@example.com:secret${index}`);
  const input = streamOf(zstdCompressSync(text), true);
  const child = spawn(appliance, ["corpus", "import", "-", "--name", "leak", "--json"], input);
  const [stdout, stderr, peakBytes] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    peakMemoryOf(child),
  ]);
  expect(await child.exited).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ read: 1_000_000, imported: 1_000_000, skipped: {} });
  const progress = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(progress.at(-1)).toMatchObject({ read: 1_000_000, bytes_total: null, records_per_second: expect.any(Number) });
  expect(peakBytes).toBeGreaterThan(2 ** 20);
  expect(peakBytes).toBeLessThan(256 * 2 ** 20);
  expect(
    readFileSync(join(appliance.dataDir, "corpora", readdirSync(join(appliance.dataDir, "corpora"))[0] ?? "")).length,
  ).toBeLessThan(7_000_000);
});

test("ten million records through a pipe stay within the bounds of memory and size", () => {
  const script = join(import.meta.dirname, "../../scripts/corpus/large-import.ts");
  const run = Bun.spawnSync([process.execPath, script, "--records", "10000000"]);
  const result = JSON.parse(run.stdout.toString()) as Record<string, number>;
  // The rates are printed too, but on a shared machine they depend mostly on the machine.
  expect(result).toMatchObject({ records: 10_000_000, addresses: 3_866_188 });
  expect(result["peak_memory_mib"]).toBeLessThan(256);
  expect(result["to_entropy_of_keys"]).toBeLessThan(1.15);
}, 180_000);
