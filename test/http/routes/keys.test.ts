import { describe, expect, test } from "vitest";
import { maxActiveKeys } from "../../../src/domain/api-key.ts";
import { addOperator, operatorClient } from "../../helpers/operator-client.ts";
import { errorCode, socClient } from "../../helpers/soc-client.ts";
import { testAuthor } from "../../helpers/test-author.ts";
import { openTestService } from "../../helpers/test-service.ts";

type KeyBody = Record<string, string | null | readonly string[]> & { id: string; key: string };

const hour = 3_600_000;
const keyFields =
  "id,name,prefix,status,created_at,created_by,last_used_at,expires_at,revoked_at,rotated_from,rotated_to,scopes,allowed_ips";

async function open() {
  const service = await openTestService();
  const { token } = await addOperator(service, service.tenant.id, "alice");
  const { call } = operatorClient(service.respond, { Authorization: `Bearer ${token}` });
  const path = `/api/v1/workspaces/${service.tenant.id}/keys`;
  return {
    ...service,
    call,
    path,
    mint: (body: unknown, headers = {}) => call("POST", path, body, headers),
    list: async (query = "") => (await (await call("GET", `${path}${query}`)).json()) as ListBody,
    enrichWith: (key: string) => socClient(service.respond, key as never).enrich("jane.doe@example.com"),
  };
}

type ListBody = { keys: KeyBody[]; next_cursor: string | null };

async function bodyOf(response: Response): Promise<KeyBody> {
  return (await response.json()) as KeyBody;
}

