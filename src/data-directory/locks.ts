import { existsSync } from "node:fs";
import { join } from "node:path";
import { lockFolder } from "../egress/folder-lock.ts";
import { type Lock, takeLock } from "../store/sqlite/lock.ts";
import { DataDirError } from "./error.ts";
import { corporaFolder, serviceLock } from "./layout.ts";

/** Takes an exclusive lock until it is released or this process ends; null when another process holds it. */
export function takeExclusiveLock(path: string): Lock | null {
  return takeLock(path, "exclusive");
}

/**
 * Takes the locks that keep a second service out: a lock on a file, which older versions know, and a lock on the folder
 * itself, which survives deletion of the file. Retries briefly, because `isServing` holds the locks for a moment.
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

/** True while a service runs on the data directory. Takes the locks for a moment. */
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

/** Locks the corpora: a file and the folder, like `lockService`. Null when another process is in the way. */
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
