import type { Author } from "../../domain/audit.ts";

/** The database itself. */
export interface DatabaseStore {
  /**
   * Copies the database as it is at one moment to a new file, which a data directory can hold in its place; others go on
   * writing meanwhile. `onProgress` is told bytes; what it throws ends the copy.
   */
  backup(file: string, onProgress: (done: number, total: number) => void): Promise<void>;
  /**
   * Of a database that was restored: all sessions end, scans that were running are queued again, uncounted, and the audit
   * trail says so with `detail`.
   */
  settleRestored(detail: string, by: Author): Promise<void>;
  /** Names each part of the schema that is not as xpose makes it, such as a trigger of somebody else. */
  schemaFaults(): Promise<string[]>;
  close(): void;
}
