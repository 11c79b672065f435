import { liveSegments } from "../corpus/merge-corpora.ts";
import { removeOrphans } from "../corpus/orphans.ts";
import type { OpenStore } from "../wiring.ts";

/**
 * Deletes corpus files that no row names: what a killed import, a merge or a removal left behind. Returns how many; 0
 * while an import or a merge runs, because its file has no row yet.
 */
export async function sweepCorpora(open: OpenStore): Promise<number> {
  const lock = open.lockCorpora("exclusive");
  if (lock === null) return 0;
  try {
    return await removeOrphans(open.corporaDir, await liveFiles(open));
  } finally {
    lock.release();
  }
}

/** Names of the segments that count. */
export async function liveFiles({ store }: Pick<OpenStore, "store">): Promise<ReadonlySet<string>> {
  return new Set((await liveSegments(store)).map(({ file }) => file));
}
