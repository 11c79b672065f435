import { describe, expect, test } from "vitest";
import { admit, invalidApiKey } from "../../src/domain/admission.ts";
import type { Plan } from "../../src/domain/workspace.ts";

const now = new Date("2026-06-01T12:00:00Z");
const earlier = new Date("2026-06-01T11:00:00Z");
const later = new Date("2026-06-01T13:00:00Z");

const active = { revokedAt: null, expiresAt: null };
const revoked = { revokedAt: earlier, expiresAt: null };
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
  ])("$call: $code", ({ key, workspace, code }) => {
    expect(admit(key, workspace, now)?.code ?? null).toBe(code);
  });
});

test("1.2 every refused key gets the same message, whatever the reason", () => {
  const refusals = [
    admit(null, null, now),
    admit(revoked, team, now),
    admit({ ...active, expiresAt: earlier }, team, now),
    admit(active, { ...team, disabledAt: earlier }, now),
  ];
  expect(refusals.map((refusal) => refusal?.message)).toEqual(refusals.map(() => invalidApiKey().message));
});
