import { readFileSync } from "node:fs";

/** Delays of a server that are caused neither by itself nor by its clients. NaN on a kernel without these figures. */
export type Disturbance = {
  /**
   * Milliseconds in which everything on the machine waited for the disk (`full` in /proc/pressure/io). A commit waits
   * for the disk, so a disk stall shows in the p99 of calls that commit.
   */
  readonly diskStallMs: number;
  /** Milliseconds in which the server's main thread was ready but its core was taken (/proc/PID/schedstat). */
  readonly coreTakenMs: number;
};

export async function withDisturbance<Result extends object>(
  pid: number,
  work: () => Promise<Result>,
): Promise<Result & Disturbance> {
  const before = totals(pid);
  const result = await work();
  const after = totals(pid);
  return {
    ...result,
    diskStallMs: after.diskStallMs - before.diskStallMs,
    coreTakenMs: after.coreTakenMs - before.coreTakenMs,
  };
}

function totals(pid: number): Disturbance {
  return {
    diskStallMs: Number(/^full .*total=(\d+)/m.exec(read("/proc/pressure/io"))?.[1]) / 1e3,
    coreTakenMs: Number(/^\d+ (\d+)/.exec(read(`/proc/${pid}/schedstat`))?.[1]) / 1e6,
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
