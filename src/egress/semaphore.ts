import { aborted } from "./aborted.ts";

export type Semaphore = {
  /** Waits for a free place, first come first served. Rejects with the reason of the signal when it aborts first. */
  readonly enter: (signal: AbortSignal) => Promise<void>;
  readonly leave: () => void;
  /** Number of holders. */
  readonly enteredCount: () => number;
};

/** A semaphore for at most `limit` holders. */
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
      // A place was handed over while the abort was in progress: pass it on.
      else leave();
      throw error;
    }
  }

  return { enter, leave, enteredCount: () => limit - free };
}
