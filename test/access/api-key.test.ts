import { describe, expect, test } from "vitest";
import { createKey, type KeyRequest, keyBody } from "../../src/access/api-key.ts";
import { type ApiKey, parseToken } from "../../src/domain/api-key.ts";
import { AppError } from "../../src/domain/error.ts";
import { deriveKeys, keyedHash } from "../../src/domain/keyed-hash.ts";
import type { Plan, WorkspaceId } from "../../src/domain/workspace.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { testAuditKey, testAuthor } from "../helpers/test-author.ts";

const keys = deriveKeys(new Uint8Array(32).fill(3));
const workspaceId = "11111111-0000-4000-8000-000000000001" as WorkspaceId;
const start = new Date("2026-06-01T12:00:00.750Z");
const by = { ...testAuthor, at: start };

async function open(plan: Plan = "team") {
  const store = SqliteStore.inMemory(testAuditKey);
  await store.insertWorkspace({ id: workspaceId, name: "Example", plan, disabledAt: null }, null, testAuthor);
  let count = 0;
  const entropy = {
    newId: () => `22222222-0000-4000-8000-${String(count).padStart(12, "0")}`,
    randomBytes(length: number) {
      count += 1;
      return new Uint8Array(length).fill(count);
    },
  };
  const create = (request: Partial<KeyRequest> = {}) =>
    createKey({ workspaceId, name: "SIEM", expiresAt: null, ...request }, { store, keys, by, entropy });
  const outcomeOf = (request: Partial<KeyRequest>) =>
    create(request).then(
      () => "created",
      (error: unknown) => (error instanceof AppError ? error.code : String(error)),
    );
  return { store, create, outcomeOf };
}

describe("9.3 minting a key", () => {
  test("the token is well-formed and returned once; only its keyed hash is stored, and neither is ever shown", async () => {
    const { store, create } = await open();
    const { key, token } = await create({ name: "  SIEM\t" });
    expect(parseToken("key", token)).toBe(token);
    expect(key).toMatchObject({ name: "SIEM", prefix: token.slice(0, 13), workspaceId, createdBy: "cli" });
    const page = await store.listKeys(workspaceId, { limit: 10, cursor: null, status: null, now: start });
    expect(page.items).toEqual([key]);
    const shown = JSON.stringify([key, page, keyBody(key, start)]);
    expect(shown).not.toContain(token.slice(13));
    expect(shown).not.toContain(keyedHash(keys.token, token));
  });

  test("two keys never have the same token", async () => {
    const { create } = await open();
    const [one, other] = [await create({ name: "One" }), await create({ name: "Other" })];
    expect(one.token).not.toBe(other.token);
    expect(one.key.id).not.toBe(other.key.id);
  });

  test.each([
    { name: "x".repeat(64), outcome: "created" },
    { name: "😀".repeat(64), outcome: "created" },
    { name: ` ${"x".repeat(64)} `, outcome: "created" },
    { name: "x".repeat(65), outcome: "invalid_request" },
    { name: "", outcome: "invalid_request" },
    { name: " \t\n", outcome: "invalid_request" },
    { name: "a\u0000b", outcome: "invalid_request" },
    { name: "a\u0085b", outcome: "invalid_request" },
    { name: "a\ud800", outcome: "invalid_request" },
  ])("a key named '$name' is $outcome", async ({ name, outcome }) => {
    expect(await (await open()).outcomeOf({ name })).toBe(outcome);
  });

  test.each([
    { expiresAt: "2030-01-31T12:00:00Z", outcome: "created" },
    { expiresAt: "2030-01-31t12:00:00z", outcome: "created" },
    { expiresAt: "2030-01-31 12:00:00+02:00", outcome: "created" },
    { expiresAt: " 2030-01-31T12:00:00.123456789-11:30 ", outcome: "created" },
    { expiresAt: "2028-02-29T00:00:00Z", outcome: "created" },
    { expiresAt: "2026-06-01T12:00:01Z", outcome: "created" },
    { expiresAt: "9999-12-31T23:59:59Z", outcome: "created" },
    { expiresAt: "9999-12-31T23:59:59-01:00", outcome: "invalid_request" },
    { expiresAt: "2026-06-01T12:00:00.750Z", outcome: "invalid_request" },
    { expiresAt: "2026-06-01T13:59:59+02:00", outcome: "invalid_request" },
    { expiresAt: "2020-01-31T12:00:00Z", outcome: "invalid_request" },
    { expiresAt: "2030-01-31", outcome: "invalid_request" },
    { expiresAt: "2030-01-31T12:00:00", outcome: "invalid_request" },
    { expiresAt: "2030-01-31T12:00Z", outcome: "invalid_request" },
    { expiresAt: "2030-02-29T12:00:00Z", outcome: "invalid_request" },
    { expiresAt: "2030-04-31T12:00:00Z", outcome: "invalid_request" },
    { expiresAt: "2030-13-01T12:00:00Z", outcome: "invalid_request" },
    { expiresAt: "2030-01-31T24:00:00Z", outcome: "invalid_request" },
    { expiresAt: "2030-01-31T12:60:00Z", outcome: "invalid_request" },
    { expiresAt: "2030-01-31T12:00:00+25:00", outcome: "invalid_request" },
    { expiresAt: "Thu, 31 Jan 2030 12:00:00 GMT", outcome: "invalid_request" },
    { expiresAt: "1896091200", outcome: "invalid_request" },
    { expiresAt: "tomorrow", outcome: "invalid_request" },
    { expiresAt: "", outcome: "invalid_request" },
  ])("a key that ends '$expiresAt' is $outcome", async ({ expiresAt, outcome }) => {
    expect(await (await open()).outcomeOf({ expiresAt })).toBe(outcome);
  });

  test("the time zone of the expiry counts", async () => {
    const { key } = await (await open()).create({ expiresAt: "2030-01-31T12:00:00+02:00" });
    expect(key.expiresAt).toEqual(new Date("2030-01-31T10:00:00Z"));
  });

  test("a name is in use while its key is active, ignoring case, and only in its own workspace", async () => {
    const { store, create, outcomeOf } = await open();
    const otherId = "11111111-0000-4000-8000-000000000002" as WorkspaceId;
    await store.insertWorkspace({ id: otherId, name: "Other", plan: "team", disabledAt: null }, null, testAuthor);
    await create({ name: "Straße" });
    expect(await outcomeOf({ name: " STRAßE " })).toBe("conflict");
    expect(await outcomeOf({ name: "Straße", workspaceId: otherId })).toBe("created");
  });

  test("at most 50 keys are active", async () => {
    const { outcomeOf } = await open();
    const outcomes: string[] = [];
    for (let index = 0; index < 51; index += 1) outcomes.push(await outcomeOf({ name: `key ${index}` }));
    expect(outcomes.indexOf("conflict")).toBe(50);
  });

  test.each([
    { plan: "free", outcome: "plan_required" },
    { plan: "starter", outcome: "plan_required" },
    { plan: "team", outcome: "created" },
    { plan: "enterprise", outcome: "created" },
  ] as const)("2 on plan $plan: $outcome, after the request was checked", async ({ plan, outcome }) => {
    const { outcomeOf } = await open(plan);
    expect(await outcomeOf({ name: "" })).toBe("invalid_request");
    expect(await outcomeOf({})).toBe(outcome);
  });

  test("creating a key in an unknown workspace is refused", async () => {
    const unknown = "11111111-0000-4000-8000-00000000000f" as WorkspaceId;
    expect(await (await open()).outcomeOf({ workspaceId: unknown })).toBe("not_found");
  });
});

