/** The rate limit of a source: at most `count` calls in any window of `windowMs` milliseconds. */
export type Pace = { readonly count: number; readonly windowMs: number };

/**
 * The earliest time for the next call, in Unix milliseconds, such that no window holds more than `pace.count` calls and
 * the pause is over. `slots` are the times of the calls so far, ascending. Without a pace only the pause counts.
 */
export function nextTurn(slots: readonly number[], pace: Pace | null, pausedUntil: number, now: number): number {
  if (pace === null) return Math.max(now, pausedUntil);
  const windowOpens = (slots.at(-pace.count) ?? Number.NEGATIVE_INFINITY) + pace.windowMs;
  return Math.max(now, pausedUntil, windowOpens);
}
