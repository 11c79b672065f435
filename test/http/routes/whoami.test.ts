import { describe, expect, test } from "vitest";
import { createKey, type KeyRequest } from "../../../src/access/api-key.ts";
import type { Peer } from "../../../src/http/caller.ts";
import { makeTrust } from "../../../src/http/caller.ts";
import { inventedSource } from "../../helpers/invented-source.ts";
import { errorCode, socClient } from "../../helpers/soc-client.ts";
import { testAuthor } from "../../helpers/test-author.ts";
import { openTestService, type TestServiceOptions } from "../../helpers/test-service.ts";

const [second, minute, hour] = [1000, 60_000, 3_600_000];

async function open(options: TestServiceOptions = {}) {
  const service = await openTestService(options);
  const { store, keys, tenant, newId, app, clock, respond } = service;
  return {
    ...service,
    soc: socClient(respond, tenant.token),
    /** A client with another key of the tenant, behind `peer`. */
    async withKey(wanted: Partial<KeyRequest>, peer?: Peer) {
      const request = { workspaceId: tenant.id, name: newId(), expiresAt: null, ...wanted };
      const tools = { store, keys, by: { ...testAuthor, at: clock.now() }, entropy: app };
      const { token } = await createKey(request, tools);
      return socClient((one) => respond(one, peer), token);
    },
  };
}

const nothing = async () => ({ findings: [] });

describe("pipeline 15.1 GET /soc/whoami", () => {
  test("tells of workspace, key, limits and sources, to the letter", async () => {
    const { soc, tenant, sources, store, clock } = await open();
    const pace = { count: 1, windowMs: minute };
    sources.splice(
      0,
      sources.length,
      inventedSource("zeta", nothing, { isAllowed: false }),
      inventedSource("paced", nothing, { pace }),
      inventedSource("alpha", nothing, { pace }),
      inventedSource("told-to-wait", nothing),
      inventedSource("inside", nothing, { isOutside: false, kind: "misp" }),
    );
    await store.takeSlot("paced", pace, clock.now(), clock.now());
    await store.pauseSource("told-to-wait", clock.after(second));
    const response = await soc.whoami();
    expect([response.status, response.headers.get("Cache-Control")]).toEqual([200, "no-store"]);
    const limits =
      '{"requests":{"limit":600,"remaining":600,"reset_at":null},"polls":{"limit":12000,"remaining":12000,"reset_at":null}}';
    const row = (source: string, kind: string, outside: boolean, state: string) =>
      JSON.stringify({ source, kind, outside, state });
    const kind = sources[0]?.kind ?? "";
    expect(await response.text()).toBe(
      `{"workspace":{"id":"${tenant.id}","name":"default","plan":"team"},` +
        `"key":{"id":"${tenant.keyId}","name":"test","prefix":"${tenant.token.slice(0, 13)}","expires_at":null,` +
        `"scopes":["enrich","watch"]},"limits":${limits},"sources":[${[
          row("alpha", kind, true, "ready"),
          row("inside", "misp", false, "ready"),
          row("paced", kind, true, "paused"),
          row("told-to-wait", kind, true, "paused"),
          row("zeta", kind, true, "offline"),
        ].join()}],"version":"0.0.0"}`,
    );
    await clock.advance(minute);
    const later = (await (await soc.whoami()).json()) as { sources: { state: string }[] };
    expect(later.sources.map(({ state }) => state)).toEqual(["ready", "ready", "ready", "ready", "offline"]);
  });

  test("charges nothing, is no poll and no event, and sets last_used_at", async () => {
    const { soc, store, tenant, clock } = await open();
    const before = await store.listEvents(tenant.id, { limit: 10, cursor: null, keyId: null });
    for (const name of ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]) {
      expect((await soc.whoami()).headers.get(name)).toBeNull();
    }
    expect(await store.listBudgets(tenant.id)).toEqual([]);
    expect((await store.overview(tenant.id, new Date(0))).usage).toEqual([]);
    expect(await store.listEvents(tenant.id, { limit: 10, cursor: null, keyId: null })).toEqual(before);
    expect((await store.findKey(tenant.id, tenant.keyId))?.lastUsedAt).toEqual(clock.now());
  });

  test("tells what other calls left of the limits, and when a window ends, rounded up to a second", async () => {
    const { soc, clock } = await open();
    await soc.enrich("jane.doe@example.com");
    await soc.get("/no-id");
    await clock.advance(minute + 1);
    const { limits } = (await (await soc.whoami()).json()) as { limits: unknown };
    const reset_at = "2026-06-01T13:00:00+00:00";
    expect(limits).toEqual({
      requests: { limit: 600, remaining: 599, reset_at },
      polls: { limit: 12_000, remaining: 11_999, reset_at },
    });
    await clock.advance(hour);
    expect(await (await soc.whoami()).json()).toMatchObject({
      limits: { requests: { remaining: 600, reset_at: null }, polls: { remaining: 12_000, reset_at: null } },
    });
  });

  test("a plan without a limit has 0 and nulls", async () => {
    const { soc } = await open({ live: { limits: { team: 0, enterprise: 0, windowMs: hour } } });
    const none = { limit: 0, remaining: null, reset_at: null };
    expect(await (await soc.whoami()).json()).toMatchObject({ limits: { requests: none, polls: none } });
  });

  test("the sixty-first call of a key in a minute is 429 with Retry-After; other keys go on", async () => {
    const { soc, clock, withKey } = await open();
    for (let count = 0; count < 60; count += 1) expect((await soc.whoami()).status).toBe(200);
    await clock.advance(20 * second);
    const refused = await soc.whoami();
    expect([refused.status, refused.headers.get("Retry-After")]).toEqual([429, "40"]);
    expect(await refused.json()).toEqual({
      error: { code: "rate_limited", message: "Rate limit exceeded for this API key" },
    });
    expect((await (await withKey({})).whoami()).status).toBe(200);
    expect((await soc.enrich("jane.doe@example.com")).status).toBe(202);
    await clock.advance(40 * second);
    expect((await soc.whoami()).status).toBe(200);
  });

  test("a key of every scope may ask, and is told its own", async () => {
    const { withKey } = await open();
    for (const scopes of [["enrich"], ["read"], ["watch"]]) {
      const body = (await (await (await withKey({ scopes })).whoami()).json()) as { key: { scopes: string[] } };
      expect(body.key.scopes).toEqual(scopes);
    }
  });

  test("without a key it is 401, with HEAD it is the same without a body, with POST 405", async () => {
    const { respond, tenant, denials } = await open();
    expect((await socClient(respond, null).whoami()).status).toBe(401);
    expect(denials).toEqual([{ ip: "127.0.0.1", outcome: "401", who: "unknown" }]);
    const url = "http://127.0.0.1:8080/api/v1/soc/whoami";
    const headers = { "X-API-Key": tenant.token };
    const head = await respond(new Request(url, { method: "HEAD", headers }));
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const post = await respond(new Request(url, { method: "POST", headers }));
    expect([post.status, post.headers.get("Allow")]).toEqual([405, "GET, HEAD"]);
  });
});

