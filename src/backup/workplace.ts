import { lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { BackupError } from "./error.ts";

/** A folder for what is not finished, until `remove`. Nothing of it counts. */
export type Workplace = { readonly path: string; readonly remove: () => void };

/** Exclusive; null when another process holds it. It ends with its process. */
export type TakeLock = (path: string) => { readonly release: () => void } | null;

/** Kept in a workplace as long as somebody works there. */
export const lockName = "lock";

/**
 * Makes a folder and locks it. What a killed process left in one of that name is removed. Throws `BackupError` when
 * another process works there (`failed`) or the folder is none of ours (`refused`), and errors of the system.
 */
export async function openWorkplace(path: string, takeLock: TakeLock): Promise<Workplace> {
  const lock = await lockFolder(path, takeLock);
  if (lock === null) throw new BackupError("failed", `another backup or restore works in ${path}`);
  for (const name of readdirSync(path)) {
    if (!name.startsWith(lockName)) rmSync(join(path, name), { recursive: true, force: true });
  }
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true });
      lock.release();
    },
  };
}

/** Of two that ask at the same moment none may get the lock, so each asks again after a time of its own. */
const [tries, leastPauseMs, pauses] = [8, 5, 31];

async function lockFolder(path: string, takeLock: TakeLock): Promise<ReturnType<TakeLock>> {
  for (let left = tries; left > 0; left -= 1) {
    if (!isMade(path) && !isOurs(path)) {
      throw new BackupError("refused", `${path} is in the way; it is not what a backup or restore left behind`);
    }
    const lock = takeLock(join(path, lockName));
    if (lock !== null) return lock;
    await Bun.sleep(leastPauseMs + (process.pid % pauses));
  }
  return null;
}

function isMade(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** A link, or a folder of somebody else, would lead us to write and delete elsewhere. */
function isOurs(path: string): boolean {
  const found = lstatSync(path);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) return false;
  const names = readdirSync(path);
  return names.length === 0 || names.includes(lockName);
}