describe("9.3 minting", () => {
  test("answers 201 with the key object, and the plaintext as its last field", async () => {
    const { mint, clock } = await open();
    const expiry = clock.after(hour).toISOString();
    const response = await mint({ name: "  Splunk ", expires_at: expiry, unknown: 1 });
    expect([response.status, response.headers.get("Cache-Control")]).toEqual([201, "no-store"]);
    const body = await bodyOf(response);
    expect(Object.keys(body).join()).toBe(`${keyFields},key`);
    expect(body).toMatchObject({
      name: "Splunk",
      prefix: body.key.slice(0, 13),
      status: "active",
      created_at: "2026-06-01T12:00:00+00:00",
      created_by: "operator:alice",
      last_used_at: null,
      expires_at: "2026-06-01T13:00:00+00:00",
      revoked_at: null,
      rotated_from: null,
      rotated_to: null,
    });
    expect(body.key).toMatch(/^xpz_live_[0-9a-f]{48}$/);
  });

  test("makes a key that works from the next request on, until it expires", async () => {
    const { mint, clock, enrichWith } = await open();
    const { key } = await bodyOf(await mint({ name: "x", expires_at: clock.after(hour).toISOString() }));
    expect((await enrichWith(key)).status).toBe(202);
    await clock.advance(hour);
    expect((await enrichWith(key)).status).toBe(401);
  });

  test.each([
    ["no name", {}],
    ["a name that is no text", { name: 7 }],
    ["a name that is null", { name: null }],
    ["an empty name", { name: "" }],
    ["a name of blanks", { name: " \t" }],
    ["a name of 65 characters", { name: "x".repeat(65) }],
    ["a name with a control character", { name: "a\u0007b" }],
    ["a lone surrogate", '{"name":"a\\ud800"}'],
    ["an expiry that is no text", { name: "x", expires_at: 4102444800 }],
    ["an expiry without a zone", { name: "x", expires_at: "2030-01-31T12:00:00" }],
    ["a day that does not exist", { name: "x", expires_at: "2030-02-30T12:00:00Z" }],
    ["a date", { name: "x", expires_at: "2030-01-31" }],
    ["an empty expiry", { name: "x", expires_at: "" }],
    ["an expiry in the past", { name: "x", expires_at: "2026-06-01T11:59:59Z" }],
    ["an expiry that is now", { name: "x", expires_at: "2026-06-01T12:00:00Z" }],
    ["an array", []],
    ["a text", '"canary"'],
    ["null", "null"],
  ])("%s is 400 invalid_request", async (_what, body) => {
    const { mint } = await open();
    const response = await mint(body);
    expect([response.status, await errorCode(response)]).toEqual([400, "invalid_request"]);
  });

  test.each([
    ["an unknown scope", { scopes: ["write"] }],
    ["no scope", { scopes: [] }],
    ["scopes as text", { scopes: "read" }],
    ["a scope that is no text", { scopes: [1] }],
    ["an address that is none", { allowed_ips: ["siem.example.com"] }],
    ["a prefix that is too long", { allowed_ips: ["10.0.0.0/33"] }],
    ["an empty address", { allowed_ips: [""] }],
    ["an address as text", { allowed_ips: "10.0.0.0/8" }],
    ["an IPv4 network in the form of IPv6", { allowed_ips: ["::ffff:10.0.0.0/104"] }],
    ["101 addresses", { allowed_ips: Array.from({ length: 101 }, (_, index) => `10.0.0.${index}`) }],
    ["a duration without a unit", { expires_in: "90" }],
    ["a duration of nothing", { expires_in: "0d" }],
    ["a duration that is no text", { expires_in: 90 }],
    ["a duration beyond all dates", { expires_in: "9999999999d" }],
    ["both forms of an expiry", { expires_in: "90d", expires_at: "2030-01-31T12:00:00Z" }],
  ])("pipeline 14.4 %s is 400 invalid_request, and says what is wanted", async (_what, wrong) => {
    const { mint, list } = await open();
    const response = await mint({ name: "x", ...wrong });
    expect([response.status, await errorCode(response)]).toEqual([400, "invalid_request"]);
    expect((await list()).keys).toHaveLength(1);
  });

  test.each([
    { wanted: {}, scopes: ["enrich", "watch"], ips: [], expiry: null },
    {
      wanted: { scopes: null, allowed_ips: null, expires_in: null, expires_at: null },
      scopes: ["enrich", "watch"],
      ips: [],
      expiry: null,
    },
    { wanted: { scopes: ["read", "read"] }, scopes: ["read"], ips: [], expiry: null },
    { wanted: { scopes: ["watch", "read", "enrich"] }, scopes: ["enrich", "read", "watch"], ips: [], expiry: null },
    {
      wanted: { allowed_ips: ["10.20.0.0/16", "192.0.2.7", "2001:DB8::/32", "192.0.2.7/32"] },
      scopes: ["enrich", "watch"],
      ips: ["10.20.0.0/16", "192.0.2.7/32", "2001:db8::/32"],
      expiry: null,
    },
    { wanted: { allowed_ips: [] }, scopes: ["enrich", "watch"], ips: [], expiry: null },
    { wanted: { expires_in: "90d" }, scopes: ["enrich", "watch"], ips: [], expiry: "2026-08-30T12:00:00+00:00" },
    { wanted: { expires_in: "12h" }, scopes: ["enrich", "watch"], ips: [], expiry: "2026-06-02T00:00:00+00:00" },
  ])("pipeline 14.4 $wanted: scopes $scopes, allowed_ips $ips, expires_at $expiry", async (row) => {
    const { mint, list } = await open();
    const shown = { scopes: row.scopes, allowed_ips: row.ips, expires_at: row.expiry };
    const minted = await bodyOf(await mint({ name: "x", ...row.wanted }));
    expect(minted).toMatchObject(shown);
    expect((await list()).keys.find(({ id }) => id === minted.id)).toMatchObject(shown);
  });

  test("the trail says what a key may do where that is not the usual", async () => {
    const { mint, store, tenant } = await open();
    await mint({ name: "usual" });
    await mint({ name: "narrow", scopes: ["read"], allowed_ips: ["192.0.2.0/24"] });
    const page = { limit: 2, cursor: null, keyId: null };
    const { items } = await store.listEvents(tenant.id, page);
    expect(items.map(({ action, keyName, detail }) => [action, keyName, detail])).toEqual([
      ["key.created", "narrow", "scopes read; allowed_ips 192.0.2.0/24"],
      ["key.created", "usual", null],
    ]);
  });

  test("a null expiry means no expiry, and a time with an offset is converted to UTC", async () => {
    const { mint } = await open();
    expect((await bodyOf(await mint({ name: "a", expires_at: null })))["expires_at"]).toBeNull();
    const offset = await bodyOf(await mint({ name: "b", expires_at: "2030-01-31T12:00:00.5+02:00" }));
    expect(offset["expires_at"]).toBe("2030-01-31T10:00:00+00:00");
  });

  test("the name of an active key, in any case, is 409, and is free again after a revocation", async () => {
    const { mint, call, path } = await open();
    const { id } = await bodyOf(await mint({ name: "Splunk" }));
    const again = await mint({ name: "sPLUNK" });
    expect([again.status, await errorCode(again)]).toEqual([409, "conflict"]);
    await call("DELETE", `${path}/${id}`);
    expect((await mint({ name: "sPLUNK" })).status).toBe(201);
  });

  test("the fifty-first active key is 409, and a rotation does not add a key", async () => {
    const { mint, call, path } = await open();
    let id = "";
    for (let count = 1; count < maxActiveKeys; count += 1)
      ({ id } = await bodyOf(await mint({ name: `Key ${count}` })));
    const full = await mint({ name: "one more" });
    expect([full.status, await errorCode(full)]).toEqual([409, "conflict"]);
    expect((await call("POST", `${path}/${id}/rotate`)).status).toBe(201);
  });
});

