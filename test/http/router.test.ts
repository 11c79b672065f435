import { describe, expect, test } from "vitest";
import { AppError } from "../../src/domain/error.ts";
import { storedResponse } from "../../src/http/response.ts";
import { createRouter, type Route } from "../../src/http/router.ts";
import { enrichUrl, errorCode, socClient } from "../helpers/soc-client.ts";
import { localPeer, openTestService } from "../helpers/test-service.ts";

const origin = "http://127.0.0.1:8080";
const id = "3f2a8c1e-0000-4000-8000-000000000000";
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

describe("0.5 and 2: routing needs no credentials", () => {
  test.each([
    { method: "GET", path: "/index.html", status: 404 },
    { method: "GET", path: "/api", status: 404 },
    { method: "POST", path: "/api/v1/soc/enrich/", status: 404 },
    { method: "POST", path: "/API/v1/soc/enrich", status: 404 },
    { method: "POST", path: "/api/v1/soc/Enrich", status: 404 },
    { method: "POST", path: "//api/v1/soc/enrich", status: 404 },
    { method: "GET", path: `/api/v1/soc/enrich/${id}/`, status: 404 },
    { method: "GET", path: `/api/v1/soc/enrich/${id}/Sources`, status: 404 },
    { method: "GET", path: `/api/v1/soc/enrich/${id}/sources/`, status: 404 },
    { method: "GET", path: `/api/v1/soc/enrich/${id}/sources/more`, status: 404 },
    { method: "GET", path: `/api/v1/soc/enrich//sources`, status: 404 },
    { method: "OPTIONS", path: "/nowhere", status: 404 },
    { method: "POST", path: "/api/v1/soc/enrich", status: 401 },
    { method: "POST", path: "/api/v1/soc/enrich?depth=deep&x=/y", status: 401 },
    { method: "GET", path: `/api/v1/soc/enrich/${id}?fields=all`, status: 401 },
    // An encoded slash does not split a segment: this is one (malformed) id.
    { method: "GET", path: `/api/v1/soc/enrich/${id}%2Fsources`, status: 401 },
    { method: "HEAD", path: `/api/v1/soc/enrich/${id}`, status: 401 },
    { method: "GET", path: "/healthz", status: 200 },
    { method: "GET", path: "/healthz?verbose", status: 200 },
    { method: "GET", path: "/readyz", status: 200 },
    { method: "GET", path: "/healthz/", status: 404 },
    // 21.20: health checks of load balancers.
    { method: "HEAD", path: "/healthz", status: 200 },
    { method: "OPTIONS", path: "/healthz", status: 200 },
    { method: "OPTIONS", path: "/", status: 200 },
  ])("$method $path: $status", async ({ method, path, status }) => {
    const { respond } = await openTestService();
    const response = await respond(new Request(origin + path, { method }));
    expect(response.status).toBe(status);
    if (status === 404) expect(await errorCode(response)).toBe("not_found");
  });

  test.each([
    { method: "GET", path: "/api/v1/soc/enrich", allow: "POST" },
    { method: "HEAD", path: "/api/v1/soc/enrich", allow: "POST" },
    { method: "PUT", path: "/api/v1/soc/enrich", allow: "POST" },
    { method: "OPTIONS", path: "/api/v1/soc/enrich", allow: "POST" },
    { method: "DELETE", path: `/api/v1/soc/enrich/${id}`, allow: "GET, HEAD" },
    { method: "POST", path: `/api/v1/soc/enrich/${id}`, allow: "GET, HEAD" },
    { method: "PATCH", path: `/api/v1/soc/enrich/${id}/sources`, allow: "GET, HEAD" },
    { method: "OPTIONS", path: `/api/v1/soc/enrich/${id}/evidence`, allow: "GET, HEAD" },
    { method: "POST", path: "/healthz", allow: "GET, HEAD, OPTIONS" },
    { method: "OPTIONS", path: "/readyz", allow: "GET, HEAD" },
  ])("$method $path: 405, Allow: $allow", async ({ method, path, allow }) => {
    const { respond } = await openTestService();
    const response = await respond(new Request(origin + path, { method }));
    expect([response.status, response.headers.get("Allow")]).toEqual([405, allow]);
    if (method !== "HEAD") expect(await errorCode(response)).toBe("method_not_allowed");
    for (const name of response.headers.keys()) expect(name).not.toMatch(/^access-control/);
  });

  test("Allow lists all methods of a path in alphabetical order", async () => {
    const { app } = await openTestService();
    const handle = () => storedResponse(200, "{}");
    const path = "/things";
    const table: Route[] = [
      { method: "POST", path, access: "anyone", handle },
      { method: "GET", path, access: "anyone", handle },
      { method: "DELETE", path, access: "anyone", handle },
    ];
    const response = await createRouter(table, app)(new Request(`${origin}/things`, { method: "PUT" }), localPeer);
    expect(response.headers.get("Allow")).toBe("DELETE, GET, HEAD, POST");
  });

  test("a request without a host is routed by its bare path", async () => {
    const { app } = await openTestService();
    const paths: string[] = [];
    const table: Route[] = [
      { method: "GET", path: "/healthz", access: "anyone", handle: () => storedResponse(200, "{}") },
    ];
    const respond = createRouter(table, {
      ...app,
      accessLog: { ...app.accessLog, write: ({ path }) => void paths.push(String(path)) },
    });
    for (const url of ["/healthz", "/healthz?x=://a/b", "//healthz", "/"]) {
      const request = new Request(`${origin}/`);
      Object.defineProperty(request, "url", { value: url });
      await respond(request, localPeer);
    }
    expect(paths).toEqual(["/healthz", "/healthz", "null", "null"]);
  });

  test("the body of a request with a wrong path or method is cancelled, not left unread", async () => {
    const { respond } = await openTestService();
    for (const path of ["/nowhere", "/healthz", "/api/v1/soc/enrich"]) {
      let isCancelled = false;
      const body = new ReadableStream({
        cancel() {
          isCancelled = true;
        },
      });
      await respond(new Request(origin + path, { method: "POST", body }));
      expect(isCancelled, path).toBe(true);
    }
  });
});

