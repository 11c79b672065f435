import type { Case, FailedSource, Reach } from "../wire/case.ts";
import type { Exposure } from "../wire/envelope.ts";
import type { EvidenceFinding } from "../wire/finding.ts";
import type { SourceRunBody } from "../wire/scan.ts";
import { disambiguation, timestamp } from "./envelope.ts";
import type { Indicator } from "./indicator.ts";
import { isPartial, type ScanId } from "./scan.ts";

/** What is stored about a scan that is over. */
export type CaseFacts = {
  readonly scanId: ScanId;
  readonly indicator: Indicator;
  readonly askedAt: Date;
  readonly finishedAt: Date;
  readonly reach: Reach;
  /** The rows of `/sources`, by name. */
  readonly sources: readonly SourceRunBody[];
  /** Null for a failed scan. */
  readonly result: CaseResult | null;
  /** Of this program. */
  readonly version: string;
};

/** What a completed scan found. */
export type CaseResult = {
  readonly exposure: Exposure;
  readonly evidence: readonly EvidenceFinding[];
  readonly digest: string;
};

/** All that is known about a finished scan as one document (docs/pipeline.md 17.2). */
export function buildCase(facts: CaseFacts): Case {
  const { scanId, indicator, askedAt, finishedAt, reach, sources, result, version } = facts;
  const times = { asked_at: timestamp(askedAt), finished_at: timestamp(finishedAt) };
  const failed_sources = failedSourcesOf(sources);
  const tail = { sources, disambiguation, generator: { name: "xpose", version } } as const;
  // A failed scan has no numbers at all: silence must not read as clean.
  const none = { digest: null, failed_sources, exposure: null, evidence: [] };
  if (result === null) {
    return { request_id: scanId, status: "failed", indicator, ...times, partial: null, reach, ...none, ...tail };
  }
  const { digest, exposure, evidence } = result;
  const found = { digest, failed_sources, exposure, evidence };
  const partial = isPartial(sources);
  return { request_id: scanId, status: "completed", indicator, ...times, partial, reach, ...found, ...tail };
}

function failedSourcesOf(sources: readonly SourceRunBody[]): FailedSource[] {
  return sources.flatMap(({ source, outcome, error }) =>
    outcome === "failed" ? [{ source, error: error ?? ("internal" as const) }] : [],
  );
}
