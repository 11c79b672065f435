import { expect, test } from "vitest";
import type * as z from "zod/mini";
import { auditEvent as newEvent } from "../../src/domain/audit.ts";
import { SourceError } from "../../src/domain/error.ts";
import { makeFinding } from "../../src/domain/finding.ts";
import { jsonResponse } from "../../src/http/response.ts";
import { routes } from "../../src/http/route-table.ts";
import type { Publication } from "../../src/store/port/corpus.ts";
import { auditList } from "../../src/wire/audit.ts";
import { bulk } from "../../src/wire/bulk.ts";
import { completedCase, failedCase } from "../../src/wire/case.ts";
import { changes } from "../../src/wire/changes.ts";
import { corpusList } from "../../src/wire/corpus.ts";
import { envelope } from "../../src/wire/envelope.ts";
import { errorBody } from "../../src/wire/error.ts";
import { eventList } from "../../src/wire/event.ts";
import { evidence } from "../../src/wire/finding.ts";
import { flat } from "../../src/wire/flat.ts";
import { history } from "../../src/wire/history.ts";
import { budgets, key, keyList, mintedKey } from "../../src/wire/key.ts";
import { overview } from "../../src/wire/overview.ts";
import { accepted, progress, scanSources } from "../../src/wire/scan.ts";
import { type Health, health, readiness } from "../../src/wire/service.ts";
import { about, me } from "../../src/wire/session.ts";
import { sourceList } from "../../src/wire/source.ts";
import { watchAdded, watchList, watchRemoved } from "../../src/wire/watch.ts";
import { whoami } from "../../src/wire/whoami.ts";
import { inventedSource } from "../helpers/invented-source.ts";
import { addOperator, operatorClient } from "../helpers/operator-client.ts";
import { socClient } from "../helpers/soc-client.ts";
import { testAuthor } from "../helpers/test-author.ts";
import { openTestService } from "../helpers/test-service.ts";
import { expectBody } from "../helpers/wire-body.ts";

const dashboard = "/api/v1/dashboard";
const known = "jane.doe@example.com";

/** A source with one finding about every address, with all members that a finding can have. */
const talkative = inventedSource("alpha", async () => ({
  findings: [
    makeFinding({
      category: "breach",
      severity: "high",
      title: "Present in Example Shop",
      subject: "shop.example.com",
      sourceUrl: "https://example.com/breach",
      year: 2021,
      details: { breach_date: "2021-05-04", data_classes: ["Email addresses"], nested: { count: 1 } },
    }),
  ],
  missing: ["pastes"],
}));
const broken = inventedSource("beta", async () => {
  throw new SourceError("timeout", "no answer");
});

/** A corpus that every workspace sees. */
const publication: Publication = {
  name: "example-shop",
  scope: null,
  confidence: { value: 0.75, isGiven: false },
  origin: { value: "example-shop", isGiven: false },
  revision: "1",
  import: {
    id: "1",
    fileName: "example-shop.csv",
    sha256: "0".repeat(64),
    contentSha256: null,
    rules: 1,
    format: "csv",
    importer: "cli",
    options: { subject: "shop.example.com" },
    readCount: 8,
    recordCount: 7,
    skipped: { no_email: 1 },
    importedAt: testAuthor.at,
    durationMs: 12,
  },
  segment: { file: "1.seg", addressCount: 7, recordCount: 7, templateCount: 1, sizeBytes: 4096 },
};

/** The service after a scan of `known` and a hit, with a corpus, a rotated key, and events of every form. */
async function openStage() {
  const service = await openTestService({ app: { hasGetLookUp: true } });
  const { tenant, respond, store, sources } = service;
  sources.splice(0, sources.length, talkative, broken);
  const { token } = await addOperator(service, tenant.id, "alice");
  const soc = socClient(respond, tenant.token);
  const { call } = operatorClient(respond, { Authorization: `Bearer ${token}` });
  const workspace = `/api/v1/workspaces/${tenant.id}`;
  const newKey = async (name: string) => {
    const minted = await call("POST", `${workspace}/keys`, { name, expires_at: "2030-01-31T12:00:00Z" });
    return expectBody(mintedKey, await minted.text()).id;
  };
  await store.publishImport(publication, testAuthor);
  const scanId = await service.scanned(known);
  await soc.enrich(known);
  await call("POST", `${workspace}/keys/${await newKey("rotated")}/rotate`);
  await store.changeWorkspace(tenant.id, { plan: "enterprise" }, testAuthor);
  const denied = { workspaceId: tenant.id, keyId: tenant.keyId, keyName: "test", count: 3 };
  await store.appendEvents([newEvent({ ...testAuthor, ip: "192.0.2.1", correlationId: "c-1" }, "auth.denied", denied)]);
  return { ...service, soc, call, workspace, newKey, scanId };
}

