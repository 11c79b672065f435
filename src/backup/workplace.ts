import { lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { BackupError } from "./error.ts";

/** A folder for unfinished work, until `remove`. */
export type Workplace = { readonly path: string; readonly remove: () => void };

/** Takes an exclusive lock; null when another process holds it. The lock ends with its process. */
export type TakeLock = (path: string) => { readonly release: () => void } | null;

/** The lock file in a workplace, held while a process works there. */
export const lockName = "lock";

/**
 * Creates a folder and locks it. Removes the remains of a killed process with the same name. Throws `BackupError` when
 * another process works there (`failed`) or the folder is not ours (`refused`), and system errors.
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

/** Two processes that ask at the same moment may both fail, so each retries after its own delay. */
const [tries, leastPauseMs, pauses] = [8, 5, 31];

async function lockFolder(path: string, takeLock: TakeLock): Promise<ReturnType<TakeLock>> {
  for (let left = tries; left > 0; left -= 1) {
    if (!tryMake(path) && !isOurs(path)) {
      throw new BackupError("refused", `${path} is in the way; no backup or restore left it there`);
    }
    const lock = takeLock(join(path, lockName));
    if (lock !== null) return lock;
    await Bun.sleep(leastPauseMs + (process.pid % pauses));
  }
  return null;
}

/** Makes a private folder. False when something with this name exists already. */
function tryMake(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Whether a folder is safe to use. A link, or a folder of another user, could make us write or delete elsewhere. */
function isOurs(path: string): boolean {
  const found = lstatSync(path);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) return false;
  const names = readdirSync(path);
  return names.length === 0 || names.includes(lockName);
}
