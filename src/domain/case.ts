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
  readonly result: Projection | null;
};

/** A stored row of `/sources`. */
export type StoredRun = Pick<
  SourceRunRecord,
  "source" | "outcome" | "findingCount" | "durationMs" | "error" | "missing"
>;

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

/** A row of `/sources`. */
export function sourceRow({ source, outcome, findingCount, durationMs, error, missing }: StoredRun): SourceRunBody {
  return { source, outcome, findings: findingCount, duration_ms: durationMs, error, missing };
}

function failedSourcesOf(runs: readonly StoredRun[]): FailedSource[] {
  return runs.flatMap(({ source, outcome, error }) =>
    outcome === "failed" ? [{ source, error: error ?? ("internal" as const) }] : [],
  );
}
