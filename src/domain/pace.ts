/** How often a source may be asked: at most `count` calls in any window of `windowMs` milliseconds. */
export type Pace = { readonly count: number; readonly windowMs: number };

/**
 * The earliest turn, Unix milliseconds, such that no window holds more than `pace.count` turns and no pause is broken.
 * `slots` are the turns taken so far, ascending. Without a pace only the pause counts.
 */
export function nextTurn(slots: readonly number[], pace: Pace | null, pausedUntil: number, now: number): number {
  if (pace === null) return Math.max(now, pausedUntil);
  const windowOpens = (slots.at(-pace.count) ?? Number.NEGATIVE_INFINITY) + pace.windowMs;
  return Math.max(now, pausedUntil, windowOpens);
}
