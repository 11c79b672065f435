import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parseIndicator } from "../../src/domain/indicator.ts";
import { type HttpRequest, type HttpResponse, openHttpClient } from "../../src/egress/client.ts";
import { emailrep } from "../../src/sources/emailrep.ts";
import foundAnswer from "../fixtures/sources/emailrep/found.json";
import { emailrepTestKey, type FakeEmailrep, startFakeEmailrep } from "../helpers/fake-emailrep.ts";
import { lookupContext } from "../helpers/lookup-context.ts";
import { noCatalogue } from "../helpers/no-catalogue.ts";

let upstream: FakeEmailrep;
beforeAll(async () => {
  upstream = await startFakeEmailrep();
});
afterAll(() => upstream.stop());

function lookup(address: string, { apiKey = emailrepTestKey as string | null, userAgent = "xpose/1.2.3" } = {}) {
  const http = openHttpClient({ userAgent, proxy: null, noProxy: [], extraCa: null });
  onTestFinished(() => http.close());
  const context = lookupContext({ baseUrl: upstream.url, apiKey, settings: {}, http });
  return emailrep.lookup(parseIndicator("email", address), context);
}

/** Looks up an address at a service with this answer. */
function replyTo(body: unknown, { headers = {}, aliases = new Map<string, string>() } = {}) {
  const response: HttpResponse = {
    status: 200,
    headers: { "content-type": "application/json", ...headers },
    body: new TextEncoder().encode(JSON.stringify(body)),
  };
  const context = lookupContext({
    apiKey: "k",
    settings: {},
    http: { request: async () => response },
    catalogue: { ...noCatalogue, aliases },
  });
  return emailrep.lookup(parseIndicator("email", "jane.doe@example.com"), context);
}

const withDetails = (details: Readonly<Record<string, unknown>>) => ({
  ...foundAnswer,
  details: { ...foundAnswer.details, ...details },
});

test("EmailRep's breach, leak and profiles become findings: two general ones, and one per profile about a service", async () => {
  const seen = { first_seen: "2008-07-01", last_seen: "2019-05-24" };
  const common = { sourceUrl: "https://emailrep.io/", years: [] };
  expect((await lookup("jane.doe@example.com")).findings).toEqual([
    {
      ...common,
      category: "credential_leak",
      severity: "high",
      title: "EmailRep reports leaked credentials (unnamed)",
      subjects: ["any-credential"],
      details: [{ ...seen, credentials_leaked_recent: false }],
    },
    {
      ...common,
      category: "breach",
      severity: "medium",
      title: "EmailRep reports presence in a data breach (unnamed)",
      subjects: ["any-breach"],
      details: [seen],
    },
    {
      ...common,
      category: "account",
      severity: "low",
      title: "Account reported on linkedin",
      subjects: ["linkedin.com"],
      details: [],
    },
    {
      ...common,
      category: "account",
      severity: "low",
      title: "Account reported on spotify",
      subjects: ["spotify.com"],
      details: [],
    },
  ]);
});

test("a verdict of EmailRep gives no finding", async () => {
  expect((await lookup("mallory@example.com")).findings).toEqual([]);
});

test("findings contain no text and no number of an EmailRep verdict", async () => {
  const verdicts = {
    blacklisted: true,
    malicious_activity: true,
    malicious_activity_recent: true,
    domain_reputation: "verdict-a",
    spam: true,
    disposable: true,
    primary_mx: "verdict-b.example.com",
  };
  const body = {
    ...withDetails(verdicts),
    reputation: "verdict-c",
    suspicious: true,
    references: 424242,
    summary: "verdict-d",
  };
  const { findings } = await replyTo(body);
  expect(findings.length).toBe(4);
  expect(JSON.stringify(findings)).not.toMatch(
    /verdict|424242|reputation|suspicious|references|blacklist|malicious|spam|disposable|mx/i,
  );
});

test("an address unknown to EmailRep gives no finding and no failure", async () => {
  expect(await lookup("nobody@example.com")).toMatchObject({ findings: [] });
  expect(await lookup("not-found@example.com")).toMatchObject({ findings: [], isNotFound: true });
});

