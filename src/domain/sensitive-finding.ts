import { canonicalJson } from "./canonical-json.ts";
import type { Finding } from "./finding.ts";
import { namesSensitiveSite } from "./sensitive-site.ts";

/**
 * Findings without what they say of sensitive sites (docs/contract.md 11.6b): one that speaks of such a site goes as a whole;
 * of one that was merged from several records, only the subject and the details that do.
 */
export function withoutSensitiveSites(findings: readonly Finding[]): Finding[] {
  return findings.flatMap((finding) => {
    if (namesSensitiveSite(finding.title) || namesSensitiveSite(finding.sourceUrl ?? "")) return [];
    const subjects = finding.subjects.filter((subject) => !namesSensitiveSite(subject));
    const details = finding.details.filter((record) => !namesSensitiveSite(canonicalJson(record)));
    const isEmptied = subjects.length === 0 || (details.length === 0 && finding.details.length > 0);
    return isEmptied ? [] : [{ ...finding, subjects, details }];
  });
}
