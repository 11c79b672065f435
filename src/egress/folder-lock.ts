import { dlopen, read } from "bun:ffi";
import { closeSync, openSync } from "node:fs";

/** Held until `release`, or until its process ends, however it ends. */
export type FolderLock = { readonly release: () => void };

// Of the headers of Linux, the same on x64 and arm64.
const [lockShared, lockExclusive, lockNonblocking] = [1, 2, 4];
const wouldBlock = 11;

const lockHeldByNobodyElse: FolderLock = { release: () => undefined };

/**
 * Locks a folder itself (flock(2)), beside others that share it or alone; null when somebody holds it the other way. There is
 * no file that could be deleted under the lock. On a file system that locks no folders nothing is locked. Throws the
 * system's error when there is no such folder.
 */
export function lockFolder(path: string, mode: "exclusive" | "shared"): FolderLock | null {
  const descriptor = openSync(path, "r");
  const operation = (mode === "exclusive" ? lockExclusive : lockShared) | lockNonblocking;
  const { flock, __errno_location: errorNumber } = libc();
  if (flock(descriptor, operation) === 0) return { release: () => closeSync(descriptor) };
  const place = errorNumber();
  const isHeld = place !== null && read.i32(place) === wouldBlock;
  closeSync(descriptor);
  return isHeld ? null : lockHeldByNobodyElse;
}

let openedLibc: ReturnType<typeof openLibc> | undefined;

function libc() {
  openedLibc ??= openLibc();
  return openedLibc.symbols;
}

function openLibc() {
  return dlopen("libc.so.6", {
    flock: { args: ["i32", "i32"], returns: "i32" },
    __errno_location: { args: [], returns: "ptr" },
  });
}
