import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { SourceError } from "../../src/domain/error.ts";
import { parseIndicator } from "../../src/domain/indicator.ts";
import { type HttpRequest, type HttpResponse, openHttpClient } from "../../src/egress/client.ts";
import { misp } from "../../src/sources/misp.ts";
import attributes from "../fixtures/sources/misp/attributes.json";
import searchNotAllowed from "../fixtures/sources/misp/search-not-allowed.json";
import { type FakeMisp, mispTestKey, startFakeMisp } from "../helpers/fake-misp.ts";
import { lookupContext } from "../helpers/lookup-context.ts";

type MaxTlp = Parameters<typeof misp.lookup>[1]["settings"]["max_tlp"];

let upstream: FakeMisp;
beforeAll(async () => {
  upstream = await startFakeMisp();
});
afterAll(() => upstream.stop());

type Setup = { maxTlp?: MaxTlp; apiKey?: string | null; baseUrl?: string | null };

function lookup(address: string, setup: Setup = {}) {
  const { maxTlp = "amber+strict", apiKey = mispTestKey, baseUrl = upstream.url } = setup;
  const http = openHttpClient({ userAgent: "xpose/1.2.3", proxy: null, noProxy: [], extraCa: null });
  onTestFinished(() => http.close());
  const context = lookupContext({ baseUrl, apiKey, settings: { max_tlp: maxTlp }, http });
  return misp.lookup(parseIndicator("email", address), context);
}

/** The requests sent while `run` runs. */
async function requestsOf(run: () => Promise<unknown>) {
  const before = upstream.requests.length;
  await run();
  return upstream.requests.slice(before);
}

type Answers = { maxTlp?: MaxTlp; lastStatus?: number; headers?: HttpResponse["headers"]; timeoutMs?: number };

/** Looks up an address at a MISP with these answers, page by page. A page of `hang` never arrives. */
function replyTo(
  bodies: readonly unknown[],
  { maxTlp = "amber+strict", lastStatus = 200, headers = {}, timeoutMs = 5_000 }: Answers = {},
) {
  const responses = bodies.map((body, index) => ({
    status: index === bodies.length - 1 ? lastStatus : 200,
    headers: { "content-type": "application/json", ...headers },
    body: body === hang ? null : new TextEncoder().encode(JSON.stringify(body)),
  }));
  const request = async ({ signal }: HttpRequest): Promise<HttpResponse> => {
    const response = responses.shift();
    if (response === undefined) throw new Error("a page too many");
    const { body } = response;
    if (body !== null) return { ...response, body };
    return await new Promise((_resolve, reject) =>
      signal.addEventListener("abort", () => reject(new SourceError("timeout", "no complete answer in time"))),
    );
  };
  const context = lookupContext({
    timeoutMs,
    baseUrl: "https://misp.example",
    apiKey: "k",
    settings: { max_tlp: maxTlp },
    http: { request },
  });
  return misp.lookup(parseIndicator("email", "jane.doe@example.com"), context);
}

const hang = Symbol("hang");

const [sample] = attributes;
/** The first attribute of the fixture with some fields replaced. */
function changed(fields: Readonly<Record<string, unknown>>, event: Readonly<Record<string, unknown>> = {}) {
  return { response: { Attribute: [{ ...sample, Event: { ...sample?.Event, ...event }, ...fields }] } };
}
const tagged = (...names: string[]) => changed({ Tag: names.map((name) => ({ name })) });

