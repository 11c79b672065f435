import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { BackupError } from "../backup/error.ts";
import { ConfigError } from "../config/error.ts";
import { diskFault, diskFullText, isOutOfSpace } from "../domain/disk-fault.ts";
import { MigrationError } from "../store/sqlite/migrate.ts";
import { openReserve } from "../store/sqlite/reserve.ts";
import { temporaryFolder } from "./layout.ts";

/** Why a data directory cannot be used: not initialised, in a state that is refused, or not accessible. */
export type DataDirProblem = "uninitialised" | "refused" | "inaccessible";

export class DataDirError extends Error {
  override readonly name = "DataDirError";
  readonly problem: DataDirProblem;

  constructor(problem: DataDirProblem, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.problem = problem;
  }
}

/**
 * The database library cannot be loaded: the runtime unpacks it to a temporary folder, and the system forbids execution
 * there (noexec). A restart with `BUN_TMPDIR` in the data directory helps.
 */
export class LibraryError extends Error {
  override readonly name = "LibraryError";
  /** A folder to use instead. */
  readonly temporaryDir: string;
  readonly #dataDir: string;

  constructor(dataDir: string, options: { cause: unknown }) {
    super("the database library cannot be loaded; set BUN_TMPDIR to a private folder that allows execution", options);
    this.#dataDir = dataDir;
    this.temporaryDir = join(dataDir, temporaryFolder);
  }

  /** Creates `temporaryDir`. Gives up the reserve, so that a full disk has space for the library. */
  prepare(): void {
    openReserve(this.#dataDir).giveUp();
    mkdirSync(this.temporaryDir, { recursive: true, mode: 0o700 });
  }
}

/** Runs `work` and turns errors of the system and the database into a `DataDirError` that names the directory. */
export function reaching<Result>(dataDir: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    const isOurs = error instanceof DataDirError || error instanceof ConfigError || error instanceof BackupError;
    if (isOurs || !(error instanceof Error)) throw error;
    if (error instanceof MigrationError) {
      const message = `${dataDir} cannot be upgraded and was not changed: ${error.message}`;
      throw new DataDirError("refused", message, { cause: error });
    }
    if ("code" in error && error.code === "ERR_DLOPEN_FAILED") throw new LibraryError(dataDir, { cause: error });
    if (isOutOfSpace(error)) throw new DataDirError("inaccessible", diskFullText(dataDir), { cause: error });
    const reason = diskFault(error);
    if (reason === null) throw error;
    throw new DataDirError("inaccessible", `${dataDir} cannot be read and written: ${reason}`, { cause: error });
  }
}