describe("9.2 the KEY object", () => {
  const key: ApiKey = {
    id: "22222222-0000-4000-8000-000000000001",
    workspaceId,
    name: "SIEM",
    prefix: "xpz_live_0a1b",
    createdAt: start,
    createdBy: "cli",
    lastUsedAt: null,
    expiresAt: null,
    revokedAt: null,
    rotatedFrom: null,
    rotatedTo: null,
    scopes: ["read"],
    allowedIps: ["192.0.2.0/24"],
  };

  test("has exactly these members in this order, and no hash", () => {
    expect(JSON.stringify(keyBody(key, start))).toBe(
      '{"id":"22222222-0000-4000-8000-000000000001","name":"SIEM","prefix":"xpz_live_0a1b","status":"active",' +
        '"created_at":"2026-06-01T12:00:00+00:00","created_by":"cli","last_used_at":null,"expires_at":null,' +
        '"revoked_at":null,"rotated_from":null,"rotated_to":null,"scopes":["read"],"allowed_ips":["192.0.2.0/24"]}',
    );
  });

  test("shows all times in one format, and the keys before and after a rotation", () => {
    const at = new Date("2026-01-02T03:04:05.678Z");
    const full = { ...key, lastUsedAt: at, expiresAt: at, revokedAt: at, rotatedFrom: "older", rotatedTo: "newer" };
    const time = "2026-01-02T03:04:05+00:00";
    const times = { last_used_at: time, expires_at: time, revoked_at: time };
    expect(keyBody(full, start)).toMatchObject({ ...times, rotated_from: "older", rotated_to: "newer" });
  });

  test.each([
    { expiresAt: null, revokedAt: null, status: "active" },
    { expiresAt: new Date(start.getTime() + 1), revokedAt: null, status: "active" },
    { expiresAt: start, revokedAt: null, status: "expired" },
    { expiresAt: null, revokedAt: start, status: "revoked" },
    { expiresAt: start, revokedAt: start, status: "revoked" },
  ])("expiry $expiresAt, revocation $revokedAt: $status", ({ expiresAt, revokedAt, status }) => {
    expect(keyBody({ ...key, expiresAt, revokedAt }, start).status).toBe(status);
  });
});
