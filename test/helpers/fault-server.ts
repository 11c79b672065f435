import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { createGzip, gzipSync } from "node:zlib";
import type { SourceErrorReason } from "../../src/domain/error.ts";
import { type Certificate, createAuthority } from "./certificates.ts";
import { startFullBacklog } from "./full-backlog.ts";

/** Every fault of the fault table of the `http` source, and the reason to record (docs/contract.md 6.5, 11.3). */
export const faults = {
  refused: "unreachable",
  unknown_name: "unreachable",
  closed_before_answer: "unreachable",
  reset_before_answer: "unreachable",
  not_http: "unreachable",
  tls_unknown_ca: "tls",
  tls_expired: "tls",
  tls_wrong_name: "tls",
  tls_not_spoken: "tls",
  connect_timeout: "timeout",
  handshake_timeout: "timeout",
  headers_timeout: "timeout",
  slow_body: "timeout",
  reset_in_body: "bad_answer",
  short_body: "bad_answer",
  short_chunked_body: "bad_answer",
  broken_headers: "bad_answer",
  endless_headers: "bad_answer",
  status_201: "bad_answer",
  status_204: "bad_answer",
  status_400: "http_4xx",
  status_401_json: "auth",
  status_401_html: "http_4xx",
  status_403_json: "auth",
  status_403_html: "http_4xx",
  status_404_html: "http_4xx",
  status_404_text: "http_4xx",
  status_404_problem: "http_4xx",
  status_429: "rate_limited",
  status_429_retry_after: "rate_limited",
  status_500: "http_5xx",
  status_503_html: "http_5xx",
  redirect: "redirect",
  redirect_without_location: "redirect",
  html: "bad_answer",
  problem: "bad_answer",
  wrong_type: "bad_answer",
  wrong_charset: "bad_answer",
  wrong_bytes: "bad_answer",
  truncated_gzip: "bad_answer",
  unoffered_encoding: "bad_answer",
  gzip_bomb: "too_large",
  endless_body: "too_large",
  empty_body: "bad_answer",
  broken_json: "bad_answer",
  deep_json: "bad_answer",
  wrong_shape: "bad_answer",
  wrong_field_type: "bad_answer",
} as const satisfies Record<string, SourceErrorReason>;

export type Fault = keyof typeof faults;
/** Healthy replies beside the faults: findings, an empty list, a 404 without a body. */
export type Reply = Fault | "found" | "found_tls" | "found_gzip" | "nothing" | "not_found";

export type FaultServer = {
  /** The URL of a reply; a query may be appended. The path holds only the name of the reply. */
  readonly url: (reply: Reply) => string;
  /** The CA of the certificates of `found_tls`, `tls_expired` and `tls_wrong_name`. */
  readonly ca: string;
  /** The heads of all requests so far. */
  readonly requests: readonly string[];
  readonly close: () => Promise<void>;
};

const oneFinding = { title: "Present in Example Shop", subject: "shop.example", date: "2021-05", severity: "high" };

