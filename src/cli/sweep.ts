import { removeOrphans } from "../corpus/orphans.ts";
import type { OpenStore } from "../wiring.ts";

/**
 * Deletes corpus files that no row names: what a killed import or a removal left behind. Returns how many; 0 while an
 * import runs, because its file has no row yet.
 */
export async function sweepCorpora({ store, corporaDir, lockCorpora }: OpenStore): Promise<number> {
  const lock = lockCorpora("exclusive");
  if (lock === null) return 0;
  try {
    const corpora = await store.listCorpora();
    const liveFiles = new Set(corpora.flatMap(({ imports }) => imports.map(({ segmentFile }) => segmentFile)));
    return await removeOrphans(corporaDir, liveFiles);
  } finally {
    lock.release();
  }
}
