import { existsSync } from "node:fs";
import { join } from "node:path";
import { lockFolder } from "../egress/folder-lock.ts";
import { type Lock, takeLock } from "../store/sqlite/lock.ts";
import { DataDirError } from "./error.ts";
import { corporaFolder, serviceLock } from "./layout.ts";

/** Excludes other processes as long as this one lives, or until it is released; null when one is ahead. */
export function takeExclusiveLock(path: string): Lock | null {
  return takeLock(path, "exclusive");
}

/**
 * The locks that keep a second service out: that of a file, which older versions know, and that of the folder itself, which
 * holds although the file is deleted. Tries again for a moment: `isServing` may just be asking.
 */
export function lockService(dataDir: string): Lock[] {
  for (let left = lockTries; left > 0; left -= 1) {
    const folder = lockFolder(dataDir, "exclusive");
    const file = folder === null ? null : takeLock(join(dataDir, serviceLock), "exclusive");
    if (folder !== null && file !== null) return [folder, file];
    folder?.release();
    Bun.sleepSync(lockPauseMs);
  }
  throw new DataDirError("inaccessible", `another xpose serve runs on ${dataDir}, or its file system has no locks`);
}

const [lockTries, lockPauseMs] = [5, 20];

/** True while a service runs on the data directory. It takes the locks for a moment. */
export function isServing(dataDir: string): boolean {
  const folder = lockFolder(dataDir, "shared");
  folder?.release();
  if (folder === null) return true;
  const path = join(dataDir, serviceLock);
  if (!existsSync(path)) return false;
  const lock = takeLock(path, "shared");
  lock?.release();
  return lock === null;
}

/** As `lockService`, a file and the folder. */
export function lockCorpora(dataDir: string, mode: "exclusive" | "shared"): Lock | null {
  const folder = lockFolder(join(dataDir, corporaFolder), mode);
  const file = folder === null ? null : takeLock(join(dataDir, "corpora.lock"), mode);
  if (folder === null || file === null) {
    folder?.release();
    return null;
  }
  return {
    release() {
      file.release();
      folder.release();
    },
  };
}
