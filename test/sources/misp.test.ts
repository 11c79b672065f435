import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parseIndicator } from "../../src/domain/indicator.ts";
import { openHttpClient } from "../../src/egress/client.ts";
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

/** What is sent while this runs. */
async function requestsOf(run: () => Promise<unknown>) {
  const before = upstream.requests.length;
  await run();
  return upstream.requests.slice(before);
}

/** Asks a MISP that gives these answers, page by page. */
function replyTo(bodies: readonly unknown[], { maxTlp = "amber+strict" as MaxTlp, lastStatus = 200 } = {}) {
  const responses = bodies.map((body, index) => ({
    status: index === bodies.length - 1 ? lastStatus : 200,
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify(body)),
  }));
  const request = async () => responses.shift() ?? Promise.reject(new Error("a page too many"));
  const context = lookupContext({
    baseUrl: "https://misp.example",
    apiKey: "k",
    settings: { max_tlp: maxTlp },
    http: { request },
  });
  return misp.lookup(parseIndicator("email", "jane.doe@example.com"), context);
}

const [sample] = attributes;
/** The first attribute of the fixture with these fields in place of its own. */
function changed(fields: Readonly<Record<string, unknown>>, event: Readonly<Record<string, unknown>> = {}) {
  return { response: { Attribute: [{ ...sample, Event: { ...sample?.Event, ...event }, ...fields }] } };
}
const tagged = (...names: string[]) => changed({ Tag: names.map((name) => ({ name })) });

