import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parseIndicator } from "../../src/domain/indicator.ts";
import { type HttpRequest, openHttpClient } from "../../src/egress/client.ts";
import { http } from "../../src/sources/http.ts";
import { type FaultServer, faults, type Reply, startFaultServer } from "../helpers/fault-server.ts";
import { lookupContext } from "../helpers/lookup-context.ts";

const indicator = parseIndicator("email", "jane.doe+x@example.com");

/** Looks up an address at a source named `inhouse` whose service gives this answer. */
async function findingsOf(body: unknown, status = 200) {
  const requests: HttpRequest[] = [];
  const context = lookupContext({
    name: "inhouse",
    settings: { url: "https://inhouse.example/v1/{email}?mail={email}" },
    http: {
      request: async (request) => {
        requests.push(request);
        return {
          status,
          headers: { "content-type": "application/json" },
          body: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)),
        };
      },
    },
  });
  const reply = await http.lookup(indicator, context);
  return { ...reply, requests };
}

const findings = async (...records: unknown[]) => (await findingsOf({ findings: records })).findings;

describe("the fault table", () => {
  let upstream: FaultServer;
  beforeAll(async () => {
    upstream = await startFaultServer();
  }, 30_000);
  afterAll(() => upstream.close());

  async function lookup(reply: Reply, deadlineMs: number) {
    const client = openHttpClient({ userAgent: "xpose/1.2.3", proxy: null, noProxy: [], extraCa: upstream.ca });
    onTestFinished(() => client.close());
    const settings = { url: `${upstream.url(reply)}?email={email}` };
    const context = lookupContext({ name: "inhouse", settings, http: client, timeoutMs: deadlineMs });
    return await http.lookup(indicator, context);
  }

  test.each(Object.entries(faults))("%s fails as %s, in time and in little memory", async (fault, reason) => {
    // Faults that end at the deadline get a short deadline; the others must end long before theirs.
    const deadlineMs = reason === "timeout" ? 300 : 5_000;
    Bun.gc(true);
    const startBytes = process.memoryUsage.rss();
    const startedAt = performance.now();
    const outcome: unknown = await lookup(fault as keyof typeof faults, deadlineMs).catch((error: unknown) => error);
    const tookMs = performance.now() - startedAt;
    const grownBytes = process.memoryUsage.rss() - startBytes;
    expect(outcome).toMatchObject({ name: "SourceError", reason });
    expect(tookMs).toBeLessThan(2_300);
    expect(grownBytes).toBeLessThan(64 * 1024 * 1024);
  });

  test.each(["found", "found_tls", "found_gzip"] as const)("%s gives its finding", async (reply) => {
    expect((await lookup(reply, 5_000)).findings).toMatchObject([{ subjects: ["shop.example"], years: [2021] }]);
  });

  test("an empty list and the service's own 404 mean unknown", async () => {
    expect(await lookup("nothing", 5_000)).toEqual({ findings: [], missing: [] });
    expect(await lookup("not_found", 5_000)).toEqual({ findings: [], isNotFound: true });
  });
});

describe("a record", () => {
  test("gives a finding with all its fields", async () => {
    const record = {
      category: "infostealer",
      severity: "critical",
      title: "Present in Example Shop",
      subject: "www.Shop.example",
      source_url: "https://shop.example/breach",
      date: "2021-05-06",
      password: "never kept",
      email: "Jane.Doe+x@Example.com",
    };
    expect(await findings(record)).toEqual([
      {
        category: "infostealer",
        severity: "high",
        title: "Present in Example Shop",
        subjects: ["shop.example"],
        years: [2021],
        sourceUrl: "https://shop.example/breach",
        details: [{ date: "2021-05-06" }],
      },
    ]);
  });

  const defaults = {
    category: "breach",
    severity: "medium",
    title: "Present in inhouse",
    subjects: ["inhouse"],
    years: [],
    sourceUrl: null,
    details: [],
  };

  test("with empty fields gets the defaults", async () => {
    expect(await findings({})).toEqual([defaults]);
    const empty = { category: "", severity: " ", title: "", subject: "", source_url: "", date: "" };
    expect(await findings(empty)).toEqual([defaults]);
  });

  test("of nulls gets the defaults, and severity low", async () => {
    const nulls = { category: null, severity: null, title: null, subject: null, source_url: null, date: null };
    expect(await findings(nulls)).toEqual([{ ...defaults, severity: "low" }]);
  });

  test.each([
    ["HIGH", "high"],
    ["info", "low"],
    ["scary", "low"],
  ])("of severity %s is %s", async (severity, expected) => {
    expect(await findings({ severity })).toMatchObject([{ severity: expected }]);
  });

  test("with an invalid date has no date", async () => {
    expect(await findings({ date: "2021-02-30" })).toEqual([defaults]);
  });

  test.each([
    "https://shop.example/jane.doe+x@example.com",
    "https://shop.example/?q=Jane.Doe%2Bx%40Example.com",
    "https://shop.example/%zz",
    "javascript:alert(1)",
    `https://shop.example/${"x".repeat(3000)}`,
  ])("never links to %s", async (source_url) => {
    expect(await findings({ source_url })).toMatchObject([{ sourceUrl: null }]);
  });

  test.each(["jane.doe+x@example.com", "john.roe@example.org"])("has no site if that is %s", async (subject) => {
    expect(await findings({ subject })).toEqual([defaults]);
  });

  test("keeps no other addresses and no secrets, but the asked address in its title", async () => {
    const [finding] = await findings({
      title: "jane.doe+x@example.com:hunter2, john.roe@example.org",
      category: "dump of john.roe@example.org",
      source_url: "https://dump.example/?u=john.roe@example.org&token=abc1",
    });
    expect(finding).toMatchObject({
      title: "jane.doe+x@example.com:… …",
      category: "dump_of",
      sourceUrl: "https://dump.example/?u=…&token=…",
    });
  });

  test("has its text cleaned", async () => {
    const [finding] = await findings({ title: `a\u0000b\n${"x".repeat(5000)}`, category: "Credential Leak!" });
    expect(finding?.title).toMatch(/^a b x+$/);
    expect(finding?.title.length).toBe(255);
    expect(finding?.category).toBe("credential_leak");
  });

  test("given twice is one finding", async () => {
    const twice = await findings({ date: "2021" }, { date: "2022", severity: "high" });
    expect(twice).toMatchObject([
      { severity: "high", years: [2021, 2022], details: [{ date: "2021" }, { date: "2022" }] },
    ]);
  });
});

