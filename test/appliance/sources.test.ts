import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";
import { type Fault, type FaultServer, faults, startFaultServer } from "../helpers/fault-server.ts";

type SourceRow = { source: string; outcome: string; findings: number; error: string | null; duration_ms: number };

let upstream: FaultServer;
beforeAll(async () => {
  upstream = await startFaultServer();
});
afterAll(async () => {
  await upstream.close();
});

function configure(appliance: Appliance, text: string): string[] {
  const file = join(appliance.folder, "xpose.toml");
  writeFileSync(file, text);
  return ["--config", file];
}

function httpSource(name: string, url: string, more = ""): string {
  return `[[sources.http]]\nname = "${name}"\nurl = "${url}?email={email}"\ninternal = true\ntimeout = "2s"\n${more}\n`;
}

async function sourcesOf(api: ReturnType<typeof client>, requestId: string): Promise<SourceRow[]> {
  const response = await api.get(`/api/v1/soc/enrich/${requestId}/sources`);
  return ((await response.json()) as { sources: SourceRow[] }).sources;
}

async function idOf(response: Response): Promise<string> {
  return ((await response.json()) as { request_id: string }).request_id;
}

/** Resident memory of a process, in bytes. */
function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
}

describe("the fault table of the http source", () => {
  test("every fault is one failed source with its reason, and the others' findings are all there", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const ca = join(appliance.folder, "ca.pem");
    writeFileSync(ca, upstream.ca);
    const names = Object.keys(faults) as Fault[];
    const tables = [
      ...names.map((fault) => httpSource(fault, upstream.url(fault))),
      httpSource("good", upstream.url("found")),
      httpSource("good_tls", upstream.url("found_tls")),
      httpSource("nothing", upstream.url("not_found")),
    ];
    const args = configure(appliance, `[outbound]\nca_file = "${ca}"\n${tables.join("\n")}`);
    const service = await appliance.serve({ args });
    const api = client(service.url, key);
    await api.settle(await idOf(await api.enrich("warm.up@example.com")));
    const memoryBefore = memoryOf(service.pid);
    const startedAt = performance.now();
    const requestId = await idOf(await api.enrich("jane.doe@example.com"));
    const envelope = (await api.settle(requestId)) as { status: string; exposure: { findings: { source: string }[] } };
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect(memoryOf(service.pid) - memoryBefore).toBeLessThan(64 * 1024 * 1024);

    const rows = await sourcesOf(api, requestId);
    const seen = Object.fromEntries(rows.map(({ source, outcome, error }) => [source, error ?? outcome]));
    expect(seen).toEqual({ ...faults, good: "ok", good_tls: "ok", nothing: "no_data" });
    expect(envelope.exposure.findings.map(({ source }) => source).sort()).toEqual(["good", "good_tls"]);
    const polled = await api.get(`/api/v1/soc/enrich/${requestId}`);
    expect(polled.headers.get("X-Xpose-Partial")).toBe("1");
    expect(service.log()).not.toContain("jane.doe");
  });

  test("a scan in which every source fails is failed, and never reads as no exposure", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const args = configure(appliance, httpSource("broken", upstream.url("html")));
    const service = await appliance.serve({ args });
    const api = client(service.url, key);
    const requestId = await idOf(await api.enrich("jane.doe@example.com"));
    expect(await api.settle(requestId)).toEqual({ status: "failed", request_id: requestId });
    expect(await sourcesOf(api, requestId)).toMatchObject([
      { source: "broken", outcome: "failed", error: "bad_answer" },
    ]);
  });
});

describe("the way out", () => {
  test("a set proxy that is down fails the source, and nothing goes direct", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const dead = new URL(upstream.url("refused")).origin;
    const table = httpSource("inhouse", upstream.url("found").replace("127.0.0.1", "localhost"));
    const args = configure(appliance, `[outbound]\nproxy = "${dead}"\n${table}`);
    const service = await appliance.serve({ args });
    const api = client(service.url, key);
    const requestCount = upstream.requests.length;
    const requestId = await idOf(await api.enrich("jane.doe@example.com"));
    await api.settle(requestId);
    expect(await sourcesOf(api, requestId)).toMatchObject([{ outcome: "failed", error: "unreachable" }]);
    expect(upstream.requests).toHaveLength(requestCount);
  });

  test("offline skips what is not internal", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const outside = `[[sources.http]]\nname = "outside"\nurl = "https://service.example/{email}"\n`;
    const args = configure(appliance, `offline = true\n${outside}\n${httpSource("inside", upstream.url("found"))}`);
    const service = await appliance.serve({ args });
    const api = client(service.url, key);
    const requestId = await idOf(await api.enrich("jane.doe@example.com"));
    await api.settle(requestId);
    expect(await sourcesOf(api, requestId)).toMatchObject([
      { source: "inside", outcome: "ok" },
      { source: "outside", outcome: "skipped" },
    ]);
  });
});