describe("9.4 listing", () => {
  test("shows every key, including revoked keys, newest first, and never a plaintext or a hash", async () => {
    const { mint, call, path, list, clock, tenant } = await open();
    await clock.advance(1000);
    const first = await bodyOf(await mint({ name: "first" }));
    await clock.advance(1000);
    const second = await bodyOf(await mint({ name: "second" }));
    await call("DELETE", `${path}/${first.id}`);
    const text = await (await call("GET", path)).text();
    const { keys, next_cursor } = JSON.parse(text) as ListBody;
    expect(keys.map(({ id, status }) => [id, status])).toEqual([
      [second.id, "active"],
      [first.id, "revoked"],
      [tenant.keyId, "active"],
    ]);
    for (const key of keys) expect(Object.keys(key).join()).toBe(keyFields);
    expect(next_cursor).toBeNull();
    for (const secret of [first.key, second.key, tenant.token, tenant.keyHash]) expect(text).not.toContain(secret);
    expect((await list("?status=revoked")).keys.map(({ id }) => id)).toEqual([first.id]);
  });

  test("goes through all keys page by page", async () => {
    const { mint, list } = await open();
    for (let count = 0; count < 4; count += 1) await mint({ name: `Key ${count}` });
    const seen: string[] = [];
    let query = "?limit=2";
    for (;;) {
      const { keys, next_cursor } = await list(query);
      expect(keys.length).toBeLessThanOrEqual(2);
      seen.push(...keys.map(({ id }) => id));
      if (next_cursor === null) break;
      query = `?limit=2&cursor=${encodeURIComponent(next_cursor)}`;
    }
    expect(new Set(seen).size).toBe(5);
    expect(seen).toHaveLength(5);
  });

  test("a revoked key shows its revocation, a rotated key its successor, and use shows to the minute", async () => {
    const { mint, call, path, list, enrichWith } = await open();
    const old = await bodyOf(await mint({ name: "x" }));
    await enrichWith(old.key);
    const next = await bodyOf(await call("POST", `${path}/${old.id}/rotate`));
    const { keys } = await list("?status=revoked");
    const at = "2026-06-01T12:00:00+00:00";
    expect(keys).toMatchObject([{ id: old.id, last_used_at: at, revoked_at: at, rotated_to: next.id }]);
  });

  test.each([
    "?limit=0",
    "?limit=201",
    "?limit=-1",
    "?limit=",
    "?limit=x",
    "?limit=1.5",
    "?cursor=",
    "?cursor=canary",
    "?status=",
    "?status=ACTIVE",
    "?status=deleted",
  ])("%s is 400 invalid_request", async (query) => {
    const { call, path } = await open();
    const response = await call("GET", `${path}${query}`);
    expect([response.status, await errorCode(response)]).toEqual([400, "invalid_request"]);
  });

  test.each(["?limit=1", "?limit=200", "?unknown=1", "?status=expired"])("%s is 200", async (query) => {
    const { call, path } = await open();
    expect((await call("GET", `${path}${query}`)).status).toBe(200);
  });
});

