import { type Connection, isBusy, openLockFile } from "./driver.ts";

/** Held until `release` or until the process ends in any way. */
export type Lock = { readonly release: () => void };

/** Keeps the connections referenced: the garbage collector would close a connection and so drop its lock. */
const held = new Set<Connection>();

/**
 * Takes a lock on a small file; null when a conflicting lock is held. The lock is an open SQLite transaction. The
 * system drops it with the process, so there are no stale locks.
 */
export function takeLock(path: string, mode: "exclusive" | "shared"): Lock | null {
  const connection = openLockFile(path);
  try {
    // An exclusive lock begins a journal, and a full disk may have no space for one.
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
