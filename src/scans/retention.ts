import type { Store } from "../store/store.ts";
import type { Live } from "./live.ts";

/** Small steps, so that no transaction keeps calls waiting. */
const rowsPerStep = 500;

/** Deletes what is past its retention (CONTRACT.md 5.11), step by step; returns how many rows went. Stops when `signal` aborts. */
export async function removeExpired(
  store: Pick<Store, "removeExpired">,
  live: () => Live,
  now: () => Date,
  signal: AbortSignal,
): Promise<number> {
  let total = 0;
  while (!signal.aborted) {
    const { lifetimes, ledgerRetentionMs } = live();
    const before = (lifetimeMs: number) => new Date(now().getTime() - lifetimeMs);
    const count = await store.removeExpired(
      {
        scansFinishedBefore: before(lifetimes.retentionMs),
        answersBefore: before(lifetimes.retentionMs),
        sightingsBefore: before(ledgerRetentionMs),
      },
      rowsPerStep,
    );
    total += count;
    if (count < rowsPerStep) return total;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return total;
}
