import { expect, test } from "vitest";
import { AppError, errorCodes } from "../../src/domain/error.ts";
import { errorResponse, statusOf } from "../../src/http/errors.ts";

/** docs/contract.md 10 and docs/pipeline.md 14.3. */
const statuses = {
  400: ["invalid_email", "malformed_json", "invalid_request"],
  401: ["invalid_api_key", "unauthorized"],
  403: ["plan_required", "forbidden", "scope_required"],
  404: ["not_found", "not_cached"],
  405: ["method_not_allowed"],
  409: ["conflict", "too_many"],
  413: ["payload_too_large"],
  415: ["unsupported_media_type"],
  422: ["unsupported_indicator"],
  429: ["rate_limited"],
  500: ["internal_error"],
  502: ["scan_failed"],
  503: ["overloaded", "unavailable", "storage_full", "scan_pending"],
};

test("10 every code has the status of the contract", () => {
  const expected = Object.entries(statuses).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)]));
  expect(statusOf).toEqual(Object.fromEntries(expected));
});

test.each(errorCodes)("0.2 the body of %s has exactly code and message, and never its cause", (code) => {
  const error = new AppError(code, "A public sentence", { cause: new Error("an inner detail") });
  const response = errorResponse(error);
  expect(response.status).toBe(statusOf[code]);
  expect(response.body).toBe(`{"error":{"code":"${code}","message":"A public sentence"}}`);
  expect(response.headers["Cache-Control"]).toBe("no-store");
  expect(response.headers["Content-Type"]).toBe("application/json");
});

test.each([
  { code: "invalid_api_key", name: "WWW-Authenticate", value: 'ApiKey realm="xpose"' },
  { code: "unauthorized", name: "WWW-Authenticate", value: undefined },
  { code: "scan_pending", name: "Retry-After", value: "1" },
  { code: "overloaded", name: "Retry-After", value: "5" },
  { code: "unavailable", name: "Retry-After", value: "5" },
  { code: "storage_full", name: "Retry-After", value: "30" },
  { code: "not_found", name: "Retry-After", value: undefined },
] as const)("1.2, 10 $code brings $name: $value", ({ code, name, value }) => {
  expect(errorResponse(new AppError(code, "A public sentence")).headers[name]).toBe(value);
});

test("10 every 503 says when to try again", () => {
  const codes = errorCodes.filter((code) => statusOf[code] === 503);
  expect(codes.length).toBeGreaterThan(2);
  for (const code of codes) {
    expect(errorResponse(new AppError(code, "A public sentence")).headers["Retry-After"]).toMatch(/^[1-9]\d*$/);
  }
});
