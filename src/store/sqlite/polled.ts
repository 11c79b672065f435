import type { Connection } from "./driver.ts";

/** Records which keys have received the final answer of which scan. */
export function polledTable(connection: Connection) {
  const note = connection.prepare("INSERT OR IGNORE INTO polled (scan_id, key_id) VALUES (?, ?)");
  // The scan may have been removed while the event waited.
  const noteLate = connection.prepare(
    "INSERT OR IGNORE INTO polled (scan_id, key_id) SELECT id, ? FROM scan WHERE id = ?",
  );
  const find = connection.prepare<[string, string], { scan_id: string }>(
    "SELECT scan_id FROM polled WHERE scan_id = ? AND key_id = ?",
  );

  return {
    has: (scanId: string, keyId: string): boolean => find.get(scanId, keyId) !== undefined,
    note(scanId: string, keyId: string): void {
      note.run(scanId, keyId);
    },
    /** Records nothing when the scan was removed. */
    noteLate(scanId: string, keyId: string): void {
      noteLate.run(keyId, scanId);
    },
  };
}
