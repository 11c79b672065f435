import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Appliance, type CommandResult, type Service } from "../helpers/appliance.ts";
import { openDatagramReceiver } from "../helpers/datagram-receiver.ts";

/** By address: a known one, one that a source fails for, one that nobody answers about, a clean one, a slow one. */
const jane = "jane.doe@example.com";
const half = "half@example.com";
const nobody = "nobody@example.com";
const clean = "clean@example.com";
const slow = "slow@example.com";
/** Words of a verdict, which no connector may write (docs/connectors.md). */
const verdict = /malicious|suspicious|\bsafe\b|verdict|risk score|reputation|x_opencti_score|"to_ids":true/i;

let appliance: Appliance;
let service: Service;
let key: string;
let upstream: ReturnType<typeof Bun.serve>;

beforeAll(async () => {
  upstream = Bun.serve({
    port: 0,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const email = searchParams.get("e");
      if (email === slow) return await new Promise<Response>(() => undefined);
      if (email === nobody || (email === half && pathname === "/two")) return new Response("broken", { status: 500 });
      if (email === jane && pathname === "/one") {
        return Response.json({ findings: [{ category: "breach", severity: "high", title: "In the Shop breach" }] });
      }
      return new Response(null, { status: 404 });
    },
  });
  appliance = new Appliance();
  key = appliance.initialise();
  const tables = ["one", "two"].map(
    (name) =>
      `[[sources.http]]\nname = "${name}"\nurl = "http://127.0.0.1:${upstream.port}/${name}?e={email}"\nrate = "1000/1m"\ntimeout = "30s"\n`,
  );
  const file = join(appliance.folder, "xpose.toml");
  writeFileSync(file, tables.join("\n"));
  service = await appliance.serve({ args: ["--config", file] });
});

afterAll(async () => {
  await appliance[Symbol.asyncDispose]();
  upstream.stop(true);
});

/** Runs a connector with the service and the key in its environment. */
function connect(
  args: readonly string[],
  { stdin = "", env = {} }: { stdin?: string; env?: Record<string, string> } = {},
): Promise<CommandResult> {
  const input = join(appliance.folder, "stdin");
  writeFileSync(input, stdin);
  return appliance.runBeside(["connector", ...args], {
    env: { XPOSE_URL: service.url, XPOSE_API_KEY: key, ...env },
    stdin: Bun.file(input),
  });
}

function job(data: string, config: object = {}, more: object = {}): string {
  return JSON.stringify({
    dataType: "mail",
    data,
    tlp: 2,
    pap: 2,
    config: { url: service.url, api_key: key, check_tlp: true, max_tlp: 2, check_pap: true, max_pap: 2, ...config },
    ...more,
  });
}

async function analyze(input: string): Promise<{ result: CommandResult; report: Record<string, unknown> }> {
  const result = await connect(["cortex"], { stdin: input });
  return { result, report: JSON.parse(result.stdout) as Record<string, unknown> };
}