describe("headers of every answer", () => {
  const answers: {
    answer: string;
    status: number;
    ask: (client: ReturnType<typeof socClient>) => Promise<Response>;
  }[] = [
    { answer: "a miss", status: 202, ask: ({ enrich }) => enrich("new@example.com") },
    { answer: "an invalid address", status: 400, ask: ({ enrich }) => enrich("nobody") },
    { answer: "an unknown key", status: 401, ask: ({ enrich }) => enrich("a@example.com", { "X-API-Key": "x" }) },
    { answer: "an unknown scan", status: 404, ask: ({ get }) => get(`/${id}`) },
    { answer: "an unknown path", status: 404, ask: ({ get }) => get(`/${id}/x`) },
    { answer: "a wrong method", status: 405, ask: ({ get }) => get("") },
    { answer: "a wrong type", status: 415, ask: ({ post }) => post("{}", { "Content-Type": "text/plain" }) },
  ];

  test.each(answers)(
    "0.1, 0.6 $answer ($status) is JSON, not to be stored, and has a correlation id",
    async ({ ask, status }) => {
      const { respond, tenant } = await openTestService();
      const response = await ask(socClient(respond, tenant.token));
      expect(response.status).toBe(status);
      expect(response.headers.get("Content-Type")).toBe("application/json");
      expect(response.headers.get("Cache-Control")).toBe("no-store");
      expect(response.headers.get("X-Correlation-Id")).toMatch(uuid);
      expect(JSON.parse(await response.text())).toBeTypeOf("object");
    },
  );

  test.each([
    { given: "case-4711", isKept: true },
    { given: "A.b_c-9", isKept: true },
    { given: "x".repeat(64), isKept: true },
    { given: "x".repeat(65), isKept: false },
    { given: "", isKept: false },
    { given: "two words", isKept: false },
    { given: "jane.doe@example.com", isKept: false },
    { given: '"},{"', isKept: false },
    { given: "ä", isKept: false },
    { given: "a,b", isKept: false },
  ])("0.6 the caller's correlation id '$given' is kept: $isKept", async ({ given, isKept }) => {
    const { respond, tenant, accessEntries } = await openTestService();
    const { enrich } = socClient(respond, tenant.token);
    const response = await enrich("jane.doe@example.com", { "X-Correlation-Id": given });
    const sent = response.headers.get("X-Correlation-Id") ?? "";
    expect(sent === given).toBe(isKept);
    if (!isKept) expect(sent).toMatch(uuid);
    const { request_id: requestId } = (await response.json()) as { request_id: string };
    expect(sent).not.toBe(requestId);
    expect(accessEntries.at(-1)?.correlationId).toBe(sent);
  });

  test("0.5 HEAD is GET without the body: same status, same headers", async () => {
    const { respond, tenant, scanned } = await openTestService();
    const url = `${enrichUrl}/${await scanned("jane.doe@example.com")}`;
    const headers = { "X-API-Key": tenant.token, "X-Correlation-Id": "same" };
    const [get, head] = [
      await respond(new Request(url, { headers })),
      await respond(new Request(url, { headers, method: "HEAD" })),
    ];
    expect(head.status).toBe(get.status);
    const { length } = await get.text();
    expect(length).toBeGreaterThan(100);
    // Both count as a poll.
    expect(get.headers.get("X-RateLimit-Remaining")).toBe("11999");
    expect(head.headers.get("X-RateLimit-Remaining")).toBe("11998");
    for (const { headers: counted } of [get, head]) counted.delete("X-RateLimit-Remaining");
    expect([...head.headers].sort()).toEqual([...get.headers, ["content-length", String(length)]].sort());
    expect(await head.text()).toBe("");
  });
});

