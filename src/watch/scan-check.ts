import { findingHash } from "../domain/finding.ts";
import { type FoundFinding, nextScanAt } from "../domain/watch.ts";
import type { EndedScan, RecordedCheck } from "../store/port/watch.ts";
import type { Evidence, EvidenceFinding } from "../wire/finding.ts";
import type { Sealer } from "./seal.ts";
import { openIndicator } from "./watch-list.ts";

/**
 * The check that a full scan was. A source that failed is not among those that answered: what an earlier answer of it
 * still shows in the envelope is left out.
 */
export function checkFromScan(ended: EndedScan, now: Date, intervalMs: number, open: Sealer["open"]): RecordedCheck {
  const { id, indicatorHash, scanId, state, runs, dueAt } = ended;
  const indicator = openIndicator(ended, open);
  const answered = runs.filter(({ outcome }) => outcome === "ok" || outcome === "no_data");
  const names = new Set(answered.map(({ source }) => source));
  const evidence = ended.evidence === "" ? [] : (JSON.parse(ended.evidence) as Evidence).findings;
  const isCompleted = state === "completed";
  return {
    id,
    indicator,
    indicatorHash,
    requestId: scanId,
    hasFailed: !isCompleted,
    nextScanAt: nextScanAt(dueAt, now, intervalMs),
    found: evidence.filter(({ source }) => names.has(source)).map(foundIn),
    answered: isCompleted ? names : new Set(),
    present: isCompleted ? new Set(runs.map(({ source }) => source)) : null,
    cut: new Set(runs.filter(({ omittedCount }) => omittedCount > 0).map(({ source }) => source)),
  };
}

function foundIn({ subject, details, answered_at, answer_sha256, ...atom }: EvidenceFinding): FoundFinding {
  const { source, category, title, source_url: sourceUrl, severity } = atom;
  return { source, hash: findingHash(source, { category, title, sourceUrl }), severity, atom };
}