test("attributes of MISP become findings with data of their events", async () => {
  const { findings } = await lookup("jane.doe@example.com");
  expect(findings).toEqual([
    {
      category: "threat_intel",
      severity: "high",
      title: 'Listed as email-dst in MISP event "Recipients of invoice fraud" (SOC Example)',
      sourceUrl: `${upstream.url}/events/view/46`,
      subjects: ["misp-event-6a1d0000-0000-4000-8000-000000000046"],
      years: [],
      details: [
        {
          event_uuid: "6a1d0000-0000-4000-8000-000000000046",
          event_date: "2026-01-03",
          event_published: false,
          organisation: "SOC Example",
          attribute_type: "email-dst",
          attribute_category: "Network activity",
          to_ids: false,
          first_seen: "2026-01-02T00:00:00+00:00",
          last_seen: "2026-01-03T00:00:00+00:00",
          tlp: null,
          tags: [],
          warninglists: [],
        },
      ],
    },
    {
      category: "threat_intel",
      severity: "medium",
      title: 'Listed as email-src in MISP event "Phishing against finance" (CERT-EX)',
      sourceUrl: `${upstream.url}/events/view/45`,
      subjects: ["misp-event-6a1d0000-0000-4000-8000-000000000045"],
      years: [],
      details: [
        {
          event_uuid: "6a1d0000-0000-4000-8000-000000000045",
          event_date: "2026-01-03",
          event_published: true,
          organisation: "CERT-EX",
          attribute_type: "email-src",
          attribute_category: "Payload delivery",
          to_ids: true,
          first_seen: "2026-01-02T00:00:00+00:00",
          last_seen: null,
          tlp: "amber",
          tags: ['misp-galaxy:threat-actor="EXAMPLE"', "tlp:amber"],
          warninglists: ["List of RFC 2606 domains"],
        },
      ],
    },
    expect.objectContaining({
      severity: "low",
      title: 'Listed as target-email in MISP event "Shared with one organisation" (CERT-EX)',
      details: [expect.objectContaining({ tlp: "amber+strict" })],
    }),
  ]);
});

test("findings contain no comment of a MISP attribute and no other address", async () => {
  const { findings } = await lookup("jane.doe@example.com", { maxTlp: "red" });
  expect(findings.length).toBe(4);
  expect(JSON.stringify(findings)).not.toMatch(/phishing wave|john\.roe|@/i);
});

test("an address unknown to MISP gives no finding, in the older answer form as well", async () => {
  expect(await lookup("nobody@example.com")).toEqual({ findings: [], missing: [] });
  expect(await lookup("old-version@example.com")).toEqual({ findings: [], missing: [] });
});

test("MISP gets a POST with the bare key, and the address only in the body", async () => {
  const requests = await requestsOf(() => lookup("jane.doe@example.com"));
  expect(requests).toMatchObject([{ method: "POST", path: "/attributes/restSearch" }]);
  expect(Object.fromEntries(requests[0]?.headers ?? [])).toMatchObject({
    authorization: mispTestKey,
    accept: "application/json",
    "content-type": "application/json",
  });
  expect(JSON.parse(requests[0]?.body ?? "")).toEqual({
    returnFormat: "json",
    value: "jane.doe@example.com",
    type: ["email", "email-src", "email-dst", "email-reply-to", "target-email"],
    limit: 100,
    page: 1,
    order: "Attribute.id asc",
    includeEventTags: 1,
    includeAllTags: 1,
    includeContext: 1,
    includeSightings: 0,
    includeWarninglistHits: 1,
    deleted: 0,
  });
});

test.each(["%jane@example.com", "!jane@example.com", "a&&b@example.com", "x|jane.doe@example.com"])(
  "%s is not sent to MISP, which would read it as an expression",
  async (address) => {
    const requests = await requestsOf(() =>
      expect(lookup(address)).rejects.toMatchObject({ name: "SourceError", reason: "unsupported" }),
    );
    expect(requests).toEqual([]);
  },
);

test.each(["a%b@example.com", "a%@example.com", "a!b@example.com", "a&b@example.com"])(
  "%s is sent, because MISP reads it literally",
  async (address) => {
    const requests = await requestsOf(() => lookup(address));
    expect(requests.map(({ body }) => JSON.parse(body).value)).toEqual([address]);
  },
);

test("an attribute that only MISP's database considers equal is dropped", async () => {
  const requests = await requestsOf(async () => {
    expect(await lookup("jané.doe@example.com")).toEqual({ findings: [], missing: [] });
  });
  expect(requests.length).toBe(1);
});

test("an attribute with the same address in another case is kept", async () => {
  expect((await replyTo([changed({ value: "JANE.Doe@EXAMPLE.com" })])).findings.length).toBe(1);
});

