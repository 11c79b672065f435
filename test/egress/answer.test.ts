import { describe, expect, test } from "vitest";
import { failureOf, parseJsonAnswer, retryAfterMs } from "../../src/egress/answer.ts";
import type { HttpResponse } from "../../src/egress/client.ts";

function response(status: number, contentType: string | null, body: string | Uint8Array): HttpResponse {
  const headers: Record<string, string> = contentType === null ? {} : { "content-type": contentType };
  return { status, headers, body: typeof body === "string" ? new TextEncoder().encode(body) : body };
}

const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

describe("an answer is read as JSON", () => {
  test.each([
    ["application/json"],
    ["Application/JSON; charset=UTF-8"],
    ['application/json;charset="utf-8"'],
    ["application/problem+json"],
    ["application/vnd.example.v1+json; q=1"],
  ])("of type %s", (contentType) => {
    expect(parseJsonAnswer(response(200, contentType, '{"a":["\\"]}"]}'))).toEqual({ a: ['"]}'] });
  });

  test("up to a depth of 32, where brackets in strings do not count", () => {
    expect(parseJsonAnswer(response(200, "application/json", nested(32)))).toBeDefined();
    const text = JSON.stringify(["[".repeat(100), '\\"[[', "{"]);
    expect(parseJsonAnswer(response(200, "application/json", text))).toEqual(JSON.parse(text));
  });
});

describe("an answer is a bad one", () => {
  test.each<[string, HttpResponse]>([
    ["without a type", response(200, null, "{}")],
    ["of type HTML", response(200, "text/html", "{}")],
    ["of type text/json", response(200, "text/json", "{}")],
    ["of type application/jsonl", response(200, "application/jsonl", "{}")],
    ["in another charset", response(200, "application/json; charset=iso-8859-1", "{}")],
    ["with bytes that are not UTF-8", response(200, "application/json", new Uint8Array([0x22, 0xe9, 0x22]))],
    ["that is empty", response(200, "application/json", "")],
    ["that is cut", response(200, "application/json", '{"a":')],
    ["of depth 33", response(200, "application/json", nested(33))],
    ["of depth 500000", response(200, "application/json", nested(500_000))],
    ["with status 201", response(201, "application/json", "{}")],
    ["with status 204", response(204, null, "")],
  ])("%s", (_name, one) => {
    expect(() => parseJsonAnswer(one)).toThrow(expect.objectContaining({ reason: "bad_answer" }));
  });
});

test.each([
  [400, "application/json", "{}", "http_4xx"],
  [401, "application/json", '{"message":"no"}', "auth"],
  [401, "text/html", "<p>no", "http_4xx"],
  [401, "application/json", "<p>no", "http_4xx"],
  [403, "application/problem+json", "{}", "auth"],
  [403, null, "", "http_4xx"],
  [404, "application/json", "{}", "http_4xx"],
  [429, "text/html", "", "rate_limited"],
  [500, "application/json", "{}", "http_5xx"],
  [503, "text/html", "", "http_5xx"],
  [302, null, "", "redirect"],
  [202, "application/json", "{}", "bad_answer"],
])("status %i of type %s with body %s is recorded as its own reason", (status, contentType, body, reason) => {
  const one = response(status, contentType, body);
  expect(failureOf(one).reason).toBe(reason);
  expect(() => parseJsonAnswer(one)).toThrow(expect.objectContaining({ reason }));
});

test.each([
  ["0", 0],
  ["120", 120_000],
  [" 5 ", 5_000],
  ["999999999999", 86_400_000],
  ["Wed, 01 Jan 2025 00:01:00 GMT", 60_000],
  ["Tue, 31 Dec 2024 00:00:00 GMT", 0],
  ["Fri, 01 Jan 2027 00:00:00 GMT", 86_400_000],
  ["-5", null],
  ["1.5", null],
  ["soon", null],
  ["2025-01-01", null],
  ["Xxx, 99 Yyy 2025 00:00:00 GMT", null],
  ["", null],
])("Retry-After %j means %j ms", (value, expected) => {
  const now = new Date("2025-01-01T00:00:00Z");
  expect(retryAfterMs({ "retry-after": value }, now)).toBe(expected);
});

test("no Retry-After header means no time", () => {
  expect(retryAfterMs({}, new Date(0))).toBeNull();
});
