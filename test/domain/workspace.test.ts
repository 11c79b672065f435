import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { foldName, hasApiAccess, isId, parseName, parseWorkspaceName, plans } from "../../src/domain/workspace.ts";
import { anyText } from "../helpers/any-text.ts";

const id = "0b5cf6a4-3f0e-4b86-9f7e-0d6f5a2f7c11";

test("1.5 API access needs plan team or above", () => {
  expect(plans.map((plan) => [plan, hasApiAccess(plan)])).toEqual([
    ["free", false],
    ["starter", false],
    ["team", true],
    ["enterprise", true],
  ]);
});

describe("a name is trimmed, composed, 1 to 64 characters without control characters", () => {
  test.each([
    { why: "plain", text: "SIEM", name: "SIEM" },
    { why: "trimmed", text: "  SIEM prod\t", name: "SIEM prod" },
    { why: "composed", text: "Bu\u0308ro", name: "B\u00fcro" },
    { why: "64 characters", text: "a".repeat(64), name: "a".repeat(64) },
    { why: "64 characters outside the basic plane", text: "😀".repeat(64), name: "😀".repeat(64) },
    { why: "65 characters", text: "a".repeat(65), name: null },
    { why: "nothing", text: "", name: null },
    { why: "only blanks", text: " \t ", name: null },
    { why: "line break inside", text: "a\nb", name: null },
    { why: "NUL", text: "a\0b", name: null },
    { why: "C1 control character", text: "a\u0085b", name: null },
    { why: "lone surrogate", text: "a\ud800b", name: null },
  ])("$why", ({ text, name }) => {
    expect(parseName(text)).toBe(name);
  });
});

test("any text gives a name or null, and a name parses to itself", () => {
  fc.assert(
    fc.property(anyText(), (text) => {
      const name = parseName(text);
      if (name !== null) expect(parseName(name)).toBe(name);
    }),
  );
});

test("names that differ only in case or Unicode composition are equal", () => {
  expect(foldName("BU\u0308RO")).toBe(foldName("b\u00fcro"));
  expect(foldName("buro")).not.toBe(foldName("b\u00fcro"));
});

test("an id is a lower-case UUID and nothing else", () => {
  expect(isId(id)).toBe(true);
  for (const text of [id.toUpperCase(), `${id} `, `{${id}}`, id.replaceAll("-", ""), "", "default"]) {
    expect(isId(text)).toBe(false);
  }
});

test("a workspace name never looks like an id", () => {
  expect(parseWorkspaceName(id)).toBeNull();
  expect(parseWorkspaceName(id.toUpperCase())).toBeNull();
  expect(parseWorkspaceName(" default ")).toBe("default");
});
