import { readFileSync } from "node:fs";

/**
 * The peak resident memory of a process, in bytes, sampled until it ends. The system's own figure at exit is not used:
 * it includes the moment before exec, when the process was a copy of its parent.
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
