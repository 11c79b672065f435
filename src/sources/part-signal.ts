import type { LookupLimits } from "./source.ts";

/** What a look-up needs at its end to hand over what its other parts said. */
const marginMs = 500;

/**
 * Ends before the look-up does: for a part of it that may be missing, so that one that hangs does not take the answers
 * of the others with it.
 */
export function partSignal({ signal, deadline }: LookupLimits): AbortSignal {
  const leftMs = deadline.getTime() - Date.now() - marginMs;
  return leftMs <= 0 ? AbortSignal.abort() : AbortSignal.any([signal, AbortSignal.timeout(leftMs)]);
}
