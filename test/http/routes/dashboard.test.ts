import { expect, test } from "vitest";
import { createOperator, startSession } from "../../../src/access/operator.ts";
import type { OperatorRole } from "../../../src/domain/operator.ts";
import type { WorkspaceId } from "../../../src/domain/workspace.ts";
import { found, inventedSource } from "../../helpers/invented-source.ts";
import { errorCode } from "../../helpers/soc-client.ts";
import { testAuthor } from "../../helpers/test-author.ts";
import { openTestService, type TestServiceOptions } from "../../helpers/test-service.ts";

const base = "http://127.0.0.1:8080/api/v1/dashboard";
const address = "jane.doe@example.com";

/** The service with operators, who use their tokens. */
async function open(options: TestServiceOptions = {}) {
  const service = await openTestService(options);
  const { store, keys, newId, respond, app } = service;

  async function operator(role: OperatorRole, workspaceId: WorkspaceId = service.tenant.id, name = `${role} of it`) {
    const request = { workspaceId, name, role };
    const { token } = await createOperator(request, store, keys, { newId, randomBytes: app.randomBytes }, testAuthor);
    const send = (path: string, init: RequestInit = {}) =>
      respond(
        new Request(base + path, {
          ...init,
          headers: { Host: "127.0.0.1:8080", Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        }),
      );
    return {
      token,
      send,
      get: async (path: string) => (await (await send(path)).json()) as Record<string, unknown>,
      lookUp: (value: string) =>
        send("/enrich", { method: "POST", body: JSON.stringify({ indicator: { type: "email", value } }) }),
    };
  }
  return { ...service, operator };
}

const paths = ["/me", "/overview", "/sources", "/corpora", "/budgets", "/enrich/abc", "/enrich/abc/sources"];

test.each(paths)("%s needs an operator, and a key does not count as one", async (path) => {
  const { respond, tenant } = await open();
  for (const credentials of [{}, { "X-API-Key": tenant.token }, { Authorization: `Bearer ${tenant.token}` }]) {
    const headers = new Headers({ Host: "127.0.0.1:8080", ...credentials });
    const response = await respond(new Request(base + path, { headers }));
    expect([response.status, await errorCode(response)]).toEqual([401, "unauthorized"]);
  }
});

test("a viewer reads everything except keys", async () => {
  const { operator } = await open();
  const [viewer, admin] = [await operator("viewer"), await operator("admin")];
  for (const path of ["/me", "/overview", "/sources", "/corpora"]) expect((await viewer.send(path)).status).toBe(200);
  expect((await viewer.send("/budgets")).status).toBe(403);
  expect((await admin.send("/budgets")).status).toBe(200);
});

test("me shows the operator and the limits of the plan", async () => {
  const { operator, store, tenant } = await open();
  const viewer = await operator("viewer");
  expect(await viewer.get("/me")).toMatchObject({
    operator: { name: "viewer of it", role: "viewer" },
    workspace: { id: tenant.id, name: "default", plan: "team", status: "active" },
    api_access: true,
    rate_limit: { limit: 600, window_seconds: 3600 },
  });
  await store.changeWorkspace(tenant.id, { plan: "starter" }, testAuthor);
  expect(await viewer.get("/me")).toMatchObject({ api_access: false, rate_limit: null });
});

test("about is public, offers the source code, and reports a session but ignores tokens", async () => {
  const { respond, operator, store, keys, app, tenant } = await open();
  const about = async (headers: Record<string, string>) =>
    (await respond(new Request(`${base}/about`, { headers: { Host: "localhost:8080", ...headers } }))).json();
  const known = { licence: "AGPL-3.0-only", source_url: null };
  expect(await about({})).toEqual({ ...known, has_session: false });
  expect(await about({ Cookie: `xpose_session=${"0".repeat(64)}` })).toEqual({ ...known, has_session: false });
  const { token } = await operator("viewer");
  expect(await about({ Authorization: `Bearer ${token}` })).toEqual({ ...known, has_session: false });
  const [who] = await store.listOperators(tenant.id);
  if (who === undefined) throw new Error("no operator");
  const by = { ...testAuthor, at: app.now() };
  const secret = await startSession(who, store, keys, app.randomBytes, by);
  expect(await about({ Cookie: `xpose_session=${secret}` })).toEqual({ ...known, has_session: true });
});

test("a look-up is a 202 with a path of the dashboard, and then the envelope of the exposure API", async () => {
  const { operator, runner, respond, tenant } = await open();
  const viewer = await operator("viewer");
  const accepted = await viewer.lookUp(" JANE.doe@example.com");
  const { request_id: id, ...rest } = (await accepted.json()) as { request_id: string };
  expect(accepted.status).toBe(202);
  expect(rest).toEqual({
    status: "scanning",
    poll_url: `/api/v1/dashboard/enrich/${id}`,
    indicator: { type: "email", value: address },
  });
  expect(accepted.headers.get("Location")).toBe(`/api/v1/dashboard/enrich/${id}`);
  await runner.whenSettled(id as Parameters<typeof runner.whenSettled>[0], 5000, new AbortController().signal);
  const shown = await viewer.send(`/enrich/${id}`);
  const url = `http://127.0.0.1:8080/api/v1/soc/enrich/${id}`;
  const api = await respond(new Request(url, { headers: { "X-API-Key": tenant.token } }));
  expect(await shown.text()).toBe(await api.text());
  expect(shown.headers.get("X-Xpose-Exposure-Digest")).toBe(api.headers.get("X-Xpose-Exposure-Digest"));
  expect(shown.headers.has("X-RateLimit-Limit")).toBe(false);
  expect(await viewer.get(`/enrich/${id}/sources`)).toMatchObject({ sources: [{ source: "alpha", outcome: "ok" }] });
  expect(await viewer.get(`/enrich/${id}/evidence`)).toMatchObject({ request_id: id, findings: [{ source: "alpha" }] });
  expect(await (await viewer.lookUp(address)).json()).toMatchObject({ request_id: id, cache: "hit" });
});

test("a look-up is audited under the name of its operator, without the address", async () => {
  const { operator, store, tenant } = await open();
  await (await operator("viewer", tenant.id, "Vera")).lookUp(address);
  const { items } = await store.listEvents(tenant.id, { limit: 1, cursor: null, keyId: null });
  expect(items).toMatchObject([{ action: "enrich.requested", actor: "operator:Vera", outcome: "202", keyId: null }]);
  expect(JSON.stringify(items)).not.toContain("jane");
});

test.each([
  ["a value that is no address", '{"indicator":{"type":"email","value":"nobody"}}', 400, "invalid_email"],
  ["another type", '{"indicator":{"type":"domain","value":"example.com"}}', 422, "unsupported_indicator"],
  ["no JSON", "{", 400, "malformed_json"],
])("a look-up of %s is answered like in the exposure API", async (_name, body, status, code) => {
  const viewer = await (await open()).operator("viewer");
  const response = await viewer.send("/enrich", { method: "POST", body });
  expect([response.status, await errorCode(response)]).toEqual([status, code]);
});

test("a look-up below plan team is plan_required", async () => {
  const { operator, addTenant } = await open();
  const viewer = await operator("viewer", (await addTenant("poor", "starter")).id);
  const response = await viewer.lookUp(address);
  expect([response.status, await errorCode(response)]).toEqual([403, "plan_required"]);
});

test("every operator has its own limit of 60 look-ups per minute", async () => {
  const { operator, clock, tenant } = await open();
  const [viewer, other] = [await operator("viewer"), await operator("viewer", tenant.id, "other")];
  for (let count = 0; count < 60; count += 1) expect((await viewer.lookUp(address)).status).toBeLessThan(300);
  const refused = await viewer.lookUp(address);
  expect([refused.status, refused.headers.get("Retry-After")]).toEqual([429, "60"]);
  expect(await errorCode(refused)).toBe("rate_limited");
  expect((await other.lookUp(address)).status).toBeLessThan(300);
  await clock.advance(60_000);
  expect((await viewer.lookUp(address)).status).toBeLessThan(300);
});

test("a look-up of another workspace is answered like an unknown look-up", async () => {
  const { operator, addTenant, scanned } = await open();
  const stranger = await operator("admin", (await addTenant("other")).id);
  const id = await scanned(address);
  const answers = await Promise.all(
    [`/enrich/${id}`, "/enrich/3f2a8c1e-0000-4000-8000-000000000000", "/enrich/abc"].map(async (path) => {
      const response = await stranger.send(path);
      return [response.status, await response.text()].join(" ");
    }),
  );
  expect(new Set(answers).size).toBe(1);
  expect(answers[0]).toMatch(/^404 /);
});

test("the overview shows only the operator's workspace", async () => {
  const { operator, addTenant, scanned, tenant } = await open();
  const other = await addTenant("other");
  await scanned(address);
  const own = await (await operator("viewer", tenant.id)).get("/overview");
  const foreign = await (await operator("viewer", other.id)).get("/overview");
  const lastHour = (body: Record<string, unknown>) => (body["hours"] as object[]).at(-1);
  expect(own["hours"]).toHaveLength(24);
  expect(lastHour(own)).toEqual({ hour: "2026-06-01T12:00:00+00:00", requests: 1, hits: 0, polls: 0 });
  expect(lastHour(foreign)).toMatchObject({ requests: 0 });
  expect(own["sources"]).toMatchObject([
    { source: "alpha", outcomes: { ok: 1, no_data: 0, failed: 0, skipped: 0 }, last: { outcome: "ok", error: null } },
  ]);
  expect(foreign["sources"]).toEqual([]);
});

test("sources are exactly the sources that scans of the workspace ask", async () => {
  const { operator, addTenant, tenant } = await open({
    live: {
      sourcesOf: ({ name }) => [inventedSource(name === "default" ? "ours" : "theirs", async () => found("Example"))],
    },
  });
  const other = await addTenant("other");
  const names = async (id: WorkspaceId) =>
    ((await (await operator("viewer", id)).get("/sources"))["sources"] as { name: string }[]).map(({ name }) => name);
  expect(await names(tenant.id)).toEqual(["ours"]);
  expect(await names(other.id)).toEqual(["theirs"]);
});

test("corpora of another workspace are not shown", async () => {
  const { operator, addTenant, store, tenant } = await open();
  const other = await addTenant("other");
  for (const [name, scope] of [
    ["for-all", null],
    ["ours", tenant.id],
    ["theirs", other.id],
  ] as const) {
    const file = { fileName: "a.csv", sha256: name, format: "csv", recordCount: 7, importedAt: new Date(0) };
    const how = {
      contentSha256: null,
      rules: 1,
      importer: "cli",
      options: {},
      readCount: 8,
      skipped: {},
      durationMs: 1,
    };
    const segment = { file: `${name}.seg`, addressCount: 7, recordCount: 7, templateCount: 1, sizeBytes: 4096 };
    const publication = {
      name,
      scope,
      confidence: { value: 0.75, isGiven: false },
      origin: { value: name, isGiven: false },
      revision: name,
      import: { id: name, ...file, ...how },
      segment,
    };
    await store.publishImport(publication, testAuthor);
  }
  const { corpora } = await (await operator("viewer")).get("/corpora");
  expect(corpora).toMatchObject([
    { name: "for-all", scope: "all", records: 7, bytes: 4096, imports: [{ file_name: "a.csv", read: 8 }] },
    { name: "ours", scope: "workspace" },
  ]);
});

test("budgets show the used calls of a key, and reset after the window", async () => {
  const { operator, calls, clock, tenant } = await open();
  const admin = await operator("admin");
  await calls.serve(tenant.enrichCall(address));
  const budgets = [{ key_id: tenant.keyId, used: 1, resets_in_seconds: 3600 }];
  expect(await admin.get("/budgets")).toEqual({ limit: 600, window_seconds: 3600, budgets });
  await clock.advance(3_600_000);
  expect(await admin.get("/budgets")).toMatchObject({ budgets: [{ used: 0 }] });
});
