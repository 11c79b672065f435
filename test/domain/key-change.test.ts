import { describe, expect, test } from "vitest";
import { newKeyFault, rightsText, rotationFault } from "../../src/domain/key-change.ts";
import { defaultScopes } from "../../src/domain/key-scope.ts";
import type { Plan } from "../../src/domain/workspace.ts";

const now = new Date("2026-06-01T12:00:00Z");
const earlier = new Date("2026-06-01T11:00:00Z");
const names = (count: number) => Array.from({ length: count }, (_, index) => `key ${index}`);

describe("a new key (contract 9.3)", () => {
  const cases: readonly (readonly [string, string, Plan | null, readonly string[], string | null])[] = [
    ["the first one", "siem", "team", [], null],
    ["another name", "siem", "enterprise", ["soar"], null],
    ["the same name", "siem", "team", ["soar", "siem"], "conflict"],
    ["the same name in other letters", "SIEM", "team", ["siem"], "conflict"],
    ["the fiftieth", "siem", "team", names(49), null],
    ["one too many", "siem", "team", names(50), "conflict"],
    ["a plan without access", "siem", "starter", [], "plan_required"],
    ["a plan without access goes before the name", "siem", "free", ["siem"], "plan_required"],
    ["no such workspace", "siem", null, [], "not_found"],
  ];
  test.each(cases)("%s", (_, name, plan, activeNames, code) => {
    expect(newKeyFault(name, plan, activeNames)?.code ?? null).toBe(code);
  });
});

describe("a rotation (contract 9.5)", () => {
  const active = { revokedAt: null, expiresAt: null };
  const cases: readonly (readonly [
    string,
    { revokedAt: Date | null; expiresAt: Date | null },
    Plan | null,
    string | null,
  ])[] = [
    ["an active key", active, "team", null],
    ["a revoked key", { ...active, revokedAt: earlier }, "team", "conflict"],
    ["a key that ends now", { ...active, expiresAt: now }, "team", "conflict"],
    ["a plan without access", active, "starter", "plan_required"],
    ["a plan without access goes before a revoked key", { ...active, revokedAt: earlier }, "free", "plan_required"],
    ["no such workspace", active, null, "not_found"],
  ];
  test.each(cases)("%s", (_, key, plan, code) => {
    expect(rotationFault(key, plan, now)?.code ?? null).toBe(code);
  });
});

test.each([
  { scopes: defaultScopes, allowedIps: [], text: null },
  { scopes: ["read"], allowedIps: [], text: "scopes read" },
  { scopes: defaultScopes, allowedIps: ["192.0.2.0/24", "::1/128"], text: "allowed_ips 192.0.2.0/24,::1/128" },
  { scopes: ["enrich", "read"], allowedIps: ["::1/128"], text: "scopes enrich,read; allowed_ips ::1/128" },
] as const)("the trail says of a new key: $text", ({ scopes, allowedIps, text }) => {
  expect(rightsText({ scopes, allowedIps })).toBe(text);
});
