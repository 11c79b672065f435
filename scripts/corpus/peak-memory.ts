import { readFileSync } from "node:fs";

/**
 * The most memory that a process had resident, in bytes, watched until it ends. Not what the system says at its end: that
 * counts the moment before the program was loaded, when the process was a copy of the one that started it.
 */
export async function peakMemoryOf(child: { readonly pid: number; readonly exited: Promise<number> }): Promise<number> {
  let peakBytes = 0;
  let isOver = false;
  void child.exited.then(() => {
    isOver = true;
  });
  while (!isOver) {
    peakBytes = Math.max(peakBytes, residentPeak(child.pid));
    await Bun.sleep(20);
  }
  return peakBytes;
}

function residentPeak(pid: number): number {
  try {
    const kibibytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
    return Number(kibibytes) * 1024;
  } catch {
    return 0;
  }
}