describe("9.5 rotation", () => {
  test("answers 201 with a new key of the same name, expiry and rights, which replaces the old key immediately", async () => {
    const { mint, call, path, clock, enrichWith } = await open();
    const rights = { scopes: ["enrich"], allowed_ips: ["127.0.0.0/8"] };
    const old = await bodyOf(await mint({ name: "Splunk", expires_at: clock.after(hour).toISOString(), ...rights }));
    const response = await call("POST", `${path}/${old.id}/rotate`);
    expect(response.status).toBe(201);
    const next = await bodyOf(response);
    expect(Object.keys(next).join()).toBe(`${keyFields},key`);
    const same = { name: old["name"], expires_at: old["expires_at"], ...rights };
    expect(next).toMatchObject({ ...same, status: "active", rotated_from: old.id, rotated_to: null });
    expect([next.id === old.id, next.key === old.key]).toEqual([false, false]);
    expect([(await enrichWith(old.key)).status, (await enrichWith(next.key)).status]).toEqual([401, 202]);
  });

  test("ignores any body", async () => {
    const { tenant, call, path } = await open();
    const wrong = await call("POST", `${path}/${tenant.keyId}/rotate`, "x".repeat(100_000), {
      "Content-Type": "text/plain",
    });
    expect(wrong.status).toBe(201);
  });

  test("of twenty concurrent rotations one is 201 and nineteen are 409, and one key works afterwards", async () => {
    const { tenant, call, path, list, enrichWith } = await open();
    const all = await Promise.all(Array.from({ length: 20 }, () => call("POST", `${path}/${tenant.keyId}/rotate`)));
    const won = all.filter(({ status }) => status === 201);
    expect([won.length, all.filter(({ status }) => status === 409).length]).toEqual([1, 19]);
    const [winner] = won;
    if (winner === undefined) return expect.unreachable();
    expect((await enrichWith((await bodyOf(winner)).key)).status).toBe(202);
    expect((await list("?status=active")).keys).toHaveLength(1);
  });

  test("a key that is revoked, rotated or has expired is 409", async () => {
    const { mint, call, path, clock } = await open();
    const expiring = await bodyOf(await mint({ name: "a", expires_at: clock.after(hour).toISOString() }));
    const revoked = await bodyOf(await mint({ name: "b" }));
    const rotated = await bodyOf(await mint({ name: "c" }));
    await call("DELETE", `${path}/${revoked.id}`);
    await call("POST", `${path}/${rotated.id}/rotate`);
    await clock.advance(hour);
    for (const { id } of [expiring, revoked, rotated]) {
      const response = await call("POST", `${path}/${id}/rotate`);
      expect([response.status, await errorCode(response)]).toEqual([409, "conflict"]);
    }
  });

  test("8.4 passes the rest of the budget to the new key", async () => {
    const { tenant, call, path, enrichWith } = await open();
    for (let count = 0; count < 3; count += 1) await enrichWith(tenant.token);
    const { key } = await bodyOf(await call("POST", `${path}/${tenant.keyId}/rotate`));
    expect((await enrichWith(key)).headers.get("X-RateLimit-Remaining")).toBe("596");
  });

  test("6.1 a scan that the old key asked for can be polled with the new one", async () => {
    const { tenant, call, path, scanned, respond } = await open();
    const scanId = await scanned("jane.doe@example.com");
    const { key } = await bodyOf(await call("POST", `${path}/${tenant.keyId}/rotate`));
    expect((await socClient(respond, key as never).get(`/${scanId}`)).status).toBe(200);
    expect((await socClient(respond, tenant.token).get(`/${scanId}`)).status).toBe(401);
  });
});

describe("9.6 revocation", () => {
  test("answers 200 with the revoked key, is idempotent, and applies from the next request on", async () => {
    const { tenant, call, path, clock, enrichWith } = await open();
    const first = await call("DELETE", `${path}/${tenant.keyId}`);
    expect(first.status).toBe(200);
    const body = await bodyOf(first);
    expect(Object.keys(body).join()).toBe(keyFields);
    const revoked = { id: tenant.keyId, status: "revoked", revoked_at: "2026-06-01T12:00:00+00:00" };
    expect(body).toMatchObject(revoked);
    expect((await enrichWith(tenant.token)).status).toBe(401);
    await clock.advance(hour);
    const again = await call("DELETE", `${path}/${tenant.keyId}`);
    expect([again.status, await bodyOf(again)]).toEqual([200, body]);
  });

  test("9.7 does not affect a scan that the key started", async () => {
    const service = await open();
    const { request_id: id } = (await (await service.enrichWith(service.tenant.token)).json()) as {
      request_id: string;
    };
    await service.call("DELETE", `${service.path}/${service.tenant.keyId}`);
    await service.runner.whenSettled(id as never, 5_000, new AbortController().signal);
    const { key } = await bodyOf(await service.mint({ name: "new" }));
    const poll = await socClient(service.respond, key as never).get(`/${id}`);
    expect(await poll.json()).toMatchObject({ status: "completed" });
  });
});

