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

/** A command that root runs goes on as the owner of the data directory, who may be denied what root is not. */
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EACCES: `user ${process.getuid?.()} has no permission`,
};

/** Names the file in an error of the system; every other error stays as it is. */
export function fileFault(what: string, error: unknown): unknown {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
  if (code === null || !/^E[A-Z0-9]+$/.test(code)) return error;
  return new BackupError("failed", `${what} (${reasons[code] ?? code})`, { cause: error });
}
