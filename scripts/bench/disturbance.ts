import { readFileSync } from "node:fs";

/** What held a server up that is neither its own work nor that of its clients. NaN on a kernel that does not say. */
export type Disturbance = {
  /**
   * For how many milliseconds everything on the machine waited for the disk (`full` in /proc/pressure/io). A commit waits
   * for the disk, so a disk that stalls shows in the p99 of whoever commits.
   */
  readonly diskStallMs: number;
  /** For how many milliseconds the main thread of the server was ready and its core was taken (/proc/PID/schedstat). */
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
