import type { CompletedCase } from "../wire/case.ts";
import type { Atom } from "../wire/finding.ts";
import { skippedSources } from "./skipped-sources.ts";

/** Labels that describe an atom, for filters. */
export function atomLabels(atom: Atom): string[] {
  const { category, severity, source_tier: tier, corroboration_count: count } = atom;
  return [category, `severity:${severity}`, `tier:${tier}`, `corroborated:${count}`];
}

/** Labels that say whether the result is complete, and which sources are missing. */
export function scanLabels(exported: CompletedCase): string[] {
  return [
    exported.partial ? "xpose:partial" : "xpose:complete",
    ...exported.failed_sources.map(({ source }) => `failed:${source}`),
    ...skippedSources(exported).map((source) => `skipped:${source}`),
  ];
}
