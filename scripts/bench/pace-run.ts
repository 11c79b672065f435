import { join } from "node:path";
import type { Caller } from "./caller.ts";
import { type Disturbance, withDisturbance } from "./disturbance.ts";
import type { PaceJob, PaceResult } from "./pace.ts";
import { first } from "./pinning.ts";
import type { StartedServer } from "./started-server.ts";

/** Warm-up of a new server before measuring: its first thousands of requests run uncompiled. */
export function warmUpSeconds(seconds: number): number {
  return Math.min(2, Math.ceil(seconds / 2));
}

const connectionCount = 64;
const generator = join(import.meta.dir, "pace.ts");

type Pace = { readonly perSecond: number | null; readonly seconds: number };

/** Runs the generator of a held rate; with a null rate one client sends requests sequentially. */
export function pace(
  server: StartedServer,
  caller: Caller,
  { perSecond, seconds }: Pace,
): Promise<PaceResult & Disturbance> {
  const connections = perSecond === null ? 1 : connectionCount;
  const job: PaceJob = { url: server.url, ...caller, connectionCount: connections, perSecond, seconds };
  return withDisturbance(server.pid, () => generate(job));
}

async function generate(job: PaceJob): Promise<PaceResult> {
  const command = first([process.execPath, generator, JSON.stringify(job)]);
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`the generator failed: ${stderr}`);
  return JSON.parse(stdout) as PaceResult;
}
