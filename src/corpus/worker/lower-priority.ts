import { dlopen, FFIType, ptr } from "bun:ffi";
import { readdirSync } from "node:fs";
import { setPriority } from "node:os";

/** Of -20 to 19; what is higher waits for what is lower. */
const backgroundPriority = 15;
/** For so long a thread may go on while another one waits for its processor. The shortest that the system grants. */
const sliceNs = 100_000;
const { i32, i64, ptr: pointer } = FFIType;
/** Of syscall(2), by `process.arch`: sched_setattr(2), for which the library has no function before glibc 2.41. */
const setAttributesCalls: Readonly<Record<string, number>> = { x64: 314, arm64: 274 };

/**
 * Look-ups go first: whoever calls this waits for the service. From a command it counts for all threads of its process,
 * those of the runtime too, and from a worker for that thread; Linux gives each a priority of its own, and what they start inherits it.
 *
 * The priority alone lets a thread end a slice of 3 ms before a look-up gets the processor, so slices are made short. It
 * keeps a share of a processor that all want: an import that got idle time only would never end on a busy machine, and
 * could not be interrupted.
 */
export function lowerPriority(): void {
  try {
    const threads = Bun.isMainThread ? readdirSync("/proc/self/task").map(Number) : [0];
    for (const thread of threads) setPriority(thread, backgroundPriority);
    shortenSlices(threads);
  } catch {
    // A filter of system calls may forbid it. Work beside the look-ups is better than none.
  }
}

/** Needs Linux 6.12; what is older takes the call and goes on as before. */
function shortenSlices(threads: readonly number[]): void {
  const call = setAttributesCalls[process.arch];
  if (call === undefined) return;
  // struct sched_attr: size, policy (0 = normal), flags, nice value, priority, runtime, and two more that are not used.
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
