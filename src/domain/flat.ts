import type { Flat } from "../wire/flat.ts";
import { buildCase, type CaseFacts } from "./case.ts";
import { headline } from "./headline.ts";
import type { Indicator } from "./indicator.ts";
import type { ScanId, UnfinishedState } from "./scan.ts";
import { compareText } from "./text.ts";

const titleCount = 5;

/** A finished scan as one object of scalars (docs/pipeline.md 30.1). A failed one has no numbers: a 0 would read as clean. */
export function flatCase(facts: CaseFacts): Flat {
  // The evidence is not shown, and reading it may take milliseconds.
  const result = facts.result === null ? null : { ...facts.result, evidence: '{"findings":[]}' };
  const built = buildCase({ ...facts, result }, "");
  const head = { ...nothing, email: facts.indicator.value, status: built.status, request_id: built.request_id };
  const failed = built.failed_sources.map(({ source }) => source).sort(compareText);
  const known = { reach: built.reach, finished_at: built.finished_at, sources_failed: failed.join(" ") };
  if (built.status === "failed") return { ...head, ...known };
  const { findings, total, by_severity: counts } = built.exposure;
  const askedCount = built.sources.filter(({ outcome }) => outcome !== "skipped").length;
  return {
    ...head,
    ...known,
    headline: headline(built),
    total,
    high: counts.high ?? 0,
    medium: counts.medium ?? 0,
    low: counts.low ?? 0,
    partial: built.partial,
    sources_asked: askedCount,
    sources_answered: askedCount - failed.length,
    categories: [...new Set(findings.map(({ category }) => category))].sort(compareText).join(" "),
    titles: findings
      .slice(0, titleCount)
      .map(({ title }) => title)
      .join("; "),
    digest: built.digest,
  };
}

/** The same for a scan that is not over: only where to ask again is known. */
export function flatPending(
  { scanId, indicator }: { readonly scanId: ScanId; readonly indicator: Indicator },
  status: UnfinishedState,
  pollUrl: string,
): Flat {
  return { ...nothing, email: indicator.value, status, request_id: scanId, poll_url: pollUrl };
}

/** Every member, in the order of the contract. */
const nothing = {
  email: "",
  status: "queued",
  request_id: "",
  headline: null,
  total: null,
  high: null,
  medium: null,
  low: null,
  partial: null,
  sources_asked: null,
  sources_answered: null,
  sources_failed: null,
  categories: null,
  titles: null,
  reach: null,
  digest: null,
  finished_at: null,
  poll_url: null,
} satisfies Flat;
