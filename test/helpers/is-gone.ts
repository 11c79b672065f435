import { readFileSync } from "node:fs";

/** True when a process has ended or is a zombie. */
export function isGone(id: number): boolean {
  try {
    return /^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${id}/stat`, "utf8"));
  } catch {
    return true;
  }
}
