/** 1 million hits on 32 connections: memory grows by at most 32 MB after the first fifth of them. */
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Appliance, client } from "../../test/helpers/appliance.ts";
import { enrichRequest } from "../../test/helpers/enrich-request.ts";
import { watchHealth } from "../../test/helpers/health-watch.ts";
import { finish, judge } from "../judge.ts";
import { share } from "../share.ts";

const hitCount = share(1_000_000);
const warmCount = hitCount / 5;
const mostGrowthMb = 32;
const connectionCount = 32;
const email = "jane.doe@example.com";

await using appliance = new Appliance();
const key = appliance.initialise();
const file = join(appliance.folder, "leak.csv");
writeFileSync(file, `email\n${email}\n`);
appliance.json("corpus", "import", file, "--name", "leak");
const service = await appliance.serve({ env: { XPOSE_RATE_LIMIT_ENTERPRISE: "0", XPOSE_LOG_LEVEL: "warn" } });
const api = client(service.url, key);
await api.settle(((await (await api.enrich(email)).json()) as { request_id: string }).request_id);

const request = enrichRequest(key, email);
const watch = watchHealth(service.url);
let sentCount = 0;
let answeredCount = 0;
let warmMb = 0;
const startedAt = performance.now();
await Promise.all(Array.from({ length: connectionCount }, hitAgainAndAgain));
const seconds = (performance.now() - startedAt) / 1000;
const growthMb = residentMb() - warmMb;
const longestMs = await watch.stop();

console.log(`${answeredCount} hits in ${seconds.toFixed(0)} s, ${warmMb.toFixed(0)} MB after the first fifth`);
judge(answeredCount === hitCount, `${answeredCount} of ${hitCount} hits answered with 200`);
judge(growthMb <= mostGrowthMb, `memory grew by ${growthMb.toFixed(1)} MB after the first fifth`);
judge(longestMs <= 200, `longest answer of /healthz meanwhile ${longestMs.toFixed(0)} ms`);
finish();

/** One hit after the other on one connection, until all are sent. */
function hitAgainAndAgain(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(service.url).port) });
  let text = "";
  const next = () => {
    if (sentCount < hitCount) {
      sentCount += 1;
      socket.write(request);
    } else socket.destroy();
  };
  socket.on("connect", next);
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    const end = text.indexOf("\r\n\r\n") + 4;
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN);
    if (end < 4 || !(text.length >= end + length)) return;
    if (text.startsWith("HTTP/1.1 200 ")) answeredCount += 1;
    text = "";
    if (answeredCount === warmCount) warmMb = residentMb();
    next();
  });
  socket.on("error", () => undefined);
  socket.on("close", () => resolve());
  return promise;
}

function residentMb(): number {
  const [, kilobytes = "0"] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${service.pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}
