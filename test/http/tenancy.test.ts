import { describe, expect, test } from "vitest";
import { createKey, type KeyRequest } from "../../src/access/api-key.ts";
import { makeToken } from "../../src/domain/api-key.ts";
import type { Peer } from "../../src/http/caller.ts";
import { routes } from "../../src/http/route-table.ts";
import type { Route } from "../../src/http/router.ts";
import { addOperator, type ManagementMethod, operatorClient, ownHost } from "../helpers/operator-client.ts";
import { testAuthor } from "../helpers/test-author.ts";
import { openTestService, type Tenant, type TestService } from "../helpers/test-service.ts";

/**
 * Every route x every kind of id x every kind of caller, from the route table. A new route without a row here fails the
 * first test.
 */

/** Kinds of ids from the point of view of the first tenant. */
const idKinds = ["own", "foreign", "unknown", "malformed", "upper-case"] as const;
type IdKind = (typeof idKinds)[number];

const callers = [
  "nobody",
  "malformed key",
  "unknown key",
  "revoked key",
  "rotated key",
  "expired key",
  "key of a disabled workspace",
  "key below the plan",
  "key of another network",
  "key that only watches",
  "key that only reads",
  "key",
  "key of another workspace",
  "unknown token",
  "revoked operator",
  "viewer",
  "admin",
  "admin of another workspace",
  "session of the viewer",
  "session of the admin",
  "session without our origin",
  "ended session",
] as const;
type Caller = (typeof callers)[number];

/** Kinds of ids by the name of the path segment. */
type Ids = Readonly<Record<string, IdKind>>;

/** The answer of a route to a caller, by the ids in its path. */
type Row = (caller: Caller, ids: Ids) => number;

/** The tenant that a key or operator acts for; ids are judged from its point of view. */
function isOwn(caller: Caller, kind: IdKind | undefined): boolean {
  return kind === (caller.endsWith("of another workspace") ? "foreign" : "own");
}

/** 401 without a valid key, 403 below the plan and without the scope; else null. */
function refusedKey(caller: Caller): number | null {
  if (caller === "key" || caller === "key that only reads" || caller === "key of another workspace") return null;
  return caller === "key below the plan" || caller === "key that only watches" ? 403 : 401;
}

const operators: readonly Caller[] = [
  "viewer",
  "admin",
  "admin of another workspace",
  "session of the viewer",
  "session of the admin",
  "session without our origin",
];

/** 401 without a valid operator, 403 without the right; else null. */
function refusedOperator(caller: Caller, ids: Ids, needs: "viewer" | "admin", isUnsafe: boolean): number | null {
  if (!operators.includes(caller)) return 401;
  if (isUnsafe && caller === "session without our origin") return 403;
  if (ids["workspace_id"] !== undefined && !isOwn(caller, ids["workspace_id"])) return 403;
  return needs === "admin" && caller.endsWith("viewer") ? 403 : null;
}

/** A key with the scope `watch`, which the default scopes have. */
const watchRow: Row = (caller) => {
  if (caller === "key that only watches") return 200;
  return caller === "key that only reads" ? 403 : (refusedKey(caller) ?? 200);
};
const pollRow: Row = (caller, ids) => refusedKey(caller) ?? (isOwn(caller, ids["request_id"]) ? 200 : 404);
const viewerRow: Row = (caller, ids) => refusedOperator(caller, ids, "viewer", false) ?? 200;
const lookUpRow: Row = (caller, ids) =>
  refusedOperator(caller, ids, "viewer", false) ?? (isOwn(caller, ids["request_id"]) ? 200 : 404);
