import { type CacheMember, envelopeText, type Projection, type Sighting } from "../../domain/envelope.ts";
import type { SourceErrorReason } from "../../domain/error.ts";
import { findingHash } from "../../domain/finding.ts";
import type { DataVersion, ScanFacts } from "../../domain/freshness.ts";
import type { Indicator, IndicatorType } from "../../domain/indicator.ts";
import {
  type Answer,
  type Claim,
  type ClaimedScan,
  finalState,
  isPartial,
  maxClaims,
  type Outcome,
  type ScanId,
  type ScanState,
  type SourceRun,
  type UnfinishedState,
} from "../../domain/scan.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type {
  ClaimRequest,
  CompletedReply,
  FingerprintOf,
  RetentionLimits,
  Settlement,
  SourceRunRecord,
} from "../store.ts";
import type { Connection } from "./driver.ts";
import type { overviewTable } from "./overview.ts";
import { type readyResultTable, viewOf } from "./ready-result.ts";
import { toDate } from "./workspace.ts";

type FactsRow = {
  id: ScanId;
  state: ScanState;
  settings_fingerprint: string | null;
  corpora_revision: string | null;
  as_of: number | null;
  finished_at: number | null;
  is_partial: number;
};
type QueuedRow = {
  id: ScanId;
  workspace_id: WorkspaceId;
  indicator_type: IndicatorType;
  indicator_value: string;
  indicator_hash: string;
  claim_count: number;
};
type ClaimedRow = Pick<QueuedRow, "id" | "workspace_id" | "indicator_hash" | "claim_count"> & {
  state: ScanState;
  settings_fingerprint: string | null;
  corpora_revision: string | null;
};
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
type RunRow = {
  source: string;
  outcome: Outcome;
  finding_count: number;
  duration_ms: number;
  ended_at: number;
  error: SourceErrorReason | null;
  missing: string;
  quota_left: number | null;
};
type AskedRow = Pick<QueuedRow, "indicator_type" | "indicator_value"> & { requested_at: number };
export type FinishedRow = {
  state: ScanState;
  indicator_hash: string;
  finished_at: number | null;
  envelope_tail: string | null;
  digest: string | null;
  is_partial: number;
};

const claimedColumns = "id, workspace_id, indicator_hash, claim_count, state, settings_fingerprint, corpora_revision";
const factsColumns = "id, state, settings_fingerprint, corpora_revision, as_of, finished_at, is_partial";
const runColumns = "source, outcome, finding_count, duration_ms, ended_at, error, missing, quota_left";

/** Only the newest results can be fresh; a few more than one, because a command with other settings leaves results too. */
const newestCount = 8;

export type NewScan = {
  readonly id: ScanId;
  readonly workspaceId: WorkspaceId;
  readonly indicator: Indicator;
  readonly indicatorHash: string;
  readonly requestedAt: Date;
};

/**
 * Scans with all that hangs on them: source runs, answers, the ledger and the evidence. Newer and older go by
 * rank and rowid, never by a time: the clock may move back.
 */
