import { dlopen, read } from "bun:ffi";
import { closeSync, openSync } from "node:fs";

/** Held until `release` or until the process ends. */
export type FolderLock = { readonly release: () => void };

// From the Linux headers; the same on x64 and arm64.
const [lockShared, lockExclusive, lockNonblocking] = [1, 2, 4];
const wouldBlock = 11;

const lockWithoutEffect: FolderLock = { release: () => undefined };

/**
 * Locks a folder itself with flock(2), shared or exclusive; null when another process holds a conflicting lock. There
 * is no lock file that could be deleted. On a file system without folder locks it succeeds without locking. Throws the
 * system error when the folder does not exist.
 */
export function lockFolder(path: string, mode: "exclusive" | "shared"): FolderLock | null {
  const descriptor = openSync(path, "r");
  const operation = (mode === "exclusive" ? lockExclusive : lockShared) | lockNonblocking;
  const { flock, __errno_location: errorNumber } = libc();
  if (flock(descriptor, operation) === 0) return { release: () => closeSync(descriptor) };
  const place = errorNumber();
  const isHeld = place !== null && read.i32(place) === wouldBlock;
  closeSync(descriptor);
  return isHeld ? null : lockWithoutEffect;
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