const workspace = "/api/v1/workspaces/{workspace_id}";
const dashboard = "/api/v1/dashboard";
const declared: Readonly<Record<string, Row>> = {
  "POST /api/v1/soc/enrich": (caller) => refusedKey(caller) ?? (caller === "key that only reads" ? 404 : 202),
  "GET /api/v1/soc/enrich": (caller) => refusedKey(caller) ?? (caller === "key that only reads" ? 404 : 202),
  "POST /api/v1/soc/enrich/bulk": (caller) => refusedKey(caller) ?? (caller === "key that only reads" ? 200 : 202),
  "GET /api/v1/soc/enrich/bulk/{bulk_id}": (caller, ids) =>
    refusedKey(caller) ?? (isOwn(caller, ids["bulk_id"]) ? 200 : 404),
  "GET /api/v1/soc/enrich/{request_id}": pollRow,
  "GET /api/v1/soc/enrich/{request_id}/sources": pollRow,
  "GET /api/v1/soc/enrich/{request_id}/evidence": pollRow,
  "GET /api/v1/soc/enrich/{request_id}/case": pollRow,
  "GET /api/v1/soc/enrich/{request_id}/export": pollRow,
  "GET /api/v1/soc/enrich/{request_id}/changes": pollRow,
  "POST /api/v1/soc/history": (caller) => refusedKey(caller) ?? 200,
  "GET /api/v1/soc/whoami": (caller) => (caller === "key that only watches" ? 200 : (refusedKey(caller) ?? 200)),
  "POST /api/v1/soc/watch": watchRow,
  "GET /api/v1/soc/watch": watchRow,
  "POST /api/v1/soc/watch/remove": watchRow,
  "GET /api/v1/soc/events": watchRow,
  [`POST ${workspace}/keys`]: (caller, ids) => refusedOperator(caller, ids, "admin", true) ?? 201,
  [`GET ${workspace}/keys`]: (caller, ids) => refusedOperator(caller, ids, "admin", false) ?? 200,
  [`POST ${workspace}/keys/{key_id}/rotate`]: (caller, ids) =>
    refusedOperator(caller, ids, "admin", true) ?? (isOwn(caller, ids["key_id"]) ? 201 : 404),
  [`DELETE ${workspace}/keys/{key_id}`]: (caller, ids) =>
    refusedOperator(caller, ids, "admin", true) ?? (isOwn(caller, ids["key_id"]) ? 200 : 404),
  [`GET ${workspace}/audit`]: (caller, ids) => refusedOperator(caller, ids, "viewer", false) ?? 200,
  // The body holds no token, so no log-in succeeds, whatever other credentials the request has.
  "POST /api/v1/session": () => 401,
  // A token has no session to end.
  "DELETE /api/v1/session": (caller, ids) =>
    refusedOperator(caller, ids, "viewer", true) ?? (caller.startsWith("session") ? 204 : 401),
  "GET /": () => 200,
  "GET /assets/{name}": (_caller, ids) => (ids["name"] === "own" ? 200 : 404),
  [`GET ${dashboard}/about`]: () => 200,
  [`GET ${dashboard}/me`]: viewerRow,
  [`GET ${dashboard}/overview`]: viewerRow,
  [`GET ${dashboard}/sources`]: viewerRow,
  [`GET ${dashboard}/corpora`]: viewerRow,
  [`GET ${dashboard}/budgets`]: (caller, ids) => refusedOperator(caller, ids, "admin", false) ?? 200,
  [`POST ${dashboard}/enrich`]: (caller, ids) => refusedOperator(caller, ids, "viewer", true) ?? 202,
  [`GET ${dashboard}/enrich/{request_id}`]: lookUpRow,
  [`GET ${dashboard}/enrich/{request_id}/sources`]: lookUpRow,
  [`GET ${dashboard}/enrich/{request_id}/evidence`]: lookUpRow,
  "GET /healthz": () => 200,
  "OPTIONS /healthz": () => 200,
  "OPTIONS /": () => 200,
  "GET /readyz": () => 200,
  "GET /openapi.json": () => 200,
  // The request comes from another machine.
  "GET /metrics": (caller, ids) => refusedOperator(caller, ids, "viewer", false) ?? 200,
};

const queries: Readonly<Record<string, string>> = {
  "GET /api/v1/soc/enrich": "?email=new%40example.com",
  "GET /api/v1/soc/enrich/{request_id}/export": "?format=csv",
};

const nameOf = ({ method, path }: Route) => `${method} ${path}`;
const stranger: Peer = { address: "203.0.113.7", isTls: false };
const hour = 3_600_000;
const unknownId = "3f2a8c1e-0000-4000-8000-000000000000";

/** All combinations of kinds of ids in a path. */
function idsOf(path: string): Ids[] {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
  return names.reduce<Ids[]>(
    (all, name) => all.flatMap((ids) => idKinds.map((kind) => ({ ...ids, [name]: kind }))),
    [{}],
  );
}

