import { mergeCorpora } from "../corpus/merge-corpora.ts";
import { sweepCorpora } from "../corpus/remove-orphans.ts";
import type { MergeJob } from "../corpus/segment/merge.ts";
import type { OpenStore } from "../data-directory/data-directory.ts";
import { entropy } from "../entropy.ts";
import { type Repeated, repeat } from "../event-loop/repeat.ts";
import type { Log } from "./log.ts";

/** Requests that waited for the start are answered before the first look. */
const firstLookMs = 1_000;
/** The next look notices imports by other processes. */
const lookEveryMs = 30_000;

/**
 * Removes files left by killed imports. Then merges corpus segments in the background, in a thread of low priority,
 * until it is stopped.
 */
export function keepMerged(open: OpenStore, log: Log): Repeated {
  let isSwept = false;
  const look = async (signal: AbortSignal) => {
    if (!isSwept) await sweepCorpora(open);
    isSwept = true;
    const replacedCount = await mergeUnderLock(open, signal);
    if (replacedCount > 0) log.info({ segments: replacedCount }, "corpus segments merged");
  };
  return repeat((signal) => look(signal).catch((error: unknown) => tell(error, signal)), {
    firstMs: firstLookMs,
    everyMs: lookEveryMs,
    onError: () => undefined,
  });

  /** A merge that the stop interrupted is not an error. */
  function tell(error: unknown, signal: AbortSignal): void {
    if (!signal.aborted) log.error({ err: error }, "corpus segments could not be merged");
  }
}

async function mergeUnderLock(open: OpenStore, signal: AbortSignal): Promise<number> {
  const { store, keys, corporaDir, lockCorpora } = open;
  const lock = lockCorpora("shared");
  // Another process is deleting orphans. The next look tries again.
  if (lock === null) return 0;
  let replacedCount = 0;
  try {
    const context = { store, keys, corporaDir, newId: entropy.newId, run: mergeInWorker, signal };
    replacedCount = await mergeCorpora(context, "idle");
  } finally {
    lock.release();
  }
  if (replacedCount > 0) await sweepCorpora(open);
  return replacedCount;
}

/** Loaded with the first merge, because it loads the importer too. */
async function mergeInWorker(job: MergeJob, signal: AbortSignal) {
  const workers = await import("../corpus/worker/worker-lane.ts");
  return await workers.mergeInWorker(job, signal);
}
