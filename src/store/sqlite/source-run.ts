import type { SourceErrorReason } from "../../domain/error.ts";
import type { Outcome, ScanId, SourceRun, SourceRunRecord } from "../../domain/scan.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";

type RunRow = {
  source: string;
  outcome: Outcome;
  finding_count: number;
  duration_ms: number;
  ended_at: number;
  error: SourceErrorReason | null;
  missing: string;
  quota_left: number | null;
  answered_at: number | null;
  is_reused: number;
  omitted_count: number;
};

const savedColumns =
  "source, outcome, finding_count, duration_ms, ended_at, error, missing, quota_left, answered_at, is_reused";
const columns = `${savedColumns}, omitted_count`;

/** The run of each source in each scan. */
export function sourceRunTable(connection: Connection) {
  const save = connection.prepare(
    `INSERT OR REPLACE INTO source_run (scan_id, ${savedColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const setOmitted = connection.prepare("UPDATE source_run SET omitted_count = ? WHERE scan_id = ? AND source = ?");
  const setKept = connection.prepare(
    "UPDATE source_run SET answered_at = ?, is_reused = 1 WHERE scan_id = ? AND source = ?",
  );
  const drop = connection.prepare("DELETE FROM source_run WHERE scan_id = ?");
  const sources = connection.prepare<[string], string>("SELECT source FROM source_run WHERE scan_id = ?").pluck();
  const ofScan = connection.prepare<[string], RunRow>(
    `SELECT ${columns} FROM source_run WHERE scan_id = ? ORDER BY source`,
  );
  const last = connection.prepare<[], RunRow>(
    `SELECT ${columns}, max(ended_at) FROM source_run GROUP BY source ORDER BY source`,
  );

  return {
    save(scanId: ScanId, run: SourceRun): void {
      const { source, outcome, durationMs, endedAt, error, quotaLeft, answer, isReused } = run;
      const findingCount = answer?.findings.length ?? 0;
      const missing = JSON.stringify(answer?.missing ?? []);
      const answeredAt = answer?.answeredAt.getTime() ?? null;
      const facts = [findingCount, durationMs, endedAt.getTime(), error, missing, quotaLeft, answeredAt];
      save.run(scanId, source, outcome, ...facts, isReused ? 1 : 0);
    },
    /** Records how many findings of the source the envelope leaves out. */
    setOmitted(scanId: ScanId, source: string, count: number): void {
      setOmitted.run(count, scanId, source);
    },
    /** Records that the source failed and that an answer of an earlier scan is used. */
    setKept(scanId: ScanId, source: string, answeredAt: Date): void {
      setKept.run(answeredAt.getTime(), scanId, source);
    },
    drop(scanId: ScanId): void {
      drop.run(scanId);
    },
    /** The sources with saved runs. */
    sources: (scanId: ScanId): Set<string> => new Set(sources.all(scanId)),
    ofScan: (scanId: ScanId): SourceRunRecord[] => ofScan.all(scanId).map(toRecord),
    /** The last run of each source that has one, by source. */
    last: (): SourceRunRecord[] => last.all().map(toRecord),
  };
}

function toRecord(row: RunRow): SourceRunRecord {
  return {
    source: row.source,
    outcome: row.outcome,
    findingCount: row.finding_count,
    durationMs: row.duration_ms,
    endedAt: toDate(row.ended_at),
    error: row.error,
    missing: JSON.parse(row.missing) as string[],
    quotaLeft: row.quota_left,
    answeredAt: toDate(row.answered_at),
    isReused: row.is_reused === 1,
    omittedCount: row.omitted_count,
  };
}
