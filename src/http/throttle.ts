/** A rate limiter per holder (an address or an operator). */
export type Throttle = {
  /** Null when the try passes, else the seconds until the next try may pass. A refused try is not counted. */
  readonly take: (holder: string) => number | null;
};

/** Maximum number of holders in memory; beyond it the oldest are forgotten. */
const maxHolders = 10_000;

/** A sliding window in memory: at most `limit` tries of a holder in any `windowMs`. `steadyNow` is in milliseconds. */
export function openThrottle(limit: number, windowMs: number, steadyNow: () => number): Throttle {
  const tries = new Map<string, number[]>();
  return {
    take(holder) {
      const now = steadyNow();
      const recent = (tries.get(holder) ?? []).filter((at) => now - at < windowMs);
      const [oldest] = recent;
      if (oldest !== undefined && recent.length >= limit) {
        tries.set(holder, recent);
        return Math.max(1, Math.ceil((oldest + windowMs - now) / 1000));
      }
      tries.delete(holder);
      tries.set(holder, [...recent, now]);
      if (tries.size > maxHolders) {
        const [first] = tries.keys();
        if (first !== undefined) tries.delete(first);
      }
      return null;
    },
  };
}
