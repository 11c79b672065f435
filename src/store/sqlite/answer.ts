import type { Answer, StoredAnswer } from "../../domain/scan.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";

type AnswerRow = {
  source: string;
  fingerprint: string;
  confidence: number;
  origin: string;
  answered_at: number;
  missing: string;
  sha256: string;
  findings: string;
  has_failed_since: number;
};

/** The last good answer of each source, and whether the source has failed since. */
export function answerTable(connection: Connection) {
  const find = connection.prepare<[string, string], AnswerRow>(
    `SELECT source, fingerprint, confidence, origin, answered_at, missing, sha256, findings, has_failed_since FROM answer
     WHERE indicator_hash = ? AND workspace_id = ? ORDER BY source`,
  );
  const save = connection.prepare<[Record<string, string | number>]>(
    `INSERT INTO answer (indicator_hash, workspace_id, source, fingerprint, confidence, origin, answered_at, missing,
       sha256, findings, has_failed_since)
     VALUES (@indicatorHash, @workspaceId, @source, @fingerprint, @confidence, @origin, @at, @missing, @sha256, @text, 0)
     ON CONFLICT (indicator_hash, workspace_id, source) DO UPDATE SET fingerprint = excluded.fingerprint,
       confidence = excluded.confidence, origin = excluded.origin, answered_at = excluded.answered_at,
       missing = excluded.missing, sha256 = excluded.sha256, findings = excluded.findings,
       has_failed_since = 0`,
  );
  const markFailed = connection.prepare(
    "UPDATE answer SET has_failed_since = 1 WHERE indicator_hash = ? AND workspace_id = ? AND source = ?",
  );
  const forget = connection.prepare("DELETE FROM answer WHERE indicator_hash = ?");
  const expired = connection.prepare(
    "DELETE FROM answer WHERE rowid IN (SELECT rowid FROM answer WHERE answered_at < ? ORDER BY answered_at LIMIT ?)",
  );

  return {
    of(indicatorHash: string, workspaceId: WorkspaceId): { answers: StoredAnswer[]; failedSources: string[] } {
      const rows = find.all(indicatorHash, workspaceId);
      return {
        answers: rows.map(toAnswer),
        failedSources: rows.filter((row) => row.has_failed_since === 1).map(({ source }) => source),
      };
    },
    save(indicatorHash: string, workspaceId: WorkspaceId, answer: Answer): void {
      const { source, fingerprint, confidence, origin, answeredAt, missing, sha256, findings } = answer;
      save.run({
        indicatorHash,
        workspaceId,
        source,
        fingerprint,
        confidence,
        origin,
        at: answeredAt.getTime(),
        missing: JSON.stringify(missing),
        sha256,
        text: JSON.stringify(findings),
      });
    },
    /** Marks the source as failed. Its last answer stays: a failure never replaces it. */
    markFailed(indicatorHash: string, workspaceId: WorkspaceId, source: string): void {
      markFailed.run(indicatorHash, workspaceId, source);
    },
    forget(indicatorHash: string): void {
      forget.run(indicatorHash);
    },
    removeBefore: (before: Date, maxRows: number): number => expired.run(before.getTime(), maxRows).changes,
  };
}

function toAnswer(row: AnswerRow): StoredAnswer {
  const answer = {
    source: row.source,
    fingerprint: row.fingerprint,
    confidence: row.confidence,
    origin: row.origin,
    answeredAt: toDate(row.answered_at),
    missing: JSON.parse(row.missing) as string[],
    sha256: row.sha256,
  };
  return { ...answer, read: () => ({ ...answer, findings: JSON.parse(row.findings) as Answer["findings"] }) };
}
