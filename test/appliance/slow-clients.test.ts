import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";
import { createAuthority } from "../helpers/certificates.ts";
import { watchHealth } from "../helpers/health-watch.ts";
import { type RawClient, rawClient } from "../helpers/raw-client.ts";

const head = (length: number, more = "") =>
  `POST /api/v1/soc/enrich HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${more}Content-Length: ${length}\r\n\r\n`;

/** Every kind of client that is too slow: what it sends at once, and what it sends again and again. */
const kinds: Readonly<Record<string, { readonly first: string; readonly drip: string | null }>> = {
  "half a request line": { first: "POST /api/v1/so", drip: null },
  "a head that drips": { first: "GET /healthz HTTP/1.1\r\nHost: a\r\n", drip: "X-A: b\r\n" },
  "a body that stalls": { first: `${head(50)}{`, drip: null },
  "a body that drips": { first: head(10_000), drip: " " },
  "chunks that drip": { first: head(1).replace(/Content-Length: 1/, "Transfer-Encoding: chunked"), drip: "1\r\n \r\n" },
  "a refused request whose body goes on": { first: head(10_000_000).replace("/soc/enrich", "/nowhere"), drip: "x" },
  "an idle connection after an answer": { first: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", drip: null },
  "line ends for ever": { first: "\r\n", drip: "\r\n" },
};

async function openSlow(url: string, { first, drip }: { first: string; drip: string | null }): Promise<RawClient> {
  const slow = await rawClient(url);
  slow.write(Buffer.from(first, "latin1"));
  if (drip !== null) {
    const timer = setInterval(() => slow.write(drip), 500);
    void slow.closed.then(() => clearInterval(timer));
  }
  return slow;
}

/** A connection that never ends its handshake. */
const handshakes: typeof kinds = {
  "no handshake": { first: "", drip: null },
  "half a handshake": { first: "\x16\x03\x01\x02\x00\x01", drip: null },
  "a handshake that drips": { first: "\x16\x03\x01\x02\x00\x01", drip: "\x01" },
};

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
    ...Object.entries(kinds).map(([name, kind]) => goneAfter(service.url, name, kind)),
    ...Object.entries(kinds).map(([name, kind]) => goneAfter(tlsService.url, `${name}, over TLS`, kind)),
    ...Object.entries(handshakes).map(([name, kind]) => goneAfter(plainTls, name, kind)),
  ]);
  expect(closedAfter.filter(({ seconds }) => seconds > 15)).toEqual([]);
  expect((await client(service.url, key).enrich("jane.doe@example.com")).status).toBe(202);
  expect(await watch.stop()).toBeLessThan(200);
});

async function goneAfter(url: string, name: string, kind: (typeof kinds)[string]) {
  const slow = await openSlow(url, kind);
  return { name, seconds: (await slow.closed) / 1000 };
}

async function serveTls(appliance: Appliance) {
  const { cert, key } = createAuthority("Test authority").issue(["IP:127.0.0.1"]);
  const [certFile, keyFile, file] = ["cert.pem", "key.pem", "xpose.toml"].map((name) => join(appliance.folder, name));
  writeFileSync(certFile ?? "", cert);
  writeFileSync(keyFile ?? "", key);
  writeFileSync(file ?? "", `[server]\ntls_cert = "${certFile}"\ntls_key = "${keyFile}"\n`);
  appliance.initialise();
  return await appliance.serve({ args: ["--config", file ?? ""] });
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
      one.write(count % 2 === 0 ? "GET /he" : `${head(50)}{`);
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
