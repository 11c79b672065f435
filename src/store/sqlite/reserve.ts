import { closeSync, openSync, statfsSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isOutOfSpace } from "../../domain/disk-fault.ts";

const fileName = "reserve";
const [kib, mib] = [1024, 1024 ** 2];
const chunkBytes = 64 * kib;

/**
 * A file that holds some space of the disk free. A full disk must not keep a service from starting, a leaked key from being
 * revoked, or a workspace from being disabled: each of these gives the file up, is done, and takes back what is left of it.
 * The file is filled at once with bytes that no file system can store in less.
 */
export type Reserve = {
  /**
   * Does `work`; when the disk is full, once more with the reserve given up. What it leaves of that is taken back in the same
   * turn of the event loop, so that nothing else of this process takes it.
   */
  readonly spare: <Result>(work: () => Result) => Result;
  /** Does `work` with the reserve given up, and takes back what it leaves. */
  readonly lend: <Result>(work: () => Result) => Result;
  /** To be told when a write failed for want of space. */
  readonly noteFailure: () => void;
  /** Fills the reserve again once there is room for more than it. Cheap enough for twice a second. Returns `isFull`. */
  readonly tend: () => boolean;
  /** Frees it for good, on a full disk: `tend` takes back what others leave of it. */
  readonly giveUp: () => void;
  /** True while the disk has no room for a small change, or a write failed for that reason since the last look. */
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
      // Other writes need some room too.
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
 * Free space, the least that counts as room, and the size of the reserve: 4 MiB are some hundred revocations. On a small
 * disk all is smaller, so that the reserve is not what fills it.
 */
function measure(dataDir: string): { freeBytes: number; leastBytes: number; reserveBytes: number } {
  let [bavail, blocks, bsize] = [0, 0, 0];
  try {
    ({ bavail, blocks, bsize } = statfsSync(dataDir));
  } catch {
    // The directory is gone, or the system does not tell: what is written will say it.
    return { freeBytes: Number.POSITIVE_INFINITY, leastBytes: 0, reserveBytes: 0 };
  }
  const total = blocks * bsize;
  return {
    freeBytes: bavail * bsize,
    leastBytes: Math.min(mib, Math.max(chunkBytes, total / 64)),
    reserveBytes: Math.min(4 * mib, Math.max(4 * chunkBytes, Math.floor(total / 16 / chunkBytes) * chunkBytes)),
  };
}

/** Makes the file as long as wanted, or as long as there is room for. Returns false when it stays shorter. */
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
    // Full, or a folder that cannot be written: xpose works without a reserve too.
    return false;
  } finally {
    if (file !== null) closeSync(file);
  }
}

/** The error of the database behind one that a caller is told. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}