type Stage = Awaited<ReturnType<typeof openStage>>;
type Row = readonly [
  route: string,
  what: string,
  schema: z.ZodMiniType,
  ask: (stage: Stage) => Response | Promise<Response>,
];

async function pollBulk({ soc }: Stage): Promise<Response> {
  const { bulk_id } = expectBody(bulk, await (await soc.bulk([known])).text());
  return await soc.get(`/bulk/${bulk_id}`);
}

const rows: readonly Row[] = [
  ["POST /api/v1/soc/enrich", "a miss", accepted, ({ soc }) => soc.enrich("somebody@example.com")],
  ["POST /api/v1/soc/enrich", "a hit", envelope, ({ soc }) => soc.enrich(known)],
  ["POST /api/v1/soc/enrich", "a refusal", errorBody, ({ soc }) => soc.enrich("nobody")],
  ["POST /api/v1/soc/enrich/bulk", "a list", bulk, ({ soc }) => soc.bulk([known, "new@example.com", "nope"])],
  ["POST /api/v1/soc/enrich/bulk", "a refusal", errorBody, ({ soc }) => soc.bulk([])],
  ["GET /api/v1/soc/enrich/bulk/{bulk_id}", "a list", bulk, (stage) => pollBulk(stage)],
  ["GET /api/v1/soc/enrich/{request_id}", "a completed scan", envelope, ({ soc, scanId }) => soc.get(`/${scanId}`)],
  ["GET /api/v1/soc/enrich/{request_id}", "a scan that failed", progress, (stage) => pollFailed(stage)],
  ["GET /api/v1/soc/enrich/{request_id}", "an unfinished scan", progress, pollUnfinished],
  [
    "GET /api/v1/soc/enrich/{request_id}/sources",
    "a scan",
    scanSources,
    ({ soc, scanId }) => soc.get(`/${scanId}/sources`),
  ],
  [
    "GET /api/v1/soc/enrich/{request_id}/evidence",
    "a scan",
    evidence,
    ({ soc, scanId }) => soc.get(`/${scanId}/evidence`),
  ],
  [
    "GET /api/v1/soc/enrich/{request_id}/case",
    "a completed scan",
    completedCase,
    ({ soc, scanId }) => soc.get(`/${scanId}/case`),
  ],
  ["GET /api/v1/soc/enrich/{request_id}/case", "a scan that failed", failedCase, (stage) => pollFailed(stage, "/case")],
  [
    "GET /api/v1/soc/enrich/{request_id}/export",
    "a scan that failed",
    progress,
    (stage) => pollFailed(stage, "/export?format=csv"),
  ],
  ["POST /api/v1/soc/enrich", "a hit as one flat object", flat, ({ soc }) => soc.enrich(known, {}, "?view=flat")],
  ["POST /api/v1/soc/enrich", "a hit as a case", completedCase, ({ soc }) => soc.enrich(known, {}, "?view=case")],
  ["POST /api/v1/soc/enrich", "a flat miss", flat, ({ soc }) => soc.enrich("somebody@example.com", {}, "?view=flat")],
  ["GET /api/v1/soc/enrich", "a miss", accepted, ({ soc }) => soc.get("?email=somebody%40example.com")],
  ["GET /api/v1/soc/enrich", "a hit", envelope, ({ soc }) => soc.get(`?email=${encodeURIComponent(known)}`)],
  ["GET /api/v1/soc/enrich/{request_id}", "a flat failure", flat, (stage) => pollFailed(stage, "?view=flat")],
  [
    "GET /api/v1/soc/enrich/{request_id}/changes",
    "a first scan",
    changes,
    ({ soc, scanId }) => soc.get(`/${scanId}/changes`),
  ],
  ["POST /api/v1/soc/history", "an address", history, ({ soc }) => soc.history(known)],
  ["GET /api/v1/soc/whoami", "a key", whoami, ({ respond, tenant }) => socClient(respond, tenant.token).whoami()],
  ["POST /api/v1/soc/watch", "two addresses and a fault", watchAdded, (stage) => watch(stage, "")],
  ["POST /api/v1/soc/watch/remove", "an address", watchRemoved, (stage) => watch(stage, "/remove")],
  [
    "GET /api/v1/soc/watch",
    "a list",
    watchList,
    async (stage) => {
      await watch(stage, "");
      return await watch(stage, null);
    },
  ],
  ["GET /api/v1/soc/events", "no event", eventList, (stage) => askSoc(stage, "/events")],
  [
    "POST /api/v1/workspaces/{workspace_id}/keys",
    "a key",
    mintedKey,
    ({ call, workspace }) => call("POST", `${workspace}/keys`, { name: "new" }),
  ],
  [
    "GET /api/v1/workspaces/{workspace_id}/keys",
    "a page",
    keyList,
    ({ call, workspace }) => call("GET", `${workspace}/keys?limit=2`),
  ],
  [
    "POST /api/v1/workspaces/{workspace_id}/keys/{key_id}/rotate",
    "a key",
    mintedKey,
    async ({ call, workspace, newKey }) => call("POST", `${workspace}/keys/${await newKey("old")}/rotate`),
  ],
  [
    "DELETE /api/v1/workspaces/{workspace_id}/keys/{key_id}",
    "a key",
    key,
    async ({ call, workspace, newKey }) => call("DELETE", `${workspace}/keys/${await newKey("old")}`),
  ],
  [
    "GET /api/v1/workspaces/{workspace_id}/audit",
    "all events",
    auditList,
    ({ call, workspace }) => call("GET", `${workspace}/audit`),
  ],
  ["GET /api/v1/dashboard/about", "a stranger", about, ({ call }) => call("GET", `${dashboard}/about`)],
  ["GET /api/v1/dashboard/me", "an operator", me, ({ call }) => call("GET", `${dashboard}/me`)],
  [
    "GET /api/v1/dashboard/me",
    "an operator without API access",
    me,
    async ({ call, store, tenant }) => {
      await store.changeWorkspace(tenant.id, { plan: "free", disabledAt: null }, testAuthor);
      return call("GET", `${dashboard}/me`);
    },
  ],
  ["GET /api/v1/dashboard/overview", "a day", overview, ({ call }) => call("GET", `${dashboard}/overview`)],
  ["GET /api/v1/dashboard/sources", "two sources", sourceList, ({ call }) => call("GET", `${dashboard}/sources`)],
  ["GET /api/v1/dashboard/corpora", "a corpus", corpusList, ({ call }) => call("GET", `${dashboard}/corpora`)],
  ["GET /api/v1/dashboard/budgets", "a used key", budgets, ({ call }) => call("GET", `${dashboard}/budgets`)],
  [
    "POST /api/v1/dashboard/enrich",
    "a miss",
    accepted,
    ({ call }) => call("POST", `${dashboard}/enrich`, { indicator: { type: "email", value: "somebody@example.com" } }),
  ],
  [
    "GET /api/v1/dashboard/enrich/{request_id}",
    "a scan",
    envelope,
    ({ call, scanId }) => call("GET", `${dashboard}/enrich/${scanId}`),
  ],
  [
    "GET /api/v1/dashboard/enrich/{request_id}/sources",
    "a scan",
    scanSources,
    ({ call, scanId }) => call("GET", `${dashboard}/enrich/${scanId}/sources`),
  ],
  [
    "GET /api/v1/dashboard/enrich/{request_id}/evidence",
    "a scan",
    evidence,
    ({ call, scanId }) => call("GET", `${dashboard}/enrich/${scanId}/evidence`),
  ],
  ["GET /healthz", "anybody", health, ({ call }) => call("GET", "/healthz")],
  ["OPTIONS /healthz", "anybody", health, ({ call }) => call("OPTIONS", "/healthz")],
  ["OPTIONS /", "anybody", health, ({ call }) => call("OPTIONS", "/")],
  ["GET /readyz", "anybody", readiness, ({ call }) => call("GET", "/readyz")],
];

