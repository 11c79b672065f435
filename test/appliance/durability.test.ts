import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";

/** An upstream that answers only on command, so that a scan can be interrupted. */
function heldUpstream() {
  const asked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch() {
      asked.resolve();
      await released.promise;
      return Response.json({
        findings: [{ title: "Known in-house", category: "account", subject: "intranet.example" }],
      });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    asked: asked.promise,
    release: released.resolve,
    stop: () => server.stop(true),
  };
}

function configure(appliance: Appliance, text: string): string {
  const file = join(appliance.folder, "xpose.toml");
  writeFileSync(file, text);
  return file;
}

function importOne(appliance: Appliance, name: string, email: string): void {
  const file = join(appliance.folder, `${name}.csv`);
  writeFileSync(file, `email\n${email}\n`);
  appliance.json("corpus", "import", file, "--name", name);
}

test("a result survives a restart, and is then a hit with the same bytes", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  importOne(appliance, "leak", "jane.doe@example.com");
  const first = await appliance.serve();
  const api = client(first.url, key);
  const { request_id } = (await (await api.enrich("jane.doe@example.com")).json()) as { request_id: string };
  await api.settle(request_id);
  const before = await (await api.enrich("jane.doe@example.com")).text();
  first.kill("SIGTERM");
  expect(await first.exited).toBe(0);

  const second = await appliance.serve();
  const hit = await client(second.url, key).enrich("jane.doe@example.com");
  expect([hit.status, await hit.text()]).toEqual([200, before]);
});

test("a scan that a kill -9 interrupted is completed under the same id", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const upstream = heldUpstream();
  const config = configure(
    appliance,
    `[[sources.http]]\nname = "inhouse"\nurl = "${upstream.url}/{email}"\ntimeout = "30s"\n`,
  );
  const first = await appliance.serve({ args: ["--config", config] });
  const api = client(first.url, key);
  const { request_id } = (await (await api.enrich("jane.doe@example.com")).json()) as { request_id: string };
  await upstream.asked;
  expect(await (await api.get(`/api/v1/soc/enrich/${request_id}`)).json()).toEqual({ status: "scanning", request_id });
  first.kill("SIGKILL");
  await first.exited;

  upstream.release();
  const second = await appliance.serve({ args: ["--config", config] });
  const body = await client(second.url, key).settle(request_id);
  expect([body["status"], body["request_id"]]).toEqual(["completed", request_id]);
  upstream.stop();
});

test("SIGTERM in the middle of a scan ends within 10 s with exit 0, and the scan goes on after the restart", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const upstream = heldUpstream();
  const config = configure(
    appliance,
    `[[sources.http]]\nname = "inhouse"\nurl = "${upstream.url}/{email}"\ntimeout = "60s"\n`,
  );
  const first = await appliance.serve({ args: ["--config", config] });
  const api = client(first.url, key);
  const { request_id } = (await (await api.enrich("jane.doe@example.com")).json()) as { request_id: string };
  await upstream.asked;
  const startedAt = performance.now();
  first.kill("SIGTERM");
  expect(await first.exited).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  upstream.release();
  const second = await appliance.serve({ args: ["--config", config] });
  expect((await client(second.url, key).settle(request_id))["status"]).toBe("completed");
  upstream.stop();
});

test("a kill -9 loses no scan that was answered with 202", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  importOne(appliance, "leak", "jane.doe@example.com");
  const first = await appliance.serve();
  const api = client(first.url, key);
  const posts = Array.from({ length: 40 }, (_, index) => api.enrich(`person${index}@example.com`));
  const answers = await Promise.all(posts);
  first.kill("SIGKILL");
  await first.exited;
  const second = await appliance.serve();
  for (const answer of answers) {
    const { request_id } = (await answer.json()) as { request_id: string };
    expect((await client(second.url, key).settle(request_id))["status"]).toBe("completed");
  }
});