test.each([["john.roe@example.org"], ["jane.doe@example.com.evil.example"]])(
  "an answer about %s is bad_answer: a cache has mixed up two answers",
  async (value) => {
    const { response } = changed({ value });
    const rows = [...changed({}).response.Attribute, ...response.Attribute];
    for (const Attribute of [response.Attribute, rows]) {
      await expect(replyTo([{ response: { Attribute } }])).rejects.toMatchObject({ reason: "bad_answer" });
    }
  },
);

test.each([true, 1, "1"])("an attribute with deleted of %j is not evidence", async (deleted) => {
  expect(await replyTo([changed({ deleted })])).toEqual({ findings: [], missing: [] });
});

test.each([false, 0, "0", null, undefined])("an attribute with deleted of %j is kept", async (deleted) => {
  expect((await replyTo([changed({ deleted })])).findings).toHaveLength(1);
});

describe("a mark counts in every place", () => {
  const red = { id: "3", name: "tlp:red", colour: "#f00" };
  test.each<[string, Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>]>([
    ["in the attribute's tags", { Tag: [red] }, {}],
    ["in the join of the attribute", { AttributeTag: [{ id: "1", Tag: red }] }, {}],
    ["in the event's tags beside the attribute", { EventTag: [{ id: "1", Tag: red }] }, {}],
    ["in the event", {}, { Tag: [red] }],
    ["in the join of the event", {}, { EventTag: [{ id: "1", Tag: red }] }],
    ["in a list that PHP wrote with a gap", { Tag: { "1": { name: "phishing" }, "3": red } }, {}],
    ["in the text of the event", {}, { info: "[TLP:RED] wire transfer case" }],
    ["in the text of the event, in other words", {}, { info: "wire transfer (tlp red)" }],
    ["in the comment of the attribute", { comment: "TLP: Red, ask first" }, {}],
    ["in another taxonomy", { Tag: [{ name: 'iep:traffic-light-protocol="RED"' }] }, {}],
    ["in a custom tag", { Tag: [{ name: "TLP_RED" }] }, {}],
  ])("%s", async (_where, fields, event) => {
    expect(await replyTo([changed(fields, event)])).toEqual({
      findings: [],
      missing: ["1 of the hits: marked above max_tlp"],
    });
    expect((await replyTo([changed(fields, event)], { maxTlp: "red" })).findings).toMatchObject([
      { details: [{ tlp: "red" }] },
    ]);
  });

  test.each(["TLP:AMBER", "TLP:AMBER+STRICT", "tlp amber strict"])("%s in a text is not read as red", async (info) => {
    const tlp = info === "TLP:AMBER" ? "amber" : "amber+strict";
    expect((await replyTo([changed({ Tag: [] }, { info })])).findings).toMatchObject([{ details: [{ tlp }] }]);
  });

  test("words that only look like a mark do not count", async () => {
    const { findings } = await replyTo([changed({ Tag: [] }, { info: "A TLP whitepaper, and a red one" })]);
    expect(findings).toMatchObject([{ details: [{ tlp: null }] }]);
  });

  test("a hit dropped for its mark does not affect the others", async () => {
    const rows = [
      ...tagged("tlp:red").response.Attribute,
      ...changed({ Tag: [] }, { uuid: "6a1d0000-0000-4000-8000-000000000099" }).response.Attribute,
    ];
    const { findings, missing } = await replyTo([{ response: { Attribute: rows } }]);
    expect([findings.length, missing]).toEqual([1, ["1 of the hits: marked above max_tlp"]]);
  });
});

