import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "./segment-writer.ts";

/**
 * Deletes the segments and unfinished files of the corpora folder that no import names; returns how many. The caller
 * holds the exclusive lock, so that none of them belongs to an import that is running.
 */
export async function removeOrphans(corporaDir: string, liveFiles: ReadonlySet<string>): Promise<number> {
  const names = await readdir(corporaDir);
  const orphans = names.filter((name) => /\.(?:tmp|seg)$/.test(name) && !liveFiles.has(name));
  for (const name of orphans) await rm(join(corporaDir, name), { force: true });
  if (orphans.length > 0) await syncFolder(corporaDir);
  return orphans.length;
}