test("attributes of MISP become findings with what their events say", async () => {
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

test("no comment of a MISP attribute and no other address is in its findings", async () => {
  const { findings } = await lookup("jane.doe@example.com", { maxTlp: "red" });
  expect(findings.length).toBe(4);
  expect(JSON.stringify(findings)).not.toMatch(/phishing wave|john\.roe|@/i);
});

test("an address that MISP does not hold gives no finding, in the older form of the answer too", async () => {
  expect(await lookup("nobody@example.com")).toEqual({ findings: [] });
  expect(await lookup("old-version@example.com")).toEqual({ findings: [] });
});

test("MISP is asked by POST with the bare key, and the address is in the body only", async () => {
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
    includeEventTags: 1,
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
  "%s is asked for, as MISP takes it as it is",
  async (address) => {
    const requests = await requestsOf(() => lookup(address));
    expect(requests.map(({ body }) => JSON.parse(body).value)).toEqual([address]);
  },
);

test("an attribute that only MISP's database takes for equal is dropped", async () => {
  const requests = await requestsOf(async () => {
    expect(await lookup("jané.doe@example.com")).toEqual({ findings: [] });
  });
  expect(requests.length).toBe(1);
});

test("an attribute in other letters of the same address is kept", async () => {
  expect((await replyTo([changed({ value: "JANE.Doe@EXAMPLE.com" })])).findings.length).toBe(1);
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
  ])("%j under max_tlp %s: shown is %s", async (names, maxTlp, isShown) => {
    expect((await replyTo([tagged(...names)], { maxTlp })).findings.length).toBe(isShown ? 1 : 0);
  });

  test("is the strictest one in the details, in whatever order the tags come", async () => {
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

  test("that is longer loses the end of the event's text, not who said it", async () => {
    const title = await titleOf("Phishing ".repeat(500));
    expect(title).toMatch(/^Listed as email-src in MISP event "Phishing .*…" \(CERT-EX\)$/);
    expect(title?.length).toBeLessThanOrEqual(120);
  });

  test("cuts no character in half, and is one line", async () => {
    for (const info of ["😀".repeat(200), `x${"😀".repeat(200)}`])
      expect((await titleOf(info))?.isWellFormed()).toBe(true);
    expect(await titleOf("a\r\n\u0000b\u202e")).toBe('Listed as email-src in MISP event "a b" (CERT-EX)');
    expect((await titleOf("😀".repeat(200), "organisation ".repeat(50)))?.length).toBeLessThanOrEqual(120);
  });
});

describe("a time of a MISP attribute", () => {
  test.each([
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
  ])("for %s, with %i attributes, are read to the end", async (local, findingCount, pageCount) => {
    const requests = await requestsOf(async () => {
      const { findings } = await lookup(`${local}@example.com`);
      expect(findings.length).toBe(findingCount);
      expect(JSON.stringify(findings)).not.toMatch(/omitted|has_more/);
    });
    expect(pagesOf(requests)).toEqual(upTo(pageCount));
  });

  test("end after what a thousand findings need, and the details say that there are more", async () => {
    const requests = await requestsOf(async () => {
      const { findings } = await lookup("flood@example.com");
      expect(findings.length).toBe(1000);
      expect(findings[0]?.details.slice(-2)).toEqual([
        { omitted_findings: 100 },
        { attributes_read: 1100, has_more_attributes: true },
      ]);
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

  test("on a later page fails the whole look-up", async () => {
    const page = { response: { Attribute: Array.from({ length: 100 }, () => sample) } };
    await expect(replyTo([page, {}], { lastStatus: 500 })).rejects.toMatchObject({ reason: "http_5xx" });
  });

  test("of its own stays one, whatever its text says", async () => {
    await expect(replyTo([searchNotAllowed], { lastStatus: 500 })).rejects.toMatchObject({ reason: "http_5xx" });
  });

  test("with a wrong key is a matter of the key, and its message does not hold it either", async () => {
    const error: unknown = await lookup("jane.doe@example.com", { apiKey: "wrong-key" }).catch((reason) => reason);
    expect(error).toMatchObject({ reason: "auth" });
    expect(String(error)).not.toContain("wrong-key");
  });

  test("that asks to slow down tells for how long", async () => {
    await expect(lookup("rate-limited@example.com")).rejects.toThrow("open again in 840 s");
  });

  test.each([{ baseUrl: null }, { apiKey: null }])("with %o is told before anything is sent", async (setup) => {
    const requests = await requestsOf(() =>
      expect(lookup("jane.doe@example.com", setup)).rejects.toMatchObject({ reason: "not_configured" }),
    );
    expect(requests).toEqual([]);
  });
});

describe("an answer of MISP", () => {
  const wrong: Readonly<Record<string, readonly unknown[]>> = {
    event_id: [45, null, undefined, "../admin", ""],
    type: [5, null, undefined],
    category: [5, null, undefined],
    to_ids: ["1", 1, null, undefined],
    value: [5, null, undefined],
    first_seen: [1767312000000000, true],
    last_seen: [1767312000000000, {}],
    Tag: [{}, "tlp:red", ["tlp:red"], [{ name: 5 }], [{}], null],
    warnings: [{}, "hit", [{}], [{ warninglist_name: 5 }]],
    Event: [null, undefined, [], "45"],
  };
  const wrongInEvent: Readonly<Record<string, readonly unknown[]>> = {
    uuid: [5, null, undefined, "45"],
    info: [5, null, undefined],
    threat_level_id: [1, null, undefined],
    date: [20260103, null, undefined],
    published: ["1", 1, null, undefined],
    Orgc: [null, undefined, "CERT-EX", { name: 5 }, {}],
  };
  const rows = [
    ...Object.entries(wrong).flatMap(([field, values]) =>
      values.map((value): [string, unknown, unknown] => [field, value, changed({ [field]: value })]),
    ),
    ...Object.entries(wrongInEvent).flatMap(([field, values]) =>
      values.map((value): [string, unknown, unknown] => [`Event.${field}`, value, changed({}, { [field]: value })]),
    ),
  ];

  test.each(rows)("with %s of %j is a bad one as a whole", async (_field, _value, body) => {
    await expect(replyTo([body])).rejects.toMatchObject({ reason: "bad_answer" });
  });

  test.each([
    [null],
    [[]],
    [{}],
    [{ response: null }],
    [{ response: {} }],
    [{ response: [{}] }],
    [{ response: { Attribute: {} } }],
    [{ response: { Attribute: [null] } }],
    [{ errors: "no" }],
  ])("of %j is a bad one as a whole", async (body) => {
    await expect(replyTo([body])).rejects.toMatchObject({ reason: "bad_answer" });
  });
});

describe("settings of MISP", () => {
  test("hide what is marked red unless the operator says otherwise", () => {
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
