import Database, { SqliteError, type Statement } from "better-sqlite3/linux-x64";
import { isOutOfSpace } from "../../domain/disk-fault.ts";
import { AppError } from "../../domain/error.ts";

export type { Statement };
export type Connection = Database;

/** How long opening waits for another process, which may be recovering the file after a crash. */
const openTimeoutMs = 5000;
/**
 * How long a statement waits for a write of another process. It blocks the event loop, so it is short; see `Patience`.
 */
const busyTimeoutMs = 20;

/** Size of the page cache of the library. */
const cacheKiB = 4096;

/**
 * Opens a database file with the settings that durability and safety need, instead of the defaults of the library. With
 * `isAlone` no other process can open it at the same time, and it may be on a file system without shared memory.
 */
export function openConnection(path: string, options: { mustExist: boolean; isAlone?: boolean }): Connection {
  const connection = new Database(path, { fileMustExist: options.mustExist, timeout: openTimeoutMs });
  if (options.isAlone === true) connection.pragma("locking_mode = EXCLUSIVE");
  connection.pragma("journal_mode = WAL");
  // The default of the library in WAL mode is NORMAL: a committed reply could be lost in a power failure.
  connection.pragma("synchronous = FULL");
  connection.pragma("foreign_keys = ON");
  connection.pragma("trusted_schema = OFF");
  // A quarter of the library's default: the system caches the file too, and hits are not slower.
  connection.pragma(`cache_size = -${cacheKiB}`);
  // Deleted data is overwritten: a forgotten address must not stay in free pages.
  connection.pragma("secure_delete = ON");
  return connection;
}

/**
 * Moves the write-ahead log into the database and empties it, so that no old data stays in it. While another process
 * reads, the log stays as it is, and a later checkpoint overwrites it.
 */
export function emptyLog(connection: Connection): void {
  connection.pragma("wal_checkpoint(TRUNCATE)");
}

/** Ends the long waits of opening: from now on a statement that finds the database locked fails soon. */
export function becomeImpatient(connection: Connection): void {
  connection.pragma(`busy_timeout = ${busyTimeoutMs}`);
}

/** Opens a file that is only locked, never written; see lock.ts. */
export function openLockFile(path: string): Connection {
  return new Database(path, { timeout: 0 });
}

/**
 * Runs `work` as one transaction: everything is committed or nothing. Throws the errors of `work`, and `AppError` for
 * errors of the database.
 */
export function transact<Result>(connection: Connection, mode: "immediate" | "deferred", work: () => Result): Result {
  const { beginImmediate, begin, commit } = boundariesOf(connection);
  return translateErrors(() => {
    (mode === "immediate" ? beginImmediate : begin).run();
    try {
      const result = work();
      commit.run();
      return result;
    } catch (error) {
      // A full disk can end the transaction by itself.
      if (connection.inTransaction) connection.exec("ROLLBACK");
      throw error;
    }
  });
}

type Boundaries = Readonly<Record<"beginImmediate" | "begin" | "commit", Statement>>;

/** Prepared once per connection, because every turn uses them. */
const boundaries = new WeakMap<Connection, Boundaries>();

function boundariesOf(connection: Connection): Boundaries {
  const known = boundaries.get(connection) ?? {
    beginImmediate: connection.prepare("BEGIN IMMEDIATE"),
    begin: connection.prepare("BEGIN"),
    commit: connection.prepare("COMMIT"),
  };
  boundaries.set(connection, known);
  return known;
}

/** Turns an error of the database into a public error: `storage_full` or `unavailable`. */
function translateErrors<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
    if (isOutOfSpace(error)) throw new AppError("storage_full", "The disk is full", { cause: error });
    if (/^SQLITE_(BUSY|LOCKED|IOERR|CANTOPEN|READONLY|CORRUPT|NOTADB)/.test(error.code)) {
      throw new AppError("unavailable", "The database is not available now", { cause: error });
    }
    throw error;
  }
}

/** How long a transaction is retried while another process writes, and the pause between two tries. In milliseconds. */
export type Patience = { readonly totalMs: number; readonly pauseMs: number };

/** Like `transact`, but waits for other processes without blocking the event loop. */
export function transactPatiently<Result>(
  connection: Connection,
  mode: "immediate" | "deferred",
  patience: Patience,
  work: () => Result,
): Promise<Result> {
  return untilFree(patience, () => transact(connection, mode, work));
}

/** Retries `attempt` while another process holds the lock. The first try is made at once. */
export async function untilFree<Result>({ totalMs, pauseMs }: Patience, attempt: () => Result): Promise<Result> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      const isOver = performance.now() - startedAt >= totalMs;
      if (isOver || !(error instanceof AppError) || !isBusy(error.cause)) throw error;
      await Bun.sleep(pauseMs);
    }
  }
}

/**
 * Turns any other error of the database, such as a refused row or a missing table, into `unavailable`. For calls,
 * because some of them can be served without the failed statement (docs/contract.md 8.6, 9.8).
 */
export function unavailableFor(error: unknown): unknown {
  if (!(error instanceof SqliteError)) return error;
  return new AppError("unavailable", "The database is not available now", { cause: error });
}

/** Whether a single statement failed, for example on a broken table, so that its transaction can continue. */
export function isOfStatement(connection: Connection, error: unknown): boolean {
  return error instanceof SqliteError && connection.inTransaction;
}

/** Whether another process holds the requested lock. */
export function isBusy(error: unknown): boolean {
  return error instanceof SqliteError && error.code.startsWith("SQLITE_BUSY");
}