describe("a fault of EmailRep", () => {
  test.each([
    ["invalid", "unsupported"],
    ["bad-request", "http_4xx"],
    ["quota-reached", "rate_limited"],
    ["switched-off", "not_configured"],
    ["server-error", "http_5xx"],
    ["bad-gateway", "http_5xx"],
    ["html-200", "bad_answer"],
    ["html-403", "http_4xx"],
    ["html-404", "http_4xx"],
    ["text-404", "http_4xx"],
    ["problem-404", "http_4xx"],
    ["problem-200", "bad_answer"],
    ["another", "bad_answer"],
    ["redirect", "redirect"],
    ["broken-json", "bad_answer"],
    ["no-details", "bad_answer"],
    ["fail-200", "bad_answer"],
  ])("%s is %s", async (local, reason) => {
    await expect(lookup(`${local}@example.com`)).rejects.toMatchObject({ name: "SourceError", reason });
  });

  test("with a wrong key is auth, and its message does not contain the key", async () => {
    const error: unknown = await lookup("jane.doe@example.com", { apiKey: "wrong-key" }).catch((reason) => reason);
    expect(error).toMatchObject({ reason: "auth" });
    expect(String(error)).not.toContain("wrong-key");
  });

  test("without a user agent is a refusal, so the client must send its own", async () => {
    await expect(lookup("jane.doe@example.com", { userAgent: "" })).rejects.toMatchObject({ reason: "auth" });
  });

  test("without a key is reported before anything is sent", async () => {
    const before = upstream.requests.length;
    await expect(lookup("jane.doe@example.com", { apiKey: null })).rejects.toMatchObject({ reason: "not_configured" });
    expect(upstream.requests.length).toBe(before);
  });
});

test("only the 429 of a used-up quota pauses EmailRep", () => {
  const response = (status: number, reason: string): HttpResponse => ({
    status,
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify({ status: "fail", reason })),
  });
  const switchedOff = "the unauthenticated API is currently disabled. please use an API key";
  expect(emailrep.isThrottled?.(response(429, "exceeded daily limit"))).toBe(true);
  expect(emailrep.isThrottled?.(response(429, switchedOff))).toBe(false);
  expect(emailrep.isThrottled?.(response(200, "exceeded daily limit"))).toBe(false);
  expect(emailrep.isThrottled?.({ ...response(503, "down"), headers: { "retry-after": "5" } })).toBe(true);
});

test("EmailRep gets one GET, with its own key header and the address as one encoded segment", async () => {
  const before = upstream.requests.length;
  await lookup("a/b+c?d#e@example.com");
  const requests = upstream.requests.slice(before);
  expect(requests).toMatchObject([{ method: "GET", path: "/a%2Fb%2Bc%3Fd%23e%40example.com" }]);
  const headers = Object.fromEntries(requests[0]?.headers ?? []);
  expect(headers).toMatchObject({ key: emailrepTestKey, accept: "application/json", "user-agent": "xpose/1.2.3" });
  expect(headers).not.toHaveProperty("authorization");
});

test("EmailRep's own URL is used unless the operator gives another", async () => {
  const urls: string[] = [];
  const request = async ({ url }: HttpRequest): Promise<HttpResponse> => {
    urls.push(url);
    return { status: 404, headers: {}, body: new Uint8Array() };
  };
  const indicator = parseIndicator("email", "jane.doe@example.com");
  await emailrep.lookup(indicator, lookupContext({ apiKey: "k", settings: {}, http: { request } }));
  expect(urls).toEqual(["https://emailrep.io/jane.doe%40example.com"]);
});

describe("the remaining quota at EmailRep", () => {
  test.each([
    [{ "x-rate-limit-daily-remaining": "9", "x-rate-limit-monthly-remaining": "240" }, 9],
    [{ "x-rate-limit-daily-remaining": "9", "x-rate-limit-monthly-remaining": "0" }, 0],
    [{ "x-rate-limit-monthly-remaining": "240" }, 240],
    [{ "x-rate-limit-daily-remaining": "many" }, null],
    [{}, null],
  ])("%o is %s", async (headers, quotaLeft) => {
    expect(await replyTo(foundAnswer, { headers })).toMatchObject({ quotaLeft });
  });

  test("comes with an empty answer too", async () => {
    expect(await lookup("nobody@example.com")).toEqual({ findings: [], missing: [], quotaLeft: 9 });
  });
});

describe("a date of EmailRep", () => {
  test.each([
    ["05/24/2019", "2019-05-24"],
    ["never", null],
    ["02/30/2019", null],
    ["2019-05-24", null],
    ["", null],
    [null, null],
    [undefined, null],
  ])("of %s is %s", async (last_seen, expected) => {
    const { findings } = await replyTo(withDetails({ last_seen, credentials_leaked: false, profiles: [] }));
    expect(findings).toMatchObject([{ years: [], details: [{ last_seen: expected }] }]);
  });
});

