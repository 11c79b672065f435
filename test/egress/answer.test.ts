import { describe, expect, test } from "vitest";
import { asksToWait, failureOf, parseJsonAnswer, parseNotFound, retryAfterMs } from "../../src/egress/answer.ts";
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

describe("an answer is bad_answer", () => {
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
    ["that is a problem document", response(200, "application/problem+json", '{"findings":[]}')],
    ["that is a problem document, ignoring case", response(200, " Application/Problem+JSON; charset=utf-8", "{}")],
    [
      "that is a problem document by its members",
      response(200, "application/json", '{"title":"Down","status":503,"findings":[]}'),
    ],
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
])("status %i of type %s with body %s is recorded as %s", (status, contentType, body, reason) => {
  const one = response(status, contentType, body);
  expect(failureOf(one).reason).toBe(reason);
  expect(() => parseJsonAnswer(one)).toThrow(expect.objectContaining({ reason }));
});

describe("a 404 says that the service does not know the address", () => {
  test.each<[string, HttpResponse, unknown]>([
    ["with an empty body", response(404, null, ""), null],
    ["with an empty body of any type", response(404, "text/html", "\r\n"), null],
    ["with a JSON body", response(404, "application/json", '{"findings":[]}'), { findings: [] }],
    [
      "in the words of a framework",
      response(404, "application/json", '{"status":404,"error":"Not Found"}'),
      { status: 404, error: "Not Found" },
    ],
  ])("%s", (_name, one, value) => {
    expect(parseNotFound(one)).toEqual(value);
  });

  test.each<[string, HttpResponse]>([
    ["as a page of a proxy", response(404, "text/html", "<center>nginx</center>")],
    ["as plain text of an ingress", response(404, "text/plain", "default backend - 404")],
    ["as JSON without its type", response(404, "text/plain", "{}")],
    ["as a page under the type of JSON", response(404, "application/json", "<html>")],
    ["as a problem document", response(404, "application/problem+json", '{"title":"Not Found"}')],
    [
      "as a problem document by its members",
      response(404, "application/json", '{"type":"about:blank","title":"Not Found","status":404}'),
    ],
  ])("but not %s", (_name, one) => {
    expect(() => parseNotFound(one)).toThrow(expect.objectContaining({ reason: "http_4xx" }));
  });

  test("another status keeps its own reason", () => {
    expect(() => parseNotFound(response(410, null, ""))).toThrow(expect.objectContaining({ reason: "http_4xx" }));
    expect(() => parseNotFound(response(500, null, ""))).toThrow(expect.objectContaining({ reason: "http_5xx" }));
  });
});

test.each([
  [429, {}, true],
  [429, { "retry-after": "5" }, true],
  [503, { "retry-after": "5" }, true],
  [503, {}, false],
  [500, { "retry-after": "5" }, false],
  [200, { "retry-after": "5" }, false],
])("status %i with %o asks to retry later: %s", (status, headers, expected) => {
  expect(asksToWait({ status, headers, body: new Uint8Array() })).toBe(expected);
});

test.each([
  ["0", 1_000],
  ["1", 1_000],
  ["120", 120_000],
  [" 5 ", 5_000],
  ["999999999999", 86_400_000],
  ["Wed, 01 Jan 2025 00:01:00 GMT", 60_000],
  ["Tue, 31 Dec 2024 00:00:00 GMT", 1_000],
  ["Wed, 01 Jan 2025 00:00:00 GMT", 1_000],
  ["Fri, 01 Jan 2027 00:00:00 GMT", 86_400_000],
  // Not valid by the RFC, but unambiguous and under a second.
  ["-5", 1_000],
  ["0.5", 1_000],
  ["1.5", 1_500],
  ["soon", null],
  ["2025-01-01", null],
  ["Xxx, 99 Yyy 2025 00:00:00 GMT", null],
  ["", null],
])("Retry-After %j means %j ms", (value, expected) => {
  const now = new Date("2025-01-01T00:00:00Z");
  expect(retryAfterMs({ "retry-after": value }, now)).toBe(expected);
});

test("without a Retry-After header there is no wait", () => {
  expect(retryAfterMs({}, new Date(0))).toBeNull();
});
