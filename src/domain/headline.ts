import type { CompletedCase } from "../wire/case.ts";
import { severities } from "./finding.ts";

/**
 * The one sentence that a person reads first, the same in every format and connector (docs/pipeline.md 30.1). It says how many
 * sources answered, so that a partial result never reads as a whole one.
 */
export function headline({ exposure, sources, failed_sources: failed, reach }: HeadlineFacts): string {
  const { total, by_severity: counts } = exposure;
  const found = total === 0 ? "No finding" : total === 1 ? "1 finding" : `${total} findings`;
  const bySeverity = severities.flatMap((severity) => (counts[severity] ? [`${counts[severity]} ${severity}`] : []));
  const askedCount = sources.filter(({ outcome }) => outcome !== "skipped").length;
  const severityPart = bySeverity.length === 0 ? "" : ` (${bySeverity.join(", ")})`;
  const failedPart = failed.length === 0 ? "" : `; could not look: ${failed.map(failureText).join(", ")}`;
  const reachPart = reach === "inside" ? "; outside sources were not asked" : "";
  return `${found}${severityPart}; ${askedCount - failed.length} of ${askedCount} sources answered${failedPart}${reachPart}`;
}

type HeadlineFacts = Pick<CompletedCase, "exposure" | "sources" | "failed_sources" | "reach">;

function failureText({ source, error }: CompletedCase["failed_sources"][number]): string {
  return `${source} (${error})`;
}
