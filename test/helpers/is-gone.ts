import { readFileSync } from "node:fs";

/** True when a process has ended, or is at least dead and not yet taken note of by its parent. */
export function isGone(id: number): boolean {
  try {
    return /^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${id}/stat`, "utf8"));
  } catch {
    return true;
  }
}