export function scanTable(
  connection: Connection,
  ready: Pick<ReturnType<typeof readyResultTable>, "save">,
  totals: Pick<ReturnType<typeof overviewTable>, "countRun">,
) {
  const newestFinished = connection.prepare<[string, string], FactsRow>(
    `SELECT ${factsColumns} FROM scan WHERE indicator_hash = ? AND workspace_id = ? AND finished_rank IS NOT NULL
     ORDER BY finished_rank DESC LIMIT ${newestCount}`,
  );
  const unfinished = connection.prepare<[string, string], FactsRow>(
    `SELECT ${factsColumns} FROM scan WHERE indicator_hash = ? AND workspace_id = ? AND finished_rank IS NULL
     ORDER BY rowid DESC`,
  );
  const insert = connection.prepare(
    `INSERT INTO scan (id, workspace_id, indicator_type, indicator_value, indicator_hash, state, requested_at, claim_count, is_partial)
     VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)`,
  );
  const byId = connection.prepare<[string, string], FinishedRow>(
    "SELECT state, indicator_hash, finished_at, envelope_tail, digest, is_partial FROM scan WHERE id = ? AND workspace_id = ?",
  );
  const askedAbout = connection.prepare<[string], AskedRow>(
    "SELECT indicator_type, indicator_value, requested_at FROM scan WHERE id = ?",
  );
  const evidenceOf = connection.prepare<[string], { body: string }>("SELECT body FROM evidence WHERE scan_id = ?");
  // Two partial indexes hold just these rows.
  const countUnfinished = connection.prepare<[], { count: number }>(
    `SELECT (SELECT count(*) FROM scan WHERE state = 'queued')
          + (SELECT count(*) FROM scan WHERE lease_until IS NOT NULL) AS count`,
  );
  const nextWorkspace = connection.prepare<[string], { workspace_id: WorkspaceId }>(
    "SELECT workspace_id FROM scan WHERE state = 'queued' AND workspace_id > ? ORDER BY workspace_id LIMIT 1",
  );
  const oldestQueued = connection.prepare<[string], QueuedRow>(
    `SELECT id, workspace_id, indicator_type, indicator_value, indicator_hash, claim_count FROM scan
     WHERE state = 'queued' AND workspace_id = ? ORDER BY rowid LIMIT 1`,
  );
  const workspaceOf = connection.prepare<[string], { id: WorkspaceId; name: string; corpora_revision: string }>(
    "SELECT id, name, corpora_revision FROM workspace WHERE id = ?",
  );
  const claim = connection.prepare(
    `UPDATE scan SET state = 'scanning', owner = ?, lease_until = ?, claim_count = claim_count + 1,
       settings_fingerprint = ?, corpora_revision = ? WHERE id = ?`,
  );
  const held = connection.prepare<[string, string, number], ClaimedRow>(
    `SELECT ${claimedColumns} FROM scan WHERE id = ? AND owner = ? AND claim_count = ? AND lease_until IS NOT NULL`,
  );
  const extend = connection.prepare(
    "UPDATE scan SET lease_until = ? WHERE id = ? AND owner = ? AND claim_count = ? AND lease_until IS NOT NULL",
  );
  const setState = connection.prepare("UPDATE scan SET state = ? WHERE id = ?");
  const claimedBy = connection.prepare<[string], ClaimedRow>(
    `SELECT ${claimedColumns} FROM scan WHERE lease_until IS NOT NULL AND owner = ?`,
  );
  const claimedUntil = connection.prepare<[number], ClaimedRow>(
    `SELECT ${claimedColumns} FROM scan WHERE lease_until <= ?`,
  );
  const requeue = connection.prepare(
    "UPDATE scan SET state = 'queued', owner = NULL, lease_until = NULL, claim_count = ? WHERE id = ?",
  );
  const finish = connection.prepare(
    `UPDATE scan SET state = ?, finished_at = ?, owner = NULL, lease_until = NULL, as_of = ?, is_partial = ?, digest = ?, envelope_tail = ?,
       finished_rank = (SELECT coalesce(max(other.finished_rank), 0) + 1 FROM scan other
         WHERE other.indicator_hash = scan.indicator_hash AND other.workspace_id = scan.workspace_id)
     WHERE id = ?`,
  );
  const dropRuns = connection.prepare("DELETE FROM source_run WHERE scan_id = ?");
  const insertEvidence = connection.prepare("INSERT INTO evidence (scan_id, body) VALUES (?, ?)");
  const saveRun = connection.prepare(
    `INSERT OR REPLACE INTO source_run (scan_id, ${runColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const savedSources = connection.prepare<[string], string>("SELECT source FROM source_run WHERE scan_id = ?").pluck();
  const runsOf = connection.prepare<[string], RunRow>(
    `SELECT ${runColumns} FROM source_run WHERE scan_id = ? ORDER BY source`,
  );
  const lastRuns = connection.prepare<[], RunRow>(
    `SELECT ${runColumns}, max(ended_at) FROM source_run GROUP BY source ORDER BY source`,
  );
  const answersOf = connection.prepare<[string, string], AnswerRow>(
    `SELECT source, fingerprint, confidence, origin, answered_at, missing, sha256, findings, has_failed_since FROM answer
     WHERE indicator_hash = ? AND workspace_id = ? ORDER BY source`,
  );
  const saveAnswer = connection.prepare<[Record<string, string | number>]>(
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
  const saveSighting = connection.prepare<[Record<string, string | number>]>(
    `INSERT INTO sighting (indicator_hash, workspace_id, finding_hash, first_seen_at, last_seen_at)
     VALUES (@indicatorHash, @workspaceId, @findingHash, @at, @at)
     ON CONFLICT DO UPDATE SET
       first_seen_at = iif(last_seen_at < @forgottenBefore, excluded.first_seen_at, first_seen_at),
       last_seen_at = max(last_seen_at, excluded.last_seen_at)`,
  );
  const findSighting = connection.prepare<[string, string, string], { first_seen_at: number; last_seen_at: number }>(
    "SELECT first_seen_at, last_seen_at FROM sighting WHERE indicator_hash = ? AND workspace_id = ? AND finding_hash = ?",
  );
  const forgetting = ["scan", "answer", "sighting"].map((table) =>
    connection.prepare(`DELETE FROM ${table} WHERE indicator_hash = ?`),
  );
  const expiredScans = connection.prepare(
    "DELETE FROM scan WHERE id IN (SELECT id FROM scan WHERE finished_at < ? ORDER BY finished_at LIMIT ?)",
  );
  const expiredAnswers = connection.prepare(
    "DELETE FROM answer WHERE rowid IN (SELECT rowid FROM answer WHERE answered_at < ? ORDER BY answered_at LIMIT ?)",
  );
  const expiredSightings = connection.prepare(
    `DELETE FROM sighting WHERE (indicator_hash, workspace_id, finding_hash) IN
       (SELECT indicator_hash, workspace_id, finding_hash FROM sighting WHERE last_seen_at < ? ORDER BY last_seen_at LIMIT ?)`,
  );

  function insertAs(state: "queued" | "scanning", scan: NewScan): void {
    const { id, workspaceId, indicator, indicatorHash, requestedAt } = scan;
    insert.run(id, workspaceId, indicator.type, indicator.value, indicatorHash, state, requestedAt.getTime());
  }

  function saveRuns(row: ClaimedRow, runs: readonly SourceRun[]): void {
    for (const run of runs) {
      const findingCount = run.answer?.findings.length ?? 0;
      const missing = JSON.stringify(run.answer?.missing ?? []);
      const { source, outcome, durationMs, endedAt, error, quotaLeft } = run;
      saveRun.run(row.id, source, outcome, findingCount, durationMs, endedAt.getTime(), error, missing, quotaLeft);
      if (!run.isReused) totals.countRun(row.workspace_id, run);
      if (run.outcome === "failed") markFailed.run(row.indicator_hash, row.workspace_id, source);
      if (run.answer === null || run.isReused) continue;
      const { fingerprint, confidence, origin, answeredAt, sha256, findings } = run.answer;
      const at = answeredAt.getTime();
      const text = JSON.stringify(findings);
      saveAnswer.run({
        indicatorHash: row.indicator_hash,
        workspaceId: row.workspace_id,
        source,
        fingerprint,
        confidence,
        origin,
        at,
        missing,
        sha256,
        text,
      });
    }
  }

  /** Enters what was seen in the ledger and reads back how it stands now. */
  function recordSightings(row: ClaimedRow, answers: readonly Answer[], ledgerBefore: Date): Map<string, Sighting> {
    const sightings = new Map<string, Sighting>();
    const { indicator_hash: indicatorHash, workspace_id: workspaceId } = row;
    const forgottenBefore = ledgerBefore.getTime();
    for (const answer of answers) {
      for (const finding of answer.findings) {
        const hash = findingHash(answer.source, finding);
        const at = answer.answeredAt.getTime();
        saveSighting.run({ indicatorHash, workspaceId, findingHash: hash, at, forgottenBefore });
        const saved = findSighting.get(indicatorHash, workspaceId, hash);
        if (saved === undefined) continue;
        sightings.set(hash, { firstSeenAt: toDate(saved.first_seen_at), lastSeenAt: toDate(saved.last_seen_at) });
      }
    }
    return sightings;
  }

  /** Stamps the scan with the data that it will see. */
  function takeOver(row: QueuedRow, owner: string, leaseUntil: Date, fingerprintOf: FingerprintOf): ClaimedScan {
    const workspace = workspaceOf.get(row.workspace_id);
    if (workspace === undefined) throw new Error("a scan without its workspace");
    const corporaRevision = workspace.corpora_revision;
    const answers = answersOf.all(row.indicator_hash, row.workspace_id);
    const settingsFingerprint = fingerprintOf(workspace);
    claim.run(owner, leaseUntil.getTime(), settingsFingerprint, corporaRevision, row.id);
    // An earlier claim may have asked sources that are there no more.
    dropRuns.run(row.id);
    return {
      claim: { scanId: row.id, owner, claimCount: row.claim_count + 1 },
      workspace: { id: workspace.id, name: workspace.name },
      indicator: { type: row.indicator_type, value: row.indicator_value },
      indicatorHash: row.indicator_hash,
      settingsFingerprint,
      corporaRevision,
      answers: answers.map(toAnswer),
      failedSources: answers.filter((answer) => answer.has_failed_since === 1).map(({ source }) => source),
    };
  }

  return {
    /** Newest first, finished ones before unfinished ones. */
    factsOf(hash: string, workspaceId: WorkspaceId): ScanFacts[] {
      return [...newestFinished.all(hash, workspaceId), ...unfinished.all(hash, workspaceId)].map(toFacts);
    },
    find: (id: ScanId, workspaceId: WorkspaceId): FinishedRow | undefined => byId.get(id, workspaceId),
    asked: (id: ScanId): AskedRow | undefined => askedAbout.get(id),
    evidence: (id: ScanId): string => evidenceOf.get(id)?.body ?? "",
    runs: (id: ScanId): SourceRunRecord[] => runsOf.all(id).map(toRunRecord),
    lastRuns: (): SourceRunRecord[] => lastRuns.all().map(toRunRecord),
    countUnfinished: (): number => countUnfinished.get()?.count ?? 0,

    insert: (scan: NewScan): void => insertAs("queued", scan),

    /** Adds a scan that never waits: its caller runs it. */
    insertClaimed(scan: NewScan, owner: string, leaseUntil: Date, fingerprintOf: FingerprintOf): ClaimedScan {
      insertAs("scanning", scan);
      const row: QueuedRow = {
        id: scan.id,
        workspace_id: scan.workspaceId,
        indicator_type: scan.indicator.type,
        indicator_value: scan.indicator.value,
        indicator_hash: scan.indicatorHash,
        claim_count: 0,
      };
      return takeOver(row, owner, leaseUntil, fingerprintOf);
    },

    claim({ owner, leaseUntil, afterWorkspaceId, maxCount, fingerprintOf }: ClaimRequest): ClaimedScan[] {
      const claimed: ClaimedScan[] = [];
      while (claimed.length < maxCount) {
        const after = claimed.at(-1)?.workspace.id ?? afterWorkspaceId ?? "";
        const workspace = nextWorkspace.get(after) ?? nextWorkspace.get("");
        const row = workspace === undefined ? undefined : oldestQueued.get(workspace.workspace_id);
        if (row === undefined) break;
        claimed.push(takeOver(row, owner, leaseUntil, fingerprintOf));
      }
      return claimed;
    },

    extendLeases(claims: readonly Claim[], until: Date): Claim[] {
      return claims.filter((c) => extend.run(until.getTime(), c.scanId, c.owner, c.claimCount).changes === 1);
    },

    saveRuns(claimOf: Claim, runs: readonly SourceRun[], nextState: UnfinishedState): boolean {
      const row = held.get(claimOf.scanId, claimOf.owner, claimOf.claimCount);
      if (row === undefined) return false;
      saveRuns(row, runs);
      if (row.state !== nextState) setState.run(nextState, row.id);
      return true;
    },

    settle(settlement: Settlement): boolean {
      const { claim: claimOf, runs, answers, finishedAt } = settlement;
      const row = held.get(claimOf.scanId, claimOf.owner, claimOf.claimCount);
      if (row === undefined) return false;
      // Saved once only: another scan of this address may have heard a newer answer meanwhile.
      const saved = new Set(savedSources.all(row.id));
      saveRuns(
        row,
        runs.filter(({ source }) => !saved.has(source)),
      );
      const state = finalState(runs);
      let projection: Projection | null = null;
      if (state === "completed") {
        projection = settlement.project(recordSightings(row, answers, settlement.ledgerBefore));
        insertEvidence.run(row.id, projection.evidence);
      }
      const [at, since, partial] = [finishedAt.getTime(), asOf(runs, finishedAt), isPartial(runs)];
      const { digest = null, envelopeTail = null } = projection ?? {};
      finish.run(state, at, since, partial ? 1 : 0, digest, envelopeTail, row.id);
      const { settings_fingerprint: settingsFingerprint, corpora_revision: corporaRevision } = row;
      if (projection !== null && settingsFingerprint !== null && corporaRevision !== null) {
        const view = viewOf(row.workspace_id, { settingsFingerprint, corporaRevision });
        const facts = { scanId: row.id, asOf: since, finishedAt: at, isPartial: partial };
        ready.save(row.indicator_hash, view, { ...facts, ...projection });
      }
      return true;
    },

    requeue(which: { owner: string } | { leaseOverAt: Date }, isCounted: boolean, now: Date): number {
      const rows = "owner" in which ? claimedBy.all(which.owner) : claimedUntil.all(which.leaseOverAt.getTime());
      for (const row of rows) {
        if (isCounted && row.claim_count >= maxClaims) finish.run("failed", now.getTime(), null, 0, null, null, row.id);
        else requeue.run(isCounted ? row.claim_count : row.claim_count - 1, row.id);
      }
      return rows.length;
    },

    /** Deletes all that is stored about an indicator, in every workspace and in whatever state. */
    forget(hash: string): void {
      for (const statement of forgetting) statement.run(hash);
    },

    removeExpired(limits: RetentionLimits, maxRows: number): number {
      let left = maxRows;
      left -= expiredScans.run(limits.scansFinishedBefore.getTime(), left).changes;
      left -= expiredAnswers.run(limits.answersBefore.getTime(), left).changes;
      left -= expiredSightings.run(limits.sightingsBefore.getTime(), left).changes;
      return maxRows - left;
    },
  };
}

/** Completion, or the oldest answer that was taken over, whichever is earlier (docs/contract.md 5.1). */
function asOf(runs: readonly SourceRun[], finishedAt: Date): number {
  const reused = runs.flatMap((run) => (run.isReused && run.answer !== null ? [run.answer.answeredAt.getTime()] : []));
  return Math.min(finishedAt.getTime(), ...reused);
}

function toFacts(row: FactsRow): ScanFacts {
  const { settings_fingerprint: settingsFingerprint, corpora_revision: corporaRevision } = row;
  const data: DataVersion | null =
    settingsFingerprint === null || corporaRevision === null ? null : { settingsFingerprint, corporaRevision };
  return {
    id: row.id,
    state: row.state,
    data,
    asOf: toDate(row.as_of),
    finishedAt: toDate(row.finished_at),
    isPartial: row.is_partial === 1,
  };
}

function toAnswer(row: AnswerRow): Answer {
  return {
    source: row.source,
    fingerprint: row.fingerprint,
    confidence: row.confidence,
    origin: row.origin,
    answeredAt: toDate(row.answered_at),
    missing: JSON.parse(row.missing) as string[],
    sha256: row.sha256,
    findings: JSON.parse(row.findings) as Answer["findings"],
  };
}

function toRunRecord(row: RunRow): SourceRunRecord {
  return {
    source: row.source,
    outcome: row.outcome,
    findingCount: row.finding_count,
    durationMs: row.duration_ms,
    endedAt: toDate(row.ended_at),
    error: row.error,
    missing: JSON.parse(row.missing) as string[],
    quotaLeft: row.quota_left,
  };
}

export function toCompleted(id: ScanId, row: FinishedRow, cache: CacheMember): CompletedReply {
  return {
    kind: "completed",
    scanId: id,
    envelope: envelopeText(id, cache, row.envelope_tail ?? ""),
    digest: row.digest ?? "",
    isPartial: row.is_partial === 1,
  };
}
