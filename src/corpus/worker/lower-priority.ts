import { dlopen, FFIType, ptr } from "bun:ffi";
import { readdirSync } from "node:fs";
import { setPriority } from "node:os";

/** Nice value, from -20 to 19; higher values yield to lower ones. */
const backgroundPriority = 15;
/** How long a thread may run while another waits for its processor. The shortest slice that Linux grants. */
const sliceNs = 100_000;
const { i32, i64, ptr: pointer } = FFIType;
/** Number of the system call sched_setattr(2), by `process.arch`. glibc has no function for it before 2.41. */
const setAttributesCalls: Readonly<Record<string, number>> = { x64: 314, arm64: 274 };

/**
 * Lowers the priority of the caller, so that look-ups of the service go first. In a command this covers all threads of
 * the process, those of the runtime included; in a worker only its own thread. Linux has a priority per thread, and new
 * threads inherit it.
 *
 * Priority alone lets a thread finish a slice of 3 ms before a look-up gets the processor, so slices are shortened too.
 * The caller keeps a share of a busy processor: with idle time only, an import would never end on a busy machine and
 * could not be interrupted.
 */
export function lowerPriority(): void {
  try {
    const threads = Bun.isMainThread ? readdirSync("/proc/self/task").map(Number) : [0];
    for (const thread of threads) setPriority(thread, backgroundPriority);
    shortenSlices(threads);
  } catch {
    // A seccomp filter may forbid these calls. Then the work runs at normal priority.
  }
}

/** Needs Linux 6.12. Older kernels accept the call and ignore the slice. */
function shortenSlices(threads: readonly number[]): void {
  const call = setAttributesCalls[process.arch];
  if (call === undefined) return;
  // struct sched_attr: size, policy (0 = normal), flags, nice value, priority, runtime, and two unused fields.
  const attributes = new DataView(new ArrayBuffer(48));
  attributes.setUint32(0, attributes.byteLength, true);
  attributes.setInt32(16, backgroundPriority, true);
  attributes.setBigUint64(24, BigInt(sliceNs), true);
  const { symbols, close } = dlopen("libc.so.6", {
    syscall: { args: [i64, i32, pointer, i32], returns: i64 },
  });
  for (const thread of threads) symbols.syscall(call, thread, ptr(attributes), 0);
  close();
}