describe("order of checks of key management (contract 2)", () => {
  const unknown = "3f2a8c1e-0000-4000-8000-000000000000";
  const tooLong = "x".repeat(20_000);
  const text = { "Content-Type": "text/plain" };

  /** All errors of a mint request in the order of the checks; each row fixes the error of the previous row. */
  const steps = [
    { status: 404, code: "not_found", what: { path: "/api/v1/workspaces", host: "evil.example" } },
    { status: 403, code: "forbidden", what: { host: "evil.example" } },
    { status: 401, code: "unauthorized", what: { who: "nobody" } },
    { status: 403, code: "forbidden", what: { who: "viewer" } },
    { status: 413, code: "payload_too_large", what: { body: tooLong, headers: text } },
    { status: 415, code: "unsupported_media_type", what: { body: "{", headers: text } },
    { status: 400, code: "malformed_json", what: { body: "{" } },
    { status: 400, code: "invalid_request", what: { body: '{"name":""}' } },
    { status: 403, code: "plan_required", what: { body: '{"name":"TAKEN"}' } },
    { status: 409, code: "conflict", what: { body: '{"name":"TAKEN"}', plan: "team" } },
    { status: 201, code: null, what: { body: '{"name":"free"}', plan: "team" } },
  ] as const;

  test.each(steps)("minting: $status $code", async ({ status, code, what }) => {
    const service = await open();
    const { token } = await addOperator(service, service.tenant.id, "victor", "viewer");
    await service.mint({ name: "taken" });
    if (!("plan" in what)) await service.store.changeWorkspace(service.tenant.id, { plan: "starter" }, testAuthor);
    const who = "who" in what ? what.who : "admin";
    const credentials: Record<string, Record<string, string>> = {
      nobody: { Authorization: "" },
      viewer: { Authorization: `Bearer ${token}` },
    };
    const response = await service.call(
      "POST",
      "path" in what ? what.path : service.path,
      "body" in what ? what.body : tooLong,
      {
        ...("headers" in what ? what.headers : {}),
        ...("host" in what ? { Host: what.host } : {}),
        ...credentials[who],
      },
    );
    expect([response.status, code === null ? null : await errorCode(response)]).toEqual([status, code]);
  });

  test("rotating: the checks are 401, 403, 404, plan and conflict, in this order", async () => {
    const service = await open();
    const { tenant, call, path, store } = service;
    const viewer = { Authorization: `Bearer ${(await addOperator(service, tenant.id, "victor", "viewer")).token}` };
    await call("DELETE", `${path}/${tenant.keyId}`);
    await store.changeWorkspace(tenant.id, { plan: "free" }, testAuthor);
    const at = async (id: string, headers = {}) => {
      const response = await call("POST", `${path}/${id}/rotate`, undefined, headers);
      return `${response.status} ${await errorCode(response)}`;
    };
    expect(await at(unknown, { Authorization: "" })).toBe("401 unauthorized");
    expect(await at(unknown, viewer)).toBe("403 forbidden");
    expect(await at(unknown)).toBe("404 not_found");
    expect(await at(tenant.keyId)).toBe("403 plan_required");
    await store.changeWorkspace(tenant.id, { plan: "team" }, testAuthor);
    expect(await at(tenant.keyId)).toBe("409 conflict");
  });

  test("listing and revoking are allowed on every plan, minting and rotating are not", async () => {
    const { tenant, call, path, mint, store } = await open();
    await store.changeWorkspace(tenant.id, { plan: "free" }, testAuthor);
    const refused = [await mint({ name: "x" }), await call("POST", `${path}/${tenant.keyId}/rotate`)];
    for (const response of refused)
      expect([response.status, await errorCode(response)]).toEqual([403, "plan_required"]);
    expect((await call("GET", path)).status).toBe(200);
    expect((await call("DELETE", `${path}/${tenant.keyId}`)).status).toBe(200);
  });

  test("wrong methods are 405 with Allow, without credentials", async () => {
    const { respond, path } = await open();
    const { call } = operatorClient(respond);
    const keys = await call("DELETE", path);
    expect([keys.status, keys.headers.get("Allow")]).toEqual([405, "GET, HEAD, POST"]);
    const one = await call("GET", `${path}/${unknown}`);
    expect([one.status, one.headers.get("Allow"), await errorCode(one)]).toEqual([405, "DELETE", "method_not_allowed"]);
    const rotate = await call("GET", `${path}/${unknown}/rotate`);
    expect([rotate.status, rotate.headers.get("Allow")]).toEqual([405, "POST"]);
  });
});
