import { createServer, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type HttpClientOptions, openHttpClient } from "../../src/egress/client.ts";
import { systemCa } from "../../src/egress/connection.ts";
import { type Authority, createAuthority } from "../helpers/certificates.ts";
import { type FaultServer, startFaultServer } from "../helpers/fault-server.ts";
import { startProxyServer } from "../helpers/proxy-server.ts";

let upstream: FaultServer;
let ownAuthority: Authority;

beforeAll(async () => {
  upstream = await startFaultServer();
  ownAuthority = createAuthority("Authority of the organisation");
}, 30_000);
afterAll(() => upstream.close());

function openClient(options: Partial<HttpClientOptions> = {}) {
  const client = openHttpClient({
    userAgent: "xpose/1.2.3",
    proxy: null,
    noProxy: [],
    extraCa: null,
    systemCa: upstream.ca,
    ...options,
  });
  onTestFinished(() => client.close());
  return client;
}

function reasonOf(answer: Promise<unknown>): Promise<unknown> {
  return answer.then(
    () => "no failure",
    (error: unknown) => (error instanceof Error && "reason" in error ? error.reason : error),
  );
}

const soon = () => AbortSignal.timeout(5_000);
const text = (body: Uint8Array) => new TextDecoder().decode(body);

describe("a request", () => {
  test("returns status, lower-case headers and the whole body", async () => {
    const answer = await openClient().request({ url: upstream.url("found"), signal: soon() });
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ "content-type": "application/json" });
    expect(JSON.parse(text(answer.body))).toMatchObject({ findings: [{ subject: "shop.example" }] });
  });

  test("carries our User-Agent, even if the caller sets another, and the caller's headers and path", async () => {
    const url = `${upstream.url("found")}?a=jane.doe%2Bx%40example.com`;
    await openClient().request({ url, headers: { "User-Agent": "other", "X-Api-Key": "k" }, signal: soon() });
    const head = upstream.requests.at(-1) ?? "";
    expect(head).toContain("GET /found?a=jane.doe%2Bx%40example.com HTTP/1.1\r\n");
    expect(head.toLowerCase().match(/user-agent: .*/g)).toEqual(["user-agent: xpose/1.2.3"]);
    expect(head.toLowerCase()).toContain("x-api-key: k\r\n");
    expect(head.toLowerCase()).toContain("accept-encoding: gzip, deflate, br\r\n");
  });

  test("can be a POST with a body", async () => {
    const received = Promise.withResolvers<string>();
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        received.resolve(`${request.method} ${await request.text()}`);
        return new Response("done");
      },
    });
    onTestFinished(() => server.stop(true));
    const answer = await openClient().request({ method: "POST", url: `${server.url}`, body: "{}", signal: soon() });
    expect(await received.promise).toBe("POST {}");
    expect(text(answer.body)).toBe("done");
  });

  test("returns the decompressed body", async () => {
    const answer = await openClient().request({ url: upstream.url("found_gzip"), signal: soon() });
    expect(text(answer.body)).toContain("shop.example");
  });

  test.each(["x-gzip", "X-GZIP", " gzip "])("returns the decompressed body of %s", async (encoding) => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(Bun.gzipSync("done"), { headers: { "content-encoding": encoding } }),
    });
    onTestFinished(() => server.stop(true));
    const answer = await openClient().request({ url: `${server.url}`, signal: soon() });
    expect(text(answer.body)).toBe("done");
  });

  test("accepts an empty body with any encoding", async () => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(null, { status: 404, headers: { "content-encoding": "gzip" } }),
    });
    onTestFinished(() => server.stop(true));
    const answer = await openClient().request({ url: `${server.url}`, signal: soon() });
    expect([answer.status, answer.body.length]).toEqual([404, 0]);
  });

  test("returns a status other than 200 unchanged", async () => {
    expect((await openClient().request({ url: upstream.url("status_500"), signal: soon() })).status).toBe(500);
  });

  test("never follows a redirect", async () => {
    const before = upstream.requests.length;
    expect(await reasonOf(openClient().request({ url: upstream.url("redirect"), signal: soon() }))).toBe("redirect");
    expect(upstream.requests.length).toBe(before + 1);
  });

  test("fails above the caller's cap, exact to the byte", async () => {
    const url = upstream.url("nothing");
    const sizeBytes = '{"findings":[]}'.length;
    const client = openClient();
    expect((await client.request({ url, signal: soon(), maxBytes: sizeBytes })).body.length).toBe(sizeBytes);
    expect(await reasonOf(client.request({ url, signal: soon(), maxBytes: sizeBytes - 1 }))).toBe("too_large");
  });

  test("of an aborted caller is a time-out and is never sent", async () => {
    const before = upstream.requests.length;
    const signal = AbortSignal.abort();
    expect(await reasonOf(openClient().request({ url: upstream.url("found"), signal }))).toBe("timeout");
    expect(upstream.requests.length).toBe(before);
  });

  test("gives up a connection that is not made within the client's own limit", async () => {
    const client = openClient({ connectTimeoutMs: 100 });
    for (const fault of ["connect_timeout", "handshake_timeout"] as const) {
      expect(await reasonOf(client.request({ url: upstream.url(fault), signal: soon() }))).toBe("timeout");
    }
  });

  test("never repeats the request in an error", async () => {
    const client = openClient();
    for (const fault of ["refused", "unknown_name", "tls_expired", "not_http", "redirect", "endless_body"] as const) {
      const failure: unknown = await client
        .request({
          url: `${upstream.url(fault)}?email=jane.doe%40example.com`,
          headers: { "x-api-key": "secret-value" },
          signal: soon(),
        })
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Error);
      expect(Bun.inspect(failure)).not.toMatch(/jane|secret-value/);
    }
  });

  test("that cannot be sent is an internal error, not the upstream's", async () => {
    const request = { url: upstream.url("found"), headers: { "x-a": "a\r\nb: c" }, signal: soon() };
    expect(await reasonOf(openClient().request(request))).toBe("internal");
  });
});

