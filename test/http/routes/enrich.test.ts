import { describe, expect, test } from "vitest";
import { AppError, SourceError } from "../../../src/domain/error.ts";
import { parseIndicator } from "../../../src/domain/indicator.ts";
import { corpusHash as corpusHashOf } from "../../../src/domain/keyed-hash.ts";
import { waitPreference } from "../../../src/http/routes/enrich.ts";
import { openWaits } from "../../../src/http/waits.ts";
import { found, inventedSource } from "../../helpers/invented-source.ts";
import { turnOver } from "../../helpers/manual-clock.ts";
import { enrichUrl, errorCode, socClient } from "../../helpers/soc-client.ts";
import { testAuthor } from "../../helpers/test-author.ts";
import { openTestService, type TestServiceOptions } from "../../helpers/test-service.ts";

const address = "jane.doe@example.com";
const unknownId = "3f2a8c1e-0000-4000-8000-000000000000";

async function open(options?: TestServiceOptions) {
  const service = await openTestService(options);
  return { ...service, ...socClient(service.respond, service.tenant.token) };
}

async function rowsOf(response: Response): Promise<Record<string, unknown>[]> {
  return ((await response.json()) as { sources: Record<string, unknown>[] }).sources;
}

/** Replaces the sources by one that answers when `answer` is called. */
function gate(service: Awaited<ReturnType<typeof open>>) {
  const answered = Promise.withResolvers<void>();
  const source = inventedSource("alpha", async () => {
    await answered.promise;
    return found("Example Shop");
  });
  service.sources.splice(0, service.sources.length, source);
  return { answer: () => answered.resolve() };
}

