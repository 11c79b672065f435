import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CorpusSegment } from "../domain/corpus.ts";
import type { DerivedKeys } from "../domain/keyed-hash.ts";
import type { CorpusStore } from "../store/port/corpus.ts";
import { chooseMerge } from "./choose-merge.ts";
import type { WrittenSegment } from "./import/write-import.ts";
import type { MergeJob } from "./segment/merge.ts";
import { keyCheck } from "./segment/segment.ts";
import { syncFolder } from "./segment/segment-writer.ts";

export type MergeContext = {
  readonly store: Pick<CorpusStore, "listCorpora" | "listForgotten" | "replaceSegments">;
  readonly keys: Pick<DerivedKeys, "corpus">;
  /** The caller holds the shared lock of this folder. */
  readonly corporaDir: string;
  readonly newId: () => string;
  /** Runs the merge, in this thread or in another. */
  readonly run: (job: MergeJob, signal: AbortSignal) => Promise<WrittenSegment>;
  readonly signal: AbortSignal;
};

/**
 * Merges segments until no merge is needed; returns the number of replaced segments. Look-ups use the old segments
 * until the commit and the new one after it, with the same results. The new segment has no removed or forgotten
 * records. A failure, an abort or a kill leaves the old segments in place. Throws `CorruptSegment`, system errors, and
 * the abort reason of `signal`.
 */
export async function mergeCorpora(context: MergeContext, urgency: "crowded" | "idle"): Promise<number> {
  let replacedCount = 0;
  for (;;) {
    const chosen = chooseMerge(await liveSegments(context.store), urgency);
    if (chosen === null) return replacedCount;
    if (!(await mergeOnce(context, chosen))) return replacedCount;
    replacedCount += chosen.length;
  }
}

/** All segments named by a row of the store, without duplicates. */
export async function liveSegments(store: Pick<CorpusStore, "listCorpora">): Promise<CorpusSegment[]> {
  const corpora = await store.listCorpora();
  return [...new Map(corpora.flatMap(({ segments }) => segments.map((segment) => [segment.file, segment]))).values()];
}

/** Merges the chosen segments; false when one of them vanished during the merge. */
async function mergeOnce(context: MergeContext, chosen: readonly CorpusSegment[]): Promise<boolean> {
  const { store, keys, corporaDir, newId, run, signal } = context;
  const importIds = (await store.listCorpora()).flatMap(({ imports }) => imports.map(({ id }) => id));
  const id = newId();
  const temporaryPath = join(corporaDir, `${id}.tmp`);
  const path = join(corporaDir, `${id}.seg`);
  let isPublished = false;
  try {
    const job = {
      inputPaths: chosen.map(({ file }) => join(corporaDir, file)),
      outputPath: temporaryPath,
      liveImports: importIds,
      forgotten: await store.listForgotten(),
      check: keyCheck(keys),
    };
    const written = await run(job, signal);
    await rename(temporaryPath, path);
    await syncFolder(corporaDir);
    signal.throwIfAborted();
    const isEmpty = written.addressCount === 0;
    const isReplaced = await store.replaceSegments({
      files: chosen.map(({ file }) => file),
      merged: isEmpty ? null : { ...written, file: `${id}.seg` },
      importIds,
    });
    isPublished = isReplaced && !isEmpty;
    return isReplaced;
  } finally {
    if (!isPublished) await Promise.all([rm(temporaryPath, { force: true }), rm(path, { force: true })]);
  }
}