test("a scan with no source at all fails, and the next POST starts a new one", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const service = await appliance.serve();
  const api = client(service.url, key);
  const { request_id } = (await (await api.enrich("jane.doe@example.com")).json()) as { request_id: string };
  expect(JSON.stringify(await api.settle(request_id))).toBe(`{"status":"failed","request_id":"${request_id}"}`);
  const next = await api.enrich("jane.doe@example.com");
  expect(next.status).toBe(202);
  expect(((await next.json()) as { request_id: string }).request_id).not.toBe(request_id);
});

test("a second serve on the same directory exits immediately with the reason", async () => {
  await using appliance = new Appliance();
  appliance.initialise();
  await appliance.serve();
  const second = appliance.run(["serve", "--listen", "127.0.0.1:0"]);
  expect(second.exitCode).toBe(1);
  expect(second.stderr).toContain("another xpose serve runs");
});

test("while another process holds the write lock, hits and health are served and a miss fails soon", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  importOne(appliance, "leak", "jane.doe@example.com");
  const service = await appliance.serve();
  const api = client(service.url, key);
  await api.settle(((await (await api.enrich("jane.doe@example.com")).json()) as { request_id: string }).request_id);
  const script =
    "import sqlite3,sys,time; c=sqlite3.connect(sys.argv[1]); c.execute('BEGIN IMMEDIATE'); print('held',flush=True); time.sleep(60)";
  const holder = Bun.spawn(["python3", "-c", script, join(appliance.dataDir, "xpose.db")], { stdout: "pipe" });
  await holder.stdout.getReader().read();
  const timed = async (work: Promise<Response>) => {
    const startedAt = performance.now();
    const { status } = await work;
    return { status, isSoon: performance.now() - startedAt < 1_500 };
  };
  expect(await timed(api.enrich("jane.doe@example.com"))).toEqual({ status: 200, isSoon: true });
  expect(await timed(api.enrich("john.roe@example.com"))).toEqual({ status: 503, isSoon: true });
  expect(await timed(fetch(`${service.url}/healthz`))).toEqual({ status: 200, isSoon: true });
  holder.kill("SIGKILL");
  await holder.exited;
  expect((await api.enrich("john.roe@example.com")).status).toBe(202);
});

test("after its retention a scan is a 404 on every view, even before it is deleted", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  importOne(appliance, "leak", "jane.doe@example.com");
  const config = configure(appliance, '[scan]\nretention = "2s"\n');
  const service = await appliance.serve({ args: ["--config", config] });
  const api = client(service.url, key);
  const { request_id } = (await (await api.enrich("jane.doe@example.com")).json()) as { request_id: string };
  expect((await api.settle(request_id))["status"]).toBe("completed");
  const views = ["", "/sources", "/evidence"].map((view) => `/api/v1/soc/enrich/${request_id}${view}`);
  while ((await api.get(views[0] ?? "")).status === 200) await Bun.sleep(100);
  for (const view of views) expect((await api.get(view)).status).toBe(404);
});

test("a port that another service listens on is refused, not shared", async () => {
  await using first = new Appliance();
  await using second = new Appliance();
  first.initialise();
  second.initialise();
  const { url } = await first.serve();
  const run = second.run(["serve", "--listen", new URL(url).host]);
  expect([run.exitCode, run.stderr]).toEqual([1, expect.stringContaining("cannot listen")]);
});

test("a hostile .env and bunfig.toml in the working directory have no effect", async () => {
  await using appliance = new Appliance();
  const work = join(appliance.folder, "work");
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, ".env"), "XPOSE_DATA_DIR=/nowhere\nXPOSE_CACHE_TTL=nonsense\n");
  writeFileSync(join(work, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
  writeFileSync(join(work, "evil.ts"), 'await Bun.write("evil-was-here", "1");\n');
  appliance.initialise();
  const service = await appliance.serve();
  expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
  expect(await Bun.file(join(work, "evil-was-here")).exists()).toBe(false);
});
