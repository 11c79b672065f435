import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Appliance, client, type Service } from "../helpers/appliance.ts";

const path = "/api/v1/soc/enrich";
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const timestamp = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00$/;

let appliance: Appliance;
let service: Service;
let key: string;

/** Three corpora with the names of the published example, so that its LinkedIn atom comes out. */
const corpora = {
  hibp: "email,title,category,severity,subject,date\njane.doe@acme.com,Present in the LinkedIn 2021 breach,breach,high,linkedin.com,2021",
  emailrep:
    "email,title,category,severity,subject\njane.doe@acme.com,Account reported on linkedin,account,low,linkedin.com",
  holehe:
    "email,title,category,severity,subject\njane.doe@acme.com,Account registered on linkedin.com,account,low,www.LinkedIn.com",
};

beforeAll(async () => {
  appliance = new Appliance();
  key = appliance.initialise();
  for (const [name, text] of Object.entries(corpora)) {
    const file = join(appliance.folder, `${name}.csv`);
    writeFileSync(file, `${text}\n`);
    appliance.json("corpus", "import", file, "--name", name, "--confidence", name === "hibp" ? "0.95" : "0.7");
  }
  appliance.json("workspaces", "create", "--name", "other");
  appliance.json("workspaces", "create", "--name", "poor", "--plan", "team");
  service = await appliance.serve();
});

afterAll(async () => {
  await appliance[Symbol.asyncDispose]();
});

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream;

async function send(
  init: RequestInit & { path?: string },
): Promise<{ status: number; body: string; headers: Headers }> {
  const response = await fetch(service.url + (init.path ?? path), init);
  return { status: response.status, body: await response.text(), headers: response.headers };
}

function post(body: Body, headers: Record<string, string> = {}) {
  const all = { "X-API-Key": key, "Content-Type": "application/json", ...headers };
  return send({ method: "POST", headers: all, body });
}

function codeOf(body: string): string {
  const parsed = JSON.parse(body) as { error: { code: string; message: string } };
  expect(Object.keys(parsed)).toEqual(["error"]);
  expect(Object.keys(parsed.error)).toEqual(["code", "message"]);
  return parsed.error.code;
}

describe("the life of a scan (3.5, 5.4, 6)", () => {
  test("a miss is 202, is polled to completed, and is a hit afterwards, with the published atom", async () => {
    const api = client(service.url, key);
    const miss = await api.enrich("  JANE.DOE@ACME.COM ");
    expect(miss.status).toBe(202);
    const accepted = (await miss.json()) as { request_id: string; poll_url: string };
    expect(JSON.stringify(accepted)).toBe(
      `{"status":"scanning","request_id":"${accepted.request_id}","poll_url":"${path}/${accepted.request_id}",` +
        `"indicator":{"type":"email","value":"jane.doe@acme.com"}}`,
    );
    expect(accepted.request_id).toMatch(uuid);
    expect(miss.headers.get("Location")).toBe(accepted.poll_url);
    expect(miss.headers.get("Retry-After")).toBe("1");
    await api.settle(accepted.request_id);

    const hit = await (await api.enrich("jane.doe@acme.com")).text();
    const polled = await (await api.get(accepted.poll_url)).text();
    expect(polled).toBe(hit.replace('"cache":"hit"', '"cache":"miss_scan_complete"'));
    const envelope = JSON.parse(hit) as { request_id: string; exposure: { findings: Record<string, unknown>[] } };
    expect(Object.keys(envelope)).toEqual(["request_id", "status", "cache", "indicator", "exposure", "disambiguation"]);
    expect(envelope.request_id).toBe(accepted.request_id);
    const [linkedin] = envelope.exposure.findings;
    expect(linkedin?.["first_seen"]).toMatch(timestamp);
    expect(linkedin?.["last_seen"]).toMatch(timestamp);
    expect(JSON.stringify({ ...linkedin, first_seen: "F", last_seen: "L" })).toBe(
      '{"source":"hibp","source_url":null,"source_confidence":0.95,"source_tier":"high","corroboration_count":2,' +
        '"corroborated_by":["emailrep","holehe"],"category":"breach","severity":"high",' +
        '"title":"Present in the LinkedIn 2021 breach","indicator_type":"email","indicator_value":"jane.doe@acme.com",' +
        '"first_seen":"F","last_seen":"L"}',
    );
    expect(hit).toContain(
      ',"total":3,"by_severity":{"high":1,"low":2}},"disambiguation":{"required":true,"reason":"person-',
    );
    expect(hit).not.toMatch(/"(candidates|verdict|score|risk|malicious|identity|person|summary)"/);
  });

  test("fifty parallel posts give one scan", async () => {
    const api = client(service.url, key);
    const answers = await Promise.all(Array.from({ length: 50 }, () => api.enrich("fifty@acme.com")));
    const ids = await Promise.all(
      answers.map(async (answer) => ((await answer.json()) as { request_id: string }).request_id),
    );
    expect(new Set(ids).size).toBe(1);
  });

  test("the scan of an address that no corpus holds completes without findings", async () => {
    const api = client(service.url, key);
    const { request_id } = (await (await api.enrich("nobody@acme.com")).json()) as { request_id: string };
    const envelope = await api.settle(request_id);
    expect(envelope["exposure"]).toEqual({ findings: [], total: 0, by_severity: {} });
  });
});

