import { dlopen, FFIType, ptr } from "bun:ffi";
import { setPriority } from "node:os";

/** Of -20 to 19; what is higher waits for what is lower. */
const backgroundPriority = 15;
/** For so long a thread may go on while another one waits for its processor. The shortest that the system grants. */
const sliceNs = 100_000;
const { i32, i64, ptr: pointer } = FFIType;
/** Of syscall(2), by `process.arch`: sched_setattr(2), for which the library has no function before glibc 2.41. */
const setAttributesCalls: Readonly<Record<string, number>> = { x64: 314, arm64: 274 };

/**
 * Look-ups go first: this thread, and all that it starts, wait for the service. A thread has a priority of its own on
 * Linux. The priority alone lets it end a slice of 3 ms before a look-up gets the processor, so its slices are made
 * short. It keeps a share of a processor that all want: an import that got idle time only would never end on a busy
 * machine, and could not be interrupted.
 */
export function stepBack(): void {
  try {
    setPriority(0, backgroundPriority);
    shortenSlices();
  } catch {
    // A filter of system calls may forbid it. Work beside the look-ups is better than none.
  }
}

/** Needs Linux 6.12; what is older takes the call and goes on as before. */
function shortenSlices(): void {
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
  symbols.syscall(call, 0, ptr(attributes), 0);
  close();
}
