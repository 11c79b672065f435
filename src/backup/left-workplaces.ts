import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { memberNames } from "./manifest.ts";
import { lockName, type TakeLock } from "./workplace.ts";

/** Ending of the folder of an unfinished backup, beside the target file. */
export const workplaceEnding = ".unfinished";
/** Prefixes of the names in such a folder. A folder with any other name in it is not ours. */
const ownNames = [lockName, memberNames.database, "backup.tar", "upgraded"];

const notePattern = /^backup-[0-9a-f-]{36}\.path$/;

/**
 * Leaves a note in the data directory about the folder of a running backup, so that the remains of a killed backup are
 * found anywhere. On a full disk the note is skipped: a backup must still be possible.
 */
export function noteWorkplace(notesDir: string, id: string, path: string): { readonly remove: () => void } {
  const note = join(notesDir, `backup-${id}.path`);
  try {
    mkdirSync(notesDir, { recursive: true, mode: 0o700 });
    writeFileSync(note, path, { mode: 0o600 });
  } catch {
    // Without a note, the next backup to the same folder finds the remains.
  }
  return { remove: () => rmSync(note, { force: true }) };
}

/**
 * Finds the folders of killed backups: noted ones, and those in `folder`, where backups are written. Skips folders that
 * another process uses.
 */
export function leftWorkplaces(notesDir: string, folder: string | null, takeLock: TakeLock): string[] {
  const noted = notesIn(notesDir).map(({ path }) => path);
  const beside = folder === null ? [] : readdirSync(folder).map((name) => join(folder, name));
  const paths = new Set([...noted, ...beside].filter((path) => path.endsWith(workplaceEnding)));
  return [...paths].filter((path) => {
    if (!isLeft(path)) return false;
    const lock = takeLock(join(path, lockName));
    lock?.release();
    return lock !== null;
  });
}

/**
 * Removes the folders of killed backups and the notes about missing folders. Returns the removed folders; a folder that
 * cannot be removed stays.
 */
export function sweepWorkplaces(notesDir: string, folder: string | null, takeLock: TakeLock): string[] {
  const removed = leftWorkplaces(notesDir, folder, takeLock).filter((path) => {
    try {
      rmSync(path, { recursive: true });
      return true;
    } catch {
      // The disk is read-only: `doctor` keeps reporting the folder.
      return false;
    }
  });
  for (const { note, path } of notesIn(notesDir)) if (!existsSync(path)) rmSync(note, { force: true });
  return removed;
}

function notesIn(notesDir: string): { note: string; path: string }[] {
  const names = existsSync(notesDir) ? readdirSync(notesDir).filter((name) => notePattern.test(name)) : [];
  return names.map((name) => {
    const note = join(notesDir, name);
    return { note, path: readFileSync(note, "utf8") };
  });
}

/** Whether a folder belongs to this user and contains only what a backup leaves behind. */
function isLeft(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true || found.uid !== process.getuid?.()) return false;
  const names = readdirSync(path);
  return names.includes(lockName) && names.every((name) => ownNames.some((own) => name.startsWith(own)));
}
