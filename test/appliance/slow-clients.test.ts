import { expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";
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
  slow.write(first);
  if (drip !== null) {
    const timer = setInterval(() => slow.write(drip), 500);
    void slow.closed.then(() => clearInterval(timer));
  }
  return slow;
}

test("slow clients of every kind are gone within 15 s, and nobody else feels them", { timeout: 60_000 }, async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const service = await appliance.serve();
  const watch = watchHealth(service.url);
  const closedAfter = await Promise.all(
    Object.entries(kinds).map(async ([name, kind]) => {
      const slow = await openSlow(service.url, kind);
      return [name, Math.ceil((await slow.closed) / 1000)] as const;
    }),
  );
  for (const [name, seconds] of closedAfter) expect(seconds, name).toBeLessThanOrEqual(15);
  expect((await client(service.url, key).enrich("jane.doe@example.com")).status).toBe(202);
  expect(await watch.stop()).toBeLessThan(200);
});

test("a client that reads nothing of its answers is gone within 15 s; one that reads slowly gets all", {
  timeout: 60_000,
}, async () => {
  await using appliance = new Appliance();
  appliance.initialise();
  const service = await appliance.serve();
  const asset = /\/assets\/[\w.-]+\.js/.exec(await (await fetch(service.url)).text())?.[0] ?? "";
  const ask = `GET ${asset} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
  // Many answers on one connection: together more than the kernel keeps for a reader.
  const count = 200;
  await using stalled = await rawClient(service.url);
  stalled.socket.pause();
  stalled.write(ask.repeat(count));
  await using slow = await rawClient(service.url);
  slow.write(ask.repeat(count));
  const startedAt = performance.now();
  while (performance.now() - startedAt < 16_000) {
    slow.socket.pause();
    await Bun.sleep(300);
    slow.socket.resume();
    await Bun.sleep(20);
  }
  slow.socket.resume();
  expect(await slow.answers(count)).toEqual(Array(count).fill(200));
  stalled.socket.resume();
  await stalled.closed;
  expect(stalled.statuses().length).toBeLessThan(count);
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