/** Two tenants with all kinds of objects, and the headers of every caller. */
async function open() {
  const service = await openTestService({
    live: { limits: { team: 0, enterprise: 0, windowMs: hour } },
    app: { logIns: { take: () => null }, hasGetLookUp: true },
  });
  const { tenant, store, clock } = service;
  const [other, disabled, cheap] = [
    await service.addTenant("Other"),
    await service.addTenant("Disabled"),
    await service.addTenant("Cheap", "starter"),
  ];
  const by = { ...testAuthor, at: clock.now() };
  const expired = await addKey(service, tenant, { expiresAt: clock.after(1).toISOString() });
  const away = await addKey(service, tenant, { allowedIps: ["127.0.0.1", "198.51.100.0/24"] });
  const home = { allowedIps: ["203.0.113.0/24"] };
  const watching = await addKey(service, tenant, { ...home, scopes: ["watch"] });
  const reading = await addKey(service, tenant, { ...home, scopes: ["read"] });
  const revoked = await addKey(service, tenant);
  await store.revokeKey(tenant.id, revoked.id, by);
  const rotated = await addKey(service, tenant);
  const next = { id: service.newId(), prefix: "xpz_live_0000", hash: "ab", createdAt: by.at, createdBy: "cli" };
  await store.rotateKey(tenant.id, rotated.id, next, by);
  await store.changeWorkspace(disabled.id, { disabledAt: by.at }, by);
  const [scan, foreignScan] = [
    await service.scanned("jane.doe@example.com"),
    await service.scanned("jane.doe@example.com", other),
  ];
  const admin = await addOperator(service, tenant.id, "alice");
  const viewer = await addOperator(service, tenant.id, "victor", "viewer");
  const foreignAdmin = await addOperator(service, other.id, "mallory");
  const gone = await addOperator(service, tenant.id, "gone");
  await store.revokeOperator(tenant.id, gone.id, by);
  await clock.advance(1);
  const { call } = operatorClient((request) => service.respond(request, stranger), { "X-Correlation-Id": "c-1" });

  const logIn = async (token: string) => {
    const response = await call("POST", "/api/v1/session", { token });
    return (response.headers.get("Set-Cookie") ?? "").split(";", 1)[0] ?? "";
  };
  const Origin = `http://${ownHost}`;
  const ended = await logIn(admin.token);
  await call("DELETE", "/api/v1/session", undefined, { Cookie: ended, Origin });
  const key = (token: string) => ({ "X-API-Key": token });
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
  const headers: Record<Caller, Record<string, string>> = {
    nobody: {},
    "malformed key": key("xpz_live_canary"),
    "unknown key": key(makeToken("key", new Uint8Array(20))),
    "revoked key": key(revoked.token),
    "rotated key": key(rotated.token),
    "expired key": key(expired.token),
    "key of a disabled workspace": key(disabled.token),
    "key below the plan": key(cheap.token),
    "key of another network": key(away.token),
    "key that only watches": key(watching.token),
    "key that only reads": key(reading.token),
    key: key(tenant.token),
    "key of another workspace": key(other.token),
    "unknown token": bearer(makeToken("operator", new Uint8Array(20))),
    "revoked operator": bearer(gone.token),
    viewer: bearer(viewer.token),
    admin: bearer(admin.token),
    "admin of another workspace": bearer(foreignAdmin.token),
    "session of the viewer": { Cookie: await logIn(viewer.token), Origin },
    "session of the admin": { Cookie: await logIn(admin.token), Origin },
    "session without our origin": { Cookie: await logIn(admin.token), Origin: "http://evil.example" },
    "ended session": { Cookie: ended, Origin },
  };

  const list = { indicators: [{ type: "email", value: "jane.doe@example.com" }] };
  const bulk = async (caller: Caller) => {
    const response = await call("POST", "/api/v1/soc/enrich/bulk", list, headers[caller]);
    return ((await response.json()) as { bulk_id: string }).bulk_id;
  };
  const ids: Readonly<Record<string, Record<"own" | "foreign", string>>> = {
    bulk_id: { own: await bulk("key"), foreign: await bulk("key of another workspace") },
    request_id: { own: scan, foreign: foreignScan },
    workspace_id: { own: tenant.id, foreign: other.id },
    name: { own: "app-0a1b2c3d.js", foreign: "app-00000000.js" },
    key_id: { own: (await addKey(service, tenant)).id, foreign: (await addKey(service, other)).id },
  };
  const texts: Record<string, (name: string) => string> = {
    own: (name) => ids[name]?.own ?? "",
    foreign: (name) => ids[name]?.foreign ?? "",
    unknown: () => unknownId,
    malformed: () => "canary",
    "upper-case": (name) => (ids[name]?.own ?? "").toUpperCase(),
  };

  return {
    async ask({ method, path }: Route, caller: Caller, kinds: Ids) {
      const filled = path.replaceAll(/\{(\w+)\}/g, (_match, name: string) => texts[kinds[name] ?? ""]?.(name) ?? "");
      const content: Record<string, unknown> = {
        "POST /api/v1/soc/enrich": { indicator: { type: "email", value: "new@example.com" } },
        "POST /api/v1/soc/history": { indicator: { type: "email", value: "new@example.com" } },
        "POST /api/v1/soc/enrich/bulk": { indicators: [{ type: "email", value: "new@example.com" }] },
        "POST /api/v1/soc/watch": { indicators: [{ type: "email", value: "new@example.com" }] },
        "POST /api/v1/soc/watch/remove": { indicators: [{ type: "email", value: "new@example.com" }] },
        [`POST ${dashboard}/enrich`]: { indicator: { type: "email", value: "new@example.com" } },
        [`POST ${workspace}/keys`]: { name: "new" },
        "POST /api/v1/session": { token: "" },
      };
      const body = content[`${method} ${path}`];
      // Log-ins always use our origin: this row tests the credentials, not the check of the origin.
      const sent = path === "/api/v1/session" && method === "POST" ? { ...headers[caller], Origin } : headers[caller];
      const query = queries[`${method} ${path}`] ?? "";
      const response = await call(method as ManagementMethod, filled + query, body, sent);
      const text = await response.text();
      return { status: response.status, text, bytes: JSON.stringify([response.status, [...response.headers], text]) };
    },
  };
}

