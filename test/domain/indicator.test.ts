import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AppError } from "../../src/domain/error.ts";
import { parseIndicator } from "../../src/domain/indicator.ts";
import { anyText } from "../helpers/any-text.ts";

test("an email indicator has its canonical value", () => {
  expect(parseIndicator("email", " JANE.DOE@ACME.COM ")).toEqual({ type: "email", value: "jane.doe@acme.com" });
});

describe("a bad indicator is refused, the type first (contract 3.3, 3.4)", () => {
  test.each([
    { why: "another type", type: "ip", value: "127.0.0.1", code: "unsupported_indicator" },
    { why: "type in upper case", type: "EMAIL", value: "jane@example.com", code: "unsupported_indicator" },
    { why: "type with a blank", type: "email ", value: "jane@example.com", code: "unsupported_indicator" },
    { why: "type missing", type: undefined, value: "jane@example.com", code: "unsupported_indicator" },
    { why: "type null", type: null, value: "jane@example.com", code: "unsupported_indicator" },
    { why: "type a number", type: 1, value: "jane@example.com", code: "unsupported_indicator" },
    { why: "type a list", type: ["email"], value: "jane@example.com", code: "unsupported_indicator" },
    { why: "type a name of Object", type: "constructor", value: "jane@example.com", code: "unsupported_indicator" },
    { why: "type and value bad", type: "ip", value: null, code: "unsupported_indicator" },
    { why: "value missing", type: "email", value: undefined, code: "invalid_email" },
    { why: "value null", type: "email", value: null, code: "invalid_email" },
    { why: "value a number", type: "email", value: 1, code: "invalid_email" },
    { why: "value a list", type: "email", value: ["jane@example.com"], code: "invalid_email" },
    { why: "value not an address", type: "email", value: "jane", code: "invalid_email" },
  ])("$why: $code", ({ type, value, code }) => {
    expect(codeOf(type, value)).toBe(code);
  });
});

test("0.2 no refusal repeats the submitted value", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 3 }), (text) => {
      for (const [type, value] of [
        [`<${text}>`, "jane@example.com"],
        ["email", `<${text}>`],
      ]) {
        expect(() => parseIndicator(type, value)).not.toThrow(`<${text}>`);
      }
    }),
  );
});

test("any text as a value gives an indicator or one refusal", () => {
  fc.assert(fc.property(anyText(), (text) => ["none", "invalid_email"].includes(codeOf("email", text))));
});

/** The code of the refusal, or `none`; rethrows any other error. */
function codeOf(type: unknown, value: unknown): string {
  try {
    parseIndicator(type, value);
    return "none";
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}