describe("the mark of an attribute", () => {
  test.each<[string[], MaxTlp, boolean]>([
    [["tlp:red"], "amber+strict", false],
    [["tlp:red"], "red", true],
    [["TLP:Amber+Strict"], "amber+strict", true],
    [["tlp:amber+strict"], "amber", false],
    [["tlp:amber"], "amber", true],
    [["tlp:amber"], "green", false],
    [["tlp:green"], "green", true],
    [["tlp:green"], "clear", false],
    [["tlp:green"], "white", false],
    [["tlp:white"], "clear", true],
    [["tlp:clear"], "white", true],
    [["tlp:clear", "tlp:red"], "amber+strict", false],
    [["tlp:red", "tlp:clear"], "amber+strict", false],
    [[" TLP: RED "], "amber+strict", false],
    [["tlp:unheard-of"], "amber+strict", false],
    [["tlp:unheard-of"], "red", true],
    [["phishing"], "clear", true],
    [[], "clear", true],
  ])("%j under max_tlp %s is shown: %s", async (names, maxTlp, isShown) => {
    expect((await replyTo([tagged(...names)], { maxTlp })).findings.length).toBe(isShown ? 1 : 0);
  });

  test("is the strictest mark in the details, in any order of tags", async () => {
    const names = ["tlp:clear", "TLP:AMBER", "tlp:green", "phishing"];
    for (const order of [names, names.toReversed()]) {
      expect((await replyTo([tagged(...order)])).findings).toMatchObject([{ details: [{ tlp: "amber" }] }]);
    }
  });
});

describe("the level of an event", () => {
  test.each([
    ["1", "high"],
    ["2", "medium"],
    ["3", "low"],
    ["4", "low"],
    ["9", "low"],
  ])("%s is severity %s", async (threat_level_id, severity) => {
    expect((await replyTo([changed({}, { threat_level_id })])).findings).toMatchObject([{ severity }]);
  });
});

describe("a title from MISP", () => {
  const titleOf = async (info: string, organisation = "CERT-EX") =>
    (await replyTo([changed({}, { info, Orgc: { name: organisation } })])).findings[0]?.title;

  test("of 120 characters stays whole", async () => {
    const info = "x".repeat(120 - 'Listed as email-src in MISP event "" (CERT-EX)'.length);
    expect(await titleOf(info)).toBe(`Listed as email-src in MISP event "${info}" (CERT-EX)`);
  });

  test("that is longer loses the end of the event's text, not the organisation", async () => {
    const title = await titleOf("Phishing ".repeat(500));
    expect(title).toMatch(/^Listed as email-src in MISP event "Phishing .*…" \(CERT-EX\)$/);
    expect(title?.length).toBeLessThanOrEqual(120);
  });

  test("contains no other addresses and no secrets, wherever it is cut", async () => {
    expect(
      await titleOf("combo jane.doe@example.com:hunter2 and john.roe@example.org", "5f4dcc3b5aa765d61d8327deb882cf99"),
    ).toBe('Listed as email-src in MISP event "combo jane.doe@example.com:… and …" (…)');
    for (let length = 20; length < 100; length += 1) {
      expect(await titleOf(`${"x".repeat(length)} john.roe@example.org 5f4dcc3b5aa765d61d8327deb882cf99`)).not.toMatch(
        /john|5f4d/,
      );
    }
  });

  test("has no brackets when the organisation was deleted", async () => {
    expect((await replyTo([changed({}, { Orgc: null })])).findings).toMatchObject([
      { title: 'Listed as email-src in MISP event "Phishing against finance"', details: [{ organisation: null }] },
    ]);
  });

  test("splits no surrogate pair, and is one line", async () => {
    for (const info of ["😀".repeat(200), `x${"😀".repeat(200)}`])
      expect((await titleOf(info))?.isWellFormed()).toBe(true);
    expect(await titleOf("a\r\n\u0000b\u202e")).toBe('Listed as email-src in MISP event "a b" (CERT-EX)');
    expect((await titleOf("😀".repeat(200), "organisation ".repeat(50)))?.length).toBeLessThanOrEqual(120);
  });
});

describe("a time of a MISP attribute", () => {
  test.each([
    [1767323045678901, "2026-01-02T03:04:05+00:00"],
    ["2026-01-02T03:04:05.678901+00:00", "2026-01-02T03:04:05+00:00"],
    ["2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05+00:00"],
    ["1767323045678901", "2026-01-02T03:04:05+00:00"],
    ["99999999999999999999", null],
    ["2026-13-45T00:00:00+00:00", null],
    ["yesterday", null],
    ["", null],
    [null, null],
    [undefined, null],
  ])("of %s is %s", async (first_seen, expected) => {
    expect((await replyTo([changed({ first_seen })])).findings).toMatchObject([
      { details: [{ first_seen: expected }] },
    ]);
  });
});

