import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type ChildRunnerOptions, openChildRunner, runChild } from "../../src/egress/child.ts";
import { leftChildHomes, sweepChildHomes } from "../../src/egress/child-home.ts";
import { isGone } from "../helpers/is-gone.ts";

/** Creates a temporary folder for the test. */
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "child-test-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const environment = { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" };

/** Runs a shell script; `>&3` in it writes to the result channel. */
async function runScript(script: string, changes: Partial<Parameters<typeof runChild>[0]> = {}) {
  const { exitCode, output } = await runChild({
    command: ["/bin/sh", "-c", script],
    stdin: "",
    environment,
    cwd: "/",
    maxOutputBytes: 1024 * 1024,
    signal: AbortSignal.timeout(5_000),
    ...changes,
  });
  return { exitCode, output: Buffer.from(output).toString() };
}

/** Runs a script that writes the ids of its processes to the file `$0`, one per line; aborts after `count` ids. */
async function abortOnceWritten(script: string, count: number): Promise<{ ids: number[]; outcome: unknown }> {
  const file = join(folder(), "ids");
  const abort = new AbortController();
  const outcome = runChild({
    command: ["/bin/sh", "-c", script, file],
    stdin: "",
    environment,
    cwd: "/",
    maxOutputBytes: 1024,
    signal: abort.signal,
  }).catch((error: unknown) => error);
  const ids = () => (existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1).map(Number) : []);
  await expect.poll(() => ids().length, { interval: 5, timeout: 5_000 }).toBe(count);
  abort.abort();
  return { outcome: await outcome, ids: ids() };
}

const isGoneSoon = (id: number) => expect.poll(() => isGone(id), { interval: 5, timeout: 2_000 }).toBe(true);

test("a program gets its input, and its results and exit code come back", async () => {
  expect(await runScript("cat >&3; exit 3", { stdin: "jane.doe@example.com" })).toEqual({
    exitCode: 3,
    output: "jane.doe@example.com",
  });
});

test("results of 8 MB come back whole", async () => {
  const script = "head -c 8388608 /dev/zero | tr '\\0' x >&3";
  const { output } = await runScript(script, { maxOutputBytes: 8 * 1024 * 1024 });
  expect(output).toBe("x".repeat(8 * 1024 * 1024));
});

test("printed output is not a result", async () => {
  expect((await runScript("echo out; echo err >&2; echo result >&3")).output).toBe("result\n");
});

test("a program gets only the given environment", async () => {
  process.env["XPOSE_CANARY"] = "canary";
  onTestFinished(() => void delete process.env["XPOSE_CANARY"]);
  expect((await runScript("cat /proc/$$/environ >&3")).output.split("\0").filter(Boolean).sort()).toEqual([
    "LANG=C.UTF-8",
    "PATH=/usr/bin:/bin",
  ]);
});

test("arguments are never read by a shell", async () => {
  const hostile = "$(touch /tmp/x); `id` | cat";
  const { output } = await runScript("", { command: ["/bin/sh", "-c", 'printf %s "$1" >&3', "sh", hostile] });
  expect(output).toBe(hostile);
});

test("a program that reads no input is not an error", async () => {
  expect(await runScript("exec <&-; echo done >&3", { stdin: "x".repeat(1024 * 1024) })).toEqual({
    exitCode: 0,
    output: "done\n",
  });
});

test("a program that a signal ended has no exit code", async () => {
  expect((await runScript("kill -9 $$")).exitCode).toBeNull();
});

test.each([
  ["not there", "no-such-program"],
  ["not executable", "/etc/passwd"],
  ["no file", "/"],
])("a program that is %s is not installed", async (_what, program) => {
  const outcome = runScript("", { command: [program] });
  await expect(outcome).rejects.toMatchObject({ name: "SourceError", reason: "not_installed" });
});

test("a program that never ends is killed on abort, with all its forks", async () => {
  const script = 'sleep 60 & echo $! >> "$0"; echo $$ >> "$0"; wait';
  const { outcome, ids } = await abortOnceWritten(script, 2);
  expect(outcome).toMatchObject({ name: "SourceError", reason: "timeout" });
  for (const id of ids) await isGoneSoon(id);
});

