import { diskFault, isOutOfSpace } from "../../domain/disk-fault.ts";
import { AppError } from "../../domain/error.ts";
import { foreignPrograms } from "./compare-schema.ts";
import { type Connection, openConnection } from "./driver.ts";
import { openSchema, schemaVersion } from "./migrate.ts";

/** So many pages are copied between two looks at the signal: 4 MiB. */
const pagesPerStep = 1024;

/**
 * Copies a database into a new file, page by page, as it is at one moment, while others read and write it. Throws
 * `AppError` when that fails, and what `onProgress` throws; then the file may exist in part.
 *
 * SQLite starts a copy anew whenever another connection has written meanwhile: under the writes of a service it would
 * never end (measured: 5000 times in 12 s). A read transaction that is open on the copied connection keeps its pages as
 * they are, so the copy runs through, and holds up no writer: in WAL mode what is written goes to the log, which grows
 * until the copy is done (650 MB: 1.1 s). `VACUUM INTO` takes half as long again, cannot be interrupted, and may number rows
 * anew that our order of scans goes by.
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
 * What is wrong with a database that came from elsewhere, or null: pages, indexes, references, and programs of its own,
 * which one that xpose made with this schema version does not have. It runs nothing that the file brings.
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