describe("pipeline 14.4 the address that counts", () => {
  const proxy: Peer = { address: "10.0.0.1", isTls: false };
  const socket: Peer = { address: null, isTls: false };
  const stranger: Peer = { address: "203.0.113.9", isTls: false };
  test.each([
    { what: "the connection's own", peer: stranger, forwarded: null, allowed: "203.0.113.0/24", status: 200 },
    { what: "another than the connection's", peer: stranger, forwarded: null, allowed: "192.0.2.0/24", status: 401 },
    { what: "what a stranger claims", peer: stranger, forwarded: "192.0.2.1", allowed: "192.0.2.0/24", status: 401 },
    { what: "what a trusted proxy says", peer: proxy, forwarded: "192.0.2.1", allowed: "192.0.2.0/24", status: 200 },
    { what: "not the proxy's own", peer: proxy, forwarded: "192.0.2.1", allowed: "10.0.0.0/8", status: 401 },
    {
      what: "the last that is no proxy",
      peer: proxy,
      forwarded: "192.0.2.1, 203.0.113.9",
      allowed: "192.0.2.0/24",
      status: 401,
    },
    {
      what: "what the proxy on a socket says",
      peer: socket,
      forwarded: "192.0.2.1",
      allowed: "192.0.2.0/24",
      status: 200,
    },
    { what: "none, on a socket without the header", peer: socket, forwarded: null, allowed: "0.0.0.0/0", status: 401 },
    {
      what: "IPv4 on an IPv6 socket",
      peer: { address: "::ffff:192.0.2.1", isTls: false },
      forwarded: null,
      allowed: "192.0.2.0/24",
      status: 200,
    },
    {
      what: "IPv6",
      peer: { address: "2001:db8::7", isTls: false },
      forwarded: null,
      allowed: "2001:db8::/32",
      status: 200,
    },
  ])("$what: $status", async ({ peer, forwarded, allowed, status }) => {
    const { withKey } = await open({ app: { trust: makeTrust(["10.0.0.0/8"], []) } });
    const soc = await withKey({ allowedIps: [allowed] }, peer);
    const headers = forwarded === null ? {} : { "X-Forwarded-For": forwarded };
    const asked = [
      await soc.whoami(headers),
      await soc.enrich("jane.doe@example.com", headers),
      await soc.get("/x", headers),
    ];
    expect(asked.map((response) => response.status)).toEqual(status === 200 ? [200, 202, 404] : [401, 401, 401]);
  });

  test("a denial is written down with the key and the address", async () => {
    const { withKey, denials } = await open();
    const soc = await withKey({ name: "elsewhere", allowedIps: ["192.0.2.0/24"] }, stranger);
    expect(await errorCode(await soc.whoami())).toBe("invalid_api_key");
    expect(denials).toMatchObject([{ ip: "203.0.113.9", outcome: "401", who: { keyName: "elsewhere" } }]);
  });
});

describe("pipeline 14.4 a key of scope read", () => {
  test("gets a hit and polls; a miss is 404 not_cached, charged, and starts nothing", async () => {
    const service = await open();
    const { withKey, scanned, store, tenant } = service;
    const reader = await withKey({ scopes: ["read"] });
    const miss = await reader.enrich("jane.doe@example.com", { Prefer: "wait=5" });
    expect([miss.status, miss.headers.get("X-RateLimit-Remaining"), miss.headers.get("Location")]).toEqual([
      404,
      "599",
      null,
    ]);
    expect(await errorCode(miss)).toBe("not_cached");
    expect(await store.overview(tenant.id, new Date(0))).toMatchObject({ queuedCount: 0, runningCount: 0 });
    const scanId = await scanned("jane.doe@example.com");
    const hit = await reader.enrich("jane.doe@example.com");
    expect([hit.status, ((await hit.json()) as { cache: string }).cache]).toEqual([200, "hit"]);
    expect((await reader.get(`/${scanId}`)).status).toBe(200);
    // A fault of the request takes precedence over a missing result.
    expect(await errorCode(await reader.enrich("nobody"))).toBe("invalid_email");
  });
});
