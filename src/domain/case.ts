import type { Case, FailedSource, Reach } from "../wire/case.ts";
import type { Envelope } from "../wire/envelope.ts";
import type { Evidence } from "../wire/finding.ts";
import type { SourceRunBody } from "../wire/scan.ts";
import { disambiguation, type Projection } from "./envelope.ts";
import type { Indicator } from "./indicator.ts";
import { isPartial, type ScanId, type SourceRunRecord } from "./scan.ts";
import { timestamp } from "./time.ts";

/** The stored data of a finished scan. */
export type CaseFacts = {
  readonly scanId: ScanId;
  readonly indicator: Indicator;
  readonly askedAt: Date;
  readonly finishedAt: Date;
  readonly reach: Reach;
  /** Sorted by the name of the source. */
  readonly runs: readonly StoredRun[];
  /** Null for a failed scan. */
  readonly result: Omit<Projection, "total"> | null;
};

/** A row of `/sources` as it is stored. */
export type StoredRun = Omit<SourceRunRecord, "endedAt" | "quotaLeft">;

/** Everything about a finished scan in one document (docs/pipeline.md 17.2). `version` is the version of xpose. */
export function buildCase(facts: CaseFacts, version: string): Case {
  const { scanId, indicator, askedAt, finishedAt, reach, runs, result } = facts;
  const times = { asked_at: timestamp(askedAt), finished_at: timestamp(finishedAt) };
  const failed_sources = failedSourcesOf(runs);
  const tail = { sources: runs.map(sourceRow), disambiguation, generator: { name: "xpose", version } } as const;
  if (result === null) {
    // A failed scan has no numbers at all: silence must not read as clean.
    const none = { digest: null, failed_sources, exposure: null, evidence: [] };
    return { request_id: scanId, status: "failed", indicator, ...times, partial: null, reach, ...none, ...tail };
  }
  const { exposure } = JSON.parse(`{${result.envelopeTail}`) as Pick<Envelope, "exposure">;
  const { findings: evidence } = JSON.parse(result.evidence) as Evidence;
  const found = { digest: result.digest, failed_sources, exposure, evidence };
  const partial = isPartial(runs);
  return { request_id: scanId, status: "completed", indicator, ...times, partial, reach, ...found, ...tail };
}

/**
 * The text of the case, as JSON.stringify gives it. The findings are never parsed: they are the bytes that were stored,
 * and there may be a megabyte of them.
 */
export function caseText(facts: CaseFacts, version: string): string {
  const { result } = facts;
  if (result === null) return JSON.stringify(buildCase(facts, version));
  const empty = { envelopeTail: '"exposure":null}', evidence: '{"findings":[]}', digest: result.digest };
  const {
    exposure,
    evidence: none,
    sources,
    disambiguation,
    generator,
    ...head
  } = buildCase({ ...facts, result: empty }, version);
  const tail = { sources, disambiguation, generator };
  const { envelopeTail, evidence } = result;
  // Within a string a quotation mark is escaped, so these names can only be those of members.
  const exposureText = between(envelopeTail, ',"exposure":', envelopeTail.lastIndexOf(',"disambiguation":'));
  const evidenceText = between(evidence, ',"findings":', evidence.length - 1);
  const found = `"exposure":${exposureText},"evidence":${evidenceText}`;
  return `${JSON.stringify(head).slice(0, -1)},${found},${JSON.stringify(tail).slice(1)}`;
}

function between(text: string, name: string, end: number): string {
  return text.slice(text.indexOf(name) + name.length, end);
}

/** A row of `/sources`. */
export function sourceRow(run: StoredRun): SourceRunBody {
  return {
    source: run.source,
    outcome: run.outcome,
    findings: run.findingCount,
    duration_ms: run.durationMs,
    error: run.error,
    missing: run.missing,
    answered_at: run.answeredAt === null ? null : timestamp(run.answeredAt),
    reused: run.isReused,
    omitted: run.omittedCount,
  };
}

function failedSourcesOf(runs: readonly StoredRun[]): FailedSource[] {
  return runs.flatMap(({ source, outcome, error }) =>
    outcome === "failed" ? [{ source, error: error ?? ("internal" as const) }] : [],
  );
}
