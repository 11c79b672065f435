import { readFileSync } from "node:fs";

/**
 * For how many milliseconds of `work` everything that ran on the machine waited for its disk (`full` in
 * /proc/pressure/io). A commit waits for the disk, so a disk that stalls shows in the p99 of whoever commits; this tells
 * it from a stall of the program. NaN on a kernel without the file.
 */
export async function withDiskStall<Result extends object>(
  work: () => Promise<Result>,
): Promise<Result & { readonly diskStallMs: number }> {
  const before = stalledMicroseconds();
  const result = await work();
  return { ...result, diskStallMs: (stalledMicroseconds() - before) / 1000 };
}

function stalledMicroseconds(): number {
  try {
    return Number(/^full .*total=(\d+)/m.exec(readFileSync("/proc/pressure/io", "utf8"))?.[1]);
  } catch {
    return Number.NaN;
  }
}
