import { describe, expect, test } from "vitest";
import { demandOf, noOptions, parseOptions, parseQueryOptions } from "../../src/domain/enrich-options.ts";
import { AppError } from "../../src/domain/error.ts";
import { type Tlp, tlps } from "../../src/domain/tlp.ts";

describe("16.1, 16.2 the options of a body", () => {
  test.each<{ options: unknown; parsed: Partial<typeof noOptions> }>([
    { options: undefined, parsed: {} },
    { options: null, parsed: {} },
    { options: {}, parsed: {} },
    { options: { depth: "quick", unknown: 1 }, parsed: {} },
    { options: { depth: null, cached_only: null, max_age: null, tlp: null }, parsed: {} },
    { options: { cached_only: true }, parsed: { isCachedOnly: true } },
    { options: { cached_only: false }, parsed: {} },
    { options: { max_age: 0 }, parsed: { maxAgeMs: 0 } },
    { options: { max_age: 31_536_000 }, parsed: { maxAgeMs: 31_536_000_000 } },
    { options: { tlp: "red" }, parsed: { tlp: "red" } },
    { options: { tlp: "AMBER+Strict" }, parsed: { tlp: "amber+strict" } },
    { options: { tlp: "White" }, parsed: { tlp: "clear" } },
  ])("$options", ({ options, parsed }) => {
    expect(parseOptions(options)).toEqual({ ...noOptions, ...parsed });
  });

  test.each<{ options: unknown }>([
    { options: 1 },
    { options: "quick" },
    { options: [] },
    { options: { depth: 1 } },
    { options: { depth: "" } },
    { options: { depth: "x".repeat(65) } },
    { options: { cached_only: "true" } },
    { options: { cached_only: 1 } },
    { options: { max_age: -1 } },
    { options: { max_age: 1.5 } },
    { options: { max_age: 31_536_001 } },
    { options: { max_age: "60" } },
    { options: { tlp: "" } },
    { options: { tlp: "pink" } },
    { options: { tlp: 3 } },
  ])("$options is invalid_request", ({ options }) => {
    expect(() => parseOptions(options)).toThrow(expect.objectContaining({ code: "invalid_request" }) as AppError);
  });
});

describe("16.5 the same as query parameters", () => {
  test.each([
    { query: "", parsed: {} },
    { query: "cached_only=true", parsed: { isCachedOnly: true } },
    { query: "cached_only=false&other=1", parsed: {} },
    { query: "max_age=0", parsed: { maxAgeMs: 0 } },
    { query: "max_age=60&tlp=Amber%2Bstrict", parsed: { maxAgeMs: 60_000, tlp: "amber+strict" as const } },
  ])("$query", ({ query, parsed }) => {
    expect(parseQueryOptions(new URLSearchParams(query))).toEqual({ ...noOptions, ...parsed });
  });

  test.each([
    "cached_only=",
    "cached_only=1",
    "cached_only=TRUE",
    "cached_only=true&cached_only=true",
    "max_age=",
    "max_age=-1",
    "max_age=1e3",
    "max_age=0x10",
    "max_age=31536001",
    "max_age=1&max_age=1",
    "tlp=",
    "tlp=pink",
    "tlp=red&tlp=red",
  ])("%s is invalid_request", (query) => {
    expect(() => parseQueryOptions(new URLSearchParams(query))).toThrow(AppError);
  });
});

test.each(tlps.flatMap((most) => [null, ...tlps].map((tlp) => ({ most, tlp }))))(
  "16.2 with max_tlp_outside $most a question marked $tlp",
  ({ most, tlp }) => {
    const order: readonly (Tlp | null)[] = [null, "clear", "green", "amber", "amber+strict", "red"];
    const reach = order.indexOf(tlp) > order.indexOf(most) ? "inside" : "full";
    expect(demandOf({ ...noOptions, tlp, maxAgeMs: 7 }, most)).toEqual({ reach, maxAgeMs: 7 });
  },
);