describe("3.5 a miss, a poll, a hit", () => {
  test("a miss is 202 with the id, the path for polling and the canonical indicator", async () => {
    const { enrich } = await open();
    const response = await enrich(" JANE.DOE@Example.COM\t");
    expect(response.status).toBe(202);
    const text = await response.text();
    const { request_id: id } = JSON.parse(text) as { request_id: string };
    expect(text).toBe(
      `{"status":"scanning","request_id":"${id}","poll_url":"/api/v1/soc/enrich/${id}",` +
        `"indicator":{"type":"email","value":"${address}"}}`,
    );
    expect(response.headers.get("Location")).toBe(`/api/v1/soc/enrich/${id}`);
    expect(response.headers.get("Retry-After")).toBe("1");
  });

  test.each(["https://soc.example/xpose", "http://soc.example:8080"])(
    "21.20 behind %s the Location is absolute under it, and the body stays as published",
    async (publicUrl) => {
      const { enrich } = await open({ app: { publicUrl } });
      const response = await enrich(address);
      const { request_id: id, poll_url: pollUrl } = (await response.json()) as { request_id: string; poll_url: string };
      expect(pollUrl).toBe(`/api/v1/soc/enrich/${id}`);
      expect(response.headers.get("Location")).toBe(`${publicUrl}/api/v1/soc/enrich/${id}`);
    },
  );

  test("a poll and a hit of one scan differ in `cache` only", async () => {
    const { enrich, get, scanned } = await open();
    const id = await scanned(address);
    const [poll, hit] = [await get(`/${id}`), await enrich(address)];
    expect([poll.status, hit.status]).toEqual([200, 200]);
    const [pollText, hitText] = [await poll.text(), await hit.text()];
    expect(pollText).toContain('"cache":"miss_scan_complete"');
    expect(hitText).toBe(pollText.replace('"cache":"miss_scan_complete"', '"cache":"hit"'));
    const keys = ["request_id", "status", "cache", "indicator", "exposure", "disambiguation"];
    expect(Object.keys(JSON.parse(hitText) as object)).toEqual(keys);
    expect(hitText).toContain(`"request_id":"${id}"`);
    for (const response of [poll, hit]) {
      expect(response.headers.get("X-Xpose-Exposure-Digest")).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(response.headers.has("X-Xpose-Partial")).toBe(false);
      expect(response.headers.has("Retry-After")).toBe(false);
    }
    expect(poll.headers.get("X-Xpose-Exposure-Digest")).toBe(hit.headers.get("X-Xpose-Exposure-Digest"));
  });

  test("6.2 an unfinished scan shows its state, and Retry-After", async () => {
    const service = await open();
    const { answer } = gate(service);
    const { request_id: id } = (await (await service.enrich(address)).json()) as { request_id: string };
    await turnOver();
    for (const path of [`/${id}`, `/${id}/evidence`]) {
      const response = await service.get(path);
      expect(await response.text()).toBe(`{"status":"scanning","request_id":"${id}"}`);
      expect([response.status, response.headers.get("Retry-After")]).toEqual([200, "1"]);
    }
    expect(await (await service.get(`/${id}/sources`)).json()).toEqual({
      request_id: id,
      status: "scanning",
      sources: [],
    });
    answer();
    await turnOver();
    expect(await (await service.get(`/${id}`)).json()).toMatchObject({ status: "completed" });
  });

  test("6.3, 5.6 the body of a failed scan has exactly two keys, and is never a hit", async () => {
    const { enrich, get, scanned, sources } = await open();
    sources.splice(
      0,
      1,
      inventedSource("alpha", () => Promise.reject(new SourceError("unreachable", "down"))),
    );
    const id = await scanned(address);
    for (const path of [`/${id}`, `/${id}/evidence`]) {
      const response = await get(path);
      expect(await response.text()).toBe(`{"status":"failed","request_id":"${id}"}`);
      expect([response.status, response.headers.has("Retry-After")]).toEqual([200, false]);
    }
    const next = await enrich(address);
    expect(next.status).toBe(202);
    expect(((await next.json()) as { request_id: string }).request_id).not.toBe(id);
  });

  test("5.8 a partial result is marked as partial on POST and GET", async () => {
    const { enrich, get, scanned, sources } = await open();
    sources.push(inventedSource("beta", () => Promise.reject(new SourceError("auth", "wrong key"))));
    const id = await scanned(address);
    for (const response of [await enrich(address), await get(`/${id}`)]) {
      expect([response.status, response.headers.get("X-Xpose-Partial")]).toEqual([200, "1"]);
    }
  });

  test("6.5 /sources has one row per source, sorted, in the order of the contract", async () => {
    const { get, scanned, sources } = await open();
    sources.unshift(inventedSource("gamma", () => Promise.reject(new SourceError("auth", "wrong key"))));
    sources.push(inventedSource("beta", async () => ({ findings: [], missing: ["pastes"] })));
    const id = await scanned(address);
    const response = await get(`/${id}/sources`);
    expect(await response.text()).toBe(
      `{"request_id":"${id}","status":"completed","sources":[` +
        '{"source":"alpha","outcome":"ok","findings":1,"duration_ms":0,"error":null,"missing":[],' +
        '"answered_at":"2026-06-01T12:00:00+00:00","reused":false,"omitted":0},' +
        '{"source":"beta","outcome":"no_data","findings":0,"duration_ms":0,"error":null,"missing":["pastes"],' +
        '"answered_at":"2026-06-01T12:00:00+00:00","reused":false,"omitted":0},' +
        '{"source":"gamma","outcome":"failed","findings":0,"duration_ms":0,"error":"auth","missing":[],' +
        '"answered_at":null,"reused":false,"omitted":0}]}',
    );
  });

  test("17.1 /sources tells when the answer that counts was given, and by which scan", async () => {
    const { clock, get, scanned, sources, live } = await open();
    await scanned(address);
    await clock.advance(live().lifetimes.cacheTtlMs - 60_000);
    // One more source makes the result one of other settings; alpha's answer is still fresh.
    sources.push(inventedSource("beta", async () => found("Example Forum")));
    const [alpha, beta] = await rowsOf(await get(`/${await scanned(address)}/sources`));
    expect(alpha).toMatchObject({ answered_at: "2026-06-01T12:00:00+00:00", reused: true });
    expect(beta).toMatchObject({ answered_at: "2026-06-02T11:59:00+00:00", reused: false });
    await clock.advance(live().lifetimes.cacheTtlMs);
    sources.splice(
      1,
      1,
      inventedSource("beta", () => Promise.reject(new SourceError("timeout", "late"))),
    );
    const [, failed] = await rowsOf(await get(`/${await scanned(address)}/sources`));
    expect(failed).toMatchObject({ outcome: "failed", answered_at: "2026-06-02T11:59:00+00:00", reused: true });
  });

  test("16.6 an envelope holds so many atoms, and what is left out is counted", async () => {
    const { enrich, get, scanned, sources } = await open({ live: { maxFindings: 3 } });
    sources.push(inventedSource("beta", async () => found("Example A", "Example B", "Example C")));
    const id = await scanned(address);
    for (const response of [await enrich(address), await get(`/${id}`)]) {
      expect(response.headers.get("X-Xpose-Findings-Omitted")).toBe("1");
      const { exposure } = (await response.json()) as { exposure: { findings: unknown[]; total: number } };
      expect([exposure.findings.length, exposure.total]).toEqual([3, 3]);
    }
    const rows = await rowsOf(await get(`/${id}/sources`));
    expect(rows.reduce((sum, { omitted }) => sum + Number(omitted), 0)).toBe(1);
    const { findings } = (await (await get(`/${id}/evidence`)).json()) as { findings: unknown[] };
    expect(findings).toHaveLength(3);
  });

  test("16.6 an envelope that holds everything has no header for it", async () => {
    const { enrich, scanned } = await open();
    await scanned(address);
    expect((await enrich(address)).headers.has("X-Xpose-Findings-Omitted")).toBe(false);
  });

  test("7.8 /evidence has the atoms of the envelope in their order, with details", async () => {
    const { get, scanned, sources } = await open();
    sources.push(inventedSource("beta", async () => found("Example Forum", "Example Shop")));
    const id = await scanned(address);
    const envelope = (await (await get(`/${id}`)).json()) as { exposure: { findings: object[] } };
    const evidence = (await (await get(`/${id}/evidence`)).json()) as { request_id: string; findings: object[] };
    expect(evidence.request_id).toBe(id);
    expect(evidence.findings).toHaveLength(3);
    expect(evidence.findings).toEqual(envelope.exposure.findings.map((atom) => expect.objectContaining(atom)));
  });
});

