import { AppError } from "../../domain/error.ts";

/** Bounds how long one transaction blocks the event loop: some milliseconds. */
const maxWorks = 32;

export type Write = <Result>(work: () => Result) => Promise<Result>;

/**
 * Does the writes that come in one turn of the event loop in one transaction, which costs a tenth of one for each: they
 * share a commit and its fsync. In the order in which they came; a result is given out after the commit. Only for
 * writes that do not wait for each other. One that throws fails alone; a database that fails fails all.
 */
export function shareTransactions(write: Write): Write {
  type Waiting = {
    /** Does the work and returns what gives out its result. */
    readonly attempt: () => () => void;
    readonly reject: (error: unknown) => void;
  };
  const waiting: Waiting[] = [];
  let isWriting = false;

  async function writeTurns(): Promise<void> {
    while (waiting.length > 0) {
      await writeTogether(waiting.splice(0, maxWorks));
      // Other work gets its turn.
      if (waiting.length > 0) await new Promise((resolve) => setImmediate(resolve));
    }
    isWriting = false;
  }

  async function writeTogether(turn: readonly Waiting[]): Promise<void> {
    try {
      const done = await write(() => turn.map(({ attempt }) => attempt()));
      for (const giveOut of done) giveOut();
    } catch (error) {
      if (turn.length === 1 || error instanceof AppError) {
        for (const { reject } of turn) reject(error);
      } else {
        for (const one of turn) await writeTogether([one]);
      }
    }
  }

  return (work) => {
    const { promise, resolve, reject } = Promise.withResolvers<ReturnType<typeof work>>();
    waiting.push({
      attempt() {
        const result = work();
        return () => resolve(result);
      },
      reject,
    });
    if (!isWriting) {
      isWriting = true;
      setImmediate(writeTurns);
    }
    return promise;
  };
}
