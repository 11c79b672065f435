import { describe, expect, test } from "vitest";
import { makeTrust } from "../../src/http/caller.ts";
import { routes } from "../../src/http/route-table.ts";
import { addOperator, type ManagementMethod, operatorClient } from "../helpers/operator-client.ts";
import { errorCode } from "../helpers/soc-client.ts";
import { openTestService } from "../helpers/test-service.ts";

const id = "3f2a8c1e-0000-4000-8000-000000000000";
const pathOf = (path: string) => path.replaceAll(/\{\w+\}/g, id);
const guardedAccess = ["page", "log-in", "viewer", "admin"];
const guarded = routes.filter(({ access }) => guardedAccess.includes(access));
const open = routes.filter(({ access }) => !guardedAccess.includes(access) && access !== "metrics");

describe("2, 12.2 a host name that is not ours", () => {
  test.each(guarded)("is 403 on $method $path before anything else, with and without credentials", async (route) => {
    const service = await openTestService();
    const { token } = await addOperator(service, service.tenant.id, "alice");
    for (const headers of [{}, { Authorization: `Bearer ${token}` }]) {
      const { call } = operatorClient(service.respond, { ...headers, Host: "evil.example" });
      const response = await call(route.method as ManagementMethod, pathOf(route.path));
      expect([response.status, await errorCode(response)]).toEqual([403, "forbidden"]);
    }
    expect(service.denials).toEqual([]);
  });

  test.each(open)("does not matter on $method $path", async (route) => {
    const { respond } = await openTestService();
    const ask = async (Host: string) => {
      const { call } = operatorClient(respond, { Host, "X-Correlation-Id": "c-1" });
      return (await call(route.method as ManagementMethod, pathOf(route.path))).status;
    };
    expect(await ask("evil.example")).toBe(await ask("127.0.0.1:8080"));
  });

  test.each([
    { host: "localhost:9", status: 200 },
    { host: "xpose.localhost", status: 200 },
    { host: "127.0.0.1:8080", status: 200 },
    { host: "[::1]:8080", status: 200 },
    { host: "192.0.2.1:8080", status: 401 },
    { host: "evil.example", status: 401 },
    { host: "xpose.corp.example", status: 401 },
    { host: "[::1", status: 401 },
  ])("12.1 /metrics, asked on loopback as $host: $status", async ({ host, status }) => {
    const service = await openTestService({ app: { trust: makeTrust([], ["xpose.corp.example"]) } });
    const { call } = operatorClient(service.respond, { Host: host });
    expect((await call("GET", "/metrics")).status).toBe(status);
    const { token } = await addOperator(service, service.tenant.id, "alice");
    expect((await call("GET", "/metrics", undefined, { Authorization: `Bearer ${token}` })).status).toBe(200);
  });

  test("is ours when server.hostnames names it", async () => {
    const service = await openTestService({ app: { trust: makeTrust([], ["xpose.corp.example"]) } });
    const { token } = await addOperator(service, service.tenant.id, "alice");
    const { call } = operatorClient(service.respond, {
      Host: "XPOSE.corp.example:8443",
      Authorization: `Bearer ${token}`,
    });
    expect((await call("GET", `/api/v1/workspaces/${service.tenant.id}/keys`)).status).toBe(200);
  });
});

describe("9.8 a refused request is recorded as a denial", () => {
  test("without credentials: of an unknown caller, with its origin", async () => {
    const service = await openTestService({ app: { trust: makeTrust(["127.0.0.1"], []) } });
    const { call } = operatorClient(service.respond, { "X-Forwarded-For": "203.0.113.7" });
    await call("GET", `/api/v1/workspaces/${service.tenant.id}/keys`);
    await call("GET", "/metrics");
    const denial = { ip: "203.0.113.7", outcome: "401", who: "unknown" };
    expect(service.denials).toEqual([denial, denial]);
  });

  test("of an operator without the right: with the name and the workspace of the operator", async () => {
    const service = await openTestService();
    const other = await service.addTenant("Other");
    const viewer = await addOperator(service, service.tenant.id, "victor", "viewer");
    const { call } = operatorClient(service.respond, { Authorization: `Bearer ${viewer.token}` });
    for (const workspaceId of [service.tenant.id, other.id, id])
      await call("GET", `/api/v1/workspaces/${workspaceId}/keys`);
    const denial = { ip: "127.0.0.1", outcome: "403", who: { operator: "victor", workspaceId: service.tenant.id } };
    expect(service.denials).toEqual([denial, denial, denial]);
  });

  test("of a key: unknown or malformed without a workspace, revoked or below the plan in its workspace", async () => {
    const service = await openTestService();
    const cheap = await service.addTenant("Cheap", "starter");
    const { call } = operatorClient(service.respond);
    for (const key of ["", "canary", `xpz_live_${"0".repeat(48)}`, cheap.token]) {
      await call("GET", `/api/v1/soc/enrich/${id}`, undefined, { "X-API-Key": key });
    }
    const unknown = { ip: "127.0.0.1", outcome: "401", who: "unknown" };
    const known = { workspaceId: cheap.id, keyId: cheap.keyId, keyName: "test" };
    expect(service.denials).toEqual([unknown, unknown, unknown, { ...unknown, outcome: "403", who: known }]);
  });
});
