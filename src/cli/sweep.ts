import { liveSegments } from "../corpus/merge-corpora.ts";
import { removeOrphans } from "../corpus/orphans.ts";
import type { OpenStore } from "../wiring.ts";

/**
 * Deletes corpus files that no row names: what a killed import, a merge or a removal left behind. Returns how many; 0
 * while an import or a merge runs, because its file has no row yet.
 */
export async function sweepCorpora({ store, corporaDir, lockCorpora }: OpenStore): Promise<number> {
  const lock = lockCorpora("exclusive");
  if (lock === null) return 0;
  try {
    return await removeOrphans(corporaDir, new Set((await liveSegments(store)).map(({ file }) => file)));
  } finally {
    lock.release();
  }
}