test("a program that ignores TERM, HUP and INT is killed on abort", async () => {
  const { outcome, ids } = await abortOnceWritten(
    'trap "" TERM HUP INT; echo $$ >> "$0"; while :; do sleep 60; done',
    1,
  );
  expect(outcome).toMatchObject({ reason: "timeout" });
  for (const id of ids) await isGoneSoon(id);
});

test("processes left behind by a program are killed", async () => {
  const { output } = await runScript("sleep 60 & echo $! >&3");
  expect(Number(output)).toBeGreaterThan(1);
  await isGoneSoon(Number(output));
});

test("a process that left the group and holds the result channel is not waited for", async () => {
  const startedAt = performance.now();
  const script = `mkfifo left; setsid sh -c 'echo $$ >&3; echo >left; exec sleep 60' & read _ <left; echo result >&3`;
  const { output } = await runScript(script, { cwd: folder() });
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  const [id, result] = output.split("\n");
  expect(result).toBe("result");
  process.kill(Number(id), "SIGKILL");
});

test("too many results are cut off at the cap, in little memory", async () => {
  Bun.gc(true);
  const startBytes = process.memoryUsage.rss();
  const outcome = runScript("cat /dev/zero >&3");
  await expect(outcome).rejects.toMatchObject({ name: "SourceError", reason: "too_large" });
  expect(process.memoryUsage.rss() - startBytes).toBeLessThan(64 * 1024 * 1024);
});

test("much output on the standard streams changes nothing", async () => {
  const script = "head -c 100000000 /dev/zero; head -c 100000000 /dev/zero >&2; echo result >&3";
  expect((await runScript(script)).output).toBe("result\n");
});

test("with an aborted signal no program is started", async () => {
  const file = join(folder(), "started");
  const outcome = runScript(`touch ${file}`, { signal: AbortSignal.abort() });
  await expect(outcome).rejects.toMatchObject({ reason: "timeout" });
  expect(existsSync(file)).toBe(false);
});

const now = new Date("2026-01-01T00:00:00Z");

function openRunner(options: Partial<ChildRunnerOptions> = {}) {
  const homesIn = folder();
  const runner = openChildRunner({
    path: "/usr/bin:/bin",
    proxy: null,
    noProxy: [],
    extraCa: null,
    homesIn,
    maxConcurrent: 1,
    now: () => now,
    ...options,
  });
  const run = async (script: string, latestStart = now) => {
    const { output } = await runner.run({
      command: ["sh", "-c", script],
      stdin: "",
      maxOutputBytes: 1024,
      latestStart,
      signal: AbortSignal.timeout(5_000),
    });
    return Buffer.from(output).toString();
  };
  return { homesIn, run };
}

test("the home of a program is private, its working folder, and removed afterwards", async () => {
  const { homesIn, run } = openRunner();
  const [home, workingFolder, mode] = (await run('echo "$HOME" >&3; pwd >&3; stat -c %a . >&3; touch left')).split(
    "\n",
  );
  expect(home).toMatch(new RegExp(`^${homesIn}/`));
  expect([workingFolder, mode]).toEqual([home, "700"]);
  expect(readdirSync(homesIn)).toEqual([]);
  expect(statSync(homesIn).isDirectory()).toBe(true);
});

test("the operator's certificates are in the home of a program; without certificates the home is empty", async () => {
  expect(await openRunner({ extraCa: "CERTIFICATES" }).run("cat ca.pem >&3")).toBe("CERTIFICATES");
  expect(await openRunner().run("ls -A >&3")).toBe("");
});

test("the home of a program that fails is removed too", async () => {
  const { homesIn, run } = openRunner();
  await expect(run("touch left; cat /dev/zero >&3")).rejects.toMatchObject({ reason: "too_large" });
  expect(readdirSync(homesIn)).toEqual([]);
});

