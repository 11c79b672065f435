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

/** The turns of a source that were taken, ascending, and the end of its pause; Unix milliseconds. */
export type Turns = { readonly slots: readonly number[]; readonly pausedUntil: number };

/** No pause is longer; one that is was set before the clock moved back. */
const longestPauseMs = 24 * 60 * 60 * 1000;

/**
 * Takes the next turn of a source. `slot` is null when no turn is free before `notAfter`; then nothing is taken. `turns`
 * is what is to be stored, null when nothing changed. Without a pace only pauses count and no turn is taken.
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
  // A turn far ahead was taken before the clock moved back; it would block the source for as long.
  const latestSensible = Math.max(notAfter.getTime(), now + (pace?.windowMs ?? 0));
  const slots = (before?.slots ?? []).filter((slot) => slot > now - (pace?.windowMs ?? 0) && slot <= latestSensible);
  const slot = nextTurn(slots, pace, pausedUntil, now);
  if (slot > notAfter.getTime()) return { slot: null, turns: null };
  if (pace !== null)
    return { slot: new Date(slot), turns: { slots: [...slots, slot].sort((a, b) => a - b), pausedUntil } };
  // A pause that is not believed must go, or the next one would be taken for the shorter of two.
  const isStale = before !== null && before.pausedUntil !== pausedUntil;
  return { slot: new Date(slot), turns: isStale ? { slots: before.slots, pausedUntil } : null };
}

/** True when a source could not be asked at this moment: it is paused, or its pace is used up. */
export function isPaused(turns: Turns | null, pace: Pace | null, now: Date): boolean {
  return takeTurn(turns, pace, now, now).slot === null;
}

/** The turns of a source that nobody asks before `until`. A longer pause stays. */
export function pauseTurns(before: Turns | null, until: Date): Turns {
  return { slots: before?.slots ?? [], pausedUntil: Math.max(before?.pausedUntil ?? 0, until.getTime()) };
}