describe("isolation (5.2, 6.1)", () => {
  // Each poll is charged to the budget of its key.
  const perRequest = new Set(["date", "x-correlation-id", "x-ratelimit-remaining", "x-ratelimit-reset"]);

  test("another workspace's scan is a 404 with the same body and headers as a missing one", async () => {
    const own = client(service.url, key);
    const other = client(service.url, appliance.mintKey("isolation", "other"));
    const { request_id } = (await (await own.enrich("isolated@acme.com")).json()) as { request_id: string };
    await own.settle(request_id);
    const unknown = "00000000-0000-4000-8000-000000000000";
    const answers = await Promise.all(
      [request_id, unknown, request_id.toUpperCase(), "not-a-uuid", "a%2fb"].map((id) => other.get(`${path}/${id}`)),
    );
    const seen = await Promise.all(
      answers.map(async (answer) => {
        const headers = [...answer.headers].filter(([name]) => !perRequest.has(name));
        return JSON.stringify([answer.status, await answer.text(), headers]);
      }),
    );
    expect(new Set(seen).size).toBe(1);
    expect(answers[0]?.status).toBe(404);
    // Each request costs one poll, whatever its id.
    const left = answers.map(({ headers }) => Number(headers.get("X-RateLimit-Remaining"))).sort((a, b) => b - a);
    expect(left).toEqual(left.map((_, index) => (left[0] ?? 0) - index));
    const theirs = await other.enrich("isolated@acme.com");
    expect(theirs.status).toBe(202);
    expect(((await theirs.json()) as { request_id: string }).request_id).not.toBe(request_id);
  });
});

describe("keys and plans (1.2, 1.5, 1.6, 12.4)", () => {
  test("every key that does not work gets the same 401", async () => {
    const broken = `${key.slice(0, -1)}${key.endsWith("0") ? "1" : "0"}`;
    const unknown = "xpz_live_000000000000000000000000000000000000000000000000";
    const headerSets: Record<string, string>[] = [
      {},
      { "X-API-Key": "" },
      { "X-API-Key": broken },
      { "X-API-Key": unknown },
      { "X-API-Key": `${key}, ${key}` },
      { "X-API-Key": key.toUpperCase() },
      { Authorization: `Bearer ${key}` },
      { Cookie: `X-API-Key=${key}` },
    ];
    for (const request of [
      { method: "POST", body: "{" },
      { method: "GET", path: `${path}/00000000-0000-4000-8000-000000000000` },
    ]) {
      for (const headers of headerSets) {
        const answer = await send({ ...request, headers });
        expect([answer.status, answer.body]).toEqual([
          401,
          '{"error":{"code":"invalid_api_key","message":"Missing or unrecognised API key"}}',
        ]);
        expect(answer.headers.get("WWW-Authenticate")).toBe('ApiKey realm="xpose"');
      }
    }
  });

  test("a plan below team is 403 on the next request, a disabled workspace 401, and both come back", async () => {
    const poor = client(service.url, appliance.mintKey("poor", "poor"));
    expect((await poor.enrich("plan@acme.com")).status).toBe(202);
    appliance.json("workspaces", "set-plan", "poor", "starter");
    const refused = await poor.enrich("plan@acme.com");
    expect([refused.status, codeOf(await refused.text())]).toEqual([403, "plan_required"]);
    expect((await poor.get(`${path}/00000000-0000-4000-8000-000000000000`)).status).toBe(403);
    appliance.json("workspaces", "set-plan", "poor", "enterprise");
    expect((await poor.get(`${path}/00000000-0000-4000-8000-000000000000`)).status).toBe(404);
    appliance.json("workspaces", "disable", "poor");
    expect((await poor.enrich("plan@acme.com")).status).toBe(401);
    appliance.json("workspaces", "enable", "poor");
    expect((await poor.enrich("plan@acme.com")).status).toBeLessThan(300);
  });
});

