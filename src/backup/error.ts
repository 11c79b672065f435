import { diskFault } from "../domain/disk-fault.ts";

/**
 * Why a backup or restore failed: the file does not exist, the current state or a rule forbids it, or the file is
 * damaged, foreign or inaccessible.
 */
export type BackupErrorKind = "not_found" | "refused" | "failed";

/** A failed backup or restore. The message is one line for the operator and never contains backed-up data. */
export class BackupError extends Error {
  override readonly name = "BackupError";
  readonly kind: BackupErrorKind;

  constructor(kind: BackupErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}

/** Adds the file name to a system error, or to a database error about a lock; returns every other error unchanged. */
export function fileFault(what: string, error: unknown): unknown {
  const reason = diskFault(error);
  if (reason === null || !(error instanceof Error && "code" in error)) return error;
  // A command started by root continues as the owner of the data directory, who may lack permissions that root has.
  const who = error.code === "EACCES" ? ` (user ${process.getuid?.()})` : "";
  return new BackupError("failed", `${what}: ${reason}${who}`, { cause: error });
}
