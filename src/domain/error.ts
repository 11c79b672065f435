/**
 * The errors a caller may see.
 *
 * `AppError` reaches the caller of the API or the command line; its message is public. `SourceError` stays inside a
 * scan: it is the recorded reason why one source failed. Codes: docs/contract.md 10 and 6.5, docs/pipeline.md 14.3.
 */

export const errorCodes = [
  "invalid_email",
  "malformed_json",
  "invalid_request",
  "invalid_api_key",
  "unauthorized",
  "plan_required",
  "scope_required",
  "forbidden",
  "not_found",
  "not_cached",
  "method_not_allowed",
  "conflict",
  "too_many",
  "payload_too_large",
  "unsupported_media_type",
  "unsupported_indicator",
  "rate_limited",
  "internal_error",
  "scan_failed",
  "scan_pending",
  "overloaded",
  "unavailable",
  "storage_full",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** A refusal with a stable code. `message` is one English sentence without any submitted value; `cause` is only logged. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Why a source failed or was skipped, as `/sources` reports it (docs/contract.md 6.5; `tlp`: docs/pipeline.md 16.2). */
export const sourceErrorReasons = [
  "not_configured",
  "auth",
  "rate_limited",
  "timeout",
  "unreachable",
  "tls",
  "http_4xx",
  "http_5xx",
  "redirect",
  "too_large",
  "bad_answer",
  "not_installed",
  "unsupported",
  "tlp",
  "internal",
] as const;

export type SourceErrorReason = (typeof sourceErrorReasons)[number];

/** Kinds of TLS errors. Each kind has a different remedy for the operator (docs/pipeline.md 21.19). */
const tlsFaults = ["unknown_authority", "expired", "wrong_name", "no_tls", "client_certificate", "other"] as const;

export type TlsFault = (typeof tlsFaults)[number];

/** A source could not answer. `message` goes to the log and to `sources check`; it holds no secret and no address. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly reason: SourceErrorReason;
  /** Set when the reason is `tls`. */
  readonly tlsFault: TlsFault | null;

  constructor(reason: SourceErrorReason, message: string, options: { cause?: unknown; tlsFault?: TlsFault } = {}) {
    const { tlsFault, ...rest } = options;
    super(message, rest);
    this.reason = reason;
    this.tlsFault = reason === "tls" ? (tlsFault ?? "other") : null;
  }
}
