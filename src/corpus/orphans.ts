import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "./segment/segment-writer.ts";

/**
 * Deletes the segments and unfinished files of the corpora folder that no import names; returns how many. The caller
 * holds the exclusive lock, so that none of them belongs to an import that is running.
 */
export async function removeOrphans(corporaDir: string, liveFiles: ReadonlySet<string>): Promise<number> {
  const orphans = await leftFiles(corporaDir, liveFiles);
  for (const name of orphans) await rm(join(corporaDir, name), { force: true });
  if (orphans.length > 0) await syncFolder(corporaDir);
  return orphans.length;
}

/** Names of the files that `removeOrphans` removes. */
export async function leftFiles(corporaDir: string, liveFiles: ReadonlySet<string>): Promise<string[]> {
  const names = await readdir(corporaDir);
  return names.filter((name) => /\.(?:tmp|seg)$/.test(name) && !liveFiles.has(name));
}
