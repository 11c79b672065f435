import Database from "better-sqlite3/linux-x64";
import { vi } from "vitest";
import type { Store } from "../../src/store/port/store.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { testAuditKey } from "./test-author.ts";

/** A store, in `folder` or in memory, and its connection, for changes that a store would never make. */
export function openWatchedStore(folder: string | null = null): { store: Store; connection: Database } {
  const pragma = vi.spyOn(Database.prototype, "pragma");
  const store =
    folder === null ? SqliteStore.inMemory(testAuditKey) : SqliteStore.create(folder, "check", testAuditKey);
  const connection = pragma.mock.contexts[0];
  pragma.mockRestore();
  if (!(connection instanceof Database)) throw new Error("the store opened no connection");
  return { store, connection };
}
