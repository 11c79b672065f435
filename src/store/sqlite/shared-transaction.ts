import { AppError } from "../../domain/error.ts";
import { collectTurns } from "../../event-loop/turns.ts";

/** Limits how many writes wait for one commit. */
const maxWorks = 256;
/** A transaction blocks the event loop, so it takes no further work after this time. */
const longestMs = 6;

export type Write = <Result>(work: () => Result) => Promise<Result>;

/**
 * Does the writes of one turn of the event loop in one transaction. They share a commit and its fsync, which costs a
 * tenth of a transaction for each. Writes run in the order of arrival, and results are returned after the commit. Only
 * for writes that do not wait for each other. A write that throws fails alone; an error of the database fails all.
 */
export function shareTransactions(write: Write): Write {
  type Waiting = {
    /** Does the work and returns a function that delivers its result. */
    readonly attempt: () => () => void;
    readonly reject: (error: unknown) => void;
  };

  /** At least the first work. */
  function attemptSome(batch: readonly Waiting[]): (() => void)[] {
    const startedAt = performance.now();
    const done: (() => void)[] = [];
    for (const { attempt } of batch) {
      done.push(attempt());
      if (performance.now() - startedAt >= longestMs) break;
    }
    return done;
  }

  async function writeTogether(batch: readonly Waiting[]): Promise<void> {
    try {
      const done = await write(() => attemptSome(batch));
      for (const giveOut of done) giveOut();
      if (done.length === batch.length) return;
      await new Promise((resolve) => setImmediate(resolve));
      await writeTogether(batch.slice(done.length));
    } catch (error) {
      if (batch.length === 1 || error instanceof AppError) {
        for (const { reject } of batch) reject(error);
      } else {
        for (const one of batch) await writeTogether([one]);
      }
    }
  }

  const push = collectTurns(maxWorks, writeTogether);

  return (work) => {
    const { promise, resolve, reject } = Promise.withResolvers<ReturnType<typeof work>>();
    push({
      attempt() {
        const result = work();
        return () => resolve(result);
      },
      reject,
    });
    return promise;
  };
}
