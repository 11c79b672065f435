import { BackupError } from "../backup/error.ts";
import { ConfigError } from "../config/error.ts";
import { CorpusError } from "../corpus/error.ts";
import { DataDirError } from "../data-directory/error.ts";
import { AppError, type ErrorCode } from "../domain/error.ts";

/** Exit codes (docs/contract.md 12.3). `usage` includes the configuration; `refused` means by state or rule. */
export const exitCodes = { done: 0, failed: 1, usage: 2, notFound: 3, refused: 4 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command with a message and an exit code. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Ends a command that another platform starts with an exit code of that platform. The command has already printed its
 * message.
 */
export class PlatformExit extends Error {
  override readonly name = "PlatformExit";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

const byDataDirProblem = {
  uninitialised: exitCodes.notFound,
  refused: exitCodes.refused,
  inaccessible: exitCodes.failed,
};
const byCorpusError = {
  not_found: exitCodes.notFound,
  refused: exitCodes.failed,
  conflict: exitCodes.refused,
  invalid: exitCodes.refused,
};
const byBackupError = {
  not_found: exitCodes.notFound,
  refused: exitCodes.refused,
  failed: exitCodes.failed,
};
const byCode = {
  invalid_email: exitCodes.refused,
  malformed_json: exitCodes.refused,
  invalid_request: exitCodes.refused,
  invalid_api_key: exitCodes.failed,
  unauthorized: exitCodes.failed,
  plan_required: exitCodes.refused,
  scope_required: exitCodes.refused,
  forbidden: exitCodes.refused,
  not_found: exitCodes.notFound,
  not_cached: exitCodes.notFound,
  method_not_allowed: exitCodes.failed,
  conflict: exitCodes.refused,
  too_many: exitCodes.refused,
  payload_too_large: exitCodes.failed,
  unsupported_media_type: exitCodes.failed,
  unsupported_indicator: exitCodes.failed,
  rate_limited: exitCodes.failed,
  internal_error: exitCodes.failed,
  scan_failed: exitCodes.failed,
  scan_pending: exitCodes.failed,
  overloaded: exitCodes.failed,
  unavailable: exitCodes.failed,
  storage_full: exitCodes.failed,
} satisfies Record<ErrorCode, ExitCode>;

/** The exit code and the message for an error that a command did not handle. */
export function explain(error: unknown): { exitCode: ExitCode; message: string } {
  if (error instanceof CommandError) return { exitCode: error.exitCode, message: error.message };
  if (error instanceof ConfigError) return { exitCode: exitCodes.usage, message: error.message };
  if (error instanceof DataDirError) return { exitCode: byDataDirProblem[error.problem], message: error.message };
  if (error instanceof BackupError) return { exitCode: byBackupError[error.kind], message: error.message };
  if (error instanceof CorpusError) return { exitCode: byCorpusError[error.kind], message: error.message };
  if (error instanceof AppError) return { exitCode: byCode[error.code], message: error.message };
  return { exitCode: exitCodes.failed, message: error instanceof Error ? error.message : "unexpected error" };
}
