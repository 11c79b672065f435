import { X509Certificate } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type RunningServer, type ServerSettings, startServer } from "../../src/http/serve.ts";
import { createAuthority } from "../helpers/certificates.ts";
import { turnOver } from "../helpers/manual-clock.ts";
import { openTestService } from "../helpers/test-service.ts";

let folder: string;
let servers: RunningServer[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xpose-serve-"));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.stop(atOnce);
  rmSync(folder, { recursive: true });
});

const atOnce = { lingerMs: 0, graceMs: 1 };
const tcp: ServerSettings = {
  listen: { kind: "tcp", host: "127.0.0.1", port: 0 },
  socketMode: 0o660,
  tls: null,
  descriptorLimit: 1024,
};

async function start(settings: ServerSettings, respond: (request: Request) => Promise<Response>) {
  const server = await startServer(settings, respond);
  servers.push(server);
  return server;
}

/** Sends raw bytes and returns the answer; closes the connection once `leaveAfter` has resolved. */
function raw(address: string, text: string, leaveAfter: Promise<void> | null = null): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let received = "";
  const socket = connect(Number(new URL(address).port), "127.0.0.1", () => socket.write(text));
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString();
    if (received.includes("\r\n\r\n")) socket.end();
  });
  socket.on("close", () => resolve(received));
  socket.on("error", reject);
  void leaveAfter?.then(() => socket.destroy());
  return promise;
}

describe("over a real connection", () => {
  test.each([
    { request: "GET /healthz HTTP/1.0\r\n\r\n", what: "HTTP/1.0 without a host, as a load balancer checks" },
    { request: "GET /healthz HTTP/1.1\r\nHost: \r\n\r\n", what: "an empty host" },
    { request: "GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", what: "a host that is none" },
    { request: "GET /healthz?x=1 HTTP/1.1\r\nHost: example.com\r\n\r\n", what: "a host" },
  ])("$what is routed", async ({ request }) => {
    const { respond } = await openTestService();
    const { address } = await start(tcp, respond);
    expect(await raw(address, request)).toMatch(/^HTTP\/1\.[01] 200 /);
  });

  test("a host cannot smuggle in another path", async () => {
    const { respond } = await openTestService();
    const { address } = await start(tcp, respond);
    const request = "GET /nowhere HTTP/1.1\r\nHost: a/healthz?\r\n\r\n";
    expect(await raw(address, request)).toMatch(/^HTTP\/1\.1 404 /);
  });

  test("a client that disconnects during the body is not logged as a failure of the service", async () => {
    const { respond, tenant, lines, accessEntries } = await openTestService();
    const reached = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    const { address } = await start(tcp, async (request) => {
      reached.resolve();
      const response = await respond(request);
      answered.resolve();
      return response;
    });
    const head = `POST /api/v1/soc/enrich HTTP/1.1\r\nHost: a\r\nX-API-Key: ${tenant.token}\r\n`;
    await raw(address, `${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"in`, reached.promise);
    await answered.promise;
    expect(lines).toEqual([]);
    expect(accessEntries).toMatchObject([{ status: 400 }]);
  });

  test("a body over the limit is refused by our code, whatever its size", async () => {
    const { respond, tenant } = await openTestService();
    const { address } = await start(tcp, respond);
    const response = await fetch(`${address}/api/v1/soc/enrich`, {
      method: "POST",
      headers: { "X-API-Key": tenant.token, "Content-Type": "application/json" },
      body: new Uint8Array(4 * 1024 * 1024),
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: "payload_too_large" } });
  });

  test("0.2 an error that escapes the router reveals nothing", async () => {
    const { address } = await start(tcp, () => Promise.reject(new Error("inner detail")));
    const response = await fetch(`${address}/`);
    expect(response.status).toBe(500);
    expect(await response.text()).toBe(
      '{"error":{"code":"internal_error","message":"The request could not be served"}}',
    );
  });

  test("a stop lets an active request finish and accepts no new connection", async () => {
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const server = await start(tcp, async () => {
      reached.resolve();
      await gate.promise;
      return new Response("done");
    });
    const answer = fetch(server.address);
    await reached.promise;
    const stopped = server.stop({ lingerMs: 0, graceMs: 5_000 });
    gate.resolve();
    expect(await (await answer).text()).toBe("done");
    await stopped;
    await expect(fetch(server.address)).rejects.toThrow();
  });

  test("a stop does not wait longer than its grace period", async () => {
    const reached = Promise.withResolvers<void>();
    const server = await start(tcp, () => {
      reached.resolve();
      return new Promise(() => {});
    });
    const answer = fetch(server.address).then(
      () => "answered",
      () => "cut",
    );
    await reached.promise;
    await server.stop(atOnce);
    expect(await answer).toBe("cut");
  });

  test("an address in use is an error", async () => {
    const respond = async () => new Response("x");
    const { address } = await start(tcp, respond);
    const port = Number(new URL(address).port);
    await expect(startServer({ ...tcp, listen: { kind: "tcp", host: "127.0.0.1", port } }, respond)).rejects.toThrow();
  });
});

