import type { ScanId } from "../../domain/scan.ts";
import type { Connection } from "./driver.ts";

/** The body of `/evidence` of each completed scan. */
export function evidenceTable(connection: Connection) {
  const find = connection.prepare<[string], { body: string }>("SELECT body FROM evidence WHERE scan_id = ?");
  const insert = connection.prepare("INSERT INTO evidence (scan_id, body) VALUES (?, ?)");

  return {
    of: (scanId: ScanId): string => find.get(scanId)?.body ?? "",
    insert(scanId: ScanId, body: string): void {
      insert.run(scanId, body);
    },
  };
}
