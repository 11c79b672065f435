import { diskFault, isOutOfSpace } from "../../domain/disk-fault.ts";
import { AppError } from "../../domain/error.ts";
import { foreignPrograms } from "./compare-schema.ts";
import { type Connection, openConnection } from "./driver.ts";
import { openSchema, schemaVersion } from "./migrate.ts";

/** Pages that are copied between two checks of the signal: 4 MiB. */
const pagesPerStep = 1024;

/**
 * Copies a database to a new file, page by page, as it is at one moment, while other connections read and write it.
 * Throws `AppError` on failure, and any error of `onProgress`. After an error a part of the file may exist.
 *
 * SQLite restarts a copy whenever another connection has written. Under the writes of a service the copy would never
 * end (measured: 5000 restarts in 12 s). An open read transaction on the copied connection freezes its pages, so the
 * copy completes. It blocks no writer: in WAL mode, writes go to the log, which grows until the copy is done (650 MB:
 * 1.1 s). `VACUUM INTO` takes half as long again, cannot be interrupted, and may renumber the rows that define our
 * order of scans.
 */
export async function copyDatabase(
  path: string,
  target: string,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const connection = openConnection(path, { mustExist: true });
  const pageSize = Number(connection.pragma("page_size", { simple: true }));
  try {
    connection.exec("BEGIN; SELECT count(*) FROM sqlite_schema");
    await connection.backup(target, {
      progress({ totalPages, remainingPages }) {
        onProgress((totalPages - remainingPages) * pageSize, totalPages * pageSize);
        return pagesPerStep;
      },
    });
  } catch (error) {
    throw copyFault(error);
  } finally {
    connection.close();
  }
}

function copyFault(error: unknown): unknown {
  const reason = diskFault(error);
  if (reason === null) return error;
  const code = isOutOfSpace(error) ? "storage_full" : "unavailable";
  return new AppError(code, `The database cannot be copied: ${reason}`, { cause: error });
}

/**
 * Describes the first fault of a database from elsewhere; null when it has none. Checks pages, indexes, references, and
 * programs that a database of xpose with this schema version does not have. Runs no code of the file.
 */
export function faultOf(connection: Connection): string | null {
  const [first] = connection.pragma("integrity_check(1)") as { integrity_check: string }[];
  if (first?.integrity_check !== "ok") return first?.integrity_check ?? "it cannot be checked";
  if ((connection.pragma("foreign_key_check") as unknown[]).length > 0) return "rows refer to rows that are not there";
  const known = openSchema(schemaVersion(connection));
  try {
    const [program] = foreignPrograms(connection, known);
    return program === undefined ? null : `${program} is not one of xpose`;
  } finally {
    known.close();
  }
}
