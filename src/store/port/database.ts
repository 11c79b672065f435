import type { Author } from "../../domain/audit.ts";

/** The database itself. */
export interface DatabaseStore {
  /**
   * Copies the database, as it is at one moment, to a new file that can replace it in a data directory. Other processes
   * can write during the copy. `onProgress` gets bytes; an error that it throws ends the copy.
   */
  backup(file: string, onProgress: (done: number, total: number) => void): Promise<void>;
  /**
   * Prepares a restored database: ends all sessions, queues running scans again without counting the claim, and writes
   * an audit event with `detail`.
   */
  settleRestored(detail: string, by: Author): Promise<void>;
  /** Names each part of the schema that differs from the schema of xpose, such as a foreign trigger. */
  schemaFaults(): Promise<string[]>;
  close(): void;
}
