import { closeSync, openSync, statfsSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isOutOfSpace } from "../../domain/disk-fault.ts";

const fileName = "reserve";
const [kib, mib] = [1024, 1024 ** 2];
const chunkBytes = 64 * kib;

/**
 * A file that reserves some disk space. A full disk must not prevent the start of the service, the revocation of a
 * leaked key, or the disabling of a workspace. Each of these operations releases the file, does its work, and takes the
 * remaining space back. The file is filled with bytes that no file system can compress.
 */
export type Reserve = {
  /**
   * Runs `work`. If the disk is full, runs it again with the reserve released, and takes the remaining space back in
   * the same turn of the event loop, so that no other work of this process can use it.
   */
  readonly spare: <Result>(work: () => Result) => Result;
  /** Runs `work` with the reserve released, and takes the remaining space back. */
  readonly lend: <Result>(work: () => Result) => Result;
  /** To be called when a write failed because the disk is full. */
  readonly noteFailure: () => void;
  /**
   * Refills the reserve once there is more free space than it needs. Cheap enough for twice a second. Returns `isFull`.
   */
  readonly tend: () => boolean;
  /** Releases the reserve for good, on a full disk. `tend` takes the remaining space back. */
  readonly giveUp: () => void;
  /** True while the disk has no space for a small change, or a write failed for that reason since the last check. */
  readonly isFull: () => boolean;
};

/** Opens the reserve of a data directory. Creates nothing before `tend`. */
export function openReserve(dataDir: string): Reserve {
  const path = join(dataDir, fileName);
  let hasFailed = false;

  const sizeBytes = () => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

  function isFull(): boolean {
    const { freeBytes, leastBytes } = measure(dataDir);
    return hasFailed || freeBytes < leastBytes;
  }

  function lend<Result>(work: () => Result): Result {
    const held = sizeBytes();
    if (held === 0) return work();
    truncateSync(path, 0);
    try {
      return work();
    } finally {
      fill(path, held);
    }
  }

  return {
    isFull,
    lend,
    noteFailure() {
      hasFailed = true;
    },
    spare(work) {
      try {
        return work();
      } catch (error) {
        if (!isOutOfSpace(rootOf(error)) || sizeBytes() === 0) throw error;
        hasFailed = true;
        return lend(work);
      }
    },
    tend() {
      const { freeBytes, leastBytes, reserveBytes } = measure(dataDir);
      const held = sizeBytes();
      // Other writes need some space too.
      const wanted = Math.min(reserveBytes, held + Math.max(0, freeBytes - leastBytes));
      const isWhole = held >= reserveBytes || (fill(path, wanted) && wanted === reserveBytes);
      if (isWhole && freeBytes >= leastBytes) hasFailed = false;
      return isFull();
    },
    giveUp() {
      if (isFull() && sizeBytes() > 0) truncateSync(path, 0);
    },
  };
}

/**
 * Free space, the minimum that counts as space, and the size of the reserve: 4 MiB are some hundred revocations. On a
 * small disk all sizes are smaller, so that the reserve itself does not fill the disk.
 */
function measure(dataDir: string): { freeBytes: number; leastBytes: number; reserveBytes: number } {
  let [bavail, blocks, bsize] = [0, 0, 0];
  try {
    ({ bavail, blocks, bsize } = statfsSync(dataDir));
  } catch {
    // The directory is missing, or the system does not report its space. The next write will report the error.
    return { freeBytes: Number.POSITIVE_INFINITY, leastBytes: 0, reserveBytes: 0 };
  }
  const total = blocks * bsize;
  return {
    freeBytes: bavail * bsize,
    leastBytes: Math.min(mib, Math.max(chunkBytes, total / 64)),
    reserveBytes: Math.min(4 * mib, Math.max(4 * chunkBytes, Math.floor(total / 16 / chunkBytes) * chunkBytes)),
  };
}

/** Extends the file to the wanted size, or as far as there is space. Returns false when it stays shorter. */
function fill(path: string, wantedBytes: number): boolean {
  let file: number | null = null;
  try {
    file = openSync(path, "a", 0o600);
    for (let size = statSync(path).size; size < wantedBytes; ) {
      const bytes = crypto.getRandomValues(new Uint8Array(Math.min(chunkBytes, wantedBytes - size)));
      size += writeSync(file, bytes);
    }
    return true;
  } catch {
    // The disk is full, or the folder cannot be written. xpose also works without a reserve.
    return false;
  } finally {
    if (file !== null) closeSync(file);
  }
}

/** The error of the database behind a public error. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}
