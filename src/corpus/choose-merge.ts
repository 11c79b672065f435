import type { CorpusSegment } from "../domain/corpus.ts";

/** A look-up reads one page of each segment, so there are never more. */
export const maxLiveSegments = 8;
/** So many of similar size are merged: each record is rewritten about once per fourfold growth of the whole. */
const mergeCount = 4;
/** Sizes are similar when the largest is at most this many times the smallest. */
const similarRatio = 4;
/** Below this all sizes are similar. */
const smallBytes = 1 << 20;

/**
 * The segments to merge next, or null when all is well. `urgency`: `crowded` looks only at the allowed number, `idle`
 * also tidies up ahead of it.
 */
export function chooseMerge(
  segments: readonly CorpusSegment[],
  urgency: "crowded" | "idle",
): readonly CorpusSegment[] | null {
  const bySize = [...segments].sort((a, b) => a.sizeBytes - b.sizeBytes);
  const isCrowded = bySize.length > maxLiveSegments;
  if (!isCrowded && urgency === "crowded") return null;
  for (let start = 0; start + mergeCount <= bySize.length; start++) {
    const smallest = Math.max(smallBytes, bySize[start]?.sizeBytes ?? 0);
    const similar = bySize.slice(start).filter(({ sizeBytes }) => sizeBytes <= smallest * similarRatio);
    if (similar.length >= mergeCount) return similar;
  }
  return isCrowded ? bySize.slice(0, Math.max(2, bySize.length - maxLiveSegments + 1)) : null;
}
