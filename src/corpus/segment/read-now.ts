import { dlopen, FFIType, ptr } from "bun:ffi";

const { i32, i64, ptr: pointer } = FFIType;

/** Of preadv2(2): fail instead of waiting for the disk. */
const nowait = 8;

type Call = (file: number, vectors: number, count: number, offset: number, flags: number) => number;

/** Null where the system has no such call: then every read goes the other way. */
const call = load();
/** One vector: where to, and how many bytes. */
const vector = new BigUint64Array(2);
const vectorAt = call === null ? 0 : ptr(vector);

function load(): Call | null {
  try {
    const { symbols } = dlopen("libc.so.6", {
      preadv2: { args: [i32, pointer, i32, i64, i32], returns: FFIType.i64_fast },
    });
    return symbols["preadv2"] as unknown as Call;
  } catch {
    return null;
  }
}

/**
 * Fills `bytes` from an offset if the system has all of it in memory: 1 us, where a read in another thread takes 40. It
 * never waits for a disk; false means that the read must be done another way, whatever the reason.
 */
export function readNow(file: number, bytes: Uint8Array, offset: number): boolean {
  if (call === null) return false;
  vector[0] = BigInt(ptr(bytes));
  vector[1] = BigInt(bytes.length);
  return Number(call(file, vectorAt, 1, offset, nowait)) === bytes.length;
}
