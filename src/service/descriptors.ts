import { readFileSync } from "node:fs";

/** Used when the system does not report its limit. */
const assumedLimit = 1024;
const unlimited = 1_000_000;

/**
 * The number of files and connections that this process may have open at once. The runtime has raised it to the hard
 * limit (getrlimit(2)).
 */
export function descriptorLimit(): number {
  try {
    const [, limit = ""] = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return limit === "unlimited" ? unlimited : Math.min(Number(limit) || assumedLimit, unlimited);
  } catch {
    return assumedLimit;
  }
}
