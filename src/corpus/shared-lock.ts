import { CorpusError } from "./error.ts";

type Lock = { readonly release: () => void };

/** Whoever deletes segments holds the lock for milliseconds. */
const [tries, pauseMs] = [200, 50];

/**
 * Takes the lock of the corpora beside others that share it: while it is held no segment is deleted. Waits for whoever
 * deletes some now. Throws `CorpusError` when that takes 10 s, and what `signal` was aborted with.
 */
export async function takeSharedLock(lockCorpora: (mode: "shared") => Lock | null, signal: AbortSignal): Promise<Lock> {
  for (let left = tries; left > 0; left -= 1) {
    const lock = lockCorpora("shared");
    if (lock !== null) return lock;
    await Bun.sleep(pauseMs);
    signal.throwIfAborted();
  }
  throw new CorpusError("refused", "the corpora are being cleaned up; try again");
}
