/**
 * 100,000 malformed requests, from a seed that is printed and can be given again (`--seed N`): no answer of 5xx but the
 * parser's 505, no exit, less than 64 MB of memory more, and the service answers on.
 */
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { parseArgs } from "node:util";
import { Appliance, client } from "../../test/helpers/appliance.ts";
import { enrichRequest } from "../../test/helpers/enrich-request.ts";
import { watchHealth } from "../../test/helpers/health-watch.ts";
import { finish, judge } from "../judge.ts";
import { share } from "../share.ts";

const { values } = parseArgs({ options: { seed: { type: "string" }, share: { type: "string" } } });
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
console.log(`seed ${seed}`);
const random = mulberry32(seed);
const requestCount = share(100_000);
const atOnceCount = 50;
const mostGrowthMb = 64;

await using appliance = new Appliance();
const key = appliance.initialise();
const service = await appliance.serve({ env: { XPOSE_RATE_LIMIT_ENTERPRISE: "0" } });
let hasExited = false;
void service.exited.then(() => {
  hasExited = true;
});
const id = "3f2a8c1e-0000-4000-8000-000000000000";
const head = `Host: a\r\nX-API-Key: ${key}\r\n`;
const wellFormed = [
  enrichRequest(key, "jane.doe@example.com"),
  enrichRequest(key, "jane.doe@example.com", "Prefer: wait=0\r\nX-Correlation-Id: siege\r\n"),
  `GET /api/v1/soc/enrich/${id}/evidence HTTP/1.1\r\n${head}\r\n`,
  `POST /api/v1/soc/enrich HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n1} \r\n0\r\n\r\n`,
  `POST /api/v1/session HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{"token":"x"}`,
  `GET /api/v1/workspaces/${id}/keys?status=active HTTP/1.1\r\n${head}Authorization: Bearer x\r\n\r\n`,
  "GET /healthz HTTP/1.0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\nRange: bytes=0-1\r\n\r\n",
];

type Fault = (bytes: Buffer) => Buffer<ArrayBuffer>;

const odd: readonly unknown[] = [
  "",
  "a@b",
  `${"a".repeat(5_000)}@example.com`,
  "\ud800@example.com",
  1,
  [],
  {},
  "x\0@example.com",
];

const faults: readonly Fault[] = [
  // Bytes lost, changed, doubled.
  faultAt(
    () => "",
    () => 1 + below(30),
  ),
  faultAt(
    () => Uint8Array.from({ length: 1 + below(8) }, () => below(256)),
    () => below(8),
  ),
  faultAt(
    () => pick(["\0", "\r", "\n", "\r\n", "\r\n\r\n", " ", "\t", ":", "%", "%00", "/../", "\xff\xfe", "\u00e9"]),
    () => 0,
  ),
  (bytes) => Buffer.concat([bytes.subarray(0, below(bytes.length)), bytes]),
  (bytes) => Buffer.from(bytes.subarray(0, below(bytes.length))),
  // Lengths and encodings that lie.
  headerLine(() => `Content-Length: ${pick(["-1", "0", "1", "00005", "+5", "5,5", "9".repeat(30), "0x10", ""])}`),
  headerLine(
    () => `Transfer-Encoding: ${pick(["chunked", "gzip, chunked", "chunked, chunked", "xchunked", "\x0bchunked"])}`,
  ),
  headerLine(() => `Content-Encoding: ${pick(["gzip", "br", "identity", "\t"])}`),
  headerLine(() =>
    pick(["Host: b", "Host:", "X-API-Key: x", "Connection: upgrade", "Upgrade: websocket", " folded: x"]),
  ),
  headerLine(() => `X-Long: ${"a".repeat(below(70_000))}`),
  headerLine(() => Array.from({ length: 1 + below(300) }, (_, at) => `X-${at}: a`).join("\r\n")),
  // Bodies that are no request.
  (bytes) => withBody(bytes, pick(["", "[", "null", "{}", '"x"', "[".repeat(5_000), '{"indicator":null}', "1e999"])),
  (bytes) => withBody(bytes, JSON.stringify({ indicator: { type: pick(["email", "ip", 1, null]), value: pick(odd) } })),
];

const watch = watchHealth(service.url);
const memoryBefore = residentMb();
const statuses = new Map<number, number>();
let sentCount = 0;
await Promise.all(Array.from({ length: atOnceCount }, attack));
const growthMb = residentMb() - memoryBefore;
const longestMs = await watch.stop();

const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} x ${status || "no answer"}`);
console.log(`${sentCount} requests: ${counts.join(", ")}`);
const wrong = [...statuses.keys()].filter((status) => status >= 500 && status !== 505);
judge(wrong.length === 0, `answers of 5xx but 505: ${wrong.join(", ") || "none"}`);
judge(!hasExited, "the service did not exit");
judge(growthMb < mostGrowthMb, `memory grew by ${growthMb.toFixed(0)} MB`);
judge(longestMs <= 200, `longest answer of /healthz meanwhile ${longestMs.toFixed(0)} ms`);
judge((await client(service.url, key).enrich("after@example.com")).status === 202, "a valid request is answered");
finish();

async function attack(): Promise<void> {
  while (sentCount < requestCount && !hasExited) {
    sentCount += 1;
    const text = await send(malformed());
    for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) count(Number(status));
    if (!text.startsWith("HTTP/")) count(0);
  }
}

function count(status: number): void {
  statuses.set(status, (statuses.get(status) ?? 0) + 1);
}

/** Sends bytes, ends the own side once something came or after a moment, and resolves with all that came. */
function send(bytes: Uint8Array): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(service.url).port), allowHalfOpen: true });
  const patience = setTimeout(() => socket.destroy(), 100);
  socket.on("connect", () => socket.write(bytes));
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    socket.end();
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    clearTimeout(patience);
    resolve(text);
  });
  return promise;
}

/** A well-formed request with one to four faults in it. */
function malformed(): Uint8Array {
  let bytes = Buffer.from(pick(wellFormed), "latin1");
  for (let count = 1 + below(4); count > 0; count -= 1) bytes = pick(faults)(bytes);
  return bytes;
}

function faultAt(insert: () => string | Uint8Array, cut: () => number): Fault {
  return (bytes) => {
    const at = below(bytes.length + 1);
    const inserted = insert();
    const piece = typeof inserted === "string" ? Buffer.from(inserted, "latin1") : inserted;
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + cut())]);
  };
}

/** Puts a line in behind the request line. */
function headerLine(line: () => string): Fault {
  return (bytes) => {
    const at = bytes.indexOf("\r\n") + 2;
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(`${line()}\r\n`, "latin1"), bytes.subarray(at)]);
  };
}

function withBody(bytes: Buffer, body: string): Buffer<ArrayBuffer> {
  const end = bytes.indexOf("\r\n\r\n");
  const lines = bytes.subarray(0, end === -1 ? bytes.length : end).toString("latin1");
  const content = Buffer.from(body);
  const framed = `${lines.replace(/\r\nContent-Length: \d+/gi, "")}\r\nContent-Length: ${content.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(framed, "latin1"), content]);
}

function below(limit: number): number {
  return Math.floor(random() * limit);
}

function pick<Item>(items: readonly Item[]): Item {
  return items[below(items.length)] as Item;
}

function residentMb(): number {
  const [, kilobytes = "0"] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${service.pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}

/** A small seeded generator: the same seed gives the same requests. */
function mulberry32(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
