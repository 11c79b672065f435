import { canonicalJson } from "./canonical-json.ts";
import type { Finding } from "./finding.ts";
import { namesSensitiveSite } from "./sensitive-site.ts";

/**
 * Removes sensitive sites from findings (docs/contract.md 11.6b): a whole finding when its title or URL names such a
 * site, else only the subjects and details that do. A finding that loses all its subjects or all its details goes too.
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
