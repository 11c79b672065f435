import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningServer, startServer } from "../../src/http/serve.ts";
import { rawClient } from "../helpers/raw-client.ts";

/**
 * Faults of the runtime's HTTP server that the section "Connect your SIEM" of docs/api.md tells clients to avoid. Each
 * test fails once the runtime is mended; then the row of that section goes, and the test with it.
 */
const mended = (what: string) =>
  `Bun ${Bun.version} handles ${what}: remove its row from "Connect your SIEM" in docs/api.md, and this test`;

let server: RunningServer;

beforeAll(async () => {
  const listen = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
  server = await startServer({ listen, socketMode: 0o660, tls: null, descriptorLimit: 1024 }, async (request) => {
    const { length } = await request.bytes();
    await Bun.sleep(20);
    return new Response(`${length} bytes`);
  });
});
afterAll(async () => await server.stop({ lingerMs: 0, graceMs: 1 }));

const head = "POST / HTTP/1.1\r\nHost: a\r\n";

describe("faults of the runtime's HTTP server", { timeout: 30_000 }, () => {
  test("Expect: 100-Continue with a capital C gets no 100, and the connection ends within 15 s", async () => {
    await using lower = await rawClient(server.address);
    lower.write(`${head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
    await using capital = await rawClient(server.address);
    capital.write(`${head}Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n`);
    expect(await capital.closed).toBeLessThan(15_000);
    expect(lower.received()).toContain("HTTP/1.1 100 Continue");
    expect(capital.received(), mended("Expect: 100-Continue in any case")).not.toContain("100 Continue");
  });

  test("requests sent ahead of an answer are lost, and the connection ends within 15 s", async () => {
    await using ahead = await rawClient(server.address);
    ahead.write(`${head}Content-Length: 1\r\n\r\nx`.repeat(3));
    expect(await ahead.closed).toBeLessThan(15_000);
    expect(ahead.statuses().length, mended("requests sent ahead of an answer")).toBeLessThan(3);
  });
});
