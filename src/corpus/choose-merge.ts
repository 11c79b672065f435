import type { CorpusSegment } from "../domain/corpus.ts";

/** A look-up reads one page per segment, so this bounds its reads. */
export const maxLiveSegments = 8;
/**
 * Segments of similar size that are merged together. Each record is rewritten about once per fourfold growth of the
 * library.
 */
const mergeCount = 4;
/** Sizes are similar when the largest is at most this many times the smallest. */
const similarRatio = 4;
/** All sizes below this count as similar. */
const smallBytes = 1 << 20;

/**
 * Chooses the segments to merge next; null when no merge is needed. `crowded` merges only when there are more than
 * `maxLiveSegments`; `idle` also merges similar sizes before that limit is reached.
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