describe("faults", () => {
  async function openFaulty(fault: unknown) {
    const service = await openTestService();
    const table: Route[] = [
      { method: "GET", path: "/fault/{id}", access: "anyone", handle: () => Promise.reject(fault) },
    ];
    const ask = () => createRouter(table, service.app)(new Request(`${origin}/fault/secret-id`), localPeer);
    return { ...service, ask };
  }

  test("a 500 does not reveal its cause; the log has the cause with the correlation id", async () => {
    const cause = new TypeError("cannot read jane.doe@example.com of undefined at /srv/xpose");
    const { ask, lines } = await openFaulty(cause);
    const response = await ask();
    const correlationId = response.headers.get("X-Correlation-Id");
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(JSON.parse(text)).toEqual({ error: { code: "internal_error", message: "The request could not be served" } });
    expect([...response.headers].flat().join()).not.toMatch(/jane|srv|TypeError/);
    expect(lines).toEqual([
      { level: "error", message: "request failed unexpectedly", fields: { correlation_id: correlationId, err: cause } },
    ]);
  });

  test.each([undefined, null, "text", 42])("a thrown value that is not an Error (%s) is a 500 too", async (fault) => {
    const { ask } = await openFaulty(fault);
    const response = await ask();
    expect([response.status, await errorCode(response)]).toEqual([500, "internal_error"]);
  });

  test("a refusal is not logged as a failure, but its cause is", async () => {
    const expected = await openFaulty(new AppError("not_found", "There is no such thing"));
    expect((await expected.ask()).status).toBe(404);
    expect(expected.lines).toEqual([]);
    const cause = new Error("disk I/O error");
    const failed = await openFaulty(new AppError("unavailable", "The database is not available now", { cause }));
    const response = await failed.ask();
    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain("disk");
    expect(failed.lines).toMatchObject([{ fields: { code: "unavailable", err: cause } }]);
  });
});

describe("a service that starts", () => {
  test.each([
    { method: "POST", path: "/api/v1/soc/enrich", status: 503 },
    { method: "GET", path: `/api/v1/soc/enrich/${id}`, status: 503 },
    { method: "GET", path: "/readyz", status: 503 },
    { method: "GET", path: "/healthz", status: 200 },
    { method: "GET", path: "/nowhere", status: 404 },
    { method: "PUT", path: "/healthz", status: 405 },
  ])("answers $method $path with $status", async ({ method, path, status }) => {
    const { respond } = await openTestService({ app: { phase: () => "starting" } });
    const response = await respond(new Request(origin + path, { method }));
    expect(response.status).toBe(status);
    if (status !== 503) return;
    expect(response.headers.get("Retry-After")).toBe("5");
    expect(await errorCode(response)).toBe("unavailable");
  });

  test("12.5a while it stops it answers, and says that it is not ready", async () => {
    const { respond } = await openTestService({ app: { phase: () => "stopping" } });
    const statuses = ["/readyz", "/healthz", `/api/v1/soc/enrich/${id}`].map(
      async (path) => (await respond(new Request(origin + path))).status,
    );
    expect(await Promise.all(statuses)).toEqual([503, 200, 401]);
  });

  test("12.1 a healthy service says ok, and needs no key for it", async () => {
    const { respond } = await openTestService();
    for (const path of ["/healthz", "/readyz"]) {
      expect(await (await respond(new Request(origin + path))).text()).toBe('{"status":"ok"}');
    }
  });
});

test("the access log gets one entry per request, with the pattern of the route and no id or address", async () => {
  const { respond, tenant, accessEntries, scanned } = await openTestService();
  const { enrich, get } = socClient(respond, tenant.token);
  const scanId = await scanned("jane.doe@example.com");
  accessEntries.length = 0;
  await enrich("jane.doe@example.com");
  await get(`/${scanId}?who=jane.doe@example.com`);
  await get("/jane.doe@example.com/evidence");
  await get("/x/jane.doe@example.com");
  await respond(new Request(`${origin}/jane.doe@example.com`, { method: "PUT" }));
  expect(accessEntries.map(({ method, path, status }) => `${method} ${path} ${status}`)).toEqual([
    "POST /api/v1/soc/enrich 200",
    "GET /api/v1/soc/enrich/{request_id} 200",
    "GET /api/v1/soc/enrich/{request_id}/evidence 404",
    "GET null 404",
    "PUT null 404",
  ]);
  const text = JSON.stringify(accessEntries);
  for (const secret of ["jane", scanId, tenant.token]) expect(text).not.toContain(secret);
  expect(accessEntries.every(({ durationMs }) => durationMs >= 0)).toBe(true);
});
