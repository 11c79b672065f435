import type { CompletedCase } from "../wire/case.ts";
import type { Atom } from "../wire/finding.ts";
import { skippedSources } from "./skipped-sources.ts";

/** What an atom is, in words to filter by. */
export function atomLabels(atom: Atom): string[] {
  const { category, severity, source_tier: tier, corroboration_count: count } = atom;
  return [category, `severity:${severity}`, `tier:${tier}`, `corroborated:${count}`];
}

/** Whether the result is whole, and who is missing. */
export function scanLabels(exported: CompletedCase): string[] {
  return [
    exported.partial ? "xpose:partial" : "xpose:complete",
    ...exported.failed_sources.map(({ source }) => `failed:${source}`),
    ...skippedSources(exported).map((source) => `skipped:${source}`),
  ];
}
