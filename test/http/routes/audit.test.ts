import { describe, expect, test } from "vitest";
import { addOperator, operatorClient } from "../../helpers/operator-client.ts";
import { errorCode, socClient } from "../../helpers/soc-client.ts";
import { openTestService } from "../../helpers/test-service.ts";

type Events = { events: Record<string, string | number | null>[]; next_cursor: string | null };

async function open() {
  const service = await openTestService();
  const { tenant, respond } = service;
  const admin = await addOperator(service, tenant.id, "alice");
  const viewer = await addOperator(service, tenant.id, "victor", "viewer");
  const path = `/api/v1/workspaces/${tenant.id}`;
  const asAdmin = operatorClient(respond, { Authorization: `Bearer ${admin.token}`, "X-Correlation-Id": "c-1" }).call;
  const asViewer = operatorClient(respond, { Authorization: `Bearer ${viewer.token}` }).call;
  return {
    ...service,
    asAdmin,
    asViewer,
    path,
    events: async (query = "") => (await (await asViewer("GET", `${path}/audit${query}`)).json()) as Events,
  };
}

describe("9.8 GET audit", () => {
  test("shows an admin and a viewer the events of their workspace, newest first, in the order of the contract", async () => {
    const service = await open();
    const { asAdmin, asViewer, path, tenant } = service;
    const other = await service.addTenant("Other");
    await service.scanned("jane.doe@example.com", other);
    await asAdmin("DELETE", `${path}/keys/${tenant.keyId}`);
    const response = await asViewer("GET", `${path}/audit?limit=1`);
    expect([response.status, response.headers.get("Cache-Control")]).toEqual([200, "no-store"]);
    const text = await response.text();
    expect(text).toMatch(
      `{"events":[{"at":"2026-06-01T12:00:00+00:00","workspace_id":"${tenant.id}","actor":"operator:alice",` +
        `"action":"key.revoked","key_id":"${tenant.keyId}","key_name":"test","request_id":null,"indicator_hmac":null,` +
        '"ip":"127.0.0.1","outcome":"200","correlation_id":"c-1"}],"next_cursor":"',
    );
    const [admin, viewer] = [await asAdmin("GET", `${path}/audit`), await asViewer("GET", `${path}/audit`)];
    expect(await admin.text()).toBe(await viewer.text());
    const { events } = await service.events();
    expect(events.map(({ action }) => action)).toEqual([
      "key.revoked",
      "workspace.operator_created",
      "workspace.operator_created",
      "key.created",
      "workspace.created",
    ]);
    for (const event of events) expect(event["workspace_id"]).toBe(tenant.id);
  });

  test("goes through all events page by page, each once", async () => {
    const { scanned, events } = await open();
    for (let count = 0; count < 5; count += 1) await scanned(`user${count}@example.com`);
    const all = (await events("?limit=200")).events;
    const paged: unknown[] = [];
    let query = "?limit=3";
    for (;;) {
      const page = await events(query);
      paged.push(...page.events);
      if (page.next_cursor === null) break;
      query = `?limit=3&cursor=${page.next_cursor}`;
    }
    expect(paged).toEqual(all);
    expect(all).toHaveLength(9);
  });

  test("events of a revoked key can still be found by its id", async () => {
    const { respond, tenant, asAdmin, path, events } = await open();
    await socClient(respond, tenant.token).enrich("jane.doe@example.com");
    await asAdmin("POST", `${path}/keys/${tenant.keyId}/rotate`);
    const ofKey = await events(`?key_id=${tenant.keyId}`);
    expect(ofKey.events.map(({ action, key_name, actor }) => [action, key_name, actor])).toEqual([
      ["key.rotated", "test", "operator:alice"],
      ["enrich.requested", "test", `key:${tenant.keyId}`],
      ["key.created", "test", "cli"],
    ]);
  });

  test("a request is recorded with its status, and its address only as a keyed hash", async () => {
    const { respond, tenant, events, keys } = await open();
    const soc = socClient(respond, tenant.token);
    const accepted = (await (await soc.enrich("jane.doe@example.com")).json()) as { request_id: string };
    await soc.enrich("no-address");
    await soc.post("{");
    const { events: shown } = await events(`?key_id=${tenant.keyId}&limit=3`);
    expect(shown.map(({ action, outcome, request_id }) => [action, outcome, request_id])).toEqual([
      ["enrich.requested", "400", null],
      ["enrich.requested", "400", null],
      ["enrich.requested", "202", accepted.request_id],
    ]);
    expect(shown[2]?.["indicator_hmac"]).toMatch(/^[0-9a-f]{64}$/);
    const text = JSON.stringify(await events("?limit=200"));
    for (const secret of ["jane.doe", "no-address", tenant.token, tenant.keyHash, keys.audit.toString("hex")]) {
      expect(text).not.toContain(secret);
    }
  });

  test.each([
    "?limit=0",
    "?limit=201",
    "?limit=x",
    "?cursor=",
    "?cursor=canary",
    "?cursor=-1",
    "?key_id=",
    "?key_id=canary",
    "?key_id=3F2A8C1E-0000-4000-8000-000000000000",
  ])("%s is refused", async (query) => {
    const { asViewer, path } = await open();
    const response = await asViewer("GET", `${path}/audit${query}`);
    expect([response.status, await errorCode(response)]).toEqual([400, "invalid_request"]);
  });

  test("a key of another workspace has no events here, like an unknown key", async () => {
    const service = await open();
    const other = await service.addTenant("Other");
    const [foreign, unknown] = await Promise.all(
      [other.keyId, "3f2a8c1e-0000-4000-8000-000000000000"].map((id) =>
        service.asViewer("GET", `${service.path}/audit?key_id=${id}`),
      ),
    );
    expect(await foreign?.text()).toBe('{"events":[],"next_cursor":null}');
    expect(await unknown?.text()).toBe('{"events":[],"next_cursor":null}');
  });

  test("the trail is read-only: every other method is 405", async () => {
    const { asAdmin, path } = await open();
    for (const method of ["POST", "DELETE"] as const) {
      const response = await asAdmin(method, `${path}/audit`);
      expect([response.status, response.headers.get("Allow")]).toEqual([405, "GET, HEAD"]);
    }
  });
});