describe("freshness (5.3, 5.8)", () => {
  test("an import makes a result stale, and the scan that follows asks only what is stale", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const args = configure(appliance, httpSource("inhouse", upstream.url("found")));
    const service = await appliance.serve({ args });
    const api = client(service.url, key);
    const first = await idOf(await api.enrich("jane.doe@example.com"));
    await api.settle(first);
    expect((await api.enrich("jane.doe@example.com")).status).toBe(200);
    const requestCount = upstream.requests.length;
    const file = join(appliance.folder, "leak.csv");
    writeFileSync(file, "email\njane.doe@example.com\n");
    appliance.json("corpus", "import", file, "--name", "leak");

    const miss = await api.enrich("jane.doe@example.com");
    expect(miss.status).toBe(202);
    const second = await idOf(miss);
    const envelope = (await api.settle(second)) as { exposure: { total: number } };
    expect([second === first, envelope.exposure.total]).toEqual([false, 2]);
    expect(upstream.requests).toHaveLength(requestCount);
  });

  test("a source that fails later keeps its last findings, and the envelope says that it is partial", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    let isBroken = false;
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () =>
        isBroken ? new Response("<html>", { status: 503 }) : Response.json({ findings: [{ title: "Known" }] }),
    });
    const table = `${httpSource("moody", `http://127.0.0.1:${server.port}/`)}\n${httpSource("steady", upstream.url("found"))}`;
    const args = configure(appliance, table);
    const before = JSON.parse(
      (await appliance.runBeside(["enrich", "jane.doe@example.com", "--json", ...args])).stdout,
    ) as {
      exposure: { findings: unknown[] };
    };
    isBroken = true;
    const run = await appliance.runBeside(["enrich", "jane.doe@example.com", "--refresh", "--json", ...args]);
    expect([run.exitCode, run.stderr]).toEqual([0, expect.stringContaining("partial")]);
    const after = JSON.parse(run.stdout) as { exposure: { findings: { source: string }[] } };
    const moody = (exposure: { findings: unknown[] }) =>
      (exposure.findings as { source: string }[]).find(({ source }) => source === "moody");
    expect(moody(after.exposure)).toEqual(moody(before.exposure));

    const service = await appliance.serve({ args });
    const hit = await client(service.url, key).enrich("jane.doe@example.com");
    expect([hit.status, hit.headers.get("X-Xpose-Partial")]).toEqual([200, "1"]);
    await server.stop(true);
  });
});

describe("reload (11.2, 12.2)", () => {
  test("SIGHUP takes over sources, makes results stale, and refuses a bad file", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const args = configure(appliance, httpSource("one", upstream.url("found")));
    const service = await appliance.serve({ args });
    const api = client(service.url, key);
    const logged = async (text: string) => {
      while (!service.log().includes(text)) await Bun.sleep(20);
    };
    await api.settle(await idOf(await api.enrich("jane.doe@example.com")));

    configure(
      appliance,
      `${httpSource("one", upstream.url("found"))}\n${httpSource("two", upstream.url("found_gzip"))}`,
    );
    service.kill("SIGHUP");
    await logged("configuration reloaded");
    const requestId = await idOf(await api.enrich("jane.doe@example.com"));
    await api.settle(requestId);
    expect((await sourcesOf(api, requestId)).map(({ source }) => source)).toEqual(["one", "two"]);

    configure(appliance, "[cache]\nttl = 'forever'\n");
    service.kill("SIGHUP");
    await logged("configuration refused");
    expect(service.log()).toContain("cache.ttl");
    expect((await api.enrich("jane.doe@example.com")).status).toBe(200);
  });
});

describe("xpose sources", () => {
  test("check says in one line per source what is wrong and what to do, list how the last scan fared", async () => {
    await using appliance = new Appliance();
    appliance.initialise();
    const good = httpSource("good", upstream.url("not_found"));
    const bad = httpSource("bad", upstream.url("status_401_json"));
    const args = configure(
      appliance,
      `${good}\n${bad}\n${httpSource("off", upstream.url("found"), "enabled = false")}`,
    );
    const check = await appliance.runBeside(["sources", "check", ...args]);
    expect(check.exitCode).toBe(1);
    expect(check.stdout).toMatch(/^ok\s+good: answers; every address that was asked about gets a 404/m);
    expect(check.stdout).toMatch(/^FAIL\s+bad: auth: .*the key was refused/m);
    expect((await appliance.runBeside(["sources", "check", "good", ...args])).exitCode).toBe(0);
    expect(appliance.run(["sources", "check", "nobody", ...args]).exitCode).toBe(3);
    await appliance.runBeside(["enrich", "jane.doe@example.com", ...args]);
    const list = JSON.parse(appliance.run(["sources", "list", "--json", ...args]).stdout) as Record<string, unknown>[];
    expect(list).toMatchObject([
      { name: "good", kind: "http", state: "enabled", last_outcome: "no_data" },
      { name: "bad", kind: "http", state: "enabled", last_outcome: "failed", last_error: "auth" },
      { name: "off", kind: "http", state: "disabled", last_outcome: null },
    ]);
  });
});

test("an overloaded queue answers a miss with 503, and hits and joins go on", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const released = Promise.withResolvers<void>();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch() {
      await released.promise;
      return Response.json({ findings: [] });
    },
  });
  const table = httpSource("slow", `http://127.0.0.1:${server.port}/`).replace('"2s"', '"30s"');
  const args = configure(appliance, `[scan]\nmax_queue = 2\nconcurrency = 1\n${table}`);
  const service = await appliance.serve({ args });
  const api = client(service.url, key);
  const ids = [await idOf(await api.enrich("a@example.com")), await idOf(await api.enrich("b@example.com"))];
  const refused = await api.enrich("c@example.com");
  expect([refused.status, refused.headers.get("Retry-After")]).toEqual([503, "5"]);
  expect(((await refused.json()) as { error: { code: string } }).error.code).toBe("overloaded");
  expect(await idOf(await api.enrich("b@example.com"))).toBe(ids[1]);
  released.resolve();
  for (const id of ids) expect((await api.settle(id))["status"]).toBe("completed");
  expect((await api.enrich("a@example.com")).status).toBe(200);
  await server.stop(true);
});