describe("routing (0.1, 0.5, 2)", () => {
  test.each([
    ["GET", "/api/v1/soc/enrich/", 404, null],
    ["POST", "/api/v1/soc/enrich/", 404, null],
    ["POST", "/api/v1/soc/Enrich", 404, null],
    ["GET", "/api/v1/soc/enrich/a/b/c", 404, null],
    ["GET", "/nowhere", 404, null],
    ["OPTIONS", "/nowhere", 404, null],
    ["GET", path, 405, "POST"],
    ["HEAD", path, 405, "POST"],
    ["OPTIONS", path, 405, "POST"],
    ["PUT", path, 405, "POST"],
    ["POST", `${path}/abc`, 405, "GET, HEAD"],
    ["OPTIONS", `${path}/abc`, 405, "GET, HEAD"],
    ["DELETE", `${path}/a%2Fb`, 405, "GET, HEAD"],
  ])("%s %s without credentials is %i", async (method, where, status, allow) => {
    const answer = await send({ method, path: where });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("Allow")).toBe(allow);
    if (method !== "HEAD") expect(codeOf(answer.body)).toBe(status === 404 ? "not_found" : "method_not_allowed");
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    expect(answer.headers.get("Content-Type")).toBe("application/json");
  });

  test.each(["GET /healthz", "HEAD /healthz", "OPTIONS /healthz", "OPTIONS /"])(
    "21.20 the health check %s of HTTP/1.0 without a Host is answered",
    async (line) => {
      const { hostname, port } = new URL(service.url);
      const answered = Promise.withResolvers<string>();
      let text = "";
      await Bun.connect({
        hostname,
        port: Number(port),
        socket: {
          open: (socket) => void socket.write(`${line} HTTP/1.0\r\n\r\n`),
          data: (_socket, bytes) => {
            text += bytes.toString();
          },
          close: () => answered.resolve(text),
        },
      });
      expect(await answered.promise).toMatch(/^HTTP\/1\.[01] 200 /);
    },
  );

  test("query strings are ignored and HEAD is GET without a body", async () => {
    expect((await post("{}", {})).status).toBe(400);
    const answer = await send({ method: "POST", path: `${path}?x=1&y`, headers: { "X-API-Key": key }, body: "" });
    expect(answer.status).toBe(415);
    const head = await send({ method: "HEAD", path: `${path}/abc`, headers: { "X-API-Key": key } });
    expect([head.status, head.body]).toEqual([404, ""]);
  });

  test("a valid correlation id is returned, and an invalid one is replaced", async () => {
    const good = await send({ path: "/healthz", headers: { "X-Correlation-Id": "case-17.a_B" } });
    expect(good.headers.get("X-Correlation-Id")).toBe("case-17.a_B");
    for (const bad of ["", "a b", "x".repeat(65), "ä"]) {
      const answer = await send({
        path: "/healthz",
        headers: bad === "" ? {} : { "X-Correlation-Id": encodeURI(bad) },
      });
      expect(answer.headers.get("X-Correlation-Id")).toMatch(uuid);
    }
  });
});

