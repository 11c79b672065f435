import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CorpusStore } from "../store/port/corpus.ts";
import { liveSegments } from "./merge-corpora.ts";
import { syncFolder } from "./segment/segment-writer.ts";

/** The corpora of a data directory: their rows, their folder and the lock that excludes imports. */
export type CorporaFolder = {
  readonly store: Pick<CorpusStore, "listCorpora" | "listForgotten">;
  readonly corporaDir: string;
  readonly lockCorpora: (mode: "exclusive") => { readonly release: () => void } | null;
};

/**
 * Deletes corpus files that no row names: leftovers of a killed import, of a merge or of a removal. Returns their
 * number; 0 while an import or a merge runs, because its file has no row yet.
 */
export async function sweepCorpora(corpora: CorporaFolder): Promise<number> {
  const files = await underLock(corpora, (names) => removeOrphans(corpora.corporaDir, names));
  return files ?? 0;
}

/** Paths of the files that `sweepCorpora` would delete; empty while an import or a merge runs. */
export async function findOrphans(corpora: CorporaFolder): Promise<string[]> {
  const names = await underLock(corpora, (live) => orphansIn(corpora.corporaDir, live));
  return (names ?? []).map((name) => join(corpora.corporaDir, name));
}

async function underLock<Result>(
  { store, lockCorpora }: CorporaFolder,
  work: (liveFiles: ReadonlySet<string>) => Promise<Result>,
): Promise<Result | null> {
  const lock = lockCorpora("exclusive");
  if (lock === null) return null;
  try {
    return await work(new Set((await liveSegments(store)).map(({ file }) => file)));
  } finally {
    lock.release();
  }
}

/**
 * Deletes the segments and unfinished files that are not in `liveFiles`; returns their number. The caller holds the
 * exclusive lock, so no running import owns one of them.
 */
export async function removeOrphans(corporaDir: string, liveFiles: ReadonlySet<string>): Promise<number> {
  const orphans = await orphansIn(corporaDir, liveFiles);
  for (const name of orphans) await rm(join(corporaDir, name), { force: true });
  if (orphans.length > 0) await syncFolder(corporaDir);
  return orphans.length;
}

async function orphansIn(corporaDir: string, liveFiles: ReadonlySet<string>): Promise<string[]> {
  const names = await readdir(corporaDir);
  return names.filter((name) => /\.(?:tmp|seg)$/.test(name) && !liveFiles.has(name));
}
