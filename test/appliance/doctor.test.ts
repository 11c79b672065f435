import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";
import { startFaultServer } from "../helpers/fault-server.ts";

type Report = { ok: boolean; checks: { name: string; ok: boolean; message: string }[] };

const names = ["configuration", "data directory", "disk", "clock", "sources", "service"];
/** A library that shifts the clock of a program. */
const clockLibrary = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const isMissing = !existsSync(clockLibrary);
if (isMissing) console.warn("libfaketime is not installed: no clock is moved back");

function configured(appliance: Appliance, text: string): string {
  const file = join(appliance.folder, "xpose.toml");
  writeFileSync(file, `${text}\n`);
  return file;
}

function examine(appliance: Appliance, ...args: string[]) {
  return reportOf(appliance.run(["doctor", "--json", ...args]));
}

function reportOf({ exitCode, stdout }: { exitCode: number | null; stdout: string }) {
  const { ok, checks } = JSON.parse(stdout) as Report;
  expect(checks.map(({ name }) => name)).toEqual(names);
  expect([exitCode, ok]).toEqual(checks.every((check) => check.ok) ? [0, true] : [1, false]);
  return {
    bad: checks.filter((check) => !check.ok).map(({ name }) => name),
    message: (name: string) => checks.find((check) => check.name === name)?.message,
  };
}

describe("doctor", () => {
  test("finds no problem in a new data directory, and prints one line per check", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const { exitCode, stdout } = appliance.run(["doctor"]);
    expect(exitCode).toBe(0);
    expect(stdout.trimEnd().split("\n")).toEqual(names.map((name) => expect.stringMatching(`^ok    ${name}: .`)));
    const { bad, message } = examine(appliance);
    expect(bad).toEqual([]);
    expect(message("service")).toBe("does not run");
  });

  test("asks a running service whether it is ready", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const { url } = await appliance.serve();
    const config = configured(appliance, `[server]\nlisten = "${new URL(url).host}"`);
    const found = reportOf(await appliance.runBeside(["doctor", "--json", "--config", config]));
    expect([found.bad, found.message("service")]).toEqual([[], `ready at ${url}`]);
    const elsewhere = configured(appliance, '[server]\nlisten = "127.0.0.1:9"');
    const lost = reportOf(await appliance.runBeside(["doctor", "--json", "--config", elsewhere]));
    expect([lost.bad, lost.message("service")]).toEqual([[], expect.stringContaining("runs, but does not answer")]);
  });

  test("tells of a proxy that nobody declared", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const service = await appliance.serve();
    const file = configured(appliance, `[server]\nlisten = "${new URL(service.url).host}"`);
    expect(examine(appliance, "--config", file).message("service")).toMatch(/^ready at /);
    await client(service.url, key).enrich("jane.doe@example.com", { "X-Forwarded-For": "192.0.2.7" });
    const { bad, message } = examine(appliance, "--config", file);
    expect(bad).toContain("service");
    expect(message("service")).toContain("server.trusted_proxies");
    expect(service.log()).toContain("server.trusted_proxies does not name");
  });

  test("asks a service on a unix socket", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const listen = `unix:${join(appliance.folder, "xpose.sock")}`;
    await appliance.serve({ args: ["--listen", listen] });
    const config = configured(appliance, `[server]\nlisten = "${listen}"`);
    const { message } = reportOf(await appliance.runBeside(["doctor", "--json", "--config", config]));
    expect(message("service")).toBe(`ready at ${listen}`);
  });

  test("names a wrong setting, and runs all checks that are still possible", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const unreadable = examine(appliance, "--config", configured(appliance, "[cache]\nttl = 5"));
    expect(unreadable.bad).toEqual(names);
    expect(unreadable.message("configuration")).toContain("cache.ttl");
    const keyless = examine(appliance, "--config", configured(appliance, "[sources.hibp]"));
    expect(keyless.bad).toEqual(["configuration", "sources"]);
    expect(keyless.message("configuration")).toContain("sources.hibp.api_key");
    const open = examine(appliance, "--config", configured(appliance, '[server]\nlisten = "0.0.0.0:0"'));
    expect(open.bad).toEqual(["configuration"]);
    expect(open.message("configuration")).toContain("server.insecure_http");
  });

  test("explains problems of the data directory", async () => {
    await using appliance = new Appliance();
    expect(examine(appliance).message("data directory")).toContain("run xpose init");
    appliance.json("init");
    const file = join(appliance.folder, "people.csv");
    writeFileSync(file, "email\njane@example.com\n");
    appliance.json("corpus", "import", file, "--name", "shop");
    expect(examine(appliance).bad).toEqual([]);
    chmodSync(join(appliance.dataDir, "secret.key"), 0o640);
    expect(examine(appliance).message("data directory")).toContain("other users have access to");
    chmodSync(join(appliance.dataDir, "secret.key"), 0o600);
    const corpora = join(appliance.dataDir, "corpora");
    for (const segment of readdirSync(corpora)) rmSync(join(corpora, segment));
    const { bad, message } = examine(appliance);
    expect(bad).toEqual(["data directory", "sources"]);
    expect(message("data directory")).toContain("1 files of corpora are missing");
  });

  test("asks the sources, and names a failing source and a corpus that is left out", async () => {
    await using appliance = new Appliance();
    const upstream = await startFaultServer();
    await using _upstream = { [Symbol.asyncDispose]: () => upstream.close() };
    appliance.json("init");
    const file = join(appliance.folder, "people.csv");
    writeFileSync(file, "email\njane@example.com\n");
    appliance.json("corpus", "import", file, "--name", "shop");
    const source = (name: string, fault: "nothing" | "status_500") =>
      `[[sources.http]]\nname = "${name}"\nurl = "${upstream.url(fault)}?email={email}"\n`;
    const config = configured(appliance, source("shop", "nothing") + source("broken", "status_500"));
    const { bad, message } = reportOf(await appliance.runBeside(["doctor", "--json", "--config", config]));
    expect(bad).toEqual(["sources"]);
    expect(message("sources")).toMatch(/broken: http_5xx: .*the corpus shop is left out/);
  });

  test.skipIf(isMissing)("finds a clock that was moved back", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const env = { LD_PRELOAD: clockLibrary, FAKETIME: "-1h" };
    const { bad, message } = reportOf(appliance.run(["doctor", "--json"], { env }));
    expect(bad).toEqual(["clock"]);
    expect(message("clock")).toContain("the newest event of the audit trail");
  });
});

