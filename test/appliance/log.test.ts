import { writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";
import { watchHealth } from "../helpers/health-watch.ts";

/** Asks until the log is longer than any pipe and than the buffer of the service: 2 MB of lines. */
async function fillLog(url: string): Promise<void> {
  const ask = async () => {
    for (let count = 0; count < 1_000; count += 1) await (await fetch(`${url}/healthz`)).arrayBuffer();
  };
  await Promise.all(Array.from({ length: 16 }, ask));
}

async function metricOf(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
}

describe("12.5a a log that nobody reads", () => {
  test.each([
    // The reader holds the pipe and takes nothing; the descriptor of the service is the other end.
    { what: "a pipe", shell: `exec "$0" "$@" 2> >(exec sleep 30 > /dev/null 2>&1)` },
    // The journal gives the service a stream socket.
    {
      what: "a socket",
      shell: `exec python3 -c 'import os,socket,sys
a, b = socket.socketpair()
os.set_inheritable(a.fileno(), True)
os.dup2(b.fileno(), 2)
os.execv(sys.argv[1], sys.argv[1:])' "$0" "$@"`,
    },
  ])("$what, stalls nothing: lines are dropped and counted, and the audit trail is whole", async ({ shell }) => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const service = await appliance.serve({ shell });
    const watch = watchHealth(service.url);
    await fillLog(service.url);
    expect(await metricOf(service.url, "xpose_log_dropped_total")).toBeGreaterThan(100);
    expect(await metricOf(service.url, "xpose_audit_dropped_total")).toBe(0);
    // A reload, which logs lines of its own, and misses go on too.
    service.kill("SIGHUP");
    const { enrich } = client(service.url, key);
    const addresses = Array.from({ length: 20 }, (_, index) => `user${index}@example.com`);
    for (const address of addresses) expect((await enrich(address)).status).toBe(202);
    expect(await watch.stop()).toBeLessThan(200);
    service.kill("SIGTERM");
    expect(await service.exited).toBe(0);
    const events = appliance.run(["audit", "export"]).stdout.trimEnd().split("\n");
    expect(events.filter((line) => line.includes('"enrich.requested"'))).toHaveLength(addresses.length);
  });

  test("that is read again goes on with whole lines", async () => {
    await using appliance = new Appliance();
    appliance.initialise();
    const path = join(appliance.folder, "log.sock");
    const reader = Promise.withResolvers<Socket>();
    const server = createServer((socket) => {
      socket.pause();
      reader.resolve(socket);
    }).listen(path);
    const shell = `exec python3 -c 'import os,socket,sys
s = socket.socket(socket.AF_UNIX)
s.connect("${path}")
os.dup2(s.fileno(), 2)
os.execv(sys.argv[1], sys.argv[1:])' "$0" "$@"`;
    const service = await appliance.serve({ shell });
    const socket = await reader.promise;
    await fillLog(service.url);
    const dropped = await metricOf(service.url, "xpose_log_dropped_total");
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.resume();
    await Bun.sleep(1_000);
    service.kill("SIGTERM");
    expect(await service.exited).toBe(0);
    server.close();
    const lines = text.trimEnd().split("\n");
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number) });
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ msg: "stopped" });
    const requests = lines.filter((line) => line.includes('"msg":"request"')).length;
    expect(requests + dropped).toBeGreaterThanOrEqual(16_000);
  });
});

test('log.format "pretty" holds for every line, those of requests too', async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const file = join(appliance.folder, "xpose.toml");
  writeFileSync(file, '[log]\nformat = "pretty"\n');
  const service = await appliance.serve({ args: ["--config", file] });
  await client(service.url, key).enrich("jane.doe@example.com", { "X-Correlation-Id": "case-1" });
  await Bun.sleep(400);
  service.kill("SIGTERM");
  await service.exited;
  const lines = service.log().trimEnd().split("\n");
  for (const line of lines) expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z (INFO|WARN|ERROR) {1,2}\S/);
  expect(lines.find((line) => line.includes("INFO  request"))).toMatch(
    /request method="POST" path="\/api\/v1\/soc\/enrich" status=202 ms=[\d.]+ correlation_id="case-1"$/,
  );
});
