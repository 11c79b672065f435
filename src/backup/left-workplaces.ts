import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { memberNames } from "./manifest.ts";
import { lockName, type TakeLock } from "./workplace.ts";

/** How the folder of an unfinished backup ends, beside the file that it becomes. */
export const workplaceEnding = ".unfinished";
/** Names in such a folder begin with these. One that holds anything else is none of ours. */
const ownNames = [lockName, memberNames.database, "backup.tar", "upgraded"];

const notePattern = /^backup-[0-9a-f-]{36}\.path$/;

/**
 * Notes in a folder of the data directory where a backup works, so that what is left of a killed one is found wherever it
 * stood. On a full disk no note is made: a backup must be possible there.
 */
export function noteWorkplace(notesDir: string, id: string, path: string): { readonly remove: () => void } {
  const note = join(notesDir, `backup-${id}.path`);
  try {
    mkdirSync(notesDir, { recursive: true, mode: 0o700 });
    writeFileSync(note, path, { mode: 0o600 });
  } catch {
    // Then the next backup to the same folder finds what is left.
  }
  return { remove: () => rmSync(note, { force: true }) };
}

/**
 * Folders of backups that were killed: those with a note, and those in `folder`, where backups are written. None that
 * another process works in.
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

/** Removes them, and the notes of folders that are gone. Returns what was removed; what may not be removed stays. */
export function sweepWorkplaces(notesDir: string, folder: string | null, takeLock: TakeLock): string[] {
  const removed = leftWorkplaces(notesDir, folder, takeLock).filter((path) => {
    try {
      rmSync(path, { recursive: true });
      return true;
    } catch {
      // On a disk that this process cannot write: `doctor` goes on naming it.
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

/** A folder of this user that holds what a backup leaves and nothing else. */
function isLeft(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true || found.uid !== process.getuid?.()) return false;
  const names = readdirSync(path);
  return names.includes(lockName) && names.every((name) => ownNames.some((own) => name.startsWith(own)));
}
