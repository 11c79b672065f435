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

/** The turns of a source that were taken, ascending, and the end of its pause; Unix milliseconds. */
export type Turns = { readonly slots: readonly number[]; readonly pausedUntil: number };

/** The longest pause. A longer one was stored before the clock was set back. */
const longestPauseMs = 24 * 60 * 60 * 1000;

/**
 * Takes the next turn of a source. `slot` is null when no turn is free before `notAfter`; then nothing is taken.
 * `turns` must be stored; it is null when nothing changed. Without a pace only pauses count and no turn is taken.
 */
export function takeTurn(
  before: Turns | null,
  pace: Pace | null,
  notAfter: Date,
  at: Date,
): { readonly slot: Date | null; readonly turns: Turns | null } {
  const now = at.getTime();
  const isBelieved = before !== null && before.pausedUntil <= now + longestPauseMs;
  const pausedUntil = isBelieved ? before.pausedUntil : 0;
  // A turn in the far future was taken before the clock was set back; it would block the source until then.
  const latestSensible = Math.max(notAfter.getTime(), now + (pace?.windowMs ?? 0));
  const slots = (before?.slots ?? []).filter((slot) => slot > now - (pace?.windowMs ?? 0) && slot <= latestSensible);
  const slot = nextTurn(slots, pace, pausedUntil, now);
  if (slot > notAfter.getTime()) return { slot: null, turns: null };
  if (pace !== null)
    return { slot: new Date(slot), turns: { slots: [...slots, slot].sort((a, b) => a - b), pausedUntil } };
  // An ignored pause must be removed, or the next pause would look shorter and be dropped.
  const isStale = before !== null && before.pausedUntil !== pausedUntil;
  return { slot: new Date(slot), turns: isStale ? { slots: before.slots, pausedUntil } : null };
}

/** True when a source cannot be asked now: it is paused, or its pace is used up. */
export function isPaused(turns: Turns | null, pace: Pace | null, now: Date): boolean {
  return takeTurn(turns, pace, now, now).slot === null;
}

/** Pauses a source until `until`. A longer pause stays. */
export function pauseTurns(before: Turns | null, until: Date): Turns {
  return { slots: before?.slots ?? [], pausedUntil: Math.max(before?.pausedUntil ?? 0, until.getTime()) };
}