/** A fake upstream on 127.0.0.1 that answers in every wrong way, one per URL. */
export async function startFaultServer(): Promise<FaultServer> {
  const authority = createAuthority("Trusted test authority");
  const stranger = createAuthority("Unknown test authority");
  const requests: string[] = [];
  const local = ["DNS:localhost", "IP:127.0.0.1"];
  const servers = {
    plain: createServer((socket) => serve(socket, requests)),
    good: tlsServer(authority.issue(local), requests),
    unknownCa: tlsServer(stranger.issue(local), requests),
    expired: tlsServer(authority.issue(local, { isExpired: true }), requests),
    wrongName: tlsServer(authority.issue(["DNS:other.test"]), requests),
    silent: createServer(() => {}),
  };
  const open = new Set<Socket>();
  for (const server of Object.values(servers)) {
    server.on("connection", (socket: Socket) => {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => open.delete(socket));
    });
    await listen(server);
  }
  const closedPort = await freePort();
  const fullBacklog = await startFullBacklog();
  const elsewhere: Partial<Record<Reply, string>> = {
    refused: `http://127.0.0.1:${closedPort}`,
    unknown_name: "http://nowhere.invalid",
    tls_unknown_ca: `https://localhost:${portOf(servers.unknownCa)}`,
    tls_expired: `https://localhost:${portOf(servers.expired)}`,
    tls_wrong_name: `https://localhost:${portOf(servers.wrongName)}`,
    tls_not_spoken: `https://localhost:${portOf(servers.plain)}`,
    connect_timeout: `http://127.0.0.1:${fullBacklog.port}`,
    handshake_timeout: `https://localhost:${portOf(servers.silent)}`,
    found_tls: `https://localhost:${portOf(servers.good)}`,
  };
  return {
    url: (reply) => `${elsewhere[reply] ?? `http://127.0.0.1:${portOf(servers.plain)}`}/${reply}`,
    ca: authority.ca,
    requests,
    close: async () => {
      fullBacklog.close();
      for (const socket of open) socket.destroy();
      await Promise.all(Object.values(servers).map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** Reads one request and sends the reply that its path names. */
function serve(socket: Socket, requests: string[]): void {
  let head = "";
  socket.on("data", (chunk) => {
    if (head.includes("\r\n\r\n")) return;
    head += chunk.toString("latin1");
    if (!head.includes("\r\n\r\n")) {
      // A TLS handshake, or anything else that is not HTTP.
      if (!/^[A-Z]/.test(head)) socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    requests.push(head);
    const name = /^[A-Z]+ \/([a-z0-9_]+)/.exec(head)?.[1] ?? "";
    const reply = replies[name];
    if (reply === undefined) socket.end(answer("404 Not Found", json, "{}"));
    else reply(socket);
  });
}

const json = "Content-Type: application/json\r\n";
const html = "Content-Type: text/html\r\n";
const found = JSON.stringify({ findings: [oneFinding] });
const page = "<!doctype html><title>Sign in</title>";

/** A complete answer with its length. */
function answer(status: string, headers: string, body: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(body);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${headers}Content-Length: ${bytes.length}\r\n\r\n`), bytes]);
}

const fixed = (status: string, headers: string, body: string | Uint8Array) => (socket: Socket) => {
  socket.end(answer(status, headers, body));
};

const replies: Readonly<Record<string, (socket: Socket) => void>> = {
  found: fixed("200 OK", json, found),
  found_tls: fixed("200 OK", json, found),
  found_gzip: fixed("200 OK", `${json}Content-Encoding: gzip\r\n`, gzipSync(found)),
  nothing: fixed("200 OK", json, '{"findings":[]}'),
  not_found: fixed("404 Not Found", "", ""),
  closed_before_answer: (socket) => socket.end(),
  reset_before_answer: (socket) => socket.resetAndDestroy(),
  not_http: (socket) => socket.end("220 mail.example ESMTP\r\n"),
  headers_timeout: () => {},
  slow_body: (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${json}Content-Length: 100000\r\n\r\n{`);
    const timer = setInterval(() => socket.write(" "), 20);
    socket.on("close", () => clearInterval(timer));
  },
  reset_in_body: (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${json}Content-Length: 100000\r\n\r\n${found}`, () => socket.resetAndDestroy());
  },
  short_body: (socket) => socket.end(`HTTP/1.1 200 OK\r\n${json}Content-Length: 100000\r\n\r\n{"findings":[]}`),
  short_chunked_body: (socket) =>
    socket.end(`HTTP/1.1 200 OK\r\n${json}Transfer-Encoding: chunked\r\n\r\nf\r\n{"findings":[]}\r\n`),
  broken_headers: (socket) => socket.end(`HTTP/1.1 200 OK\r\nno colon here\r\n\r\n{"findings":[]}`),
  endless_headers: (socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    pour(socket, Buffer.from(`X-Filler: ${"x".repeat(1000)}\r\n`));
  },
  status_201: fixed("201 Created", json, found),
  status_204: (socket) => socket.end("HTTP/1.1 204 No Content\r\n\r\n"),
  status_400: fixed("400 Bad Request", json, '{"message":"bad"}'),
  status_401_json: fixed("401 Unauthorized", json, '{"message":"bad key"}'),
  status_401_html: fixed("401 Unauthorized", html, page),
  status_403_json: fixed("403 Forbidden", json, '{"message":"not allowed"}'),
  status_403_html: fixed("403 Forbidden", html, page),
  status_404_html: fixed("404 Not Found", html, page),
  status_404_text: fixed("404 Not Found", "Content-Type: text/plain\r\n", "default backend - 404"),
  status_404_problem: fixed("404 Not Found", "Content-Type: application/problem+json\r\n", '{"title":"Not Found"}'),
  status_429: fixed("429 Too Many Requests", json, "{}"),
  status_429_retry_after: fixed("429 Too Many Requests", `${json}Retry-After: 3600\r\n`, "{}"),
  status_500: fixed("500 Internal Server Error", json, '{"findings":[]}'),
  status_503_html: fixed("503 Service Unavailable", html, page),
  redirect: fixed("302 Found", `${json}Location: /found\r\n`, '{"findings":[]}'),
  redirect_without_location: fixed("300 Multiple Choices", json, '{"findings":[]}'),
  html: fixed("200 OK", html, page),
  problem: fixed("200 OK", "Content-Type: application/problem+json\r\n", '{"findings":[]}'),
  wrong_type: fixed("200 OK", "Content-Type: text/plain\r\n", found),
  wrong_charset: fixed("200 OK", "Content-Type: application/json; charset=utf-16\r\n", Buffer.from(found, "utf16le")),
  wrong_bytes: fixed("200 OK", json, Buffer.from('{"findings":[{"title":"caf\xe9"}]}', "latin1")),
  truncated_gzip: fixed("200 OK", `${json}Content-Encoding: gzip\r\n`, gzipSync(found).subarray(0, -6)),
  unoffered_encoding: fixed("200 OK", `${json}Content-Encoding: zstd\r\n`, Bun.zstdCompressSync(found)),
  gzip_bomb: pourBomb,
  endless_body: (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${json}\r\n{"findings":[],"filler":"`);
    pour(socket, Buffer.alloc(64 * 1024, "x"));
  },
  empty_body: fixed("200 OK", json, ""),
  broken_json: fixed("200 OK", json, '{"findings":['),
  deep_json: fixed("200 OK", json, `{"findings":[],"x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
  wrong_shape: fixed("200 OK", json, '{"findings":{"title":"not a list"}}'),
  wrong_field_type: fixed("200 OK", json, '{"findings":[{"title":5}]}'),
};

/** Writes for ever, as fast as the other side reads. */
function pour(socket: Socket, piece: Uint8Array): void {
  const more = () => {
    while (socket.writable && socket.write(piece));
  };
  socket.on("drain", more);
  more();
}

/** 300 MB of zeros compressed to about 300 KB, generated while they are sent. */
function pourBomb(socket: Socket): void {
  socket.write(`HTTP/1.1 200 OK\r\n${json}Content-Encoding: gzip\r\n\r\n`);
  const gzip = createGzip();
  gzip.pipe(socket);
  const zeros = Buffer.alloc(1_000_000);
  let left = 300;
  const more = () => {
    while (left > 0) {
      left -= 1;
      if (!gzip.write(zeros)) return;
    }
    gzip.end();
  };
  gzip.on("drain", more);
  socket.on("close", () => {
    left = 0;
  });
  more();
}

function tlsServer(certificate: Certificate, requests: string[]): Server {
  const server = createTlsServer(certificate, (socket) => serve(socket, requests));
  server.on("tlsClientError", () => {});
  return server;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await listen(server);
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server does not listen");
  return address.port;
}