test.each<[string, Partial<ChildRunnerOptions>, string[]]>([
  ["without a proxy", { noProxy: ["intranet.example"] }, []],
  [
    "with a proxy",
    { proxy: "http://127.0.0.1:3128" },
    ["HTTPS_PROXY=http://127.0.0.1:3128", "HTTP_PROXY=http://127.0.0.1:3128"],
  ],
  [
    "with a proxy and exceptions",
    { proxy: "http://127.0.0.1:3128", noProxy: ["intranet.example", "10.0.0.0/8"] },
    ["HTTPS_PROXY=http://127.0.0.1:3128", "HTTP_PROXY=http://127.0.0.1:3128", "NO_PROXY=intranet.example,10.0.0.0/8"],
  ],
])("%s the environment is PATH, LANG, HOME and the proxy", async (_name, options, proxyVariables) => {
  const variables = (await openRunner(options).run("cat /proc/$$/environ >&3")).split("\0").filter(Boolean).sort();
  expect(variables.map((variable) => variable.replace(/^HOME=.+/, "HOME"))).toEqual(
    ["HOME", "LANG=C.UTF-8", "PATH=/usr/bin:/bin", ...proxyVariables].sort(),
  );
});

test("runs wait for each other", async () => {
  const { homesIn, run } = openRunner();
  const later = new Date(now.getTime() + 5_000);
  // Each run counts the homes that exist while it runs.
  const counts = await Promise.all(Array.from({ length: 5 }, () => run(`ls ${homesIn} | wc -l >&3`, later)));
  expect(counts.map(Number)).toEqual([1, 1, 1, 1, 1]);
});

test("a run that would start too late fails as rate limited, without being started", async () => {
  const { homesIn, run } = openRunner();
  const file = join(folder(), "go");
  const first = run(`while ! [ -e ${file} ]; do sleep 0.01; done; echo first >&3`);
  // Its home is made before it runs, but not at once.
  await expect.poll(() => readdirSync(homesIn).length).toBe(1);
  await expect(run("echo second >&3")).rejects.toMatchObject({ name: "SourceError", reason: "rate_limited" });
  expect(readdirSync(homesIn).length).toBe(1);
  await Bun.write(file, "");
  expect(await first).toBe("first\n");
  expect(await run("echo third >&3")).toBe("third\n");
});

describe("an xpose that is killed", () => {
  const module = join(import.meta.dirname, "../../src/egress/child.ts");

  /** Starts another process that runs a program, which reports its id and waits. */
  async function startOther(homesIn: string) {
    const code = `import { openChildRunner } from ${JSON.stringify(module)};
      const now = () => new Date("2026-01-01T00:00:00Z");
      const homesIn = ${JSON.stringify(homesIn)};
      const runner = openChildRunner({ path: "/usr/bin:/bin", proxy: null, noProxy: [], extraCa: null, homesIn,
        maxConcurrent: 1, now });
      await runner.run({ command: ["sh", "-c", "echo $$ > id; exec sleep 60"], stdin: "", maxOutputBytes: 9,
        latestStart: now(), signal: new AbortController().signal });`;
    const other = Bun.spawn([process.execPath, "-e", code], { stdout: "inherit", stderr: "inherit" });
    const homes = () => readdirSync(homesIn).map((name) => join(homesIn, name));
    const idFile = () =>
      homes()
        .map((home) => join(home, "id"))
        .find((file) => existsSync(file)) ?? "";
    await expect.poll(() => (idFile() === "" ? "" : readFileSync(idFile(), "utf8"))).toMatch(/^\d+\n$/);
    return { other, homes, id: Number(readFileSync(idFile(), "utf8")) };
  }

  test("leaves no program running, and its private home is swept", async () => {
    const homesIn = folder();
    const { other, homes, id } = await startOther(homesIn);
    expect([leftChildHomes(homesIn), sweepChildHomes(homesIn)]).toEqual([[], []]);
    const [home] = homes();
    expect(isGone(id)).toBe(false);
    other.kill("SIGKILL");
    await other.exited;
    await isGoneSoon(id);
    expect([leftChildHomes(homesIn), homes()]).toEqual([[home], [home]]);
    expect([sweepChildHomes(homesIn), homes(), leftChildHomes(homesIn)]).toEqual([[home], [], []]);
  });

  test("a sweep removes only homes, and does nothing for a missing folder", () => {
    const homesIn = folder();
    writeFileSync(join(homesIn, ".bun-0-library.node"), "");
    expect([sweepChildHomes(homesIn), readdirSync(homesIn)]).toEqual([[], [".bun-0-library.node"]]);
    expect(sweepChildHomes(join(homesIn, "missing"))).toEqual([]);
  });
});
