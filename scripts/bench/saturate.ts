import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bodies, Caller } from "./caller.ts";
import { type Disturbance, withDisturbance } from "./disturbance.ts";
import { cpuSeconds } from "./process-figures.ts";
import type { StartedServer } from "./started-server.ts";

export type Saturated = {
  readonly perSecond: number;
  /** CPU time of the server per request, in microseconds. */
  readonly cpuMicroseconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

/** Whole seconds; the folder is for wrk's script. */
type Load = { readonly seconds: number; readonly folder: string };

export const hasWrk = Bun.which("wrk") !== null;
const connectionCount = 64;

/** Saturates the server with wrk over keep-alive connections; each request is about a random address. */
export function saturate(server: StartedServer, caller: Caller, load: Load): Promise<Saturated & Disturbance> {
  return withDisturbance(server.pid, () => runWrk(server, caller, load));
}

async function runWrk(server: StartedServer, caller: Caller, { seconds, folder }: Load): Promise<Saturated> {
  const script = join(folder, "saturate.lua");
  writeFileSync(script, lua(caller.headers, caller.bodies));
  const command = [
    "wrk",
    "-t1",
    `-c${connectionCount}`,
    `-d${Math.ceil(seconds)}s`,
    "-s",
    script,
    `${server.url}${caller.path}`,
  ];
  const cpuBefore = cpuSeconds(server.pid);
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const cpu = cpuSeconds(server.pid) - cpuBefore;
  const line = /^RESULT (.*)$/m.exec(stdout)?.[1];
  if ((await child.exited) !== 0 || line === undefined) throw new Error(`wrk failed: ${stderr}${stdout}`);
  const result = JSON.parse(line) as Record<"requests" | "microseconds" | "errors" | "p50" | "p99", number>;
  if (result.errors > 0) throw new Error(`${result.errors} requests failed: ${stdout}`);
  return {
    perSecond: result.requests / (result.microseconds / 1e6),
    cpuMicroseconds: (cpu * 1e6) / result.requests,
    p50Ms: result.p50 / 1000,
    p99Ms: result.p99 / 1000,
  };
}

function lua(headers: Caller["headers"], { before, after, count, digits }: Bodies): string {
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers[${quoted(name)}] = ${quoted(value)}`);
  return `
wrk.method = "POST"
${lines.join("\n")}
local requests = {}
function init(args)
  math.randomseed(os.time())
  for index = 0, ${count - 1} do
    local body = ${quoted(before)} .. string.format("%0${digits}d", index) .. ${quoted(after)}
    requests[index] = wrk.format(nil, nil, nil, body)
  end
end
function request()
  return requests[math.random(0, ${count - 1})]
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"microseconds":%d,"errors":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.duration, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
`;
}

/** JSON text of plain ASCII is a valid Lua string, too. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