async function addKey(service: TestService, { id }: Tenant, wanted: Partial<KeyRequest> = {}) {
  const { store, keys, newId, app, clock } = service;
  const by = { ...testAuthor, at: clock.now() };
  const request = { workspaceId: id, name: newId(), expiresAt: null, ...wanted };
  const { key, token } = await createKey(request, {
    store,
    keys,
    by,
    entropy: { newId, randomBytes: app.randomBytes },
  });
  return { id: key.id, token };
}

test("the matrix of tenants has exactly one row per route of the route table", () => {
  expect(routes.map(nameOf).sort()).toEqual(Object.keys(declared).sort());
});

describe("9.1, 5.2 no caller reaches data of another tenant", () => {
  test.each(routes.map((route) => ({ route, name: nameOf(route) })))("$name", async ({ route, name }) => {
    const differing: string[] = [];
    let cellCount = 0;
    for (const caller of callers) {
      const service = await open();
      const kinds = idsOf(route.path);
      const told = new Map<string, Set<string>>();
      for (const ids of kinds) {
        const expected = declared[name]?.(caller, ids);
        const { status, text, bytes } = await service.ask(route, caller, ids);
        cellCount += 1;
        const cell = `${caller}, ${JSON.stringify(ids)}`;
        if (status !== expected) differing.push(`${cell}: ${status} instead of ${expected}`);
        if (status >= 400 && !/^\{"error":\{"code":"[a-z_]+","message":"[A-Z][^"]{5,}"\}\}$/.test(text)) {
          differing.push(`${cell}: ${text}`);
        }
        if (text.includes("canary")) differing.push(`${cell}: shows what was submitted`);
        // Foreign, unknown and malformed ids get the same bytes.
        if (status >= 400) told.set(String(expected), (told.get(String(expected)) ?? new Set()).add(bytes));
      }
      for (const [status, answers] of told) {
        if (answers.size !== 1) differing.push(`${caller}: ${answers.size} different answers of ${status}`);
      }
    }
    expect(differing).toEqual([]);
    expect(cellCount).toBe(callers.length * idsOf(route.path).length);
  });
});

test("1.2 every refused key gets the same bytes, on every route that needs a key", async () => {
  const service = await open();
  const answers = new Set<string>();
  for (const route of routes.filter(({ access }) => access === "key")) {
    for (const caller of callers.filter((one) => refusedKey(one) === 401)) {
      answers.add((await service.ask(route, caller, { request_id: "own", bulk_id: "own" })).bytes);
    }
  }
  expect(answers.size).toBe(1);
  expect([...answers][0]).toContain('ApiKey realm=\\"xpose\\"');
});