describe("order of checks (contract 2)", () => {
  const tooLong = "x".repeat(16_385);
  const wrongType = { "Content-Type": "text/plain" };
  test.each([
    {
      what: "no key, and all else wrong",
      who: "nobody",
      body: tooLong,
      headers: wrongType,
      status: 401,
      code: "invalid_api_key",
    },
    {
      what: "an unknown key, and all else wrong",
      who: "stranger",
      body: tooLong,
      headers: wrongType,
      status: 401,
      code: "invalid_api_key",
    },
    {
      what: "plan below team, and all else wrong",
      who: "free",
      body: tooLong,
      headers: wrongType,
      status: 403,
      code: "plan_required",
    },
    {
      what: "a long body of a wrong type",
      who: "team",
      body: tooLong,
      headers: wrongType,
      status: 413,
      code: "payload_too_large",
    },
    {
      what: "a wrong type and no JSON",
      who: "team",
      body: "{",
      headers: wrongType,
      status: 415,
      code: "unsupported_media_type",
    },
    { what: "no JSON", who: "team", body: "{", headers: {}, status: 400, code: "malformed_json" },
    { what: "an array", who: "team", body: "[]", headers: {}, status: 400, code: "invalid_request" },
    { what: "null", who: "team", body: "null", headers: {}, status: 400, code: "invalid_request" },
    { what: "no indicator", who: "team", body: "{}", headers: {}, status: 400, code: "invalid_request" },
    {
      what: "an indicator that is a text",
      who: "team",
      body: '{"indicator":"a@example.com"}',
      headers: {},
      status: 400,
      code: "invalid_request",
    },
    {
      what: "an indicator that is null",
      who: "team",
      body: '{"indicator":null}',
      headers: {},
      status: 400,
      code: "invalid_request",
    },
    {
      what: "an indicator that is an array",
      who: "team",
      body: '{"indicator":[]}',
      headers: {},
      status: 400,
      code: "invalid_request",
    },
    {
      what: "wrong options and a wrong type",
      who: "team",
      body: '{"indicator":{"type":"ip"},"options":[]}',
      headers: {},
      status: 400,
      code: "invalid_request",
    },
    {
      what: "a wrong type and a wrong value",
      who: "team",
      body: '{"indicator":{"type":"ip","value":7}}',
      headers: {},
      status: 422,
      code: "unsupported_indicator",
    },
    {
      what: "no type",
      who: "team",
      body: `{"indicator":{"value":"${address}"}}`,
      headers: {},
      status: 422,
      code: "unsupported_indicator",
    },
    {
      what: "a type that is null",
      who: "team",
      body: `{"indicator":{"type":null,"value":"${address}"}}`,
      headers: {},
      status: 422,
      code: "unsupported_indicator",
    },
    {
      what: "a type in capitals",
      who: "team",
      body: `{"indicator":{"type":"Email","value":"${address}"}}`,
      headers: {},
      status: 422,
      code: "unsupported_indicator",
    },
    {
      what: "a type every object has",
      who: "team",
      body: `{"indicator":{"type":"toString","value":"${address}"}}`,
      headers: {},
      status: 422,
      code: "unsupported_indicator",
    },
    {
      what: "no value",
      who: "team",
      body: '{"indicator":{"type":"email"}}',
      headers: {},
      status: 400,
      code: "invalid_email",
    },
    {
      what: "a value that is a number",
      who: "team",
      body: '{"indicator":{"type":"email","value":7}}',
      headers: {},
      status: 400,
      code: "invalid_email",
    },
    {
      what: "a value that is an array",
      who: "team",
      body: `{"indicator":{"type":"email","value":["${address}"]}}`,
      headers: {},
      status: 400,
      code: "invalid_email",
    },
    {
      what: "a value that is no address",
      who: "team",
      body: '{"indicator":{"type":"email","value":"jane.doe"}}',
      headers: {},
      status: 400,
      code: "invalid_email",
    },
  ])("$what: $status $code", async ({ who, body, headers, status, code }) => {
    const service = await openTestService();
    const free = await service.addTenant("Free", "free");
    const stranger = await (await openTestService()).addTenant("Elsewhere");
    const tokens = { nobody: null, stranger: stranger.token, free: free.token, team: service.tenant.token };
    const { post } = socClient(service.respond, tokens[who as keyof typeof tokens]);
    const response = await post(body, headers);
    expect([response.status, await errorCode(response)]).toEqual([status, code]);
  });

  test.each(["free", "starter"] as const)("1.5 below plan team (%s) GET is 403 as well", async (plan) => {
    const { addTenant, respond } = await openTestService();
    const { get } = socClient(respond, (await addTenant("Small", plan)).token);
    for (const path of [`/${unknownId}`, `/${unknownId}/sources`, "/no-id"]) {
      const response = await get(path);
      expect([response.status, await errorCode(response)]).toEqual([403, "plan_required"]);
    }
  });

  test("1.2 every refused key gets the same answer, byte for byte", async () => {
    const service = await openTestService();
    const disabled = await service.addTenant("Disabled");
    await service.store.changeWorkspace(disabled.id, { disabledAt: service.clock.now() }, testAuthor);
    const stranger = (await (await openTestService()).addTenant("Elsewhere")).token;
    const same = { "X-Correlation-Id": "same" };
    const answers: string[] = [];
    for (const key of [null, disabled.token, stranger, `${stranger.slice(0, -1)}x`, "", "password"]) {
      const headers: Record<string, string> = key === null ? same : { ...same, "X-API-Key": key };
      const { get, enrich } = socClient(service.respond, null);
      for (const response of [await enrich(address, headers), await get(`/${unknownId}`, headers)]) {
        answers.push(`${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`);
      }
    }
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain('401 [["cache-control","no-store"]');
    expect(answers[0]).toContain('"www-authenticate","ApiKey realm=\\"xpose\\""');
  });

  test("the body of a request without a key is not read", async () => {
    const { respond } = await openTestService();
    let [isRead, isCancelled] = [false, false];
    const body = new ReadableStream(
      {
        pull() {
          isRead = true;
        },
        cancel() {
          isCancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    await respond(new Request(enrichUrl, { method: "POST", body }));
    expect([isRead, isCancelled]).toEqual([false, true]);
  });

  test("no refusal repeats the submitted body", async () => {
    const { post, get, enrich } = await open();
    const marker = "marker4711";
    const responses = [
      await post(`{"${marker}":`),
      await post(JSON.stringify({ indicator: marker })),
      await post(JSON.stringify({ indicator: { type: marker } })),
      await enrich(`${marker} @example.com`),
      await get(`/${marker}`),
      await get(`/${marker}/${marker}`),
    ];
    for (const response of responses) {
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(await response.text()).not.toContain(marker);
    }
  });
});

describe("3.1 options", () => {
  test.each([
    { options: undefined, status: 202 },
    { options: null, status: 202 },
    { options: {}, status: 202 },
    { options: { depth: null }, status: 202 },
    { options: { depth: "quick" }, status: 202 },
    { options: { depth: "any word will do" }, status: 202 },
    { options: { depth: "😀".repeat(64) }, status: 202 },
    { options: { depth: "x".repeat(64), other: [1] }, status: 202 },
    { options: { depth: "x".repeat(65) }, status: 400 },
    { options: { depth: "" }, status: 400 },
    { options: { depth: 1 }, status: 400 },
    { options: { depth: ["quick"] }, status: 400 },
    { options: "quick", status: 400 },
    { options: [], status: 400 },
    { options: true, status: 400 },
  ])("$options: $status", async ({ options, status }) => {
    const { post } = await open();
    const response = await post(JSON.stringify({ indicator: { type: "email", value: address, more: 1 }, options }));
    expect(response.status).toBe(status);
    if (status === 400) expect(await errorCode(response)).toBe("invalid_request");
  });

  test("the depth is not part of the cache key", async () => {
    const { post, scanned } = await open();
    await scanned(address);
    const deep = { indicator: { type: "email", value: address }, options: { depth: "deep" } };
    expect((await post(JSON.stringify(deep))).status).toBe(200);
  });
});

describe("6.1 isolation", () => {
  test("an unknown, a foreign, a malformed and an upper-case id get the same 404, byte for byte", async () => {
    const { respond, addTenant, scanned, get } = await open();
    const other = await addTenant("Other");
    const foreignId = await scanned(address, other);
    const ownId = await scanned(address);
    expect(ownId.toUpperCase()).not.toBe(ownId);
    const ids = [
      unknownId,
      foreignId,
      ownId.toUpperCase(),
      foreignId.toUpperCase(),
      "no-id",
      "..%2F",
      "%00",
      "%ff",
      `${foreignId}%20`,
    ];
    const answers = new Set<string>();
    const pollsLeft: number[] = [];
    for (const id of ids) {
      for (const view of ["", "/sources", "/evidence"]) {
        const response = await get(`/${id}${view}`, { "X-Correlation-Id": "same" });
        // Every poll counts, even for an unknown scan.
        pollsLeft.push(Number(response.headers.get("X-RateLimit-Remaining")));
        response.headers.delete("X-RateLimit-Remaining");
        answers.add(`${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`);
      }
    }
    expect(answers.size).toBe(1);
    expect(pollsLeft).toEqual(pollsLeft.map((_, index) => 12_000 - 1 - index));
    expect([...answers][0]).toContain('404 [["cache-control","no-store"]');
    expect((await socClient(respond, other.token).get(`/${foreignId}`)).status).toBe(200);
  });

  test("5.2 a scan of one workspace is neither a hit nor joined in another workspace", async () => {
    const service = await open();
    const other = await service.addTenant("Other");
    const { answer } = gate(service);
    const own = (await (await service.enrich(address)).json()) as { request_id: string };
    const foreign = await socClient(service.respond, other.token).enrich(address);
    expect(foreign.status).toBe(202);
    expect(((await foreign.json()) as { request_id: string }).request_id).not.toBe(own.request_id);
    answer();
  });

  test("6.1 any key of the workspace may poll", async () => {
    const service = await open();
    const id = await service.scanned(address);
    const { respond, get, tenant } = service;
    expect((await get(`/${id}`)).status).toBe(200);
    await service.store.changeWorkspace(tenant.id, { disabledAt: service.clock.now() }, testAuthor);
    expect((await get(`/${id}`)).status).toBe(401);
    await service.store.changeWorkspace(tenant.id, { disabledAt: null }, testAuthor);
    expect((await socClient(respond, tenant.token).get(`/${id}`)).status).toBe(200);
  });
});

describe("5.12, 8.6, 10 a service that cannot take a new scan", () => {
  test("a full queue refuses misses with overloaded; hits and joins are still answered", async () => {
    const service = await open({ live: { maxQueue: 1, concurrency: 1 } });
    await service.scanned(address);
    const { answer } = gate(service);
    expect((await service.enrich("first@example.com")).status).toBe(202);
    const refused = await service.enrich("second@example.com");
    expect([refused.status, refused.headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(await errorCode(refused)).toBe("overloaded");
    expect((await service.enrich("first@example.com")).status).toBe(202);
    expect((await service.enrich(address)).status).toBe(200);
    answer();
  });

  test.each(["unavailable", "storage_full"] as const)(
    "a database that fails with %s is a 503 with Retry-After",
    async (code) => {
      const fault = () => Promise.reject(new AppError(code, "The database cannot be used now"));
      const { enrich, get } = await open({ store: () => ({ handleCalls: fault, readCalls: fault }) });
      for (const response of [await enrich(address), await get(`/${unknownId}`)]) {
        expect([response.status, await errorCode(response)]).toEqual([503, code]);
        expect(response.headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
      }
    },
  );
});

describe("3.6 Prefer: wait", () => {
  test.each([
    { header: null, seconds: null },
    { header: "", seconds: null },
    { header: "wait=1", seconds: 1 },
    { header: "wait=10", seconds: 10 },
    { header: "wait=50", seconds: 50 },
    { header: "wait=51", seconds: 50 },
    { header: "wait=999999999999999999999999", seconds: 50 },
    { header: "Wait=5", seconds: 5 },
    { header: ' wait = "5" ', seconds: 5 },
    { header: "wait=05", seconds: 5 },
    { header: "respond-async, wait=7", seconds: 7 },
    { header: "wait=7, respond-async", seconds: 7 },
    { header: "wait=7; foo=bar, handling=lenient", seconds: 7 },
    { header: "wait=7, wait=9", seconds: 7 },
    { header: "wait=0", seconds: null },
    { header: "wait=0, wait=9", seconds: null },
    { header: "wait", seconds: null },
    { header: "wait=", seconds: null },
    { header: "wait=-5", seconds: null },
    { header: "wait=+5", seconds: null },
    { header: "wait=5s", seconds: null },
    { header: "wait=1.5", seconds: null },
    { header: "wait=1e1", seconds: null },
    { header: "wait=0x10", seconds: null },
    { header: 'wait="5', seconds: null },
    { header: "waiting=5", seconds: null },
    { header: "await=5", seconds: null },
    { header: "respond-async", seconds: null },
  ])("'$header': $seconds", ({ header, seconds }) => {
    expect(waitPreference(header)).toBe(seconds);
  });

  test("a key that is revoked while its request waits gets the same bytes as any revoked key", async () => {
    const service = await open();
    const { answer } = gate(service);
    const headers = { "X-Correlation-Id": "c-1" };
    const waiting = service.enrich(address, { ...headers, Prefer: "wait=50" });
    await turnOver();
    await service.store.revokeKey(service.tenant.id, service.tenant.keyId, testAuthor);
    answer();
    const [waited, next] = [await waiting, await service.enrich(address, headers)];
    const bytes = async (response: Response) => [response.status, [...response.headers], await response.text()];
    expect(waited.status).toBe(401);
    expect(await bytes(waited)).toEqual(await bytes(next));
  });

  test("a scan that completes in time is answered with its envelope", async () => {
    const service = await open();
    const { answer } = gate(service);
    const waiting = service.enrich(address, { Prefer: "wait=50" });
    await turnOver();
    answer();
    const response = await waiting;
    expect(response.status).toBe(200);
    expect(response.headers.get("Preference-Applied")).toBe("wait");
    expect(response.headers.has("X-Xpose-Exposure-Digest")).toBe(true);
    expect(await response.json()).toMatchObject({ status: "completed", cache: "miss_scan_complete" });
  });

  test("a key that waits with all its places gets the usual 202 at once, others wait on", async () => {
    const service = await open({ app: { waits: openWaits({ perHolder: 2, total: 3 }) } });
    const { answer } = gate(service);
    const wait = { Prefer: "wait=50" };
    const waiting = [service.enrich("a@example.com", wait), service.enrich("b@example.com", wait)];
    await turnOver();
    const response = await service.enrich("c@example.com", wait);
    expect([response.status, response.headers.has("Preference-Applied")]).toEqual([202, false]);
    answer();
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200]);
    // Places that were left are free again.
    expect((await service.enrich("d@example.com", wait)).status).toBe(200);
  });

  test("one that failed in time is answered as failed", async () => {
    const { enrich, sources } = await open();
    sources.splice(
      0,
      1,
      inventedSource("alpha", () => Promise.reject(new SourceError("auth", "wrong key"))),
    );
    const response = await enrich(address, { Prefer: "wait=50" });
    expect([response.status, response.headers.get("Preference-Applied")]).toEqual([200, "wait"]);
    expect(Object.keys((await response.json()) as object)).toEqual(["status", "request_id"]);
  });

  test("a scan that is not done in time gives the usual 202 after the requested wait", async () => {
    const waits: number[] = [];
    const service = await open({
      app: {
        whenSettled: async (_scanId, timeoutMs) => {
          waits.push(timeoutMs);
        },
      },
    });
    const { answer } = gate(service);
    const response = await service.enrich(address, { Prefer: "wait=12" });
    expect(waits).toEqual([12_000]);
    expect([response.status, response.headers.has("Preference-Applied")]).toEqual([202, false]);
    expect(await response.json()).toMatchObject({ status: "scanning" });
    answer();
  });

  test("a hit and a refusal do not wait", async () => {
    const { enrich, scanned } = await open({ app: { whenSettled: () => Promise.reject(new Error("waited")) } });
    await scanned(address);
    const hit = await enrich(address, { Prefer: "wait=50" });
    expect([hit.status, hit.headers.has("Preference-Applied")]).toEqual([200, false]);
    expect((await enrich("nobody", { Prefer: "wait=50" })).status).toBe(400);
  });

  test("a key that is revoked during the wait does not get the result", async () => {
    const service = await open();
    const { answer } = gate(service);
    const waiting = service.enrich(address, { Prefer: "wait=50" });
    await turnOver();
    await service.store.changeWorkspace(service.tenant.id, { disabledAt: service.clock.now() }, testAuthor);
    answer();
    const response = await waiting;
    expect([response.status, await errorCode(response)]).toEqual([401, "invalid_api_key"]);
  });

  test("21.16 an address that is forgotten during the wait gives the usual 202, and then 404 on polls", async () => {
    const service = await open();
    const { answer } = gate(service);
    const waiting = service.enrich(address, { Prefer: "wait=50" });
    await turnOver();
    const indicator = parseIndicator("email", address);
    const corpusHash = corpusHashOf(service.keys, indicator).toString("hex");
    const forgetting = { indicatorHash: service.app.hashOf(indicator), corpusHash };
    await service.store.forget(forgetting, testAuthor);
    answer();
    const response = await waiting;
    expect([response.status, response.headers.has("Preference-Applied")]).toEqual([202, false]);
    const { request_id: id, status } = (await response.json()) as { request_id: string; status: string };
    expect(status).toBe("scanning");
    const poll = await service.get(`/${id}`);
    expect([poll.status, await errorCode(poll)]).toEqual([404, "not_found"]);
  });

  test("requests that wait for one scan are answered together", async () => {
    const service = await open();
    const { answer } = gate(service);
    const waiting = Promise.all(Array.from({ length: 20 }, () => service.enrich(address, { Prefer: "wait=50" })));
    await turnOver();
    answer();
    const bodies = await Promise.all((await waiting).map((response) => response.text()));
    expect(new Set(bodies).size).toBe(1);
    expect(bodies[0]).toContain('"status":"completed"');
  });
});

describe("8 the rate limit", () => {
  const limits = { team: 5, enterprise: 7, windowMs: 3_600_000 };
  const start = Date.parse("2026-06-01T12:00:00Z") / 1000;
  const shown = ({ headers }: Response) =>
    ["Limit", "Remaining", "Reset"].map((name) => headers.get(`X-RateLimit-${name}`));

  test.each([
    { what: "a miss", body: JSON.stringify({ indicator: { type: "email", value: "new@example.com" } }), status: 202 },
    { what: "a hit", body: JSON.stringify({ indicator: { type: "email", value: address } }), status: 200 },
    { what: "a body that is too large", body: "x".repeat(16_385), status: 413 },
    { what: "no JSON", body: "{", status: 400 },
    { what: "no indicator", body: "{}", status: 400 },
    { what: "another type", body: '{"indicator":{"type":"ip","value":"::1"}}', status: 422 },
    { what: "no address", body: '{"indicator":{"type":"email","value":"x"}}', status: 400 },
  ])("8.3, 8.5 $what counts as one call and reports the rest", async ({ body, status }) => {
    const { post, scanned, clock } = await open({ live: { limits } });
    await scanned(address);
    await clock.advance(1_000);
    const response = await post(body);
    expect([response.status, ...shown(response)]).toEqual([status, "5", "3", String(start + 3600)]);
    expect((await post(body)).headers.get("X-RateLimit-Remaining")).toBe("2");
  });

  test("8.1, 8.5 a call over the limit is 429 with the seconds to wait, and is not counted", async () => {
    const { enrich, clock } = await open({ live: { limits } });
    for (let count = 0; count < 5; count += 1) expect((await enrich("x")).status).toBe(400);
    await clock.advance(1_500);
    for (let count = 0; count < 3; count += 1) {
      const refused = await enrich(address);
      expect([refused.status, refused.headers.get("Retry-After")]).toEqual([429, "3599"]);
      expect(shown(refused)).toEqual(["5", "0", String(start + 3600)]);
      expect(await refused.json()).toEqual({
        error: { code: "rate_limited", message: "Rate limit exceeded for this API key" },
      });
    }
    await clock.advance(3_600_000 - 1_501);
    expect((await enrich(address)).headers.get("Retry-After")).toBe("1");
    await clock.advance(1);
    expect((await enrich(address)).headers.get("X-RateLimit-Remaining")).toBe("4");
  });

  test("8.3 polls of every kind, found or not, share a separate budget of 20 times the limit", async () => {
    const { get, scanned, enrich } = await open({ live: { limits: { ...limits, team: 1 } } });
    const id = await scanned(address);
    expect((await enrich(address)).status).toBe(429);
    for (const [index, path] of [`/${id}`, `/${id}/sources`, `/${id}/evidence`, `/${unknownId}`, "/canary"].entries()) {
      expect(shown(await get(path)).slice(0, 2)).toEqual(["20", String(19 - index)]);
    }
    for (let count = 5; count < 20; count += 1) await get(`/${id}`);
    for (const path of [`/${id}`, `/${unknownId}`]) {
      const refused = await get(path);
      expect([refused.status, refused.headers.get("Retry-After"), shown(refused)[1]]).toEqual([429, "3600", "0"]);
    }
  });

  test("8.5 calls that are refused earlier or have no limit get none of the three headers", async () => {
    const service = await open({ live: { limits: { ...limits, enterprise: 0 } } });
    const cheap = await service.addTenant("Cheap", "starter");
    const rich = await service.addTenant("Rich", "enterprise");
    const none = [null, null, null];
    for (const [token, status] of [
      [null, 401],
      [cheap.token, 403],
      [rich.token, 202],
    ] as const) {
      const { enrich, get } = socClient(service.respond, token);
      for (const response of [await enrich(address), await get(`/${unknownId}`)]) {
        expect(shown(response)).toEqual(none);
        if (status !== 202) expect(response.status).toBe(status);
      }
    }
    expect(shown(await service.respond(new Request(`${enrichUrl}/a/b/c`)))).toEqual(none);
    expect(shown(await service.respond(new Request(enrichUrl)))).toEqual(none);
  });

  test("8.3 a request that waits for its scan counts as one request and no poll", async () => {
    const { enrich, get } = await open({ live: { limits } });
    const waited = await enrich(address, { Prefer: "wait=5" });
    expect([waited.status, ...shown(waited).slice(0, 2)]).toEqual([200, "5", "4"]);
    expect(shown(await get(`/${unknownId}`)).slice(0, 2)).toEqual(["100", "99"]);
  });
});
