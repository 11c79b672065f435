import type { CompletedCase } from "../wire/case.ts";

/** Names of the sources that were not asked. */
export function skippedSources({ sources }: Pick<CompletedCase, "sources">): string[] {
  return sources.filter(({ outcome }) => outcome === "skipped").map(({ source }) => source);
}
