import Database, { SqliteError, type Statement } from "better-sqlite3/linux-x64";
import { isOutOfSpace } from "../../domain/disk-fault.ts";
import { AppError } from "../../domain/error.ts";

export type { Statement };
export type Connection = Database;

/** How long opening waits for another process, which may recover the file after a crash. */
const openTimeoutMs = 5000;
/** How long a statement waits for another process's write. It blocks the event loop, so it is short; see `Patience`. */
const busyTimeoutMs = 20;

/** Pages of the file that the library keeps in memory of its own. */
const cacheKiB = 4096;

/**
 * Opens a database file with the settings that durability and safety need, whatever the library's defaults are. With
 * `isAlone` nobody else can open it meanwhile, and it may lie on a file system that has no shared memory.
 */
export function openConnection(path: string, options: { mustExist: boolean; isAlone?: boolean }): Connection {
  const connection = new Database(path, { fileMustExist: options.mustExist, timeout: openTimeoutMs });
  if (options.isAlone === true) connection.pragma("locking_mode = EXCLUSIVE");
  connection.pragma("journal_mode = WAL");
  // The library's default in WAL mode is NORMAL: what was answered could vanish in a power cut.
  connection.pragma("synchronous = FULL");
  connection.pragma("foreign_keys = ON");
  connection.pragma("trusted_schema = OFF");
  // A quarter of the library's default: the system keeps the file in memory too, and hits are not slower for it.
  connection.pragma(`cache_size = -${cacheKiB}`);
  // What is deleted is overwritten: an address that was forgotten must not stay in free pages.
  connection.pragma("secure_delete = ON");
  return connection;
}

/**
 * Brings the write-ahead log into the database and empties it, so that nothing of before stays in it. While another
 * process reads, it is left as it is, and a later checkpoint overwrites it.
 */
export function emptyLog(connection: Connection): void {
  connection.pragma("wal_checkpoint(TRUNCATE)");
}

/** Ends the patience of opening: from now on a statement that finds the database locked comes back soon. */
export function becomeImpatient(connection: Connection): void {
  connection.pragma(`busy_timeout = ${busyTimeoutMs}`);
}

/** Opens a file that is only ever locked, never written: see lock.ts. */
export function openLockFile(path: string): Connection {
  return new Database(path, { timeout: 0 });
}

/** Runs `work` as one transaction: all of it is committed, or nothing. Throws what `work` throws, and `AppError` for the database. */
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

/** Prepared once per connection: they enclose every turn. */
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

/** Turns an error of the database into what a caller is told: `storage_full` or `unavailable`. */
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

/** How long a transaction tries again while another process writes, and the pause between two tries, in milliseconds. */
export type Patience = { readonly totalMs: number; readonly pauseMs: number };

/** `transact` that waits for other processes without blocking the event loop. */
export function transactPatiently<Result>(
  connection: Connection,
  mode: "immediate" | "deferred",
  patience: Patience,
  work: () => Result,
): Promise<Result> {
  return untilFree(patience, () => transact(connection, mode, work));
}

/** Tries again what another process holds up. The first try is made at once. */
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
 * Turns whatever else the database says, such as that a row is refused or a table missing, into `unavailable`: for
 * calls, of which some can be served without it (docs/contract.md 8.6, 9.8).
 */
export function unavailableFor(error: unknown): unknown {
  if (!(error instanceof SqliteError)) return error;
  return new AppError("unavailable", "The database is not available now", { cause: error });
}

/** True when a statement failed by itself, such as on a broken table: the transaction that it is part of can go on. */
export function isOfStatement(connection: Connection, error: unknown): boolean {
  return error instanceof SqliteError && connection.inTransaction;
}

/** True when another process holds the lock that was asked for. */
export function isBusy(error: unknown): boolean {
  return error instanceof SqliteError && error.code.startsWith("SQLITE_BUSY");
}