describe("TLS", () => {
  test("trusts the authorities of the system and of the operator", async () => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { ...ownAuthority.issue(["DNS:localhost"]) },
      fetch: () => new Response("inside"),
    });
    onTestFinished(() => server.stop(true));
    const client = openClient({ extraCa: ownAuthority.ca });
    const inside = await client.request({ url: `https://localhost:${server.port}/`, signal: soon() });
    expect(text(inside.body)).toBe("inside");
    expect((await client.request({ url: upstream.url("found_tls"), signal: soon() })).status).toBe(200);
    expect(await reasonOf(client.request({ url: upstream.url("tls_unknown_ca"), signal: soon() }))).toBe("tls");
    const without = openClient().request({ url: `https://localhost:${server.port}/`, signal: soon() });
    expect(await reasonOf(without)).toBe("tls");
  });

  test("knows the authorities of this system", () => {
    expect(systemCa().match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(50);
  });

  test.each([
    ["IP:127.0.0.1", "127.0.0.1", true],
    ["DNS:localhost", "127.0.0.1", false],
    ["IP:127.0.0.1", "localhost", false],
  ])("a certificate for %s proves %s: %s", async (name, host, isProof) => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { ...ownAuthority.issue([name]) },
      fetch: () => new Response("inside"),
    });
    onTestFinished(() => server.stop(true));
    const client = openClient({ extraCa: ownAuthority.ca });
    const answer = client.request({ url: `https://${host}:${server.port}/`, signal: soon() });
    expect(await reasonOf(answer)).toBe(isProof ? "no failure" : "tls");
  });

  test("is verified even if the environment disables it", async () => {
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    onTestFinished(() => {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    });
    for (const fault of ["tls_unknown_ca", "tls_expired", "tls_wrong_name"] as const) {
      expect(await reasonOf(openClient().request({ url: upstream.url(fault), signal: soon() }))).toBe("tls");
    }
  });

  test("a file without a certificate is refused at once", () => {
    expect(() => openClient({ extraCa: "not a certificate" })).toThrow();
  });
});

