import { dlopen, FFIType, ptr } from "bun:ffi";
import { setPriority } from "node:os";

/** Of -20 to 19; what is higher waits for what is lower. */
const backgroundPriority = 15;
/** Of sched(7): the processor is left to whoever wants it, at once and not at the end of a slice of milliseconds. */
const schedIdle = 5;

/** Look-ups go first: this thread, and all that it starts, wait for the service. A thread has a priority of its own on Linux. */
export function stepBack(): void {
  try {
    setPriority(0, backgroundPriority);
  } catch {
    // A filter of system calls may forbid it. Work beside the look-ups is better than none.
  }
}

/**
 * The same, further: this thread gets only the time that nobody else wants. Not for a thread that holds a lock of the
 * database: on a busy machine it would hold it for long, and cannot come back.
 */
export function takeIdleTime(): void {
  stepBack();
  try {
    const { symbols, close } = dlopen("libc.so.6", {
      sched_setscheduler: { args: [FFIType.i32, FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
    });
    symbols.sched_setscheduler(0, schedIdle, ptr(new Int32Array(1)));
    close();
  } catch {
    // A system of another kind: then the priority has to do.
  }
}