test("tags, organisations and other text of MISP contain no other addresses and no secrets", async () => {
  const hostile = "john.roe@example.org:hunter2";
  const event = { info: hostile, Orgc: { name: hostile }, Tag: [{ name: `leak:${hostile}` }] };
  const row = { Tag: [{ name: hostile }], category: hostile, warnings: [{ warninglist_name: hostile }] };
  const { findings } = await replyTo([changed(row, event)]);
  expect(findings).toHaveLength(1);
  expect(JSON.stringify(findings)).not.toMatch(/hunter2|john/);
});

test("tags and warning lists of MISP are bounded in number and length", async () => {
  const names = Array.from({ length: 500 }, (_, index) => `${String(index).padStart(3, "0")}${"x".repeat(5000)}`);
  const warnings = names.map((warninglist_name) => ({ warninglist_name }));
  const { findings } = await replyTo([changed({ Tag: names.map((name) => ({ name })), warnings })]);
  expect(findings.length).toBe(1);
  expect(JSON.stringify(findings).length).toBeLessThan(10_000);
});

test("two attributes of one type in one MISP event are one finding with both details", async () => {
  const { findings } = await replyTo([{ response: { Attribute: [sample, { ...sample, to_ids: false }] } }]);
  expect(findings).toMatchObject([{ details: [{ to_ids: false }, { to_ids: true }] }]);
});

describe("the pages of MISP", () => {
  const pagesOf = (requests: readonly { body: string }[]) => requests.map(({ body }) => JSON.parse(body).page);
  const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

  test.each([
    ["nobody", 0, 1],
    ["hundred", 100, 2],
    ["many", 250, 3],
    ["thousand", 1000, 11],
  ])("for %s, with %i attributes, are all read", async (local, findingCount, pageCount) => {
    const requests = await requestsOf(async () => {
      const { findings } = await lookup(`${local}@example.com`);
      expect(findings.length).toBe(findingCount);
      expect(JSON.stringify(findings)).not.toMatch(/omitted|has_more/);
    });
    expect(pagesOf(requests)).toEqual(upTo(pageCount));
  });

  const rows = (from: number, count: number) => ({
    response: {
      Attribute: Array.from({ length: count }, (_, index) => {
        const id = String(from + index);
        const uuid = `6a1d0000-0000-4000-8000-${id.padStart(12, "0")}`;
        return { ...sample, id, event_id: id, Tag: [], Event: { ...sample?.Event, id, uuid } };
      }),
    },
  });
  const countOf = async (pages: readonly unknown[], answers: Answers = {}) => {
    const { findings, missing } = await replyTo(pages, answers);
    return [findings.length, missing];
  };

  test("continue when MISP's count says that a page was full, even if rows were dropped from it", async () => {
    expect(
      await countOf([rows(0, 10), rows(100, 3)], { headers: { "x-result-count": "100" } }).catch(String),
    ).toContain("a page too many");
    const pages = [rows(0, 98), rows(1000, 5)];
    expect(await countOf(pages)).toEqual([103, []]);
  });

  test("continue after a page that is nearly full, and end with one that is not", async () => {
    expect(await countOf([rows(0, 99), rows(1000, 50)])).toEqual([149, []]);
    expect(await countOf([rows(0, 99), rows(1000, 0)])).toEqual([99, []]);
    expect(await countOf([rows(0, 50)])).toEqual([50, []]);
  });

  test("end with the first repeated page if the service ignores pages", async () => {
    expect(await countOf([rows(0, 150), rows(0, 150)])).toEqual([150, []]);
    expect(await countOf([rows(0, 100), rows(0, 100)])).toEqual([
      100,
      ["the hits after the first 100: the service repeats a page"],
    ]);
  });

  test("that fail later keep the rows already read, and are named in missing", async () => {
    const gap = ["the hits after the first 100: page 2 could not be read (http_5xx)"];
    expect(await countOf([rows(0, 100), {}], { lastStatus: 500 })).toEqual([100, gap]);
    const { findings } = await replyTo([rows(0, 100), {}], { lastStatus: 500 });
    expect(findings[0]?.details.at(-1)).toEqual({ attributes_read: 100, has_more_attributes: true });
  });

  test("that hang keep the rows already read, within the time of the source", async () => {
    const startedAt = performance.now();
    const gap = ["the hits after the first 100: page 2 could not be read (timeout)"];
    expect(await countOf([rows(0, 100), hang], { timeoutMs: 900 })).toEqual([100, gap]);
    expect(performance.now() - startedAt).toBeLessThan(800);
  });

  test("of up to 8 MiB are read", async () => {
    const tags = Array.from({ length: 80 }, (_, index) => ({ name: `misp-galaxy:x="${"y".repeat(500)} ${index}"` }));
    const page = rows(0, 100);
    const fat = page.response.Attribute.map((row) => ({ ...row, Tag: tags, Event: { ...row.Event, Tag: tags } }));
    expect(JSON.stringify(fat).length).toBeGreaterThan(7 * 1024 * 1024);
    expect(await countOf([{ response: { Attribute: fat } }, rows(1000, 0)])).toEqual([100, []]);
  });

  test("end after the number needed for a thousand findings, and the details say that there are more", async () => {
    const requests = await requestsOf(async () => {
      const { findings, missing = [] } = await lookup("flood@example.com");
      expect(findings.length).toBe(1000);
      expect(findings[0]?.details.slice(-2)).toEqual([
        { omitted_findings: 100 },
        { attributes_read: 1100, has_more_attributes: true },
      ]);
      expect(missing).toEqual(["the hits after the first 1100: there are more hits than can be shown"]);
    });
    expect(pagesOf(requests)).toEqual(upTo(11));
  });
});