describe("addresses", () => {
  test.each([
    "http://169.254.169.254/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fd20:ce::254]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2002:6464:64c8::]/",
    "http://[::169.254.169.254]/",
    "http://[::ffff:0:a9fe:a9fe]/",
    "http://[2001:0:a9fe:a9fe::1]/",
    "http://[2001:0:1:2:3:4:5601:5601]/",
    "http://[2001:db8::5efe:a9fe:a9fe]/",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://2852039166/",
  ])("%s is always refused, directly and by proxy", async (url) => {
    const proxy = await startProxyServer();
    onTestFinished(proxy.close);
    expect(await reasonOf(openClient().request({ url, signal: soon() }))).toBe("unreachable");
    expect(await reasonOf(openClient({ proxy: proxy.url }).request({ url, signal: soon() }))).toBe("unreachable");
    expect(proxy.seen).toEqual([]);
  });

  test("a name is refused when any of its addresses is a metadata address", async () => {
    const client = openClient({ resolve: async () => ["127.0.0.1", "169.254.169.254"] });
    const url = upstream.url("found").replace("127.0.0.1", "rebound.test");
    const before = upstream.requests.length;
    expect(await reasonOf(client.request({ url, signal: soon() }))).toBe("unreachable");
    expect(upstream.requests.length).toBe(before);
  });

  test("a name is resolved once, and the next address is tried when one does not answer", async () => {
    const asked: string[] = [];
    const client = openClient({
      resolve: async (name) => {
        asked.push(name);
        return ["127.0.0.2", "127.0.0.1"];
      },
    });
    const url = upstream.url("found").replace("127.0.0.1", "source.test");
    expect((await client.request({ url, signal: soon() })).status).toBe(200);
    expect(asked).toEqual(["source.test"]);
    expect(upstream.requests.at(-1)?.toLowerCase()).toContain("host: source.test:");
  });

  test("a name that never resolves fails when the caller's signal aborts", async () => {
    const client = openClient({ resolve: () => new Promise(() => {}) });
    const request = { url: "https://source.test/", signal: AbortSignal.timeout(50) };
    expect(await reasonOf(client.request(request))).toBe("timeout");
  });
});

describe("proxy", () => {
  test("https goes through a tunnel and is verified end to end", async () => {
    const proxy = await startProxyServer();
    onTestFinished(proxy.close);
    const client = openClient({ proxy: proxy.url });
    expect((await client.request({ url: upstream.url("found_tls"), signal: soon() })).status).toBe(200);
    expect(proxy.seen.at(0)?.request).toBe(`CONNECT ${new URL(upstream.url("found_tls")).host}`);
    expect(await reasonOf(client.request({ url: upstream.url("tls_unknown_ca"), signal: soon() }))).toBe("tls");
  });

  test("the proxy resolves the names", async () => {
    const proxy = await startProxyServer();
    onTestFinished(proxy.close);
    const client = openClient({
      proxy: proxy.url,
      resolve: (name) => Promise.resolve(name === "localhost" ? ["127.0.0.1"] : []),
    });
    const port = new URL(upstream.url("tls_wrong_name")).port;
    expect((await client.request({ url: `https://other.test:${port}/found`, signal: soon() })).status).toBe(200);
    expect(proxy.seen.at(0)?.request).toBe(`CONNECT other.test:${port}`);
  });

  test("a target address is verified by its own certificate, not by one for the proxy's address", async () => {
    const proxy = await startProxyServer();
    onTestFinished(proxy.close);
    const client = openClient({ proxy: proxy.url, extraCa: ownAuthority.ca });
    for (const [name, reason] of [
      ["IP:127.0.0.9", "no failure"],
      ["IP:127.0.0.1", "tls"],
    ] as const) {
      const server = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        tls: { ...ownAuthority.issue([name]) },
        fetch: () => new Response("inside"),
      });
      onTestFinished(() => server.stop(true));
      expect(await reasonOf(client.request({ url: `https://127.0.0.9:${server.port}/`, signal: soon() }))).toBe(reason);
    }
  });

  test("plain http is forwarded as an absolute request", async () => {
    const proxy = await startProxyServer();
    onTestFinished(proxy.close);
    const answer = await openClient({ proxy: proxy.url }).request({ url: "http://misp.test:81/a?b=c", signal: soon() });
    expect(text(answer.body)).toBe('{"from":"proxy"}');
    expect(proxy.seen).toEqual([{ request: "GET http://misp.test:81/a?b=c", credentials: null }]);
  });

  test("name and password go only to the proxy", async () => {
    const proxy = await startProxyServer();
    onTestFinished(proxy.close);
    const client = openClient({ proxy: proxy.url.replace("://", "://jane:p%40ss@") });
    await client.request({ url: "http://misp.test/", signal: soon() });
    await client.request({ url: upstream.url("found_tls"), signal: soon() });
    const credentials = `Basic ${btoa("jane:p@ss")}`;
    expect(proxy.seen.map((one) => one.credentials)).toEqual([credentials, credentials]);
    expect(upstream.requests.at(-1)?.toLowerCase()).not.toContain("proxy-authorization");
  });

  test("can be reached by TLS itself, verified", async () => {
    const proxy = await startProxyServer({ certificate: ownAuthority.issue(["DNS:localhost"]) });
    onTestFinished(proxy.close);
    const client = openClient({ proxy: proxy.url, extraCa: ownAuthority.ca });
    expect((await client.request({ url: upstream.url("found_tls"), signal: soon() })).status).toBe(200);
    expect((await client.request({ url: "http://misp.test/", signal: soon() })).status).toBe(200);
    const doubting = openClient({ proxy: proxy.url });
    expect(await reasonOf(doubting.request({ url: upstream.url("found_tls"), signal: soon() }))).toBe("tls");
  });

  test("a proxy that is down is a failure, and no request goes direct", async () => {
    const client = openClient({ proxy: new URL(upstream.url("refused")).origin });
    const before = upstream.requests.length;
    for (const reply of ["found", "found_tls"] as const) {
      expect(await reasonOf(client.request({ url: upstream.url(reply), signal: soon() }))).toBe("unreachable");
    }
    expect(upstream.requests.length).toBe(before);
  });

  test.each([407, 403, 502])("a proxy that refuses with %i makes the target unreachable", async (status) => {
    const proxy = await startProxyServer({ refuseWith: status });
    onTestFinished(proxy.close);
    const client = openClient({ proxy: proxy.url });
    expect(await reasonOf(client.request({ url: upstream.url("found_tls"), signal: soon() }))).toBe("unreachable");
  });

  test("a proxy that never answers is a time-out", async () => {
    const silent = new URL(upstream.url("handshake_timeout")).origin.replace("https", "http");
    const waiting = openClient({ proxy: silent, connectTimeoutMs: 100 });
    expect(await reasonOf(waiting.request({ url: upstream.url("found_tls"), signal: soon() }))).toBe("timeout");
  });

  test("targets in no_proxy are reached directly", async () => {
    const proxy = await startProxyServer();
    onTestFinished(proxy.close);
    const client = openClient({ proxy: proxy.url, noProxy: ["127.0.0.0/8"] });
    expect((await client.request({ url: upstream.url("found"), signal: soon() })).status).toBe(200);
    expect(proxy.seen).toEqual([]);
  });

  test("a proxy in the environment is not used", async () => {
    process.env["HTTP_PROXY"] = new URL(upstream.url("refused")).origin;
    onTestFinished(() => {
      delete process.env["HTTP_PROXY"];
    });
    expect((await openClient().request({ url: upstream.url("found"), signal: soon() })).status).toBe(200);
  });

  test("an unusable proxy is refused at once", () => {
    expect(() => openClient({ proxy: "socks5://localhost:1" })).toThrow(/proxy/);
  });
});