async function askSoc({ respond, tenant }: Stage, path: string, body?: unknown): Promise<Response> {
  const headers = { "X-API-Key": tenant.token, "Content-Type": "application/json" };
  const content = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  return await respond(new Request(`http://127.0.0.1:8080/api/v1/soc${path}`, { headers, ...content }));
}

/** Changes the list, or reads it with `null`. */
async function watch(stage: Stage, path: "" | "/remove" | null): Promise<Response> {
  if (path === null) return await askSoc(stage, "/watch?limit=1");
  const indicators = [known, "nobody", "new@example.com"].map((value) => ({ type: "email", value }));
  return await askSoc(stage, `/watch${path}`, { indicators, label: "staff" });
}

/** Routes without a described JSON body: files, metrics, 204, and the OpenAPI document itself. */
const withoutBody = [
  "GET /",
  "GET /assets/{name}",
  "GET /metrics",
  "GET /openapi.json",
  "POST /api/v1/session",
  "DELETE /api/v1/session",
];

async function pollFailed({ soc, scanned, sources }: Stage, view = ""): Promise<Response> {
  sources.splice(0, sources.length, broken);
  return soc.get(`/${await scanned("nobody.knows@example.com")}${view}`);
}

async function pollUnfinished({ soc, sources }: Stage): Promise<Response> {
  const never = inventedSource("gamma", () => new Promise(() => undefined));
  sources.splice(0, sources.length, never);
  const first = expectBody(accepted, await (await soc.enrich("waits@example.com")).text());
  return soc.get(`/${first.request_id}`);
}

