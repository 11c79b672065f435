import { mergeCorpora } from "../corpus/merge-corpora.ts";
import type { MergeJob } from "../corpus/segment/merge.ts";
import type { Log } from "../log.ts";
import type { OpenStore } from "../wiring.ts";
import { entropy } from "./context.ts";
import { sweepCorpora } from "./sweep.ts";

/** Whoever waited for the service is answered before the first look. */
const firstLookMs = 1_000;
/** Imports of other processes are seen by the next look. */
const lookEveryMs = 30_000;

/**
 * Removes what killed imports left behind, then merges corpus segments in the background, in a thread of low priority,
 * until it is stopped.
 */
export function keepMerged(open: OpenStore, log: Log): { stop: () => void } {
  const abort = new AbortController();
  let isBusy = false;
  let isSwept = false;
  const look = async () => {
    if (isBusy) return;
    isBusy = true;
    try {
      if (!isSwept) await sweepCorpora(open);
      isSwept = true;
      const replacedCount = await mergeUnderLock(open, abort.signal);
      if (replacedCount > 0) log.info({ segments: replacedCount }, "corpus segments merged");
    } catch (error) {
      if (!abort.signal.aborted) log.error({ err: error }, "corpus segments could not be merged");
    } finally {
      isBusy = false;
    }
  };
  const first = setTimeout(() => void look(), firstLookMs);
  const timer = setInterval(() => void look(), lookEveryMs);
  return {
    stop() {
      clearTimeout(first);
      clearInterval(timer);
      abort.abort(new Error("the service stops"));
    },
  };
}

async function mergeUnderLock(open: OpenStore, signal: AbortSignal): Promise<number> {
  const { store, keys, corporaDir, lockCorpora } = open;
  const lock = lockCorpora("shared");
  // Somebody sweeps, for a moment.
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

/** Loaded with the first merge, as it brings the importer along. */
async function mergeInWorker(job: MergeJob, signal: AbortSignal) {
  const workers = await import("../corpus/worker/worker-lane.ts");
  return await workers.mergeInWorker(job, signal);
}
