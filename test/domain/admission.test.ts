import { describe, expect, test } from "vitest";
import { admit, invalidApiKey, type KeyRights } from "../../src/domain/admission.ts";
import { defaultScopes } from "../../src/domain/key-scope.ts";
import { networksOf } from "../../src/domain/network.ts";
import type { Plan } from "../../src/domain/workspace.ts";

const now = new Date("2026-06-01T12:00:00Z");
const earlier = new Date("2026-06-01T11:00:00Z");
const later = new Date("2026-06-01T13:00:00Z");

const active: KeyRights = { revokedAt: null, expiresAt: null, scopes: defaultScopes, allowedNetworks: null };
const revoked = { ...active, revokedAt: earlier };
const home = { ...active, allowedNetworks: networksOf(["192.0.2.0/24", "2001:db8::/32"]) };
const away = { ...active, allowedNetworks: networksOf(["203.0.113.0/24"]) };
const wish = { scope: "read", ip: "192.0.2.1", now } as const;
const team: { plan: Plan; disabledAt: Date | null } = { plan: "team", disabledAt: null };

describe("a call passes or gets exactly one refusal (contract 1, 2)", () => {
  test.each([
    { call: "active key, team", key: active, workspace: team, code: null },
    { call: "active key, enterprise", key: active, workspace: { ...team, plan: "enterprise" as const }, code: null },
    { call: "key that ends later", key: { ...active, expiresAt: later }, workspace: team, code: null },
    { call: "unknown key", key: null, workspace: null, code: "invalid_api_key" },
    { call: "key without a workspace", key: active, workspace: null, code: "invalid_api_key" },
    { call: "unknown key of a known workspace", key: null, workspace: team, code: "invalid_api_key" },
    { call: "revoked key", key: revoked, workspace: team, code: "invalid_api_key" },
    { call: "key that ends now", key: { ...active, expiresAt: now }, workspace: team, code: "invalid_api_key" },
    { call: "ended key", key: { ...active, expiresAt: earlier }, workspace: team, code: "invalid_api_key" },
    { call: "disabled workspace", key: active, workspace: { ...team, disabledAt: earlier }, code: "invalid_api_key" },
    { call: "starter", key: active, workspace: { ...team, plan: "starter" as const }, code: "plan_required" },
    { call: "free", key: active, workspace: { ...team, plan: "free" as const }, code: "plan_required" },
    {
      call: "revoked key below team: 401 goes first",
      key: revoked,
      workspace: { ...team, plan: "free" as const },
      code: "invalid_api_key",
    },
    {
      call: "disabled workspace below team: 401 goes first",
      key: active,
      workspace: { plan: "free" as const, disabledAt: earlier },
      code: "invalid_api_key",
    },
    { call: "a key used from one of its networks", key: home, workspace: team, code: null },
    { call: "a key used from elsewhere", key: away, workspace: team, code: "invalid_api_key" },
    {
      call: "a key used from elsewhere below team: 401 goes first",
      key: away,
      workspace: { ...team, plan: "free" as const },
      code: "invalid_api_key",
    },
    {
      call: "a key without the scope below team: the plan goes first",
      key: { ...active, scopes: ["watch"] as const },
      workspace: { ...team, plan: "free" as const },
      code: "plan_required",
    },
  ])("$call: $code", ({ key, workspace, code }) => {
    expect(admit(key, workspace, wish)?.code ?? null).toBe(code);
  });
});

test("1.2 every refused key gets the same message, whatever the reason", () => {
  const refusals = [
    admit(null, null, wish),
    admit(revoked, team, wish),
    admit({ ...active, expiresAt: earlier }, team, wish),
    admit(active, { ...team, disabledAt: earlier }, wish),
    admit(away, team, wish),
  ];
  expect(refusals.map((refusal) => refusal?.message)).toEqual(refusals.map(() => invalidApiKey().message));
});

describe("pipeline 14.4 an address passes or the key is unknown", () => {
  test.each([
    { ip: "192.0.2.255", code: null },
    { ip: "2001:db8:0:1::7", code: null },
    { ip: "192.0.3.1", code: "invalid_api_key" },
    { ip: "2001:db9::1", code: "invalid_api_key" },
    { ip: "no address", code: "invalid_api_key" },
    { ip: null, code: "invalid_api_key" },
  ])("$ip: $code", ({ ip, code }) => {
    expect(admit(home, team, { ...wish, ip })?.code ?? null).toBe(code);
    expect(admit(active, team, { ...wish, ip })).toBeNull();
  });
});

describe("pipeline 14.4 each scope against what is asked", () => {
  test.each([
    { scopes: ["enrich", "watch"], read: null },
    { scopes: ["enrich"], read: null },
    { scopes: ["read"], read: null },
    { scopes: ["read", "watch"], read: null },
    { scopes: ["watch"], read: "scope_required" },
    { scopes: [], read: "scope_required" },
  ] as const)("$scopes", ({ scopes, read }) => {
    const key = { ...active, scopes };
    expect(admit(key, team, wish)?.code ?? null).toBe(read);
    expect(admit(key, team, { ...wish, scope: "any" })).toBeNull();
  });
});
