import { aborted } from "./aborted.ts";

export type Semaphore = {
  /** Waits for a free place, first come first served; rejects with the signal's reason when it aborts before. */
  readonly enter: (signal: AbortSignal) => Promise<void>;
  readonly leave: () => void;
  /** How many are in. */
  readonly enteredCount: () => number;
};

/** Lets at most `limit` holders in at once. */
export function openSemaphore(limit: number): Semaphore {
  let free = limit;
  const waiting: (() => void)[] = [];

  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  }

  async function enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return;
    }
    const turn = Promise.withResolvers<void>();
    waiting.push(turn.resolve);
    try {
      await Promise.race([turn.promise, aborted(signal)]);
    } catch (error) {
      const place = waiting.indexOf(turn.resolve);
      if (place >= 0) waiting.splice(place, 1);
      // The place was handed over while the abort was under way: pass it on.
      else leave();
      throw error;
    }
  }

  return { enter, leave, enteredCount: () => limit - free };
}
