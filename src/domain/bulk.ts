import type { BulkResult } from "../wire/bulk.ts";
import type { FailedSource, Reach } from "../wire/case.ts";
import { envelopeText } from "./envelope.ts";
import { AppError } from "./error.ts";
import type { Decision } from "./freshness.ts";
import { type Indicator, parseIndicator } from "./indicator.ts";
import type { ScanId, ScanState } from "./scan.ts";
import type { Steps } from "./steps.ts";

export type BulkId = string & { readonly __brand: "BulkId" };

/** A distinct indicator of a list, and the id of its scan if one must be started. */
export type BulkIndicator = {
  readonly indicator: Indicator;
  readonly indicatorHash: string;
  readonly newScanId: ScanId;
};

/** A row as it was given: a place in the list of distinct indicators, or why it is no indicator. */
export type BulkRow =
  | { readonly kind: "indicator"; readonly at: number }
  | { readonly kind: "invalid"; readonly type: string | null; readonly value: string | null; readonly error: AppError };

export type BulkList = { readonly rows: readonly BulkRow[]; readonly distinct: readonly BulkIndicator[] };

/** A row that names an indicator, before it is checked. */
export type GivenIndicator = { readonly type: unknown; readonly value: unknown };

type ListTools = { readonly hashOf: (indicator: Indicator) => string; readonly newScanId: () => ScanId };

/** Rows that are read in one step: hashing an indicator takes some microseconds. */
const readPerStep = 100;

/** Reads a list in steps: equal canonical indicators are one (docs/pipeline.md 19.2). A bad row spoils no other. */
export function* readList(given: readonly GivenIndicator[], { hashOf, newScanId }: ListTools): Steps<BulkList> {
  const rows: BulkRow[] = [];
  const distinct: BulkIndicator[] = [];
  const known = new Map<string, number>();
  for (const [index, { type, value }] of given.entries()) {
    if (index % readPerStep === readPerStep - 1) yield;
    try {
      const indicator = parseIndicator(type, value);
      const indicatorHash = hashOf(indicator);
      let at = known.get(indicatorHash);
      if (at === undefined) {
        at = distinct.push({ indicator, indicatorHash, newScanId: newScanId() }) - 1;
        known.set(indicatorHash, at);
      }
      rows.push({ kind: "indicator", at });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      rows.push({ kind: "invalid", type: shortText(type), value: shortText(value), error });
    }
  }
  return { rows, distinct };
}

/** An address has at most 254 characters: of a longer text the beginning tells which row it was. */
const maxGivenLength = 320;

function shortText(text: unknown): string | null {
  return typeof text === "string" ? text.slice(0, maxGivenLength).toWellFormed() : null;
}

/** The outcome of a distinct indicator: the scan that answers it, or the reason why no scan does. */
export type BulkAnswer = {
  readonly scanId: ScanId | null;
  readonly kind: "hit" | "join" | "start" | "not_cached";
  /** Set when the joined scan, which has not started, must use only later answers. */
  readonly freshSince: Date | null;
};

type BulkRules = {
  /** False for a caller who gets what is there, and starts nothing: by its key, or because it asked for that. */
  readonly mayScan: boolean;
  /** The scan of an indicator that an earlier call of the same batch started. */
  readonly startedEarlier: (
    indicatorHash: string,
  ) => (Pick<BulkAnswer, "freshSince"> & { readonly scanId: ScanId }) | null;
};

/** Decides for each distinct indicator what a single call would; `decisions` are in their order. */
export function decideBulk(
  distinct: readonly BulkIndicator[],
  decisions: readonly Decision[],
  { mayScan, startedEarlier }: BulkRules,
): BulkAnswer[] {
  return distinct.map(({ indicatorHash, newScanId }, index) => {
    const decision = decisions[index] ?? { kind: "start" };
    if (decision.kind === "hit") return { kind: "hit", scanId: decision.scanId, freshSince: null };
    if (!mayScan) return { kind: "not_cached", scanId: null, freshSince: null };
    const joined = startedEarlier(indicatorHash) ?? (decision.kind === "join" ? decision : null);
    if (joined !== null) return { kind: "join", scanId: joined.scanId, freshSince: joined.freshSince };
    return { kind: "start", scanId: newScanId, freshSince: null };
  });
}

