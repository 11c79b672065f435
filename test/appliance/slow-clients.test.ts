import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";
import { createAuthority } from "../helpers/certificates.ts";
import { watchHealth } from "../helpers/health-watch.ts";
import { type RawClient, rawClient } from "../helpers/raw-client.ts";
import { openSlowClient, type Slowness, slowHandshakes, slowRequests } from "../helpers/slow-client.ts";
import { writeTlsConfig } from "../helpers/write-tls-config.ts";

test("slow clients of every kind are gone within 15 s, and no other client feels them", {
  timeout: 60_000,
}, async () => {
  await using appliance = new Appliance();
  await using overTls = new Appliance();
  const key = appliance.initialise();
  const service = await appliance.serve();
  const tlsService = await serveTls(overTls);
  const plainTls = tlsService.url.replace("https:", "http:");
  const watch = watchHealth(service.url);
  const closedAfter = await Promise.all([
    ...Object.entries(slowRequests).map(([name, kind]) => goneAfter(service.url, name, kind)),
    ...Object.entries(slowRequests).map(([name, kind]) => goneAfter(tlsService.url, `${name}, over TLS`, kind)),
    ...Object.entries(slowHandshakes).map(([name, kind]) => goneAfter(plainTls, name, kind)),
  ]);
  expect(closedAfter.filter(({ seconds }) => seconds > 15)).toEqual([]);
  expect((await client(service.url, key).enrich("jane.doe@example.com")).status).toBe(202);
  expect(await watch.stop()).toBeLessThan(200);
});

async function goneAfter(url: string, name: string, kind: Slowness) {
  const slow = await openSlowClient(url, kind);
  return { name, seconds: (await slow.closed) / 1000 };
}

async function serveTls(appliance: Appliance) {
  const certificate = createAuthority("Test authority").issue(["IP:127.0.0.1"]);
  const args = writeTlsConfig(appliance.folder, certificate);
  appliance.initialise();
  return await appliance.serve({ args });
}

test("a request that waits for its scan is answered, however long that takes", { timeout: 60_000 }, async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const upstream = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    async fetch() {
      await Bun.sleep(17_000);
      return Response.json({ findings: [] });
    },
  });
  const file = join(appliance.folder, "xpose.toml");
  const url = `http://127.0.0.1:${upstream.port}/{email}`;
  writeFileSync(file, `[[sources.http]]\nname = "slow"\nurl = "${url}"\ntimeout = "60s"\n`);
  const service = await appliance.serve({ args: ["--config", file] });
  const response = await client(service.url, key).enrich("jane.doe@example.com", { Prefer: "wait=50" });
  expect([response.status, response.headers.get("Preference-Applied")]).toEqual([200, "wait"]);
  await upstream.stop(true);
});

test("a valid request passes within 2 s while others hold every descriptor", { timeout: 60_000 }, async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const service = await appliance.serve({ shell: `ulimit -n 200; exec "$0" "$@"` });
  const slow: RawClient[] = [];
  const open = async () => {
    for (let count = 0; count < 100; count += 1) {
      const one = await rawClient(service.url).catch(() => null);
      if (one === null) continue;
      one.write(count % 2 === 0 ? "GET /he" : (slowRequests["a body that stalls"]?.first ?? ""));
      slow.push(one);
    }
  };
  await Promise.all(Array.from({ length: 5 }, open));
  for (let round = 0; round < 5; round += 1) {
    const startedAt = performance.now();
    const { status } = await client(service.url, key).enrich(`user${round}@example.com`, { Connection: "close" });
    expect(status).toBe(202);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await open();
  }
  for (const one of slow) one.socket.destroy();
});
