import { describe, expect, test } from "vitest";
import { makeToken } from "../../../src/domain/api-key.ts";
import { makeTrust, type Peer } from "../../../src/http/caller.ts";
import { auditEvents } from "../../helpers/audit-events.ts";
import { addOperator, operatorClient, ownHost } from "../../helpers/operator-client.ts";
import { errorCode } from "../../helpers/soc-client.ts";
import { localPeer, openTestService, type TestServiceOptions } from "../../helpers/test-service.ts";

const hour = 3_600_000;
const sameOrigin = { Origin: `http://${ownHost}` };

async function open(options: TestServiceOptions = {}) {
  const service = await openTestService(options);
  const { id, token } = await addOperator(service, service.tenant.id, "alice");
  const { call } = operatorClient(service.respond);
  const logIn = (body: unknown = { token }, headers = {}) => call("POST", "/api/v1/session", body, headers);
  const keysPath = `/api/v1/workspaces/${service.tenant.id}/keys`;
  return {
    ...service,
    operatorId: id,
    token,
    call,
    logIn,
    keysPath,
    /** Logs in and returns the cookie in the form that a browser sends. */
    session: async () => cookieOf(await logIn()),
    listKeys: async (cookie: string) => (await call("GET", keysPath, undefined, { Cookie: cookie })).status,
    actions: async () => (await auditEvents(service.store)).map(({ action, actor }) => `${action} ${actor}`),
  };
}

function cookieOf(response: Response): string {
  return (response.headers.get("Set-Cookie") ?? "").split(";", 1)[0] ?? "";
}