describe("bodies (3.1 to 3.4, in the order of 2)", () => {
  const indicator = { type: "email", value: "body@acme.com" };
  const big = "x".repeat(16_385);
  const json = (value: unknown) => JSON.stringify(value);
  const rows: [string, Body, Record<string, string>, number, string | null][] = [
    ["over 16384 bytes", json({ indicator, pad: big }), {}, 413, "payload_too_large"],
    ["over 16384 bytes of another type", big, { "Content-Type": "text/plain" }, 413, "payload_too_large"],
    [
      "exactly 16384 bytes",
      json({ indicator, pad: "" }).replace('""', `"${"x".repeat(16_384 - json({ indicator, pad: "" }).length)}"`),
      {},
      202,
      null,
    ],
    ["another type", json({ indicator }), { "Content-Type": "text/plain" }, 415, "unsupported_media_type"],
    [
      "a type that only begins alike",
      json({ indicator }),
      { "Content-Type": "application/jsonp" },
      415,
      "unsupported_media_type",
    ],
    [
      "a type with parameters in capitals",
      json({ indicator }),
      { "Content-Type": "Application/JSON; charset=UTF-8" },
      202,
      null,
    ],
    ["a content encoding", json({ indicator }), { "Content-Encoding": "gzip" }, 415, "unsupported_media_type"],
    ["nothing", "", {}, 400, "malformed_json"],
    ["half of JSON", '{"indicator":', {}, 400, "malformed_json"],
    ["bad UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), {}, 400, "malformed_json"],
    ["null", "null", {}, 400, "invalid_request"],
    ["an array", "[]", {}, 400, "invalid_request"],
    ["no indicator", "{}", {}, 400, "invalid_request"],
    ["an indicator that is a string", json({ indicator: "a@b.de" }), {}, 400, "invalid_request"],
    ["an indicator that is a list", json({ indicator: [] }), {}, 400, "invalid_request"],
    ["an indicator that is null", json({ indicator: null }), {}, 400, "invalid_request"],
    ["options of another type", json({ indicator, options: [] }), {}, 400, "invalid_request"],
    ["a depth of another type", json({ indicator, options: { depth: 1 } }), {}, 400, "invalid_request"],
    ["an empty depth", json({ indicator, options: { depth: "" } }), {}, 400, "invalid_request"],
    ["a depth of 65 characters", json({ indicator, options: { depth: "x".repeat(65) } }), {}, 400, "invalid_request"],
    ["a depth of 64 characters", json({ indicator, options: { depth: "x".repeat(64) } }), {}, 202, null],
    ["options null", json({ indicator, options: null }), {}, 202, null],
    ["a depth null", json({ indicator, options: { depth: null } }), {}, 202, null],
    ["unknown fields", json({ indicator: { ...indicator, x: 1 }, y: 2 }), {}, 202, null],
    ["a bad depth before a bad type", json({ indicator: { type: "ip" }, options: 1 }), {}, 400, "invalid_request"],
    ["another type of indicator", json({ indicator: { type: "ip", value: "x" } }), {}, 422, "unsupported_indicator"],
    ["a type in capitals", json({ indicator: { type: "Email", value: "a@b.de" } }), {}, 422, "unsupported_indicator"],
    ["no type", json({ indicator: { value: "a@b.de" } }), {}, 422, "unsupported_indicator"],
    ["a type null", json({ indicator: { type: null, value: "a@b.de" } }), {}, 422, "unsupported_indicator"],
    [
      "a type of Object",
      json({ indicator: { type: "constructor", value: "a@b.de" } }),
      {},
      422,
      "unsupported_indicator",
    ],
    ["no value", json({ indicator: { type: "email" } }), {}, 400, "invalid_email"],
    ["a value null", json({ indicator: { type: "email", value: null } }), {}, 400, "invalid_email"],
    ["a value that is a number", json({ indicator: { type: "email", value: 7 } }), {}, 400, "invalid_email"],
    ["a value that is no address", json({ indicator: { type: "email", value: "a@b" } }), {}, 400, "invalid_email"],
    ["a lone surrogate", '{"indicator":{"type":"email","value":"\\ud800@acme.com"}}', {}, 400, "invalid_email"],
    [
      "the last of two indicators",
      '{"indicator":{"type":"ip"},"indicator":{"type":"email","value":"body@acme.com"}}',
      {},
      202,
      null,
    ],
  ];

  test.each(rows)("%s", async (_name, body, headers, status, code) => {
    const answer = await post(body, headers);
    if (status === 202) return expect([200, 202]).toContain(answer.status);
    expect([answer.status, codeOf(answer.body)]).toEqual([status, code]);
    expect(answer.body).not.toContain("acme");
  });

  test("a streamed body over the limit is 413 without being read to its end", async () => {
    let sentBytes = 0;
    const stream = new ReadableStream({
      pull(controller) {
        sentBytes += 65_536;
        if (sentBytes > 500_000_000) controller.close();
        else controller.enqueue(new Uint8Array(65_536).fill(32));
      },
    });
    const answer = await post(stream).catch(() => null);
    if (answer !== null) expect([answer.status, codeOf(answer.body)]).toEqual([413, "payload_too_large"]);
    expect(sentBytes).toBeLessThan(400_000_000);
    expect((await post(json({ indicator }))).status).toBeLessThan(300);
  });
});

describe("addresses (4)", () => {
  test.each([
    ["JANE.DOE@ACME.COM", "jane.doe@acme.com"],
    ["user@bücher.example", "user@xn--bcher-kva.example"],
    [" \t\r\njane+x@acme.com\n", "jane+x@acme.com"],
    ["J.ane@gmail.com", "j.ane@gmail.com"],
    ["Ünïcode@acme.com", "ünïcode@acme.com"],
  ])("%j is %s in every answer", async (typed, canonical) => {
    const answer = await post(JSON.stringify({ indicator: { type: "email", value: typed } }));
    expect((JSON.parse(answer.body) as { indicator: { value: string } }).indicator.value).toBe(canonical);
  });
});

describe("waiting (3.6)", () => {
  test("a POST that waits gets the finished envelope", async () => {
    const answer = await client(service.url, key).enrich("waits@acme.com", { Prefer: "respond-async, wait=10" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("Preference-Applied")).toBe("wait");
    expect(((await answer.json()) as { cache: string }).cache).toBe("miss_scan_complete");
  });
});
