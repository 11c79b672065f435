import { setPriority } from "node:os";

/** Of -20 to 19; what is higher waits for what is lower. */
const backgroundPriority = 15;

/** Look-ups go first: this thread, and all that it starts, wait for the service. A thread has a priority of its own on Linux. */
export function stepBack(): void {
  try {
    setPriority(0, backgroundPriority);
  } catch {
    // A filter of system calls may forbid it. Work beside the look-ups is better than none.
  }
}