describe("9.9 log-in", () => {
  test("answers 204 with a cookie that scripts and other sites cannot use, for 8 hours", async () => {
    const { logIn } = await open();
    const response = await logIn();
    expect([response.status, await response.text(), response.headers.get("Cache-Control")]).toEqual([
      204,
      "",
      "no-store",
    ]);
    expect(response.headers.get("Set-Cookie")).toMatch(
      /^xpose_session=[0-9a-f]{64}; Path=\/; Max-Age=28800; HttpOnly; SameSite=Strict$/,
    );
  });

  const tlsPeer: Peer = { address: "192.0.2.1", isTls: true };
  const proxyPeer: Peer = { address: "10.0.0.1", isTls: false };
  test.each([
    { why: "plain on loopback", peer: localPeer, proto: null, isSecure: false },
    { why: "TLS", peer: tlsPeer, proto: null, isSecure: true },
    { why: "a trusted proxy that says https", peer: proxyPeer, proto: "https", isSecure: true },
    { why: "a trusted proxy that says http", peer: proxyPeer, proto: "http", isSecure: false },
    {
      why: "a stranger that says https",
      peer: { ...proxyPeer, address: "192.0.2.9" },
      proto: "https",
      isSecure: false,
    },
  ])("over $why the cookie is Secure: $isSecure", async ({ peer, proto, isSecure }) => {
    const service = await open({ app: { trust: makeTrust(["10.0.0.0/8"], []) } });
    const { call } = operatorClient((request) => service.respond(request, peer));
    const headers: Record<string, string> = proto === null ? {} : { "X-Forwarded-Proto": proto };
    const response = await call("POST", "/api/v1/session", { token: service.token }, headers);
    expect((response.headers.get("Set-Cookie") ?? "").endsWith("; Secure")).toBe(isSecure);
  });

  test("unknown, wrong, empty and non-string tokens and API keys get the same 401", async () => {
    const { logIn, token, tenant, clock, actions } = await open();
    const unknown = makeToken("operator", new Uint8Array(20));
    const bodies = [
      unknown,
      token.slice(0, -1),
      "",
      " ",
      token.toUpperCase(),
      tenant.token,
      null,
      7,
      [token],
      { token },
    ];
    const texts = new Set<string>();
    for (const [index, wrong] of bodies.entries()) {
      const response = await logIn({ token: wrong });
      texts.add(`${response.status} ${await response.text()} ${response.headers.has("Set-Cookie")}`);
      if (index % 5 === 4) await clock.advance(60_000);
    }
    const body = '{"error":{"code":"unauthorized","message":"Missing or unrecognised operator token or session"}}';
    expect([...texts]).toEqual([`401 ${body} false`]);
    expect(await actions()).not.toContain("workspace.session_started operator:alice");
  });

  test("the eleventh try of an address in a minute is 429, whatever its token, with an exact Retry-After", async () => {
    const { logIn, clock } = await open();
    for (let count = 0; count < 5; count += 1) {
      expect((await logIn({ token: "x" })).status).toBe(401);
      expect((await logIn()).status).toBe(204);
    }
    await clock.advance(20_500);
    const response = await logIn();
    expect([response.status, await errorCode(response), response.headers.get("Retry-After")]).toEqual([
      429,
      "rate_limited",
      "40",
    ]);
    await clock.advance(40_000);
    expect((await logIn()).status).toBe(204);
  });

  test("tries are counted by the address of the client, not of its proxy", async () => {
    const service = await open({ app: { trust: makeTrust(["127.0.0.1"], []) } });
    const from = (ip: string) => service.logIn({ token: "x" }, { "X-Forwarded-For": ip });
    for (let count = 0; count < 10; count += 1) await from("203.0.113.7");
    expect([(await from("203.0.113.7")).status, (await from("203.0.113.8")).status]).toEqual([429, 401]);
  });

  test("tries from one network of a provider's customer count together, those of another one do not", async () => {
    const service = await open();
    const from = async (address: string) => {
      const { call } = operatorClient((request) => service.respond(request, { address, isTls: false }));
      return (await call("POST", "/api/v1/session", { token: "x" })).status;
    };
    for (let count = 0; count < 10; count += 1) expect(await from(`2001:db8:0:1::${count + 1}`)).toBe(401);
    expect([await from("2001:db8:0:1:ffff::1"), await from("2001:db8:0:2::1")]).toEqual([429, 401]);
  });

  test("behind a proxy that nobody declared a stranger cannot keep an admin out, and can guess no better", async () => {
    const { logIn } = await open();
    const forwarded = (ip: string) => ({ "X-Forwarded-For": ip });
    for (let count = 0; count < 10; count += 1) await logIn({ token: "x" }, forwarded(`203.0.113.${count}`));
    expect((await logIn({ token: "x" }, forwarded("203.0.113.99"))).status).toBe(429);
    expect((await logIn(undefined, forwarded("198.51.100.1"))).status).toBe(204);
    // Without a proxy the address is that of the client, and good tries count too.
    expect((await logIn()).status).toBe(429);
  });

  test.each([
    ["no origin", {}, 204],
    ["our origin", sameOrigin, 204],
    ["another origin", { Origin: "http://evil.example" }, 403],
    ["another port", { Origin: "http://127.0.0.1:9090" }, 403],
    ["the origin null", { Origin: "null" }, 403],
    ["another host", { Host: "evil.example" }, 403],
    ["another host with its origin", { Host: "evil.example", Origin: "http://evil.example" }, 403],
  ])("with %s a log-in is answered: %j %i", async (_what, headers, status) => {
    const { logIn } = await open();
    const response = await logIn(undefined, headers as Record<string, string>);
    expect(response.status).toBe(status);
    if (status === 403) expect(await errorCode(response)).toBe("forbidden");
  });

  test.each([
    ["a body that is too large", "x".repeat(5_000), {}, 413, "payload_too_large"],
    ["a form", "token=x", { "Content-Type": "application/x-www-form-urlencoded" }, 415, "unsupported_media_type"],
    ["no JSON", "{", {}, 400, "malformed_json"],
    ["an array", "[]", {}, 400, "invalid_request"],
    ["null", "null", {}, 400, "invalid_request"],
    ["no token", "{}", {}, 400, "invalid_request"],
  ])("%s is refused", async (_what, body, headers, status, code) => {
    const { logIn } = await open();
    const response = await logIn(body, headers as Record<string, string>);
    expect([response.status, await errorCode(response)]).toEqual([status, code]);
  });

  test("a token in the query, a cookie or a header opens no session", async () => {
    const { call, token } = await open();
    const response = await call(
      "POST",
      `/api/v1/session?token=${token}`,
      { token: "" },
      {
        Authorization: `Bearer ${token}`,
        Cookie: `token=${token}`,
      },
    );
    expect(response.status).toBe(401);
  });
});