describe("a fault of MISP", () => {
  test.each([
    ["not-allowed", "not_configured"],
    ["bad-method", "http_4xx"],
    ["rate-limited", "rate_limited"],
    ["no-route", "http_4xx"],
    ["server-error", "http_5xx"],
    ["login-page", "redirect"],
    ["html-200", "bad_answer"],
    ["html-403", "http_4xx"],
    ["broken-json", "bad_answer"],
  ])("%s is %s", async (local, reason) => {
    await expect(lookup(`${local}@example.com`)).rejects.toMatchObject({ name: "SourceError", reason });
  });

  test.each([
    "Your user account is expecting a password change, please log in via the web interface and change it before proceeding.",
    "You have not accepted the terms of use yet, please log in via the web interface and accept them.",
  ])("about the account is not_configured: %s", async (message) => {
    const body = { name: "Method not allowed.", message, url: "/attributes/restSearch" };
    await expect(replyTo([body], { lastStatus: 405 })).rejects.toMatchObject({ reason: "not_configured" });
  });

  test("with its own reason keeps it, whatever its text says", async () => {
    await expect(replyTo([searchNotAllowed], { lastStatus: 500 })).rejects.toMatchObject({ reason: "http_5xx" });
  });

  test("with a wrong key is auth, and its message never shows the key", async () => {
    const error: unknown = await lookup("jane.doe@example.com", { apiKey: "wrong-key" }).catch((reason) => reason);
    expect(error).toMatchObject({ reason: "auth" });
    expect(String(error)).not.toContain("wrong-key");
  });

  test("that asks to slow down states for how long", async () => {
    await expect(lookup("rate-limited@example.com")).rejects.toThrow("open again in 840 s");
  });

  test.each([{ baseUrl: null }, { apiKey: null }])("with %o is reported before anything is sent", async (setup) => {
    const requests = await requestsOf(() =>
      expect(lookup("jane.doe@example.com", setup)).rejects.toMatchObject({ reason: "not_configured" }),
    );
    expect(requests).toEqual([]);
  });
});

