import { type Connection, isBusy, openLockFile } from "./driver.ts";

/** Held until `release`, or until its process ends, however it ends. */
export type Lock = { readonly release: () => void };

/** A connection that nobody refers to is closed by the garbage collector, and its lock would be gone. */
const held = new Set<Connection>();

/**
 * Takes a lock on a small file, or returns null when somebody holds it the other way. The lock is an open SQLite
 * transaction: the system drops it with the process, so there is no stale lock to clean up.
 */
export function takeLock(path: string, mode: "exclusive" | "shared"): Lock | null {
  const connection = openLockFile(path);
  try {
    // An exclusive lock begins a journal, for which a full disk may have no room.
    connection.pragma("journal_mode = MEMORY");
    connection.exec(mode === "exclusive" ? "BEGIN EXCLUSIVE" : "BEGIN; SELECT count(*) FROM sqlite_schema");
    held.add(connection);
    return {
      release() {
        held.delete(connection);
        connection.close();
      },
    };
  } catch (error) {
    connection.close();
    if (isBusy(error)) return null;
    throw error;
  }
}
