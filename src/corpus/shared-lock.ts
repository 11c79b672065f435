import { CorpusError } from "./error.ts";

type Lock = { readonly release: () => void };

/** The exclusive lock is held for milliseconds while segments are deleted. */
const [tries, pauseMs] = [200, 50];

/**
 * Takes the shared lock of the corpora: while it is held no segment is deleted. Waits while another process deletes
 * segments. Throws `CorpusError` after 10 s, and the abort reason of `signal`.
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