describe("xpose connector cortex", () => {
  test("reports a high finding as information, with the case in full", async () => {
    const { result, report } = await analyze(job(jane));
    expect(result).toMatchObject({ exitCode: 0, stderr: "" });
    expect(Object.keys(report)).toEqual(["success", "summary", "artifacts", "operations", "full"]);
    expect(report).toMatchObject({ success: true, artifacts: [], operations: [] });
    expect(report["summary"]).toEqual({
      taxonomies: [
        { level: "info", namespace: "xpose", predicate: "findings", value: "1" },
        { level: "info", namespace: "xpose", predicate: "high", value: "1" },
        { level: "info", namespace: "xpose", predicate: "sources", value: "2/2" },
      ],
    });
    const full = report["full"] as Record<string, unknown>;
    expect(Object.keys(full).slice(0, 4)).toEqual(["headline", "request_id", "status", "indicator"]);
    expect(full["headline"]).toBe("1 finding (1 high); 2 of 2 sources answered");
    expect(full).not.toHaveProperty("warning");
    expect(result.stdout).not.toMatch(verdict);
    expect(result.stdout).not.toContain(key);
  });

  test("names the source that failed where a result is partial", async () => {
    const { report } = await analyze(job(half));
    expect((report["summary"] as { taxonomies: object[] }).taxonomies).toEqual([
      { level: "info", namespace: "xpose", predicate: "findings", value: "0" },
      { level: "info", namespace: "xpose", predicate: "sources", value: "1/2" },
      { level: "info", namespace: "xpose", predicate: "failed", value: "two" },
    ]);
    expect((report["full"] as { headline: string }).headline).toBe(
      "No finding; 1 of 2 sources answered; could not look: two (http_5xx)",
    );
  });

  test("says that an address is not found only when sources answered", async () => {
    const { report } = await analyze(job(clean));
    expect((report["full"] as { headline: string }).headline).toBe("No finding; 2 of 2 sources answered");
  });

  test("ends with an error when no source answered", async () => {
    const { result, report } = await analyze(job(nobody));
    expect(result.exitCode).toBe(1);
    expect(Object.keys(report)).toEqual(["success", "input", "errorMessage"]);
    expect(report["errorMessage"]).toBe("xpose: no source answered: one (http_5xx), two (http_5xx)");
  });

  test("ends with an error when the scan is not over in the time of the job", async () => {
    const { report } = await analyze(job(slow, { jobTimeout: 0.1, wait: 1 }));
    expect(report["errorMessage"]).toMatch(
      /^xpose: scan [0-9a-f-]{36} is still (?:queued|scanning|running); ask again$/,
    );
  });

  test.each([
    ["a TLP above the limit", () => job(jane, {}, { tlp: 3 }), "TLP is higher than allowed."],
    ["a PAP above the limit", () => job(jane, {}, { pap: 3 }), "PAP is higher than allowed."],
    ["a limit that is not set", () => job(jane, { max_tlp: null }, { tlp: 3 }), "TLP is higher than allowed."],
    [
      "another type",
      () => job(jane, {}, { dataType: "ip" }),
      "xpose: this analyzer takes observables of type mail only",
    ],
    ["no JSON", () => "{", "xpose: the input of the job is not a JSON object"],
    ["no url", () => job(jane, { url: null }), "xpose: the setting url wants an http or https URL"],
    ["no key", () => job(jane, { api_key: null }), "xpose: the setting api_key is missing"],
    ["a bad key", () => job(jane, { api_key: "xpk_wrong" }), expect.stringMatching(/^xpose: invalid_api_key \(/)],
    [
      "a service that is away",
      () => job(jane, { url: "http://127.0.0.1:9" }),
      expect.stringMatching(/^xpose does not answer: /),
    ],
    [
      "a page instead of JSON",
      () => job(jane, { url: `http://127.0.0.1:${upstream.port}` }),
      "xpose answered 404 without JSON: the url does not lead to xpose",
    ],
  ])("refuses %s", async (_what, input, message) => {
    const { result, report } = await analyze(input());
    expect(result.exitCode).toBe(1);
    expect(report).toMatchObject({ success: false, errorMessage: message });
  });

  test("follows no redirect", async () => {
    let askedCount = 0;
    await using other = disposable(Bun.serve({ port: 0, fetch: () => new Response(String(++askedCount)) }));
    await using first = disposable(
      Bun.serve({ port: 0, fetch: () => Response.redirect(`http://127.0.0.1:${other.server.port}/`, 302) }),
    );
    const { report } = await analyze(job(jane, { url: `http://127.0.0.1:${first.server.port}` }));
    expect(report["errorMessage"]).toBe("xpose answered 302: a redirect is not followed; correct the url");
    expect(askedCount).toBe(0);
  });

  test("shows no secret of its settings in an error", async () => {
    const proxy = { http: "http://user:hunter2@127.0.0.1:9" };
    const { result, report } = await analyze(job(jane, { service: "exposure", proxy, my_token: "t0ken" }));
    expect(report["input"]).toMatchObject({
      data: jane,
      config: { api_key: "REMOVED", my_token: "REMOVED", service: "exposure", proxy: { http: "http://127.0.0.1:9" } },
    });
    for (const secret of [key, "hunter2", "t0ken"]) expect(result.stdout + result.stderr).not.toContain(secret);
  });

  test("answers a job folder with a file, and prints nothing", async () => {
    const folder = join(appliance.folder, "job");
    mkdirSync(join(folder, "input"), { recursive: true });
    writeFileSync(join(folder, "input", "input.json"), job(jane));
    const result = await connect(["cortex", folder]);
    expect(result).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(readdirSync(join(folder, "output"))).toEqual(["output.json"]);
    expect(JSON.parse(readFileSync(join(folder, "output", "output.json"), "utf8"))).toMatchObject({ success: true });
  });
});

describe("xpose connector wazuh", () => {
  const alertWith = (data: object, more: object = {}) =>
    JSON.stringify({ id: "1.2", rule: { id: "60122" }, data, ...more });

  async function integrate(alert: string, args: readonly string[] = []) {
    const socket = join(appliance.folder, `queue-${crypto.randomUUID().slice(0, 8)}`);
    const receiver = openDatagramReceiver(socket);
    const file = join(appliance.folder, "alert.json");
    writeFileSync(file, alert);
    try {
      const result = await connect(["wazuh", file, "-", service.url, ...args], { env: { XPOSE_WAZUH_SOCKET: socket } });
      const events: string[] = [];
      for (let text = receiver.receive(); text !== null; text = receiver.receive()) events.push(text);
      return { result, events };
    } finally {
      receiver.close();
    }
  }

  test("puts one event per address on the queue", async () => {
    const alert = alertWith({ srcuser: jane.toUpperCase(), dstuser: "root", email: [jane, half] });
    const { result, events } = await integrate(alert);
    expect(result).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(events).toHaveLength(2);
    expect(events[0]?.slice(0, 8)).toBe("1:xpose:");
    const [first, second] = events.map((text) => JSON.parse(text.slice(8)) as { integration: string; xpose: object });
    expect(first).toMatchObject({
      integration: "xpose",
      xpose: {
        indicator: jane,
        status: "completed",
        headline: "1 finding (1 high); 2 of 2 sources answered",
        total: 1,
        high: 1,
        medium: 0,
        low: 0,
        sources_failed: [],
        titles: ["In the Shop breach"],
        error: null,
        source: { alert_id: "1.2", rule_id: "60122" },
      },
    });
    expect(second?.xpose).toMatchObject({ indicator: half, total: 0, sources_failed: ["two"] });
    expect(events.join("")).not.toMatch(verdict);
  });

  test("names the agent as the manager does", async () => {
    const agent = { id: "003", name: "web|1", ip: "fe80::1" };
    const { events } = await integrate(alertWith({ email: clean }, { agent }));
    expect(events[0]).toMatch(/^1:\[003\] \(web\|\|1\) fe80\|:\|:1->xpose:\{/);
  });

  test("writes no number where no source answered, and ends with 1", async () => {
    const { result, events } = await integrate(alertWith({ email: nobody }));
    expect(result.exitCode).toBe(1);
    const { xpose } = JSON.parse(events[0]?.slice(8) ?? "") as { xpose: Record<string, unknown> };
    expect(xpose).toMatchObject({ status: "failed", error: expect.stringContaining("no source answered") });
    for (const name of ["total", "high", "medium", "low"]) expect(xpose).not.toHaveProperty(name);
  });

  test.each([
    ["an alert without an address", alertWith({ srcuser: "root" })],
    ["an event of its own", alertWith({ integration: "xpose", email: jane })],
  ])("asks nothing for %s", async (_what, alert) => {
    const { result, events } = await integrate(alert);
    expect(result).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(events).toEqual([]);
  });

  test("tells steps with debug, without the address and the key", async () => {
    const { result } = await integrate(alertWith({ email: jane }), ["debug"]);
    expect(result.stderr).toContain("1 addresses in the alert");
    expect(result.stderr).not.toContain(jane);
    expect(result.stderr).not.toContain(key);
  });

  test.each([
    ["a missing alert file", "/nowhere/alert.json", 6],
    ["an alert file that is no JSON", "stdin", 7],
  ])("ends with its own code for %s", async (_what, name, exitCode) => {
    const file = name.startsWith("/") ? name : join(appliance.folder, name);
    const result = await connect(["wazuh", file, "-", service.url], { stdin: "no json" });
    expect(result).toMatchObject({ exitCode, stdout: "" });
  });

  test("ends with 5 when the queue takes nothing", async () => {
    const file = join(appliance.folder, "alert.json");
    writeFileSync(file, alertWith({ email: jane }));
    const result = await connect(["wazuh", file, "-", service.url], { env: { XPOSE_WAZUH_SOCKET: "/nowhere/queue" } });
    expect(result.exitCode).toBe(5);
  });
});

describe("xpose connector splunk-lookup", () => {
  const header =
    "host,email,xpose_status,xpose_total,xpose_high,xpose_medium,xpose_low,xpose_sources_failed,xpose_digest,xpose_request_id";

  test("fills empty columns of known rows, in the order of the input", async () => {
    for (const email of [jane, half, nobody]) await connect(["cortex"], { stdin: job(email) });
    const rows = [
      `web1,${jane},,,,,,,,`,
      `"web,2",${half},,,,,,,,`,
      `web3,never.asked@example.com,,,,,,,,`,
      `web4,no address,,,,,,,,`,
      `web5,,,,,,,,,`,
      `web6,${jane},kept,,,,,,,`,
    ];
    const { exitCode, stdout, stderr } = await connect(["splunk-lookup", "email"], {
      stdin: `${[header, ...rows].join("\r\n")}\r\n`,
    });
    expect([exitCode, stderr]).toEqual([0, ""]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(7);
    expect(lines[0]).toBe(header);
    expect(lines[1]).toMatch(/^web1,jane\.doe@example\.com,completed,1,1,0,0,,sha256:[0-9a-f]{64},[0-9a-f-]{36}$/);
    expect(lines[2]).toMatch(/^"web,2",half@example\.com,completed,0,0,0,0,two,sha256:/);
    expect(lines.slice(3, 6)).toEqual([
      "web3,never.asked@example.com,not_cached,,,,,,,",
      "web4,no address,invalid,,,,,,,",
      "web5,,invalid,,,,,,,",
    ]);
    expect(lines[6]).toMatch(/^web6,jane\.doe@example\.com,kept,1,/);
    expect(stdout).not.toMatch(verdict);
  });

  test("says error in every row when the service is away, with the reason on the standard error", async () => {
    const stdin = `${header}\nweb1,${jane},,,,,,,,\n`;
    const result = await connect(["splunk-lookup"], { stdin, env: { XPOSE_URL: "http://127.0.0.1:9" } });
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toBe(`${header}\nweb1,${jane},error,,,,,,,\n`);
    expect(result.stderr).toMatch(/^xpose does not answer: /);
  });

  test("ends with 2 without a column email", async () => {
    expect(await connect(["splunk-lookup"], { stdin: "host,mail\na,b\n" })).toMatchObject({ exitCode: 2, stdout: "" });
  });

  test("asks once about 1,000 distinct addresses of many rows", async () => {
    const rows = Array.from({ length: 5000 }, (_, index) => `web,u${index % 1000}@example.org,,,,,,,,`);
    const startedAt = performance.now();
    const { exitCode, stdout } = await connect(["splunk-lookup"], { stdin: `${[header, ...rows].join("\n")}\n` });
    expect([exitCode, stdout.split("\n").length]).toEqual([0, 5002]);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});

describe("xpose connector splunk-alert", () => {
  test("writes the case of each address, and a failure too, to the index", async () => {
    const received: { url: string; authorization: string | null; body: Record<string, unknown> }[] = [];
    await using splunkd = disposable(
      Bun.serve({
        port: 0,
        async fetch(request) {
          const { pathname, search } = new URL(request.url);
          const body = (await request.json()) as Record<string, unknown>;
          received.push({ url: pathname + search, authorization: request.headers.get("authorization"), body });
          return new Response("ok");
        },
      }),
    );
    const payload = {
      configuration: { field: "user_mail", index: "soc" },
      result: { user_mail: `${jane.toUpperCase()}; ${nobody}` },
      session_key: "s3ssion",
      server_uri: `http://127.0.0.1:${splunkd.server.port}`,
      sid: "scheduler__1",
      search_name: "phish",
    };
    const result = await connect(["splunk-alert", "--execute"], { stdin: JSON.stringify(payload) });
    expect(result).toEqual({ exitCode: 3, stdout: "", stderr: "" });
    expect(received.map(({ url, authorization }) => [url, authorization])).toEqual(
      Array(2).fill([
        "/services/receivers/simple?index=soc&sourcetype=xpose%3Acase&source=xpose&host=xpose",
        "Splunk s3ssion",
      ]),
    );
    expect(received[0]?.body).toMatchObject({
      headline: "1 finding (1 high); 2 of 2 sources answered",
      sid: "scheduler__1",
      search_name: "phish",
      status: "completed",
    });
    expect(received[1]?.body).toMatchObject({ status: "error", indicator: nobody, sid: "scheduler__1" });
    expect(JSON.stringify(received.map(({ body }) => body))).not.toMatch(verdict);
  });

  test.each([
    [["splunk-alert"], "{}", 1],
    [["splunk-alert", "--execute"], "no json", 2],
    [["splunk-alert", "--execute"], '{"session_key":"a","server_uri":"http://127.0.0.1:9","result":{}}', 2],
  ])("%j with %j ends with %i", async (args, stdin, exitCode) => {
    expect((await connect(args, { stdin })).exitCode).toBe(exitCode);
  });
});

describe("xpose connector check", () => {
  const whoami = (sources: object[], requests: object) => Response.json({ limits: { requests }, sources });

  test.each([
    [
      "all is well",
      () => whoami([{ source: "hibp", state: "ready" }], { limit: 600, remaining: 592 }),
      0,
      "XPOSE OK - 1 source ready; 592 of 600 requests left | requests_left=592;;;0;600\n",
    ],
    [
      "a source is paused",
      () => whoami([{ source: "hibp", state: "paused" }], { limit: 600, remaining: 592 }),
      1,
      "XPOSE WARNING - hibp is paused; 592 of 600 requests left | requests_left=592;;;0;600\n",
    ],
    [
      "little is left",
      () => whoami([], { limit: 600, remaining: 60 }),
      1,
      "XPOSE WARNING - 60 of 600 requests left | requests_left=60;;;0;600\n",
    ],
    [
      "there is no limit",
      () => whoami([], { limit: 0, remaining: null }),
      0,
      "XPOSE OK - 0 sources ready; no limit | requests_left=U;;;0;0\n",
    ],
    ["it is no xpose", () => new Response("<html>"), 2, expect.stringMatching(/^XPOSE CRITICAL - .*without JSON/)],
    [
      "the key is refused",
      () => Response.json({ error: { code: "invalid_api_key", message: "No" } }, { status: 401 }),
      2,
      "XPOSE CRITICAL - invalid_api_key (No)\n",
    ],
  ])("says when %s", async (_what, answer, exitCode, stdout) => {
    await using fake = disposable(Bun.serve({ port: 0, fetch: answer }));
    const result = await connect(["check"], { env: { XPOSE_URL: `http://127.0.0.1:${fake.server.port}` } });
    expect(result).toEqual({ exitCode, stdout, stderr: "" });
  });

  test("is unknown without a key", async () => {
    const result = await connect(["check"], { env: { XPOSE_API_KEY: "" } });
    expect(result).toMatchObject({ exitCode: 3, stdout: expect.stringMatching(/^XPOSE UNKNOWN - no API key/) });
  });
});

describe("xpose connectors", () => {
  test("lists every folder of connectors, and exports its files with their modes", () => {
    const folders = readdirSync(join(import.meta.dirname, "..", "..", "connectors")).sort();
    const listed = appliance.json<{ name: string; platform: string; kind: string; files: string[] }[]>(
      "connectors",
      "list",
    );
    expect(listed.map(({ name }) => name)).toEqual(folders);
    for (const { name, platform, files } of listed) {
      expect(name === "n8n" || platform !== name).toBe(true);
      const target = join(appliance.folder, "exported", name);
      expect(appliance.run(["connectors", "export", name, target]).exitCode).toBe(0);
      for (const path of files) {
        const from = join(import.meta.dirname, "..", "..", "connectors", name, path);
        expect(readFileSync(join(target, path))).toEqual(readFileSync(from));
        expect(statSync(join(target, path)).mode & 0o111).toBe(statSync(from).mode & 0o100 ? 0o111 : 0);
      }
    }
  });

  test("refuses a folder that is not empty with 4, and an unknown name with 3", () => {
    const target = join(appliance.folder, "taken");
    mkdirSync(target);
    writeFileSync(join(target, "mine"), "");
    expect(appliance.run(["connectors", "export", "check", target]).exitCode).toBe(4);
    expect(appliance.run(["connectors", "export", "nothing", join(appliance.folder, "new")]).exitCode).toBe(3);
    expect(existsSync(join(appliance.folder, "new"))).toBe(false);
  });
});

function disposable(server: ReturnType<typeof Bun.serve>) {
  return { server, [Symbol.asyncDispose]: () => server.stop(true) };
}