describe("a profile of EmailRep", () => {
  const only = (...profiles: unknown[]) => withDetails({ data_breach: false, credentials_leaked: false, profiles });

  test("missing from the catalogue is about its own slug", async () => {
    expect((await replyTo(only("Example Forum"))).findings).toMatchObject([{ subjects: ["example-forum"] }]);
  });

  test("in the catalogue is about the domain of the catalogue", async () => {
    const aliases = new Map([["example-forum", "forum.example"]]);
    expect((await replyTo(only("Example Forum"), { aliases })).findings).toMatchObject([
      { subjects: ["forum.example"] },
    ]);
  });

  test("that quotes an EmailRep refusal is an ordinary profile", async () => {
    const name = "the unauthenticated API is currently disabled";
    expect((await replyTo(only(name))).findings).toMatchObject([{ title: `Account reported on ${name}` }]);
  });

  test("without a name is left out, a repeated one counts once, and hostile text is cleaned", async () => {
    const { findings } = await replyTo(only("", " \n", "linkedin", "linkedin", `a\u0000\u202eb${"x".repeat(9000)}`));
    expect(findings.map((finding) => finding.title)).toEqual([
      `Account reported on a b${"x".repeat(97)}`,
      "Account reported on linkedin",
    ]);
  });

  test("that cannot be read is skipped and counted", async () => {
    const { findings, missing } = await replyTo(only("linkedin", 5, "spotify"));
    expect(findings).toHaveLength(2);
    expect(missing).toEqual(["1 of the rows of profiles could not be read"]);
  });

  test("of a sensitive site is left out", async () => {
    const { findings, missing } = await replyTo(only("ashleymadison", "Tinder", "pornhub", "match", "linkedin"));
    expect(findings.map(({ title }) => title)).toEqual(["Account reported on linkedin"]);
    expect(missing).toEqual([]);
  });

  test("that is an address gives no site", async () => {
    expect((await replyTo(only("john.roe@example.org"))).findings).toMatchObject([
      { category: "account", title: "EmailRep reports an account (unnamed)", subjects: ["any-account"] },
    ]);
  });

  test("past the thousandth is counted instead of shown", async () => {
    const { findings } = await replyTo(only(...Array.from({ length: 1200 }, (_, index) => `site-${index}`)));
    expect(findings.length).toBe(1000);
    expect(findings[0]?.details).toEqual([{ omitted_findings: 200 }]);
  });
});

describe("an answer of EmailRep", () => {
  const wrong: Readonly<Record<string, readonly unknown[]>> = {
    data_breach: ["true", 2, null, undefined],
    credentials_leaked: ["true", -1, null, undefined],
    credentials_leaked_recent: ["false", 0.5, {}],
    profiles: ["linkedin", {}, undefined, [5], [null], [["linkedin"]]],
    first_seen: [20190524, false, {}],
    last_seen: [20190524, false, []],
  };
  const rows = Object.entries(wrong).flatMap(([field, values]) =>
    values.map((value): [string, unknown, unknown] => [field, value, withDetails({ [field]: value })]),
  );

  test.each(rows)("with %s of %j is bad_answer as a whole", async (_field, _value, body) => {
    await expect(replyTo(body)).rejects.toMatchObject({ reason: "bad_answer" });
  });

  test.each([[null], [[]], [{}], ["text"], [5], [{ details: null }], [{ details: [] }]])(
    "of %j is bad_answer as a whole",
    async (body) => {
      await expect(replyTo(body)).rejects.toMatchObject({ reason: "bad_answer" });
    },
  );

  test("with 1 and 0 for its flags and null for its profiles says the same", async () => {
    const numbers = { data_breach: 1, credentials_leaked: 1, credentials_leaked_recent: 0, profiles: [] };
    const flags = { data_breach: true, credentials_leaked: true, credentials_leaked_recent: false, profiles: null };
    expect(await replyTo(withDetails(numbers))).toEqual(await replyTo(withDetails(flags)));
  });

  test("reports a recent leak, whatever the other flag says", async () => {
    const details = { data_breach: false, credentials_leaked: false, credentials_leaked_recent: true, profiles: [] };
    expect((await replyTo(withDetails(details))).findings).toMatchObject([
      { category: "credential_leak", details: [{ credentials_leaked_recent: true }] },
    ]);
  });

  test("may repeat the asked address in another case, or not at all", async () => {
    for (const email of ["Jane.Doe@EXAMPLE.com", undefined]) {
      expect((await replyTo({ ...foundAnswer, email })).findings.length).toBe(4);
    }
  });

  test("may have further fields", async () => {
    expect((await replyTo({ ...withDetails({ news: 1 }), later: {} })).findings.length).toBe(4);
  });
});

test("EmailRep has no own settings", () => {
  expect(emailrep.settings.safeParse({}).success).toBe(true);
  expect(emailrep.settings.safeParse({ mode: "account" }).success).toBe(false);
});
