import type { Severity } from "../../domain/finding.ts";
import type { HeldFinding } from "../../domain/watch.ts";
import type { Connection } from "./driver.ts";

type Row = { source: string; finding_hash: string; severity: Severity };

/** What the last check of each watched address held. */
export function watchedFindingTable(connection: Connection) {
  const of = connection.prepare<[number], Row>(
    "SELECT source, finding_hash, severity FROM watched_finding WHERE watched_id = ?",
  );
  const bySeverity = connection.prepare<[number], { severity: Severity; count: number }>(
    "SELECT severity, count(*) AS count FROM watched_finding WHERE watched_id = ? GROUP BY severity",
  );
  const put = connection.prepare(
    `INSERT INTO watched_finding (watched_id, source, finding_hash, severity) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET severity = excluded.severity`,
  );
  const remove = connection.prepare(
    "DELETE FROM watched_finding WHERE watched_id = ? AND source = ? AND finding_hash = ?",
  );

  return {
    of: (watchedId: number): HeldFinding[] =>
      of.all(watchedId).map((row) => ({ source: row.source, hash: row.finding_hash, severity: row.severity })),
    bySeverity: (watchedId: number): Record<string, number> =>
      Object.fromEntries(bySeverity.all(watchedId).map(({ severity, count }) => [severity, count])),
    put(watchedId: number, { source, hash, severity }: HeldFinding): void {
      put.run(watchedId, source, hash, severity);
    },
    remove(watchedId: number, { source, hash }: HeldFinding): void {
      remove.run(watchedId, source, hash);
    },
  };
}
