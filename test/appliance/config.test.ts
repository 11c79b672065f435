import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ConfigReport, SettingList } from "../../src/wire/config.ts";
import { Appliance } from "../helpers/appliance.ts";
import { createAuthority } from "../helpers/certificates.ts";
import { openDatagramReceiver } from "../helpers/datagram-receiver.ts";
import { writeTlsConfig } from "../helpers/write-tls-config.ts";

function written(appliance: Appliance, text: string, name = "xpose.toml"): string {
  const file = join(appliance.folder, name);
  writeFileSync(file, `${text}\n`);
  return file;
}

const broken = `
[server]
listen = "0.0.0.0:8080"
tls_cert = "/nowhere/cert.pem"
tls_key = "/nowhere/key.pem"
[cache]
ttl = "1 day"
tll = 3
[outbound]
ca_file = "/nowhere/ca.pem"
[sources.misp]
base_url = "http://misp.example.com"
api_key_file = "/nowhere/key"
[[sources.http]]
name = "desk"
url = "https://desk.example.com/lookup"
headers = { "X-Token" = "canary" }
`;

describe("config check", () => {
  test("names every fault of file, environment, secrets, certificates and sources in one line each, and ends with 2", async () => {
    await using appliance = new Appliance();
    const args = ["config", "check", "--config", written(appliance, broken)];
    const env = { XPOSE_SCAN_CONCURRENCY: "many", NODE_OPTIONS: "--inspect", XPOSE_SECRET_FILE: "/nowhere/secret" };
    const { exitCode, stdout, stderr } = appliance.run(args, { env });
    expect(exitCode).toBe(2);
    const keys = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(": ")[0]);
    expect(keys).toEqual([
      "cache.ttl",
      "cache.tll",
      "scan.concurrency (from XPOSE_SCAN_CONCURRENCY)",
      "sources.misp.base_url",
      "sources.misp.api_key_file",
      "sources.http.desk.url",
      "NODE_OPTIONS",
      "secret_file",
      "server.tls_cert",
      "server.tls_key",
      "outbound.ca_file",
    ]);
    expect(stderr).toContain("faults: 11");
    expect(stdout + stderr).not.toContain("canary");
    const report = JSON.parse(appliance.run([...args, "--json"], { env }).stdout) as ConfigReport;
    expect([report.ok, report.faults]).toEqual([false, stdout.trimEnd().split("\n")]);
  });

  test("takes a configuration that serve takes, before and after init, and tells of variables without a meaning", async () => {
    await using appliance = new Appliance();
    const args = ["config", "check", "--config", written(appliance, '[server]\nlisten = "127.0.0.1:0"')];
    const env = { XPOSE_CASH_TTL: "1h" };
    const { exitCode, stdout, stderr } = appliance.run(args, { env });
    expect([exitCode, stdout]).toEqual([0, "The configuration can be used.\n"]);
    expect(stderr).toContain("XPOSE_CASH_TTL");
    appliance.json("init");
    expect(appliance.json("config", "check")).toEqual({ ok: true, faults: [], warnings: [] });
    writeFileSync(join(appliance.dataDir, "secret.key"), "no secret");
    expect(appliance.run(["config", "check"])).toMatchObject({
      exitCode: 2,
      stdout: expect.stringMatching(/^secret_file: /),
    });
  });

  test("finds a key of another certificate and a certificate that has ended", async () => {
    await using appliance = new Appliance();
    const authority = createAuthority("config check");
    const [old, other] = [authority.issue(["IP:127.0.0.1"], { isExpired: true }), authority.issue(["IP:127.0.0.1"])];
    const args = writeTlsConfig(appliance.folder, { cert: old.cert, key: other.key });
    const { exitCode, stdout } = appliance.run(["config", "check", ...args]);
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(
      /^server\.tls_key: .*private key of the certificate.*\nserver\.tls_cert: the certificate expired at /,
    );
  });

  test.skipIf(process.getuid?.() !== 0)(
    "run by root, finds a file that the user of the service cannot read",
    async () => {
      await using appliance = new Appliance();
      chmodSync(appliance.folder, 0o755);
      mkdirSync(appliance.dataDir);
      Bun.spawnSync(["chown", "nobody", appliance.dataDir]);
      const file = written(appliance, "offline = true");
      chmodSync(file, 0o600);
      const { exitCode, stdout } = appliance.run(["config", "check", "--config", file]);
      expect([exitCode, stdout]).toEqual([2, expect.stringContaining("cannot be read by user")]);
      chmodSync(file, 0o644);
      expect(appliance.run(["config", "check", "--config", file]).exitCode).toBe(0);
    },
  );
});

