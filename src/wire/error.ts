import * as z from "zod/mini";
import { text } from "./scalar.ts";
import type { Shape } from "./shape.ts";

/** The error codes of docs/contract.md 10 and docs/pipeline.md 14.3. */
export const errorCode = z.enum([
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
]);

/** The body of every error (docs/contract.md 0.2). */
export const errorBody = z.strictObject({
  error: z.strictObject({
    code: errorCode.check(z.describe("stable; for programs")),
    message: text.check(z.describe("one English sentence without any submitted value")),
  }),
});
export type ErrorBody = Shape<typeof errorBody>;