test.each(rows)("%s, %s: exactly the members of its schema, in their order", async (_route, _what, schema, ask) => {
  const response = await ask(await openStage());
  expect(response.headers.get("Content-Type")).toBe("application/json");
  expectBody(schema, await response.text());
});

test("every route with a body has a row above", () => {
  const covered = new Set([...rows.map(([route]) => route), ...withoutBody]);
  expect([...covered].sort()).toEqual(routes.map(({ method, path }) => `${method} ${path}`).sort());
});

test("the test data cover members that can be absent or null", async () => {
  const { call, workspace, soc, scanId } = await openStage();
  const { events } = expectBody(auditList, await (await call("GET", `${workspace}/audit`)).text());
  expect(events.some(({ count }) => count === 3)).toBe(true);
  expect(events.some(({ detail }) => detail !== undefined)).toBe(true);
  expect(events.some(({ indicator_hmac: hmac }) => hmac !== null)).toBe(true);
  const { keys } = expectBody(keyList, await (await call("GET", `${workspace}/keys`)).text());
  expect(keys.some((one) => one.rotated_to !== null)).toBe(true);
  expect(keys.some((one) => one.rotated_from !== null && one.expires_at !== null)).toBe(true);
  const { sources } = expectBody(scanSources, await (await soc.get(`/${scanId}/sources`)).text());
  expect(sources.map(({ error }) => error)).toEqual([null, "timeout"]);
});

test("an extra, missing or misplaced member is detected", () => {
  expect(() => expectBody(health, '{"status":"ok","more":1}')).toThrow();
  expect(() => expectBody(health, "{}")).toThrow();
  expect(() => expectBody(errorBody, '{"error":{"message":"a","code":"conflict"}}')).toThrow();
  expect(() => expectBody(errorBody, '{"error":{"code":"conflict","message":"a"}}')).not.toThrow();
});

test("a body whose type is not named does not compile", () => {
  // @ts-expect-error: no body is accepted without its type.
  expect(jsonResponse(200, { status: "ok" }).body).toBe('{"status":"ok"}');
  // @ts-expect-error: a member that the type does not have.
  expect(jsonResponse<Health>(200, { status: "ok", more: 1 }).status).toBe(200);
});