describe("an answer", () => {
  test.each<[string, unknown]>([
    ["without findings", {}],
    ["that is a list", []],
    ["that is null", null],
    ["with null findings", { findings: null }],
    ["with findings in an object", { findings: { title: "x" } }],
    ["that is a problem document", { title: "Down", status: 503, findings: [] }],
  ])("%s is bad_answer as a whole", async (_name, body) => {
    await expect(findingsOf(body)).rejects.toMatchObject({ reason: "bad_answer" });
  });

  test.each<[string, unknown]>([
    ["text", "shop.example"],
    ["null", null],
    ["a list", []],
    ...["category", "severity", "title", "subject", "source_url", "date"].flatMap((field): [string, unknown][] =>
      [5, true, ["x"], { x: 1 }].map((value) => [`one with ${field} of ${JSON.stringify(value)}`, { [field]: value }]),
    ),
  ])("with a record that is %s loses that record, and is bad_answer if most are like that", async (_name, bad) => {
    const reply = await findingsOf({ findings: [{ title: "a" }, bad, { title: "b" }] });
    expect(reply.findings.map(({ title }) => title)).toEqual(["a", "b"]);
    expect(reply.missing).toEqual(["1 of the rows of findings could not be read"]);
    for (const findings of [[bad], [bad, {}, bad]]) {
      await expect(findingsOf({ findings })).rejects.toMatchObject({ reason: "bad_answer" });
    }
  });

  test.each([
    { email: "john.roe@example.org", findings: [] },
    { Indicator: { type: "email", value: "john.roe@example.org" }, findings: [{ title: "x" }] },
    { indicator: "john.roe@example.org", findings: [] },
    { findings: [{ title: "x" }, { title: "y", email: "John.Roe@Example.org" }] },
    { findings: [{ title: "x", indicator_value: "john.roe@example.org" }] },
  ])("about another address is bad_answer: %j", async (body) => {
    await expect(findingsOf(body)).rejects.toMatchObject({ reason: "bad_answer" });
  });

  test("with 404 about another address is bad_answer, too", async () => {
    const body = { email: "john.roe@example.org", findings: [] };
    await expect(findingsOf(body, 404)).rejects.toMatchObject({ reason: "bad_answer" });
  });

  test.each([
    { email: "JANE.DOE+X@example.com", findings: [] },
    { indicator: { type: "email", value: "jane.doe+x@example.com" }, findings: [] },
    { query: "not an address", contact: "soc@example.org", findings: [] },
    { indicator: null, email: 5, findings: [] },
  ])("about the asked address, or without an address, is accepted: %j", async (body) => {
    expect(await findingsOf(body)).toMatchObject({ findings: [] });
  });

  test("of more than 1000 findings is capped and counted", async () => {
    const many = Array.from({ length: 1200 }, (_, index) => ({ title: `Leak ${index}` }));
    const kept = await findings(...many);
    expect(kept.length).toBe(1000);
    expect(kept[0]?.details).toEqual([{ omitted_findings: 200 }]);
  });
});

test("the address is percent-encoded at every place in the URL", async () => {
  const { requests } = await findingsOf({ findings: [] });
  const encoded = "jane.doe%2Bx%40example.com";
  expect(requests).toMatchObject([
    {
      url: `https://inhouse.example/v1/${encoded}?mail=${encoded}`,
      headers: { accept: "application/json" },
    },
  ]);
});

describe("settings", () => {
  test.each([{ url: "https://inhouse.example/{email}" }, { url: "http://localhost:8080/v1?mail={email}&all=1" }])(
    "%o are taken",
    (settings) => {
      expect(http.settings.safeParse(settings)).toMatchObject({ success: true, data: settings });
    },
  );

  test.each([
    {},
    { url: "https://inhouse.example/" },
    { url: "https://inhouse.example/#{email}" },
    { url: "https://{email}/" },
    { url: "https://{email}@inhouse.example/" },
    { url: "https://jane:secret@inhouse.example/{email}" },
    { url: "https://inhouse.example/{Email}" },
    { url: "ftp://inhouse.example/{email}" },
    { url: "file:///{email}" },
    { url: "inhouse.example/{email}" },
    { url: "https://inhouse.example/{email}", other: 1 },
  ])("%o are refused", (settings) => {
    expect(http.settings.safeParse(settings).success).toBe(false);
  });
});
