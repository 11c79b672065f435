import { AppError } from "../../domain/error.ts";
import { type Connection, type Patience, transact, transactPatiently, unavailableFor, untilFree } from "./driver.ts";
import type { Reserve } from "./reserve.ts";
import { shareTransactions } from "./shared-transaction.ts";

/** Runs work as one transaction. */
type Transact = <Result>(work: () => Result) => Promise<Result>;

/** The kinds of transactions of the methods of the port. */
export type Transactions = {
  readonly read: Transact;
  readonly write: Transact;
  /** For changes that must work on a full disk: they remove rights or log an operator in. */
  readonly writeUrgently: Transact;
  /** For writes that many scans do at the same time. */
  readonly writeTogether: Transact;
  /** Does not wait for another process. */
  readonly writeAtOnce: Transact;
  /**
   * For calls: any error of the database becomes `unavailable`, so that calls that need no write can still be served.
   */
  readonly readCalls: Transact;
  readonly writeCalls: Transact;
};

/** Commands write for milliseconds. A process that holds the lock for longer is not waited for. */
const patient: Patience = { totalMs: 5_000, pauseMs: 20 };
/** For calls: hits can be served without writing, and a miss needs a quick answer. */
const impatient: Patience = { totalMs: 100, pauseMs: 10 };
/** For events that wait: they are retried a second later, and no later event may be written before them. */
const once: Patience = { totalMs: 0, pauseMs: 0 };

/** `reserve` is null for a database without a reserve: in memory, or a copy. */
export function transactionsOn(connection: Connection, reserve: Reserve | null): Transactions {
  const noteFailure = (error: unknown): never => {
    if (error instanceof AppError && error.code === "storage_full") reserve?.noteFailure();
    throw error;
  };
  const failCalls = (error: unknown): never => noteFailure(unavailableFor(error));
  const read: Transact = (work) => transactPatiently(connection, "deferred", patient, work);
  const writeFor = (patience: Patience): Transact => {
    return (work) => transactPatiently(connection, "immediate", patience, work).catch(noteFailure);
  };
  const write = writeFor(patient);

  return {
    read,
    write,
    writeUrgently(work) {
      if (reserve === null) return write(work);
      return untilFree(patient, () => reserve.spare(() => transact(connection, "immediate", work)));
    },
    writeTogether: shareTransactions(write),
    writeAtOnce: writeFor(once),
    readCalls: (work) => read(work).catch(failCalls),
    writeCalls: (work) => transactPatiently(connection, "immediate", impatient, work).catch(failCalls),
  };
}
