import type { Connection } from "./driver.ts";

/** Which keys were given the final answer of which scan. */
export function polledTable(connection: Connection) {
  const note = connection.prepare("INSERT OR IGNORE INTO polled (scan_id, key_id) VALUES (?, ?)");
  // The scan may have gone while the event waited.
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
    /** Notes nothing when the scan is gone. */
    noteLate(scanId: string, keyId: string): void {
      noteLate.run(keyId, scanId);
    },
  };
}