/**
 * A scripted upstream. `answer` gets the number of the connection and the number of the request on it, both from 1 on.
 */
async function startScript(answer: (socket: Socket, connection: number, request: number) => void) {
  const requests: string[] = [];
  const closed: number[] = [];
  let connectionCount = 0;
  const server = createServer((socket) => {
    connectionCount += 1;
    const connection = connectionCount;
    let requestCount = 0;
    socket.on("error", () => {});
    socket.on("close", () => closed.push(connection));
    socket.on("data", (head) => {
      requestCount += 1;
      requests.push(head.toString().split("\r\n", 1)[0] ?? "");
      answer(socket, connection, requestCount);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    /** The request lines. */
    requests,
    /** The numbers of the closed connections. */
    closed,
    get connectionCount(): number {
      return connectionCount;
    },
  };
}

const ok = (body: string, headers = "") => `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

/** Waits until the other side of a connection has noticed. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe("a connection", () => {
  test("is reused for the same origin, and for no other", async () => {
    const upstream = await startScript((socket, connection) => void socket.write(ok(String(connection))));
    const client = openClient();
    const ask = async (host: string) =>
      text((await client.request({ url: `http://${host}:${upstream.port}/`, signal: soon() })).body);
    expect([await ask("127.0.0.1"), await ask("127.0.0.1"), await ask("localhost")]).toEqual(["1", "1", "2"]);
    expect([await ask("localhost"), await ask("127.0.0.1")]).toEqual(["2", "1"]);
  });

  test("goes to the checked address, and its name is resolved again when it is too old", async () => {
    const upstream = await startScript((socket, connection) => void socket.write(ok(String(connection))));
    const addresses = [["127.0.0.1"], ["169.254.169.254"]];
    const resolve = async () => addresses.shift() ?? [];
    const request = { url: `http://rebound.test:${upstream.port}/`, signal: soon() };
    const client = openClient({ resolve });
    await client.request(request);
    expect((await client.request(request)).status).toBe(200);
    expect(addresses).toEqual([["169.254.169.254"]]);

    addresses.unshift(["127.0.0.1"]);
    const forgetful = openClient({ resolve, maxAgeMs: 0 });
    await forgetful.request(request);
    expect(await reasonOf(forgetful.request(request))).toBe("unreachable");
    expect(upstream.connectionCount).toBe(2);
  });

  test.each([
    { method: "GET", line: "GET / HTTP/1.1" },
    { method: "POST", line: "POST / HTTP/1.1" },
  ] as const)("that is closed by the next request is replaced, and that $method is sent once more", async (row) => {
    const upstream = await startScript((socket, connection, request) => {
      if (connection === 1 && request === 2) socket.destroy();
      else socket.write(ok(String(connection)));
    });
    const client = openClient();
    const { method, line } = row;
    const request = { method, url: upstream.url, signal: soon(), ...(method === "POST" ? { body: "{}" } : {}) };
    await client.request(request);
    expect(text((await client.request(request)).body)).toBe("2");
    expect(upstream.requests).toEqual([line, line, line]);
  });

  test("closed while idle is not reused", async () => {
    const upstream = await startScript((socket, connection) => void socket.end(ok(String(connection))));
    const client = openClient();
    for (const connection of ["1", "2", "3"]) {
      expect(text((await client.request({ url: upstream.url, signal: soon() })).body)).toBe(connection);
      await until(() => upstream.closed.length === Number(connection));
    }
    expect(upstream.requests.length).toBe(3);
  });

  test("that was new is not retried: its upstream is unreachable", async () => {
    const upstream = await startScript((socket, connection, request) => {
      if (connection === 1 && request === 1) socket.write(ok("once"));
      else socket.destroy();
    });
    const client = openClient();
    await client.request({ url: upstream.url, signal: soon() });
    expect(await reasonOf(client.request({ url: upstream.url, signal: soon() }))).toBe("unreachable");
    expect(upstream.connectionCount).toBe(2);
    expect(await reasonOf(client.request({ url: upstream.url, signal: soon() }))).toBe("unreachable");
    expect(upstream.connectionCount).toBe(3);
  });

  test.each([
    ["within the head of an answer", "HTTP/1.1 200 OK\r\nContent-Le", "unreachable"],
    ["within the body of an answer", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "bad_answer"],
    ["after something that is not HTTP", "220 smtp.example ESMTP\r\n", "unreachable"],
  ])("closed %s is not retried", async (_when, part, reason) => {
    const upstream = await startScript((socket, _connection, request) => {
      if (request === 1) socket.write(ok("whole"));
      else socket.end(part);
    });
    const client = openClient();
    await client.request({ url: upstream.url, signal: soon() });
    expect(await reasonOf(client.request({ url: upstream.url, signal: soon() }))).toBe(reason);
    expect(upstream.requests.length).toBe(2);
  });

  test.each([
    ["a redirect", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"],
    ["an answer that is too large", ok("12345678")],
    ["an answer that asks for it", ok("1", "Connection: close\r\n")],
    ["an answer with a keep-alive of one second", ok("1", "Keep-Alive: timeout=1\r\n")],
  ])("is closed after %s", async (_answer, first) => {
    const upstream = await startScript((socket, connection) => {
      socket.write(connection === 1 ? first : ok("next"));
    });
    const client = openClient();
    const request = { url: upstream.url, signal: soon(), maxBytes: 4 };
    await client.request(request).catch(() => {});
    await until(() => upstream.closed.length === 1);
    expect(text((await client.request(request)).body)).toBe("next");
  });

  test("with more data than requested is closed, and the extra data is never used", async () => {
    const upstream = await startScript((socket, connection) => {
      socket.write(connection === 1 ? ok("mine") + ok("nobody's") : ok("also mine"));
    });
    const client = openClient();
    expect(text((await client.request({ url: upstream.url, signal: soon() })).body)).toBe("mine");
    expect(text((await client.request({ url: upstream.url, signal: soon() })).body)).toBe("also mine");
    expect(upstream.closed).toEqual([1]);
  });

  test("is closed at once when its request is aborted", async () => {
    const asked = Promise.withResolvers<void>();
    const upstream = await startScript((socket, connection) => {
      if (connection === 1) asked.resolve();
      else socket.write(ok("next"));
    });
    const client = openClient();
    const patience = new AbortController();
    const reason = reasonOf(client.request({ url: upstream.url, signal: patience.signal }));
    await asked.promise;
    patience.abort();
    expect(await reason).toBe("timeout");
    await until(() => upstream.closed.length === 1);
    expect(text((await client.request({ url: upstream.url, signal: soon() })).body)).toBe("next");
  });

  test("is closed when idle for a while, and with the client", async () => {
    const upstream = await startScript((socket) => void socket.write(ok("")));
    await openClient({ idleMs: 20 }).request({ url: upstream.url, signal: soon() });
    await until(() => upstream.closed.length === 1);
    const client = openClient();
    await client.request({ url: upstream.url, signal: soon() });
    await client.close();
    await until(() => upstream.closed.length === 2);
  });

  test("through a proxy is a reusable tunnel", async () => {
    const proxy = await startProxyServer();
    onTestFinished(proxy.close);
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { ...ownAuthority.issue(["DNS:localhost"]) },
      fetch: () => new Response("inside"),
    });
    onTestFinished(() => server.stop(true));
    const client = openClient({ proxy: proxy.url, extraCa: ownAuthority.ca });
    for (let count = 0; count < 3; count += 1) {
      const answer = await client.request({ url: `https://localhost:${server.port}/`, signal: soon() });
      expect(text(answer.body)).toBe("inside");
    }
    expect(proxy.seen.map(({ request }) => request)).toEqual([`CONNECT localhost:${server.port}`]);
  });
});

