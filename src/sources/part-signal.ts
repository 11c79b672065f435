import type { LookupLimits } from "./source.ts";

/** Time that a look-up needs at its end to return the results of its other parts. */
const marginMs = 500;

/**
 * A signal that aborts shortly before the look-up ends. For optional parts: a part that hangs must not cost the results
 * of the others.
 */
export function partSignal({ signal, deadline }: LookupLimits): AbortSignal {
  const leftMs = deadline.getTime() - Date.now() - marginMs;
  return leftMs <= 0 ? AbortSignal.abort() : AbortSignal.any([signal, AbortSignal.timeout(leftMs)]);
}
