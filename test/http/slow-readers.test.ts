import { expect, test } from "vitest";
import { startServer } from "../../src/http/serve.ts";
import { rawClient } from "../helpers/raw-client.ts";

/** More than the kernel keeps for a reader. */
const sizeBytes = 40_000_000;

test("a client that takes nothing of its answer is gone within 15 s; one that goes on reading gets all of it", {
  timeout: 60_000,
}, async () => {
  const startedAt = performance.now();
  const body = Buffer.alloc(sizeBytes, "x");
  const listen = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
  const server = await startServer(
    { listen, socketMode: 0o660, tls: null, descriptorLimit: 1024 },
    async () => new Response(body),
  );
  await using stalled = await rawClient(server.address);
  stalled.socket.pause();
  stalled.write("GET /stalled HTTP/1.1\r\nHost: a\r\n\r\n");
  await using slow = await rawClient(server.address);
  let takenBytes = 0;
  let restBytes = 0;
  slow.socket.on("data", (chunk: Buffer) => {
    takenBytes += chunk.length;
    restBytes -= chunk.length;
    if (restBytes <= 0) slow.socket.pause();
  });
  slow.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  const reading = setInterval(() => {
    restBytes = 2_000_000;
    slow.socket.resume();
  }, 1000);
  await slow.closed;
  clearInterval(reading);
  expect(takenBytes).toBeGreaterThan(sizeBytes);
  expect(performance.now() - startedAt).toBeGreaterThan(16_000);
  stalled.socket.resume();
  await stalled.closed;
  expect(stalled.received().length).toBeLessThan(sizeBytes);
  await server.stop({ lingerMs: 0, graceMs: 1 });
});
