import type { AppError, ErrorCode } from "../domain/error.ts";
import type { ErrorBody } from "../wire/error.ts";
import { jsonResponse, type PlainResponse } from "./response.ts";

/** The HTTP status of each code (docs/contract.md 10, docs/pipeline.md 14.3). The compiler requires an entry for every code. */
export const statusOf = {
  invalid_email: 400,
  malformed_json: 400,
  invalid_request: 400,
  invalid_api_key: 401,
  unauthorized: 401,
  plan_required: 403,
  scope_required: 403,
  forbidden: 403,
  not_found: 404,
  not_cached: 404,
  method_not_allowed: 405,
  conflict: 409,
  too_many: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  unsupported_indicator: 422,
  rate_limited: 429,
  internal_error: 500,
  scan_failed: 502,
  scan_pending: 503,
  overloaded: 503,
  unavailable: 503,
  storage_full: 503,
} as const satisfies Record<ErrorCode, number>;

type HeaderLines = Readonly<Record<string, string>>;

/** A client that gets 503 is told when to try again. */
type HeadersOf = {
  readonly [Code in ErrorCode]: (typeof statusOf)[Code] extends 503
    ? HeaderLines & { readonly "Retry-After": string }
    : HeaderLines;
};

/**
 * Headers that always accompany a code (docs/contract.md 1.2, 5.12, 10; docs/pipeline.md 16.4). The `Retry-After` of
 * `rate_limited` depends on the call, so its route adds it.
 */
const headersOf: HeadersOf = {
  invalid_email: {},
  malformed_json: {},
  invalid_request: {},
  invalid_api_key: { "WWW-Authenticate": 'ApiKey realm="xpose"' },
  unauthorized: {},
  plan_required: {},
  scope_required: {},
  forbidden: {},
  not_found: {},
  not_cached: {},
  method_not_allowed: {},
  conflict: {},
  too_many: {},
  payload_too_large: {},
  unsupported_media_type: {},
  unsupported_indicator: {},
  rate_limited: {},
  internal_error: {},
  scan_failed: {},
  scan_pending: { "Retry-After": "1" },
  overloaded: { "Retry-After": "5" },
  unavailable: { "Retry-After": "5" },
  storage_full: { "Retry-After": "30" },
};

/** Makes the response of an error. All errors have the same body (docs/contract.md 0.2). */
export function errorResponse(error: AppError, headers: HeaderLines = {}): PlainResponse {
  const body: ErrorBody = { error: { code: error.code, message: error.message } };
  return jsonResponse<ErrorBody>(statusOf[error.code], body, { ...headersOf[error.code], ...headers });
}