describe("config show", () => {
  test("prints every setting with its value and where it comes from, and no secret", async () => {
    await using appliance = new Appliance();
    const file = written(
      appliance,
      '[server]\nhostnames = ["soc.example.com"]\n[outbound]\nproxy = "http://user:canary@proxy.example.com:3128"\n' +
        '[sources.hibp]\napi_key = "canary"\nrate = "5/1m"\nheaders = { "X-Token" = "canary" }\n' +
        '[[sources.http]]\nname = "desk"\nurl = "https://desk.example.com/{email}?key=canary"',
    );
    const args = ["config", "show", "--config", file];
    const env = { XPOSE_CACHE_TTL: "2h" };
    const shown = JSON.parse(appliance.run([...args, "--json"], { env }).stdout) as SettingList;
    const of = (key: string) => shown.filter((setting) => setting.key === key).map(({ value, from }) => [value, from]);
    expect(of("data_dir")).toEqual([[appliance.dataDir, "--data-dir"]]);
    expect(of("secret_file")).toEqual([[join(appliance.dataDir, "secret.key"), "default"]]);
    expect(of("cache.ttl")).toEqual([["2h", "XPOSE_CACHE_TTL"]]);
    expect(of("cache.partial_ttl")).toEqual([["15m", "default"]]);
    expect(of("server.hostnames")).toEqual([[["soc.example.com"], file]]);
    expect(of("outbound.proxy")).toEqual([["http://proxy.example.com:3128", file]]);
    expect(of("sources.hibp.api_key")).toEqual([["(hidden)", file]]);
    expect(of("sources.hibp.rate")).toEqual([["5/1m", file]]);
    expect(of("sources.hibp.base_url")).toEqual([[expect.stringMatching(/^https:/), "default"]]);
    expect(of("sources.http.desk.timeout")).toEqual([[expect.stringMatching(/^\d+[smhd]$/), "default"]]);
    const table = appliance.run(args, { env });
    expect(table.exitCode).toBe(0);
    expect(table.stdout).toMatch(/^cache\.ttl +"2h" +XPOSE_CACHE_TTL$/m);
    expect(table.stdout + JSON.stringify(shown)).not.toContain("canary");
  });
});

describe("a reload by the command of the unit", () => {
  const unit = readFileSync(join(import.meta.dirname, "..", "..", "systemd", "xpose.service"), "utf8");

  test("is the line of the unit, applies a good file, and refuses a bad one with the key named and no signal", async () => {
    expect(unit).toContain("\nExecReload=/usr/local/bin/xpose config reload $MAINPID\n");
    await using appliance = new Appliance();
    appliance.json("init");
    const notify = join(appliance.folder, "notify");
    const receiver = openDatagramReceiver(notify);
    try {
      const file = written(appliance, '[cache]\nttl = "1h"');
      const service = await appliance.serve({ args: ["--config", file], env: { NOTIFY_SOCKET: notify } });
      const received: string[] = [];
      const told = async (text: string) => {
        while (!received.some((message) => message.includes(text))) {
          const message = receiver.receive();
          if (message === null) await Bun.sleep(20);
          else received.push(message);
        }
      };
      await told(`STATUS=serving at ${service.url}; no source is enabled`);
      const reload = () => appliance.runBeside(["config", "reload", String(service.pid), "--config", file]);

      written(appliance, '[cache]\nttl = "1 day"');
      const refused = await reload();
      expect([refused.exitCode, refused.stdout]).toEqual([2, expect.stringMatching(/^cache\.ttl: got "1 day"/)]);
      expect(service.log()).not.toMatch(/configuration (?:reloaded|refused)/);

      service.kill("SIGHUP");
      await told("last reload refused: cache.ttl");

      const leak = join(appliance.folder, "leak.csv");
      writeFileSync(leak, "email\njane.doe@example.com\n");
      expect((await appliance.runBeside(["corpus", "import", leak, "--name", "shop"])).exitCode).toBe(0);
      written(appliance, '[cache]\nttl = "2h"');
      expect((await reload()).exitCode).toBe(0);
      await told(`STATUS=serving at ${service.url}; corpora: 1`);
      expect(service.log()).toContain("configuration reloaded");
    } finally {
      receiver.close();
    }
  });

  test("names a process that is not there, and takes only a pid", async () => {
    await using appliance = new Appliance();
    expect(appliance.run(["config", "reload", "4194305"]).exitCode).toBe(3);
    for (const pid of ["", "0", "1", "-1", "xpose"])
      expect(appliance.run(["config", "reload", "--", pid]).exitCode).toBe(2);
  });
});

describe("an installation without a source", () => {
  const advice = "no source is enabled, so every scan fails; import a breach file";

  test("says in every place that no source is enabled and what to type", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const enriched = appliance.run(["enrich", "jane.doe@example.com"]);
    expect([enriched.exitCode, enriched.stderr]).toEqual([1, expect.stringContaining(advice)]);
    expect(appliance.run(["sources", "list"]).stderr).toContain(advice);
    expect(appliance.run(["sources", "check"]).stdout).toContain(advice);
    expect(appliance.run(["doctor"]).stdout).toContain(advice);

    const service = await appliance.serve();
    const headers = { "X-API-Key": key, "Content-Type": "application/json" };
    const body = JSON.stringify({ indicator: { type: "email", value: "john.roe@example.com" } });
    const asked = await fetch(`${service.url}/api/v1/soc/enrich`, { method: "POST", headers, body });
    const { request_id: id } = (await asked.json()) as { request_id: string };
    const poll = (path = "") => fetch(`${service.url}/api/v1/soc/enrich/${id}${path}`, { headers });
    const stateOf = async () => ((await (await poll()).json()) as { status: string }).status;
    while (["queued", "scanning", "running"].includes(await stateOf())) await Bun.sleep(20);
    expect(await stateOf()).toBe("failed");
    const sources = await poll("/sources");
    expect(await sources.json()).toEqual({ request_id: id, status: "failed", sources: [] });
    expect(sources.headers.get("X-Xpose-Problem")).toContain(advice);
    while (!service.log().includes(advice)) await Bun.sleep(20);
    expect(service.log()).toContain("scan failed: no source is enabled");
  });
});
