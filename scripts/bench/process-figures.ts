import { readFileSync } from "node:fs";

/** USER_HZ, always 100 for programs on Linux x86-64 (proc(5)). */
const ticksPerSecond = 100;

/** CPU time of all threads so far, user and system, in seconds. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The program name may contain blanks; utime and stime are fields 14 and 15 of proc(5).
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident memory of the process, in bytes. */
export function residentBytes(pid: number): number {
  const kibibytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) * 1024;
}
