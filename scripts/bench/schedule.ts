/** Evenly spaced start times, fixed in advance, so that a slow answer does not delay the next request. */
export type Schedule = {
  readonly count: number;
  /** Milliseconds from the start of the run. */
  readonly startOf: (index: number) => number;
  /** Number of requests due after some milliseconds. */
  readonly dueAt: (elapsedMs: number) => number;
};

export function schedule(perSecond: number, seconds: number): Schedule {
  const count = Math.round(perSecond * seconds);
  const everyMs = 1000 / perSecond;
  return {
    count,
    startOf: (index) => index * everyMs,
    dueAt: (elapsedMs) => {
      if (elapsedMs < 0) return 0;
      let due = Math.min(count, Math.floor(elapsedMs / everyMs) + 1);
      // Division rounds, so compare with `startOf`.
      if (due > 0 && (due - 1) * everyMs > elapsedMs) due--;
      else if (due < count && due * everyMs <= elapsedMs) due++;
      return due;
    },
  };
}
