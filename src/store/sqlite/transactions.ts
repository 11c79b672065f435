import { AppError } from "../../domain/error.ts";
import { type Connection, type Patience, transact, transactPatiently, unavailableFor, untilFree } from "./driver.ts";
import type { Reserve } from "./reserve.ts";
import { shareTransactions } from "./shared-transaction.ts";

/** Runs work as one transaction. */
type Transact = <Result>(work: () => Result) => Promise<Result>;

/** The kinds of transaction that a method of the port may be. */
export type Transactions = {
  readonly read: Transact;
  readonly write: Transact;
  /** For what must not wait for room on the disk: it takes rights away, or lets an operator in who wants to. */
  readonly writeUrgently: Transact;
  /** For what many scans write at the same time. */
  readonly writeTogether: Transact;
  /** Does not wait for another process at all. */
  readonly writeAtOnce: Transact;
  /** For calls: whatever the database says is `unavailable`, so that what needs no write can still be served. */
  readonly readCalls: Transact;
  readonly writeCalls: Transact;
};

/** Commands write for milliseconds; whoever holds the lock for longer is not waited for. */
const patient: Patience = { totalMs: 5_000, pauseMs: 20 };
/** For calls: hits can be served without writing, and a caller that misses is told soon. */
const impatient: Patience = { totalMs: 100, pauseMs: 10 };
/** For events that wait: they are tried again a second later, and nothing may be written before them meanwhile. */
const once: Patience = { totalMs: 0, pauseMs: 0 };

/** `reserve` is null for a database that has none: in memory, or a copy. */
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