describe("an answer of MISP", () => {
  const wrong: Readonly<Record<string, readonly unknown[]>> = {
    event_id: [4.5, -1, null, undefined, "../admin", ""],
    type: [5, null, undefined],
    category: [5, null, undefined],
    to_ids: ["1", 2, null, undefined],
    value: [5, null, undefined, "no address"],
    first_seen: [1.5, true],
    last_seen: [{}],
    Tag: [{}, "tlp:red", ["tlp:red"], [{ name: 5 }], [{}], { name: "tlp:red" }],
    AttributeTag: [[{ tag_id: "3" }], [{ Tag: null }]],
    EventTag: [[{ tag_id: "3" }], {}],
    warnings: [{}, "hit", [{}], [{ warninglist_name: 5 }]],
    Event: [null, undefined, [], "45"],
  };
  const wrongInEvent: Readonly<Record<string, readonly unknown[]>> = {
    uuid: [5, null, undefined, "45"],
    info: [5, null, undefined],
    threat_level_id: [1.5, null, undefined],
    date: [20260103, null, undefined],
    published: ["1", 2, null, undefined],
    Orgc: ["CERT-EX", { name: 5 }, {}],
    Tag: ["tlp:red", [{}]],
    EventTag: [[{ tag_id: "3" }]],
  };
  type Changed = ReturnType<typeof changed>;
  const rows = [
    ...Object.entries(wrong).flatMap(([field, values]) =>
      values.map((value): [string, unknown, Changed] => [field, value, changed({ [field]: value })]),
    ),
    ...Object.entries(wrongInEvent).flatMap(([field, values]) =>
      values.map((value): [string, unknown, Changed] => [`Event.${field}`, value, changed({}, { [field]: value })]),
    ),
  ];

  test.each(rows)(
    "with %s of %j loses that row, and is bad_answer if most are like that",
    async (_field, _value, body) => {
      await expect(replyTo([body])).rejects.toMatchObject({ reason: "bad_answer" });
      const Attribute = [...changed({}).response.Attribute, ...body.response.Attribute];
      const { findings, missing } = await replyTo([{ response: { Attribute } }]);
      expect([findings.length, missing]).toEqual([1, ["1 of the rows of attributes could not be read"]]);
    },
  );

  test("may have numbers as ids and flags, and null as lists", async () => {
    const plain = { event_id: "45", to_ids: true, Tag: [], warnings: [] };
    const other = {
      event_id: 45,
      to_ids: 1,
      Tag: null,
      warnings: null,
      AttributeTag: null,
      EventTag: null,
      comment: null,
    };
    const event = { threat_level_id: "2", published: true };
    const otherEvent = { threat_level_id: 2, published: 1, Tag: null, EventTag: null };
    expect(await replyTo([changed(other, otherEvent)])).toEqual(await replyTo([changed(plain, event)]));
  });

  test("may be a list written as an object of positions", async () => {
    const { response } = changed({});
    const { findings } = await replyTo([
      { response: { Attribute: { "0": response.Attribute[0], "7": response.Attribute[0] } } },
    ]);
    expect(findings).toHaveLength(1);
  });

  test.each([
    [null],
    [[]],
    [{}],
    [{ response: null }],
    [{ response: {} }],
    [{ response: [{}] }],
    [{ response: { Attribute: {} } }],
    [{ response: { Attribute: null } }],
    [{ response: { Attribute: sample } }],
    [{ response: [{ Attribute: sample }] }],
    [{ response: { Attribute: [null] } }],
    [{ errors: "no" }],
  ])("of %j is bad_answer as a whole", async (body) => {
    await expect(replyTo([body])).rejects.toMatchObject({ reason: "bad_answer" });
  });
});

describe("settings of MISP", () => {
  test("hide hits marked red by default", () => {
    expect(misp.settings.parse({})).toEqual({ max_tlp: "amber+strict" });
  });

  test.each(["clear", "white", "green", "amber", "amber+strict", "red"])("take %s as the limit", (max_tlp) => {
    expect(misp.settings.parse({ max_tlp })).toEqual({ max_tlp });
  });

  test.each([{ max_tlp: "RED" }, { max_tlp: "purple" }, { max_tlp: 4 }, { max_tlp: "red", other: 1 }])(
    "of %o are refused",
    (settings) => {
      expect(misp.settings.safeParse(settings).success).toBe(false);
    },
  );
});