/** A row as it is stored with its list. */
export type BulkItem = {
  readonly type: string | null;
  readonly value: string | null;
  readonly indicatorHash: string | null;
  readonly scanId: ScanId | null;
  readonly error: { readonly code: string; readonly message: string } | null;
};

export function bulkItems({ rows, distinct }: BulkList, answers: readonly BulkAnswer[]): BulkItem[] {
  return rows.map((row) => {
    if (row.kind === "invalid") {
      const { type, value, error } = row;
      return { type, value, indicatorHash: null, scanId: null, error: { code: error.code, message: error.message } };
    }
    const asked = distinct[row.at] as BulkIndicator;
    const scanId = answers[row.at]?.scanId ?? null;
    const { type, value } = asked.indicator;
    return { type, value, indicatorHash: asked.indicatorHash, scanId, error: scanId === null ? notCached : null };
  });
}

const notCached = {
  code: "not_cached",
  message: "There is no fresh result for this indicator, and nothing was to be started",
} as const;

/** How far a row of a list is. `scan` is null where none answers it, or its scan is gone. */
export type BulkState = BulkItem & {
  readonly scan: {
    readonly state: ScanState;
    readonly reach: Reach;
    readonly isPartial: boolean;
    readonly digest: string | null;
    readonly total: number | null;
    readonly failedSources: readonly FailedSource[];
    /** Null unless it was asked for and the scan is completed. */
    readonly envelopeTail: string | null;
  } | null;
};

/** The row as a caller sees it (docs/pipeline.md 19.3, 32). */
export function bulkResult(row: BulkState): BulkResult {
  const { type, value, scanId, scan, error } = row;
  const indicator = { type, value };
  const none = { partial: null, failed_sources: [], reach: null, digest: null, total: null };
  if (scanId === null) {
    const status = error?.code === "not_cached" ? "not_cached" : "invalid";
    return { indicator, status, request_id: null, error: error as BulkResult["error"], ...none };
  }
  if (scan === null) return { indicator, status: "failed", request_id: scanId, error: gone, ...none };
  const { state, reach, isPartial, digest, total, failedSources } = scan;
  const failed_sources = failedSources.map(({ source }) => source);
  if (state === "completed") {
    const found = { partial: isPartial, failed_sources, reach, digest, total };
    return { indicator, status: "completed", request_id: scanId, error: null, ...found };
  }
  if (state === "failed") {
    return { indicator, status: "failed", request_id: scanId, error: scanFailed, ...none, failed_sources };
  }
  return { indicator, status: "scanning", request_id: scanId, error: null, ...none };
}

/** The row as a line of NDJSON, without its end (docs/pipeline.md 19.4). The envelope is the bytes that were stored. */
export function bulkLine(row: BulkState): string {
  const { scanId, scan } = row;
  const tail = scan?.envelopeTail ?? null;
  const envelope = scanId === null || tail === null ? "null" : envelopeText(scanId, "miss_scan_complete", tail);
  return `${JSON.stringify(bulkResult(row)).slice(0, -1)},"envelope":${envelope}}`;
}

const gone = { code: "not_found", message: "The scan is past its retention, or its indicator was forgotten" } as const;
const scanFailed = { code: "scan_failed", message: "No source answered" } as const;

export type BulkCounts = { completed: number; pending: number; failed: number; invalid: number };

/** Counts the rows by how far they are. Rows that are not cached are in none of the counts. */
export function countRows(results: Iterable<Pick<BulkResult, "status">>): BulkCounts {
  const counts: BulkCounts = { completed: 0, pending: 0, failed: 0, invalid: 0 };
  for (const { status } of results) {
    if (status === "scanning") counts.pending += 1;
    else if (status !== "not_cached") counts[status] += 1;
  }
  return counts;
}