describe("9.1 a session", () => {
  test("may read without an origin, and may change data only with the origin of its host", async () => {
    const { session, call, keysPath } = await open();
    const Cookie = await session();
    const mint = (headers: Record<string, string>) => call("POST", keysPath, { name: crypto.randomUUID() }, headers);
    expect((await call("GET", keysPath, undefined, { Cookie })).status).toBe(200);
    expect((await call("HEAD", keysPath, undefined, { Cookie })).status).toBe(200);
    expect((await mint({ Cookie, ...sameOrigin })).status).toBe(201);
    const named = { Host: "localhost", Origin: "http://localhost:80" };
    expect((await mint({ Cookie, ...named })).status).toBe(201);
    const secure = { Host: "localhost:443", Origin: "https://localhost" };
    expect((await mint({ Cookie, ...secure })).status).toBe(201);
    for (const Origin of ["", "null", "http://evil.example", "http://127.0.0.1:8081", "http://localhost:8080"]) {
      const response = await mint({ Cookie, Origin });
      expect([response.status, await errorCode(response)]).toEqual([403, "forbidden"]);
    }
    expect((await mint({ Cookie })).status).toBe(403);
  });

  test("a token needs no origin, and a bad token is refused even with a good cookie", async () => {
    const { session, call, keysPath, token } = await open();
    const Cookie = await session();
    const bearer = { Authorization: `Bearer ${token}` };
    expect((await call("POST", keysPath, { name: "x" }, { ...bearer, Origin: "http://evil.example" })).status).toBe(
      201,
    );
    for (const Authorization of [
      "",
      "Bearer",
      "Bearer x",
      `Basic ${token}`,
      `Bearer ${token} x`,
      `Bearer ${token}, x`,
    ]) {
      const response = await call("GET", keysPath, undefined, { Cookie, Authorization });
      expect([response.status, await errorCode(response)]).toEqual([401, "unauthorized"]);
    }
  });

  test("ends after 8 hours, to the millisecond", async () => {
    const { session, listKeys, clock } = await open();
    const cookie = await session();
    await clock.advance(8 * hour - 1);
    expect(await listKeys(cookie)).toBe(200);
    await clock.advance(1);
    expect(await listKeys(cookie)).toBe(401);
  });

  test("ends with its operator, on the next request", async () => {
    const { session, listKeys, store, tenant, operatorId, clock } = await open();
    const cookie = await session();
    await store.revokeOperator(tenant.id, operatorId, { ...author, at: clock.now() });
    expect(await listKeys(cookie)).toBe(401);
  });

  test("is new at each log-in, and an invented session is refused", async () => {
    const { session, logIn, listKeys } = await open();
    const given = `xpose_session=${"ab".repeat(32)}`;
    const made = cookieOf(await logIn(undefined, { Cookie: given }));
    const [one, two] = [await session(), await session()];
    expect(new Set([given, made, one, two]).size).toBe(4);
    for (const cookie of [given, "xpose_session=", `xpose_session=${one}`, one.toUpperCase(), one.slice(0, -1), ""]) {
      expect(await listKeys(cookie)).toBe(401);
    }
    expect([await listKeys(one), await listKeys(`theme=dark; ${two}; lang=en`)]).toEqual([200, 200]);
  });

  test("is not a key: the exposure API accepts neither a session nor an operator token", async () => {
    const { session, call, token } = await open();
    const id = "3f2a8c1e-0000-4000-8000-000000000000";
    const cookies = { Cookie: await session(), Authorization: `Bearer ${token}` };
    const response = await call("GET", `/api/v1/soc/enrich/${id}`, undefined, { ...cookies, "X-API-Key": token });
    expect([response.status, await errorCode(response)]).toEqual([401, "invalid_api_key"]);
  });
});

describe("9.9 log-out", () => {
  test("ends the session and clears the cookie; other sessions of the operator stay open", async () => {
    const { session, call, listKeys } = await open();
    const [one, two] = [await session(), await session()];
    const response = await call("DELETE", "/api/v1/session", undefined, { Cookie: one, ...sameOrigin });
    expect([response.status, response.headers.get("Set-Cookie")]).toEqual([
      204,
      "xpose_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict",
    ]);
    expect([await listKeys(one), await listKeys(two)]).toEqual([401, 200]);
    const again = await call("DELETE", "/api/v1/session", undefined, { Cookie: one, ...sameOrigin });
    expect([again.status, await errorCode(again)]).toEqual([401, "unauthorized"]);
  });

  test("needs our origin and a session; a token alone has no session to end", async () => {
    const { session, call, token, listKeys } = await open();
    const Cookie = await session();
    for (const headers of [{ Cookie }, { Cookie, Origin: "http://evil.example" }]) {
      const response = await call("DELETE", "/api/v1/session", undefined, headers);
      expect([response.status, await errorCode(response)]).toEqual([403, "forbidden"]);
    }
    const bearer = await call("DELETE", "/api/v1/session", undefined, { Authorization: `Bearer ${token}` });
    expect([bearer.status, await errorCode(bearer)]).toEqual([401, "unauthorized"]);
    expect(await listKeys(Cookie)).toBe(200);
  });

  test("GET is 405", async () => {
    const { call } = await open();
    const response = await call("GET", "/api/v1/session");
    expect([response.status, response.headers.get("Allow")]).toEqual([405, "DELETE, POST"]);
  });
});

test("log-in and log-out are in the audit trail, without any secret", async () => {
  const { session, call, actions, store, token } = await open();
  const cookie = await session();
  await call("DELETE", "/api/v1/session", undefined, { Cookie: cookie, ...sameOrigin });
  const own = (await actions()).filter((line) => line.includes("session"));
  expect(own).toEqual(["workspace.session_started operator:alice", "workspace.session_ended operator:alice"]);
  const text = JSON.stringify(await auditEvents(store));
  for (const secret of [token, cookie.slice("xpose_session=".length)]) expect(text).not.toContain(secret);
});

const author = { actor: "cli", ip: null, outcome: "ok", correlationId: null };