describe("a unix socket", () => {
  const settingsFor = (path: string): ServerSettings => ({ ...tcp, listen: { kind: "unix", path } });

  test("answers, has its mode, and is removed at the end", async () => {
    const path = join(folder, "xpose.sock");
    const { respond } = await openTestService();
    const server = await start(settingsFor(path), respond);
    expect(server.address).toBe(`unix:${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o660);
    const response = await fetch("http://localhost/healthz", { unix: path });
    expect(await response.json()).toEqual({ status: "ok" });
    await server.stop(atOnce);
    await turnOver();
    expect(existsSync(path)).toBe(false);
  });

  test("a socket left by a killed process is replaced, but not a socket in use", async () => {
    const path = join(folder, "xpose.sock");
    const killed = await start(settingsFor(join(folder, "killed.sock")), async () => new Response());
    renameSync(join(folder, "killed.sock"), path);
    await killed.stop(atOnce);
    expect(statSync(path).isSocket()).toBe(true);
    const { respond } = await openTestService();
    await start(settingsFor(path), respond);
    await expect(startServer(settingsFor(path), respond)).rejects.toThrow("another process listens");
    expect((await fetch("http://localhost/healthz", { unix: path })).status).toBe(200);
  });

  test("a file or a link at the path of the socket is kept, and the start fails", async () => {
    const path = join(folder, "notes.txt");
    writeFileSync(path, "kept");
    symlinkSync(path, join(folder, "link"));
    for (const taken of [path, join(folder, "link")]) {
      const starting = startServer(settingsFor(taken), async () => new Response());
      await expect(starting).rejects.toThrow("exists and is no socket");
    }
    expect(readFileSync(path, "utf8")).toBe("kept");
  });
});

describe("a renewed certificate", () => {
  const authority = createAuthority("Serve authority");
  const newFiles = () => ({ ...authority.issue(["IP:127.0.0.1"]), clientCa: null });
  const answer = async () => new Response("ok");

  /** The serial number of the certificate that is shown. */
  function shown(where: { port: number } | { path: string }): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = connectTls({ ...where, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on("error", reject);
    return promise;
  }

  const serialOf = ({ cert }: { cert: string }) => new X509Certificate(cert).serialNumber;

  test("counts for new connections at the same port, again and again", async () => {
    const server = await start({ ...tcp, tls: newFiles() }, answer);
    const port = Number(new URL(server.address).port);
    for (let renewal = 0; renewal < 3; renewal += 1) {
      const next = newFiles();
      await server.renewTls(next);
      expect(await shown({ port })).toBe(serialOf(next));
    }
  });

  test("counts at a unix socket too", async () => {
    const path = join(folder, "tls.sock");
    const server = await start({ ...tcp, listen: { kind: "unix", path }, tls: newFiles() }, answer);
    const next = newFiles();
    await server.renewTls(next);
    await turnOver();
    expect(await shown({ path })).toBe(serialOf(next));
    await server.stop(atOnce);
    expect(existsSync(path)).toBe(false);
  });

  test("that cannot be used is refused, and the one in use stays", async () => {
    const first = newFiles();
    const server = await start({ ...tcp, tls: first }, answer);
    const port = Number(new URL(server.address).port);
    await expect(server.renewTls({ ...newFiles(), key: "no key" })).rejects.toThrow();
    await expect(server.renewTls({ ...first, key: newFiles().key })).rejects.toThrow();
    expect(await shown({ port })).toBe(serialOf(first));
  });
});