describe("completion", () => {
  const complete = (appliance: Appliance, ...words: string[]) => {
    const quoted = words.map((word) => `'${word}'`).join(" ");
    const script = `source <(xpose completion bash); COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _xpose; echo "\${COMPREPLY[*]}"`;
    const env = appliance.environment({ PATH: `${appliance.folder}:/usr/bin:/bin` });
    return Bun.spawnSync(["bash", "-c", script], { env }).stdout.toString().trim().split(" ");
  };

  test("in bash offers commands, options and their values", async () => {
    await using appliance = new Appliance();
    expect(complete(appliance, "xpose", "")).toEqual(expect.arrayContaining(["init", "serve", "doctor", "--data-dir"]));
    expect(complete(appliance, "xpose", "--data-dir", "keys", "keys", "r")).toEqual(["rotate", "revoke"]);
    expect(complete(appliance, "xpose", "keys", "create", "--n")).toEqual(["--name"]);
    expect(complete(appliance, "xpose", "workspaces", "create", "--plan", "")).toContain("enterprise");
    expect(complete(appliance, "xpose", "workspaces", "set-plan", "acme", "t")).toEqual(["team"]);
    expect(complete(appliance, "xpose", "keys", "create", "--name", "")).toEqual([""]);
  });

  test("of every shell names every command, and needs no data directory", async () => {
    await using appliance = new Appliance();
    const marks = { bash: "complete -o default -F _xpose xpose", zsh: "#compdef xpose", fish: "complete -c xpose" };
    for (const [shell, mark] of Object.entries(marks)) {
      const { exitCode, stdout } = appliance.run(["completion", shell]);
      expect([exitCode, stdout]).toEqual([0, expect.stringContaining(mark)]);
      for (const command of [" corpus import", " keys rotate", " doctor"]) expect(stdout).toContain(command);
      expect(appliance.json("completion", shell)).toEqual({ shell, script: stdout });
    }
    expect(appliance.run(["completion", "tcsh"]).exitCode).toBe(2);
    expect(appliance.run(["completion"]).exitCode).toBe(2);
  });
});
