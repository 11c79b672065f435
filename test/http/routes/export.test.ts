import { beforeEach, describe, expect, test } from "vitest";
import { SourceError } from "../../../src/domain/error.ts";
import type { ScanId } from "../../../src/domain/scan.ts";
import { formatNames, formats } from "../../../src/formats/format-table.ts";
import { auditEvents } from "../../helpers/audit-events.ts";
import { found, inventedSource } from "../../helpers/invented-source.ts";
import { errorCode, socClient } from "../../helpers/soc-client.ts";
import { openTestService, type TestService } from "../../helpers/test-service.ts";

const broken = inventedSource("beta", async () => {
  throw new SourceError("timeout", "no answer");
});

let service: TestService;
let scanId: ScanId;
let api: ReturnType<typeof socClient>;

beforeEach(async () => {
  service = await openTestService();
  service.sources.splice(
    0,
    service.sources.length,
    inventedSource("alpha", async () => found("Example Shop")),
    broken,
  );
  scanId = await service.scanned("jane.doe@example.com");
  api = socClient(service.respond, service.tenant.token);
});

function ask(query: string, id: string = scanId): Promise<Response> {
  return api.get(`/${id}/export${query}`);
}

async function actions(): Promise<string[]> {
  return (await auditEvents(service.store))
    .map(({ action }) => action)
    .filter((action) => /^(enrich|export)/.test(action));
}

test.each(formatNames)("18.1 %s has its media type, and a file name with the request id only", async (name) => {
  const response = await ask(`?format=${name}`);
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toBe(formats[name].mediaType);
  expect(response.headers.get("Cache-Control")).toBe("no-store");
  expect(response.headers.get("Content-Disposition")).toBe(
    `attachment; filename="xpose-${scanId}.${formats[name].extension}"`,
  );
  const text = await response.text();
  expect(text).toContain("Present in Example Shop");
  expect(text).toContain("beta");
  expect(await (await ask(`?format=${name}`)).text()).toBe(text);
});

describe("18.1 what is wrong with the query is 400", () => {
  test.each([
    "",
    "?format=",
    "?format=pdf",
    "?format=STIX",
    "?format=toString",
    "?format=csv&format=csv",
    "?format=stix&tlp=ultra",
    "?format=stix&tlp=",
    "?format=stix&tlp=red&tlp=red",
    "?format=csv&bom=yes",
    "?format=csv&bom=",
  ])("%j", async (query) => {
    const response = await ask(query);
    expect(response.status).toBe(400);
    expect(await errorCode(response)).toBe("invalid_request");
  });

  test.each([
    ["", "amber"],
    ["&tlp=WHITE", "clear"],
    ["&tlp=Green", "green"],
    ["&tlp=amber%2Bstrict", "amber+strict"],
    // Typed by hand: the blank that a bare + becomes.
    ["&tlp=AMBER+STRICT", "amber+strict"],
    ["&unknown=1", "amber"],
  ])("but not %j, which is %s", async (query, tlp) => {
    const event = (await (await ask(`?format=misp${query}`)).json()) as { Event: { Tag: unknown } };
    expect(event.Event.Tag).toEqual([{ name: `tlp:${tlp}` }]);
  });

  test("a key is asked for first, and an id after it", async () => {
    const nobody = socClient(service.respond, null);
    expect((await nobody.get(`/${scanId}/export?format=pdf`)).status).toBe(401);
    expect((await ask("?format=pdf", service.newId())).status).toBe(400);
    expect((await ask("?format=csv", service.newId())).status).toBe(404);
  });
});

test("18.4 CSV begins with a byte order mark if it is asked for", async () => {
  const bytes = async (query: string) => new Uint8Array(await (await ask(query)).arrayBuffer());
  expect([...(await bytes("?format=csv&bom=1")).slice(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
  expect((await bytes("?format=csv&bom=0"))[0]).toBe("i".charCodeAt(0));
});

test("18.1 an unfinished scan is answered as a poll is", async () => {
  service.sources.splice(
    0,
    service.sources.length,
    inventedSource("gamma", () => new Promise(() => undefined)),
  );
  const { request_id } = (await (await api.enrich("waits@example.com")).json()) as { request_id: string };
  for (const path of [`/${request_id}/export?format=stix`, `/${request_id}/case`]) {
    const response = await api.get(path);
    expect(response.headers.get("Retry-After")).toBe("1");
    expect(response.headers.get("Content-Disposition")).toBeNull();
    expect(Object.keys((await response.json()) as object)).toEqual(["status", "request_id"]);
  }
});

test("18.1 a failed scan has no export, and a case that names what failed", async () => {
  service.sources.splice(0, service.sources.length, broken);
  const failed = await service.scanned("nobody.knows@example.com");
  const response = await ask("?format=csv", failed);
  expect(response.headers.get("Content-Type")).toBe("application/json");
  expect(await response.json()).toEqual({ status: "failed", request_id: failed });
  expect(await (await api.get(`/${failed}/case`)).json()).toMatchObject({
    status: "failed",
    failed_sources: [{ source: "beta", error: "timeout" }],
    exposure: null,
  });
});

test("each export is in the audit trail, a case once per key, a refused query not at all", async () => {
  await ask("?format=csv");
  await ask("?format=stix");
  await ask("?format=pdf");
  expect((await actions()).slice(-2)).toEqual(["export.made", "export.made"]);
  await api.get(`/${scanId}/case`);
  await api.get(`/${scanId}/case`);
  expect((await actions()).filter((action) => action === "enrich.polled")).toHaveLength(1);
  const made = (await auditEvents(service.store)).find(({ action }) => action === "export.made");
  expect(made).toMatchObject({ requestId: scanId, keyId: service.tenant.keyId, outcome: "200" });
  expect(made?.indicatorHmac).toMatch(/^[0-9a-f]{64}$/);
});

test("an export and a case count as polls", async () => {
  service = await openTestService({ live: { limits: { team: 1, enterprise: 0, windowMs: 3_600_000 } } });
  scanId = await service.scanned("jane.doe@example.com");
  api = socClient(service.respond, service.tenant.token);
  const left: number[] = [];
  for (const path of ["/case", "/export?format=csv", "/export?format=pdf", ""]) {
    left.push(Number((await api.get(`/${scanId}${path}`)).headers.get("X-RateLimit-Remaining")));
  }
  expect(left).toEqual([19, 18, 17, 16]);
});

test("17.2 the case holds the exposure of the envelope, the evidence and the sources, and nothing else", async () => {
  const get = async (path: string) => (await (await api.get(`/${scanId}${path}`)).json()) as Record<string, unknown>;
  const [built, envelope, evidence, sources] = [
    await get("/case"),
    await get(""),
    await get("/evidence"),
    await get("/sources"),
  ];
  expect(built).toEqual({
    request_id: scanId,
    status: "completed",
    indicator: envelope["indicator"],
    asked_at: expect.stringMatching(/\+00:00$/),
    finished_at: expect.stringMatching(/\+00:00$/),
    partial: true,
    reach: "full",
    digest: (await api.get(`/${scanId}`)).headers.get("X-Xpose-Exposure-Digest"),
    failed_sources: [{ source: "beta", error: "timeout" }],
    exposure: envelope["exposure"],
    evidence: evidence["findings"],
    sources: sources["sources"],
    disambiguation: envelope["disambiguation"],
    generator: { name: "xpose", version: service.app.dashboard.version },
  });
});
