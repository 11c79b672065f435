import { diskFault } from "../domain/disk-fault.ts";

/**
 * Why a backup or a restore did not happen: no such file; the state or a rule forbids it; the file is damaged, foreign or
 * out of reach.
 */
export type BackupErrorKind = "not_found" | "refused" | "failed";

/** One line for the operator. It never holds a part of what is backed up. */
export class BackupError extends Error {
  override readonly name = "BackupError";
  readonly kind: BackupErrorKind;

  constructor(kind: BackupErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}

/** Names the file in an error of the system or of the database that keeps a lock; every other error stays as it is. */
export function fileFault(what: string, error: unknown): unknown {
  const reason = diskFault(error);
  if (reason === null || !(error instanceof Error && "code" in error)) return error;
  // A command that root runs goes on as the owner of the data directory, who may be denied what root is not.
  const who = error.code === "EACCES" ? ` (user ${process.getuid?.()})` : "";
  return new BackupError("failed", `${what}: ${reason}${who}`, { cause: error });
}
