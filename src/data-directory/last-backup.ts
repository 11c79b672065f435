import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Its time of change says when the last backup was complete. */
const fileName = "last-backup";

/** When the last backup of a data directory was complete; null when none was made. */
export function lastBackupAt(dataDir: string): Date | null {
  return statSync(join(dataDir, fileName), { throwIfNoEntry: false })?.mtime ?? null;
}

export function noteBackup(dataDir: string, file: string): void {
  try {
    writeFileSync(join(dataDir, fileName), `${file}\n`, { mode: 0o600 });
  } catch {
    // On a full or read-only disk the backup is as good; only doctor does not learn of it.
  }
}