describe("the client", () => {
  test("opens at most 256 connections, and serves waiting requests afterwards", async () => {
    const held: Socket[] = [];
    const upstream = await startScript((socket) => void held.push(socket));
    const client = openClient();
    const request = () => client.request({ url: upstream.url, signal: soon() });
    const answers = Array.from({ length: 262 }, request);
    await until(() => held.length === 256);
    await new Promise((resolve) => setImmediate(resolve));
    expect(held.length).toBe(256);
    for (const socket of held.splice(0)) socket.write(ok(""));
    await until(() => held.length === 6);
    for (const socket of held.splice(0)) socket.write(ok(""));
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(262).fill(200));
    expect(upstream.connectionCount).toBe(256);
  });

  test("closes the longest idle connection when it needs one to another target", async () => {
    const [first, second] = [
      await startScript((socket) => void socket.write(ok(""))),
      await startScript((socket) => void socket.write(ok(""))),
    ];
    const client = openClient({ maxConnections: 2 });
    const ask = (url: string) => client.request({ url, signal: soon() });
    await Promise.all([ask(first.url), ask(first.url)]);
    await ask(second.url);
    await until(() => first.closed.length === 1);
    await Promise.all([ask(first.url), ask(second.url)]);
    expect([first.connectionCount, second.connectionCount]).toEqual([2, 1]);
  });

  test("connects to one target at most 16 times at once, and other targets do not wait", async () => {
    let asked = 0;
    const known = Promise.withResolvers<string[]>();
    const upstream = await startScript((socket) => void socket.write(ok("")));
    const client = openClient({
      resolve: (name) => {
        if (name === "other.test") return Promise.resolve(["127.0.0.1"]);
        asked += 1;
        return known.promise;
      },
    });
    const request = (host: string) => client.request({ url: `http://${host}:${upstream.port}/`, signal: soon() });
    const answers = Array.from({ length: 100 }, () => request("slow.test"));
    expect((await request("other.test")).status).toBe(200);
    expect(asked).toBe(16);
    known.resolve(["127.0.0.1"]);
    expect((await Promise.all(answers)).length).toBe(100);
  });

  test("once closed ends running requests and refuses new ones", async () => {
    const client = openClient();
    const running = reasonOf(client.request({ url: upstream.url("headers_timeout"), signal: soon() }));
    await client.close();
    expect(await running).toBe("unreachable");
    expect(await reasonOf(client.request({ url: upstream.url("found"), signal: soon() }))).toBe("unreachable");
  });
});
