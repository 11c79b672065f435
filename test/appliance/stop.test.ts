import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";
import { enrichRequest } from "../helpers/enrich-request.ts";
import { rawClient } from "../helpers/raw-client.ts";

function configure(appliance: Appliance, text: string): string[] {
  const file = join(appliance.folder, "xpose.toml");
  writeFileSync(file, text);
  return ["--config", file];
}

describe("12.5a SIGTERM", () => {
  test.each([
    { connections: 300, before: 0 },
    { connections: 300, before: 1 },
    { connections: 30, before: 9 },
  ])("$connections requests that were wholly sent before it are answered, $before answers before", async (row) => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const service = await appliance.serve();
    const clients = await Promise.all(Array.from({ length: row.connections }, () => rawClient(service.url)));
    for (let round = 0; round < row.before; round += 1) {
      for (const [index, one] of clients.entries()) one.write(enrichRequest(key, `user${index}-${round}@example.com`));
      await Promise.all(clients.map((one) => one.answers(round + 1)));
    }
    for (const [index, one] of clients.entries()) one.write(enrichRequest(key, `user${index}@example.com`));
    const toldAt = performance.now();
    service.kill("SIGTERM");
    const answers = await Promise.all(clients.map((one) => one.answers(row.before + 1)));
    expect(answers.flat()).toEqual(Array(row.connections * (row.before + 1)).fill(202));
    // An answer that was out before the signal does not say that it is the last one.
    for (const one of clients) expect(one.received().match(/connection: close/gi)?.length ?? 0).toBeLessThan(2);
    expect(await service.exited).toBe(0);
    expect(performance.now() - toldAt).toBeLessThan(10_000);
    for (const one of clients) one.socket.destroy();
  });

  test("a connection that is used while the service stops is answered, told so, and ended", async () => {
    await using appliance = new Appliance();
    appliance.initialise();
    const service = await appliance.serve();
    await using open = await rawClient(service.url);
    const ask = async (count: number) => {
      open.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
      return (await open.answers(count)).length === count;
    };
    await ask(1);
    service.kill("SIGTERM");
    let count = 1;
    while (!/connection: close/i.test(open.received())) expect(await ask(++count)).toBe(true);
    await open.closed;
    expect(open.statuses()).toEqual(Array(count).fill(200));
    expect(await service.exited).toBe(0);
  });

  test("clients that ask again and again meanwhile get an answer or a refused connection, never a reset", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const service = await appliance.serve();
    let isOver = false;
    const faults: string[] = [];
    const clients = Array.from({ length: 10 }, async (_, index) => {
      const { enrich } = client(service.url, key);
      while (!isOver) {
        try {
          const response = await enrich(`user${index}@example.com`);
          if (![200, 202].includes(response.status)) faults.push(`status ${response.status}`);
          await response.arrayBuffer();
        } catch (error) {
          const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
          if (!["ConnectionRefused", "ECONNREFUSED"].includes(code)) faults.push(code);
          return;
        }
        await Bun.sleep(10);
      }
    });
    await Bun.sleep(500);
    service.kill("SIGTERM");
    expect(await service.exited).toBe(0);
    isOver = true;
    await Promise.all(clients);
    expect(faults).toEqual([]);
  });

  test("it ends in time, whatever clients do: wait, read nothing, send half a request", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const hanging = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: () => new Promise<Response>(() => {}),
    });
    const source = `[[sources.http]]\nname = "slow"\nurl = "http://127.0.0.1:${hanging.port}/{email}"\ntimeout = "60s"\n`;
    const service = await appliance.serve({ args: configure(appliance, source) });
    const waiting = await rawClient(service.url);
    waiting.write(enrichRequest(key, "jane.doe@example.com", "Prefer: wait=50\r\n"));
    const others = await Promise.all(Array.from({ length: 20 }, () => rawClient(service.url)));
    for (const [index, other] of others.entries())
      other.write(enrichRequest(key, "a@example.com").slice(0, -1 - (index % 2) * 80));
    await Bun.sleep(300);
    const toldAt = performance.now();
    service.kill("SIGTERM");
    // A client that waits for a scan is told where to ask again.
    expect(await waiting.answers(1)).toEqual([202]);
    expect(await service.exited).toBe(0);
    expect(performance.now() - toldAt).toBeLessThan(10_000);
    for (const one of [waiting, ...others]) one.socket.destroy();
    await hanging.stop(true);
  });

  test("during server.drain_delay it serves as before and says that it is not ready", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const service = await appliance.serve({ args: configure(appliance, '[server]\ndrain_delay = "2s"\n') });
    const { enrich, get } = client(service.url, key);
    expect((await get("/readyz")).status).toBe(200);
    const toldAt = performance.now();
    service.kill("SIGTERM");
    await Bun.sleep(300);
    const [ready, answer] = [await get("/readyz"), await enrich("jane.doe@example.com")];
    expect([ready.status, answer.status, answer.headers.get("Connection")]).toEqual([503, 202, null]);
    expect(await service.exited).toBe(0);
    expect(performance.now() - toldAt).toBeGreaterThan(2_000);
  });
});

describe("12.6 a signal while the service starts", () => {
  /** The first milliseconds belong to the runtime, in which no program can listen for a signal. */
  const runtimeMs = 40;

  async function startAndTell(appliance: Appliance, signal: "SIGTERM" | "SIGHUP", afterMs: number) {
    const listen = ["--listen", "127.0.0.1:0", "--data-dir", appliance.dataDir];
    const child = Bun.spawn([appliance.executable, "serve", ...listen], {
      env: appliance.environment(),
      stdout: "pipe",
      stderr: "ignore",
    });
    await Bun.sleep(afterMs);
    child.kill(signal);
    return child;
  }

  test("SIGTERM ends it in order", async () => {
    await using appliance = new Appliance();
    appliance.initialise();
    for (let afterMs = runtimeMs; afterMs < runtimeMs + 60; afterMs += 6) {
      const child = await startAndTell(appliance, "SIGTERM", afterMs);
      expect([await child.exited, child.signalCode]).toEqual([0, null]);
    }
  });

  test("SIGHUP does not end it", async () => {
    await using appliance = new Appliance();
    appliance.initialise();
    for (let afterMs = runtimeMs; afterMs < runtimeMs + 60; afterMs += 12) {
      const child = await startAndTell(appliance, "SIGHUP", afterMs);
      let first = "";
      for await (const chunk of child.stdout) {
        first += new TextDecoder().decode(chunk);
        if (first.includes("\n")) break;
      }
      expect(first).toContain("listening");
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
    }
  });
});
