import { expect, test } from "vitest";
import { openapiDocument } from "../../src/http/openapi.ts";
import { routes } from "../../src/http/route-table.ts";
import { openTestService } from "../helpers/test-service.ts";

const openapi = openapiDocument("1.2.3");

/** Routes of the dashboard are not part of the published API. */
const isPublished = (path: string) =>
  path !== "/" && !path.startsWith("/assets/") && !path.startsWith("/api/v1/dashboard/");

test("12.1 the OpenAPI document describes exactly the routes of the API", () => {
  const described = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const served = routes.filter(({ path }) => isPublished(path)).map(({ method, path }) => `${method} ${path}`);
  expect(described.sort()).toEqual(served.sort());
});

test("every parameter in braces is described, and every reference has a target", () => {
  for (const [path, methods] of Object.entries(openapi.paths)) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    for (const operation of Object.values(methods) as { parameters?: { name: string; in: string }[] }[]) {
      const given = (operation.parameters ?? []).filter((one) => one.in === "path").map(({ name }) => name);
      expect([path, given]).toEqual([path, named]);
    }
  }
  const text = JSON.stringify(openapi);
  const references = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1] ?? "");
  expect(references.length).toBeGreaterThan(10);
  for (const name of references) expect(Object.keys(openapi.components.schemas)).toContain(name);
});

test("the described envelope has the members of a real envelope, in their order", async () => {
  const { respond, tenant, scanned } = await openTestService();
  const id = await scanned("jane.doe@example.com");
  const headers = { "X-API-Key": tenant.token };
  const url = `http://127.0.0.1:8080/api/v1/soc/enrich/${id}`;
  const envelope = (await (await respond(new Request(url, { headers }))).json()) as {
    exposure: { findings: object[] };
  };
  const { Envelope, Atom } = openapi.components.schemas as Record<string, { properties: object }>;
  expect(Object.keys(Envelope?.properties ?? {})).toEqual(Object.keys(envelope));
  expect(Object.keys(Atom?.properties ?? {})).toEqual(Object.keys(envelope.exposure.findings[0] ?? {}));
});

test("the published document equals the approved snapshot", async () => {
  // For an intended change run `npm test -- test/http/openapi.test.ts -u` and commit the difference.
  const text = `${JSON.stringify(openapi, null, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../fixtures/golden/openapi.json");
});

test("7.4, 9.2, 9.8 the members of atoms, keys and events are described in the order of the contract", () => {
  const members = (name: string) => Object.keys(openapi.components.schemas[name]?.properties ?? {}).join(" ");
  expect(members("Atom")).toBe(
    "source source_url source_confidence source_tier corroboration_count corroborated_by category severity title indicator_type indicator_value first_seen last_seen",
  );
  expect(members("Key")).toBe(
    "id name prefix status created_at created_by last_used_at expires_at revoked_at rotated_from rotated_to scopes allowed_ips",
  );
  expect(members("AuditEvent")).toBe(
    "at workspace_id actor action key_id key_name request_id indicator_hmac ip outcome correlation_id count detail",
  );
});

test("no body of the document forbids unknown members, so that later versions may add members", () => {
  expect(JSON.stringify(openapi.components.schemas)).not.toContain('"additionalProperties":false');
});

test("12.1 GET /openapi.json serves the document without credentials", async () => {
  const { respond } = await openTestService();
  const response = await respond(new Request("http://127.0.0.1:8080/openapi.json"));
  expect([response.status, response.headers.get("Content-Type")]).toEqual([200, "application/json"]);
  expect(await response.json()).toMatchObject({ openapi: "3.1.0", info: { title: "xpose" } });
});
