import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { SourceError } from "../../src/domain/error.ts";
import { parseIndicator } from "../../src/domain/indicator.ts";
import { type HttpClient, type HttpRequest, openHttpClient } from "../../src/egress/client.ts";
import type { Catalogue, CatalogueEntry } from "../../src/sources/breach-catalogue.ts";
import { breachEntry } from "../../src/sources/breach-catalogue.ts";
import { hibp } from "../../src/sources/hibp.ts";
import breaches from "../fixtures/sources/hibp/breaches.json";
import golden from "../fixtures/sources/hibp/findings.json";
import {
  type FakeHibp,
  hibpPaidKey,
  hibpTestAccounts,
  hibpTestDomain,
  hibpTestKey,
  hibpTriggers,
  startFakeHibp,
} from "../helpers/fake-hibp.ts";
import { type FaultServer, faults, startFaultServer } from "../helpers/fault-server.ts";
import { noCatalogue } from "../helpers/no-catalogue.ts";

const account = { mode: "account", pastes: true, stealer_logs: false, catalogue: null } as const;
const withStealerLogs = { ...account, stealer_logs: true } as const;
const range = { ...account, mode: "range" } as const;

const catalogue: Catalogue = {
  ...noCatalogue,
  find: (name) => breaches.map((breach) => breachEntry.parse(breach)).find(({ Name }) => Name === name) ?? null,
};

type Options = {
  readonly settings?: typeof account | typeof withStealerLogs | typeof range;
  readonly baseUrl?: string | null;
  readonly apiKey?: string | null;
  readonly catalogue?: Catalogue;
  readonly deadlineMs?: number;
};

async function ask(http: HttpClient, address: string, { deadlineMs = 5_000, ...options }: Options) {
  return await hibp.lookup(parseIndicator("email", address), {
    name: "hibp",
    baseUrl: null,
    apiKey: hibpTestKey,
    settings: withStealerLogs,
    catalogue,
    child: { run: () => Promise.reject(new Error("hibp runs no program")) },
    ...options,
    http,
    signal: AbortSignal.timeout(deadlineMs),
    deadline: new Date(Date.now() + deadlineMs),
  });
}

/** Asks the fake through the real client. */
async function lookup(address: string, options: Options = {}, client: { userAgent?: string; extraCa?: string } = {}) {
  const http = openHttpClient({ userAgent: "xpose/1.2.3", extraCa: null, ...client, proxy: null, noProxy: [] });
  onTestFinished(() => http.close());
  return await ask(http, address, { baseUrl: fake.url, ...options });
}

/** Looks up an address at a service with these replies per call: a 200, a 403 for `refused`, otherwise an empty 404. */
async function told(replies: Record<string, unknown>, options: Options = {}, address = "jane.doe+x@example.com") {
  const requests: HttpRequest[] = [];
  const http: HttpClient = {
    request: async (request) => {
      requests.push(request);
      const reply = replies[/v3\/(\w+)/.exec(request.url)?.[1] ?? ""];
      return {
        status: reply === undefined ? 404 : reply === refused ? 403 : 200,
        headers: { "content-type": "application/json" },
        body: new TextEncoder().encode(JSON.stringify(reply) ?? ""),
      };
    },
  };
  return { ...(await ask(http, address, options)), requests };
}

const refused = { statusCode: 403, message: "Your subscription does not include this feature." };

const testAddress = (localPart: string) => `${localPart}@${hibpTestDomain}`;

let fake: FakeHibp;
beforeAll(async () => {
  fake = await startFakeHibp();
});
afterAll(() => fake.stop());

describe("the documented test accounts", () => {
  test("all have their golden findings", () => {
    expect(Object.keys(golden)).toEqual(hibpTestAccounts);
    expect(hibpTestAccounts.length).toBe(16);
  });

  test.each(Object.entries(golden))("%s gives exactly its findings", async (localPart, findings) => {
    expect(await lookup(testAddress(localPart))).toEqual({ findings, missing: [] });
  });

  test.each(Object.entries(golden))("%s gives the same breaches by range", async (localPart, findings) => {
    const named = findings.filter(({ details }) => "name" in (details[0] ?? {}));
    expect(await lookup(testAddress(localPart), { settings: range })).toEqual({ findings: named, missing: [] });
  });

  test("are not asked for stealer logs or pastes unless the operator wants them", async () => {
    const before = fake.requests.length;
    await lookup(testAddress("stealer-log"), { settings: account });
    expect(fake.requests.slice(before).map(({ path }) => path)).toEqual([
      "/api/v3/breachedaccount/stealer-log%40hibp-integration-tests.com?truncateResponse=false",
      "/api/v3/pasteaccount/stealer-log%40hibp-integration-tests.com",
    ]);
  });
});

describe("a reply of status", () => {
  test.each([
    ["401", "auth"],
    ["403html", "http_4xx"],
    ["404html", "http_4xx"],
    ["404json", "http_4xx"],
    ["429", "rate_limited"],
    ["500", "http_5xx"],
    ["503", "http_5xx"],
    ["cut", "bad_answer"],
    ["html", "bad_answer"],
    ["object", "bad_answer"],
    ["redirect", "redirect"],
    ["hang", "timeout"],
    // The main call failed, whatever the others return.
    ["403plan", "auth"],
  ] as const)("%s to the breach call fails as %s, by range too, and nothing else is asked", async (trigger, reason) => {
    expect(Object.keys(hibpTriggers)).toContain(trigger);
    const deadlineMs = reason === "timeout" ? 200 : 5_000;
    const before = fake.requests.length;
    await expect(lookup(testAddress(`${trigger}+breachedaccount`), { deadlineMs })).rejects.toMatchObject({ reason });
    expect(fake.requests.length - before).toBe(1);
    await expect(lookup(testAddress(trigger), { deadlineMs, settings: range })).rejects.toMatchObject({ reason });
  });

  test.each(
    Object.keys(hibpTriggers).flatMap((trigger) => [
      [trigger, "pasteaccount"],
      [trigger, "stealerlogsbyemail"],
    ]),
  )("%s to %s leaves that call out and names it", async (trigger, call) => {
    if (trigger === "truncated") return;
    const deadlineMs = trigger === "hang" ? 800 : 5_000;
    const startedAt = performance.now();
    expect(await lookup(testAddress(`${trigger}+${call}`), { deadlineMs })).toEqual({ findings: [], missing: [call] });
    expect(performance.now() - startedAt).toBeLessThan(deadlineMs);
  });

  test("400 in the service's words means an unsupported address; by range it sees no address", async () => {
    await expect(lookup(testAddress("400"))).rejects.toMatchObject({ reason: "unsupported" });
    await expect(lookup(testAddress("400"), { settings: range })).rejects.toMatchObject({ reason: "http_4xx" });
  });

  test("200 with names only is a bad answer, because whole entries were requested", async () => {
    await expect(lookup(testAddress("truncated"))).rejects.toMatchObject({ reason: "bad_answer" });
  });

  test.each([null, false, 0, "", {}, "text"])(
    "200 with %j is a bad answer, and never reads as unknown",
    async (body) => {
      await expect(told({ breachedaccount: body })).rejects.toMatchObject({ reason: "bad_answer" });
      await expect(told({ breachedaccount: body }, { settings: range })).rejects.toMatchObject({
        reason: "bad_answer",
      });
      expect(await told({ pasteaccount: body, stealerlogsbyemail: body })).toMatchObject({
        findings: [],
        missing: ["pasteaccount", "stealerlogsbyemail"],
      });
    },
  );

  test("401 for a key that the service does not know fails as auth, before any further call", async () => {
    const before = fake.requests.length;
    const wrong = lookup(testAddress("account-exists"), { apiKey: "1".repeat(32) });
    await expect(wrong).rejects.toMatchObject({ reason: "auth" });
    expect(fake.requests.length - before).toBe(1);
  });

  test("401 for an address outside the test key's domain does not read as unknown", async () => {
    await expect(lookup("jane.doe@example.com")).rejects.toMatchObject({ reason: "auth" });
    expect(await lookup("jane.doe@example.com", { apiKey: hibpPaidKey })).toMatchObject({ missing: [] });
  });

  test("403 for a missing user-agent is not mistaken for the plan", async () => {
    const nameless = lookup(testAddress("account-exists"), {}, { userAgent: "" });
    await expect(nameless).rejects.toMatchObject({ reason: "http_4xx" });
  });

  test("403 in JSON for one call keeps the findings of the others", async () => {
    const shop = breaches.find(({ Name }) => Name === "ExampleShop");
    const { findings, missing } = await told({ breachedaccount: [shop], pasteaccount: refused });
    expect(findings.map(({ title }) => title)).toEqual(["Present in the Example Shop 2021 breach"]);
    expect(missing).toEqual(["pasteaccount"]);
  });

  test("a call that hangs keeps the findings of the others, within the time of the source", async () => {
    const shop = breaches.find(({ Name }) => Name === "ExampleShop");
    const body = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    const http: HttpClient = {
      request: async ({ url, signal }) => {
        if (url.includes("/breachedaccount/")) {
          return { status: 200, headers: { "content-type": "application/json" }, body: body([shop]) };
        }
        return await new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new SourceError("timeout", "no complete answer in time"))),
        );
      },
    };
    const startedAt = performance.now();
    const { findings, missing } = await ask(http, "jane.doe@example.com", { deadlineMs: 900 });
    expect(findings).toHaveLength(1);
    expect(missing).toEqual(["pasteaccount", "stealerlogsbyemail"]);
    expect(performance.now() - startedAt).toBeLessThan(800);
  });

  test("an internal error is not a missing part", async () => {
    const http: HttpClient = {
      request: async ({ url }) => {
        if (url.includes("/breachedaccount/")) return { status: 404, headers: {}, body: new Uint8Array() };
        throw new TypeError("a fault of ours");
      },
    };
    await expect(ask(http, "jane.doe@example.com", {})).rejects.toThrow("a fault of ours");
  });

  test("an answer of up to 8 MiB is read at every call", async () => {
    const { requests } = await told({});
    expect(requests.map(({ maxBytes }) => maxBytes)).toEqual(Array.from({ length: 3 }, () => 8 * 1024 * 1024));
    const many = Array.from({ length: 4000 }, (_, index) => ({
      ...breaches.find(({ Name }) => Name === "ExampleShop"),
      Name: `Shop${index}`,
      Title: `Shop ${index}`,
      Description: "x".repeat(1200),
    }));
    expect(JSON.stringify(many).length).toBeGreaterThan(6 * 1024 * 1024);
    expect((await told({ breachedaccount: many })).findings).toHaveLength(1000);
  });

  test("calls with their own rate limit are named; the breach call uses that of the key", async () => {
    const { requests } = await told({});
    expect(requests.map(({ part }) => part)).toEqual([undefined, "pasteaccount", "stealerlogsbyemail"]);
  });
});

describe("every fault of an upstream", () => {
  let upstream: FaultServer;
  beforeAll(async () => {
    upstream = await startFaultServer();
  }, 30_000);
  afterAll(() => upstream.close());

  test.each(Object.entries(faults))("%s makes hibp fail as %s, in time and in little memory", async (fault, reason) => {
    const deadlineMs = reason === "timeout" ? 300 : 5_000;
    const baseUrl = upstream.url(fault as keyof typeof faults);
    Bun.gc(true);
    const startBytes = process.memoryUsage.rss();
    const startedAt = performance.now();
    const outcome: unknown = await lookup(
      "jane.doe@example.com",
      { baseUrl, deadlineMs },
      { extraCa: upstream.ca },
    ).catch((error: unknown) => error);
    expect(outcome).toMatchObject({ name: "SourceError", reason });
    expect(performance.now() - startedAt).toBeLessThan(2_300);
    expect(process.memoryUsage.rss() - startBytes).toBeLessThan(64 * 1024 * 1024);
  });
});

describe("the request", () => {
  test("contains the address as one path segment, the key, and nothing else of the operator", async () => {
    const { requests } = await told({});
    expect(requests.map(({ url }) => url)).toEqual([
      "https://haveibeenpwned.com/api/v3/breachedaccount/jane.doe%2Bx%40example.com?truncateResponse=false",
      "https://haveibeenpwned.com/api/v3/pasteaccount/jane.doe%2Bx%40example.com",
      "https://haveibeenpwned.com/api/v3/stealerlogsbyemail/jane.doe%2Bx%40example.com",
    ]);
    for (const { headers } of requests) {
      expect(headers).toEqual({ "hibp-api-key": hibpTestKey, accept: "application/json" });
    }
  });

  test("does not depend on a slash at the end of base_url", async () => {
    expect(await lookup(testAddress("account-exists"), { baseUrl: `${fake.url}/` })).toMatchObject({ missing: [] });
  });

  test("is not sent without a key: the source is not configured", async () => {
    const before = fake.requests.length;
    const keyless = lookup(testAddress("account-exists"), { apiKey: null });
    await expect(keyless).rejects.toMatchObject({ reason: "not_configured" });
    expect(fake.requests.length).toBe(before);
  });

  test("by range contains six digits of a hash, never the address or the rest of the hash", async () => {
    const address = testAddress("account-exists");
    const hash = createHash("sha1").update(address).digest("hex").toUpperCase();
    const before = fake.requests.length;
    expect((await lookup(address, { settings: range })).findings).not.toEqual([]);
    const sent = fake.requests.slice(before);
    expect(sent.map(({ path }) => path)).toEqual([`/api/v3/breachedaccount/range/${hash.slice(0, 6)}`]);
    const bytes = JSON.stringify(sent).toLowerCase();
    expect(bytes).not.toContain("account-exists");
    expect(bytes).not.toContain("integration-tests");
    expect(bytes).not.toContain(hash.slice(6).toLowerCase());
    expect(bytes).not.toContain(hash.slice(0, 7).toLowerCase());
  });

  test("by range contains the prefix of the published test vector", async () => {
    const answer = [{ hashSuffix: "D622FFBB50B11B0EFD307BE358624A26EE", websites: ["ExampleShop"] }];
    const options = { settings: range };
    const { findings, requests } = await told({ breachedaccount: answer }, options, " Test@Example.com");
    expect(requests.map(({ url }) => url)).toEqual(["https://haveibeenpwned.com/api/v3/breachedaccount/range/567159"]);
    expect(findings).toHaveLength(1);
  });
});

describe("a range", () => {
  const suffix = createHash("sha1").update("jane.doe+x@example.com").digest("hex").slice(6);
  const inRange = (answer: unknown, list = catalogue) =>
    told({ breachedaccount: answer }, { settings: range, catalogue: list });

  const own = (...websites: string[]) => [{ hashSuffix: suffix, websites }];
  const fresh = {
    ...breaches.find(({ Name }) => Name === "ExampleShop"),
    Name: "BrandNewLeak",
    Title: "Brand New Leak",
  };
  const describedAs = (breach: unknown, ...names: string[]) =>
    told({ breachedaccount: own(...names), breach }, { settings: range, catalogue });

  test("requests a breach missing from the catalogue, by its name alone", async () => {
    const { findings, missing, requests } = await describedAs(fresh, "BrandNewLeak", "ExampleShop");
    expect(findings.map(({ title }) => title)).toEqual([
      "Present in the Brand New Leak 2021 breach",
      "Present in the Example Shop 2021 breach",
    ]);
    expect(missing).toEqual([]);
    expect(requests.slice(1).map(({ url }) => url)).toEqual(["https://haveibeenpwned.com/api/v3/breach/BrandNewLeak"]);
  });

  test.each<[string, unknown]>([
    ["is unknown there, too", undefined],
    ["cannot be requested", refused],
    ["is answered in another shape", { Name: "BrandNewLeak" }],
    ["is answered with another breach", breaches[0]],
  ])("never shows a name that %s; it counts as missing", async (_case, breach) => {
    const { findings, missing } = await describedAs(breach, "BrandNewLeak", "ExampleShop");
    expect(findings.map(({ title }) => title)).toEqual(["Present in the Example Shop 2021 breach"]);
    expect(missing).toEqual(["1 of the breaches: only their names are known"]);
  });

  test.each([{ IsSensitive: true }, { IsRetired: true }, { Domain: "ashleymadison.com" }])(
    "never shows a breach that turns out to be %o",
    async (flags) => {
      expect(await describedAs({ ...fresh, ...flags }, "BrandNewLeak")).toMatchObject({ findings: [], missing: [] });
    },
  );

  test("does not even request the name of a sensitive site", async () => {
    const { findings, missing, requests } = await describedAs(fresh, "AshleyMadison");
    expect([findings, missing, requests.length]).toEqual([[], [], 1]);
  });

  test("requests at most twenty names, and counts the others as missing", async () => {
    const names = Array.from({ length: 25 }, (_, index) => `Leak${index}`);
    const { missing, requests } = await describedAs(undefined, ...names);
    expect(requests).toHaveLength(21);
    expect(missing).toEqual(["25 of the breaches: only their names are known"]);
  });

  test("skips an unreadable row of another address", async () => {
    const others = Array.from({ length: 5 }, () => ({ hashSuffix: "0".repeat(34), websites: ["ExampleShop"] }));
    const { findings, missing } = await inRange([...own("ExampleShop"), ...others, { hashSuffix: 5 }]);
    expect(findings).toHaveLength(1);
    expect(missing).toEqual(["1 of the rows of breachedaccount/range could not be read"]);
  });

  test("with an unreadable row for this address is a bad answer, however many others there are", async () => {
    const others = Array.from({ length: 5 }, () => ({ hashSuffix: "0".repeat(34), websites: [] }));
    const broken = inRange([...others, { hashSuffix: suffix, websites: null }]);
    await expect(broken).rejects.toMatchObject({ reason: "bad_answer" });
  });

  test("never shows a sensitive or retired breach", async () => {
    const { findings } = await inRange([{ hashSuffix: suffix, websites: ["QuietMeetings", "GoneGames"] }]);
    expect(findings).toEqual([]);
  });

  test("of other addresses means unknown, without waiting for the catalogue", async () => {
    const never: Catalogue = { ...noCatalogue, refresh: () => new Promise(() => {}) };
    const { findings } = await inRange([{ hashSuffix: "0".repeat(34), websites: ["ExampleShop"] }], never);
    expect(findings).toEqual([]);
  });

  test.each<[string, unknown]>([
    ["that is empty", []],
    ["that is a 404", undefined],
  ])("%s means unknown", async (_name, answer) => {
    expect(await inRange(answer)).toMatchObject({ findings: [], missing: [] });
  });

  test.each<[string, unknown]>([
    ["with a suffix of another length", [{ hashSuffix: `A${suffix}`, websites: [] }]],
    ["with a suffix that is not a hash", [{ hashSuffix: "x".repeat(34), websites: [] }]],
    ["with a name that is a number", [{ hashSuffix: suffix, websites: [5] }]],
    ["without websites", [{ hashSuffix: suffix }]],
    ["that is not a list", { hashSuffix: suffix, websites: ["ExampleShop"] }],
  ])("%s is a bad answer", async (_name, answer) => {
    await expect(inRange(answer)).rejects.toMatchObject({ reason: "bad_answer" });
  });
});

describe("a breach", () => {
  const sample = breachEntry.parse(breaches.find(({ Name }) => Name === "ExampleShop"));
  const findingOf = async (change: Partial<CatalogueEntry>, list = noCatalogue) =>
    (await told({ breachedaccount: [{ ...sample, ...change }] }, { catalogue: list })).findings[0];

  test.each<[Partial<CatalogueEntry>, string]>([
    [{}, "Present in the Example Shop 2021 breach"],
    [{ Title: "Example Shop 2021" }, "Present in the Example Shop 2021 breach"],
    [{ Title: "Example Shop (2021)" }, "Present in the Example Shop (2021) breach"],
    [{ Title: "Shop 12021" }, "Present in the Shop 12021 2021 breach"],
    [{ BreachDate: "unknown" }, "Present in the Example Shop breach"],
    [{ Title: "" }, "Present in the ExampleShop 2021 breach"],
    [{ IsVerified: false }, "Present in the Example Shop 2021 breach (unverified)"],
    [{ IsFabricated: true }, "Present in the Example Shop 2021 breach (fabricated)"],
    [{ IsVerified: false, IsFabricated: true }, "Present in the Example Shop 2021 breach (unverified) (fabricated)"],
  ])("of %o has the title %s", async (change, title) => {
    expect((await findingOf(change))?.title).toBe(title);
  });

  test("of a very long title still says that it is unverified", async () => {
    const finding = await findingOf({ Title: "x".repeat(5000), IsVerified: false });
    expect(finding?.title).toMatch(/^Present in the x{150} 2021 breach \(unverified\)$/);
  });

  test.each<[Partial<CatalogueEntry>, string, string]>([
    [{}, "breach", "high"],
    [{ DataClasses: ["Email addresses", "Names"] }, "breach", "medium"],
    [{ DataClasses: ["Email addresses"] }, "breach", "low"],
    [{ DataClasses: [] }, "breach", "medium"],
    [{ DataClasses: ["Names"], IsFabricated: true }, "breach", "low"],
    // Fabricated first, whatever its data; then data that lets someone log in, whatever list it is on.
    [{ DataClasses: ["Passwords"], IsFabricated: true }, "breach", "low"],
    [{ DataClasses: ["Names"], IsFabricated: true, IsStealerLog: true }, "infostealer", "low"],
    [{ DataClasses: ["Email addresses", "Passwords"], IsSpamList: true }, "spam_list", "high"],
    [{ DataClasses: ["Email addresses"], IsSpamList: true }, "spam_list", "low"],
    [{ DataClasses: ["Names"], IsSpamList: true }, "spam_list", "low"],
    [{ DataClasses: ["Names"], IsStealerLog: true }, "infostealer", "high"],
    ...[
      "Password hints",
      "Credit cards",
      "Bank account numbers",
      "Government issued IDs",
      "Social security numbers",
      "Passport numbers",
      "Auth tokens",
      "Security questions and answers",
    ].map((grave): [Partial<CatalogueEntry>, string, string] => [{ DataClasses: ["Names", grave] }, "breach", "high"]),
  ])("of %o is %s of severity %s", async (change, category, severity) => {
    expect(await findingOf(change)).toMatchObject({ category, severity });
  });

  test("has its domain as subject, otherwise its name, resolved by the alias table", async () => {
    expect((await findingOf({ Domain: "www.Shop.example" }))?.subjects).toEqual(["shop.example"]);
    expect((await findingOf({ Domain: "" }))?.subjects).toEqual(["exampleshop"]);
    expect((await findingOf({ Domain: null, Name: "LinkedIn" }))?.subjects).toEqual(["linkedin.com"]);
    const list = { ...noCatalogue, aliases: new Map([["exampleshop", "shop.example"]]) };
    expect((await findingOf({ Domain: "" }, list))?.subjects).toEqual(["shop.example"]);
  });

  test.each([{ IsSensitive: true }, { IsRetired: true }])("of %o is dropped", async (change) => {
    expect(await findingOf(change)).toBeUndefined();
  });

  test("is the same with and without the flags added later", async () => {
    const { IsMalware, IsStealerLog, IsSubscriptionFree, ...early } = sample;
    const { findings } = await told({ breachedaccount: [early] });
    expect(findings).toEqual([await findingOf({})]);
  });

  test("keeps only the listed fields, with cleaned text", async () => {
    const hostile = {
      ...sample,
      Name: "A\u0000B",
      DataClasses: ["Pass\nwords"],
      Description: "<script>",
      Extra: "kept?",
    };
    const { findings } = await told({ breachedaccount: [hostile] });
    expect(findings[0]?.details).toMatchObject([{ name: "A B", data_classes: ["Pass words"] }]);
    expect(JSON.stringify(findings)).not.toMatch(/script|kept/);
  });

  test.each(
    Object.keys(sample).flatMap((field): [string, unknown][] =>
      [7.5, "text", ["x"], { x: 1 }, true]
        .filter((value) => typeof value !== typeof sample[field as keyof CatalogueEntry] || Array.isArray(value))
        .filter((value) => !(field === "DataClasses" && Array.isArray(value)))
        .map((value) => [field, value]),
    ),
  )("with %s of %o costs itself, and the answer where most are so", async (field, value) => {
    const bad = { ...sample, Name: "Other", [field]: value };
    const { findings, missing } = await told({ breachedaccount: [sample, bad] });
    expect(findings).toEqual([await findingOf({})]);
    expect(missing).toEqual(["1 of the rows of breachedaccount could not be read"]);
    const mostly = told({ breachedaccount: [bad, sample, bad] });
    await expect(mostly).rejects.toMatchObject({ reason: "bad_answer" });
  });

  test("is the same with 1 and 0 as flags, and null for the flags added later", async () => {
    const flags = { IsVerified: 1, IsFabricated: 0, IsSensitive: 0, IsRetired: 0, IsSpamList: 0 };
    const { findings } = await told({
      breachedaccount: [{ ...sample, ...flags, IsMalware: null, IsStealerLog: null }],
    });
    expect(findings).toEqual([await findingOf({})]);
    expect((await told({ breachedaccount: [{ ...sample, IsSensitive: 1 }] })).findings).toEqual([]);
  });

  test.each([{ Domain: "www.ashleymadison.com" }, { Name: "AshleyMadison" }, { Title: "Ashley Madison" }])(
    "of a sensitive site, recognised by %o, is dropped",
    async (change) => {
      expect(await findingOf(change)).toBeUndefined();
    },
  );

  test("has its name as subject where its domain is an address", async () => {
    expect((await findingOf({ Domain: "john.roe@example.org" }))?.subjects).toEqual(["exampleshop"]);
  });

  test("keeps no other addresses and no secrets in its title", async () => {
    const finding = await findingOf({ Title: `Leak of john.roe@example.org, password: hunter2` });
    expect(finding?.title).toBe("Present in the Leak of …, password: … 2021 breach");
  });
});

describe("a paste", () => {
  const paste = {
    Source: "Pastebin",
    Id: "aB3dE5fG",
    Title: "secret123",
    Date: "2014-03-04T19:14:54Z",
    EmailCount: 139,
  };

  test("that differs only in its id is merged into one finding", async () => {
    const other = { ...paste, Id: "other", Date: null, EmailCount: null };
    const { findings } = await told({ pasteaccount: [paste, other] });
    expect(findings).toMatchObject([
      {
        category: "paste",
        severity: "medium",
        title: "Present in a paste on Pastebin",
        sourceUrl: null,
        subjects: ["paste-pastebin-ab3de5fg", "paste-pastebin-other"],
        details: [
          { id: "aB3dE5fG", date: "2014-03-04T19:14:54Z", email_count: 139 },
          { id: "other", date: null, email_count: null },
        ],
      },
    ]);
  });

  test("keeps nothing of its title, which its author chose", async () => {
    expect(JSON.stringify((await told({ pasteaccount: [paste] })).findings)).not.toContain("secret123");
  });

  test.each([{ Source: 5 }, { Id: null }, { Date: 5 }, { EmailCount: "139" }])(
    "with %o is skipped, and the call fails if most are like that",
    async (change) => {
      const { findings, missing } = await told({ pasteaccount: [paste, { ...paste, ...change }] });
      expect(findings).toHaveLength(1);
      expect(missing).toEqual(["1 of the rows of pasteaccount could not be read"]);
      const mostly = await told({ pasteaccount: [{ ...paste, ...change }] });
      expect(mostly).toMatchObject({ findings: [], missing: ["pasteaccount"] });
    },
  );

  test("may have a number as id", async () => {
    const { findings } = await told({ pasteaccount: [{ ...paste, Source: "Pastie", Id: 7152479 }] });
    expect(findings).toMatchObject([{ subjects: ["paste-pastie-7152479"], details: [{ id: "7152479" }] }]);
  });

  test("whose id is a URL keeps the URL, without the addresses and secrets in it", async () => {
    const Id = "http://dump.example/b.sql?user=john.roe@example.org&pw=hunter2";
    const { findings } = await told({ pasteaccount: [{ ...paste, Source: "AdHocUrl", Id }] });
    expect(findings).toMatchObject([{ details: [{ id: "http://dump.example/b.sql?user=…&pw=…" }] }]);
    expect(JSON.stringify(findings)).not.toMatch(/hunter2|john|roe/);
  });
});

describe("stealer logs", () => {
  test("give one finding per site, in any spelling", async () => {
    const { findings } = await told({ stealerlogsbyemail: ["shop.example", "www.Shop.example", "portal.example"] });
    expect(findings).toMatchObject([
      { title: "In infostealer logs for portal.example", subjects: ["portal.example"] },
      { title: "In infostealer logs for shop.example", subjects: ["shop.example"], category: "infostealer" },
    ]);
    expect(findings.map(({ severity }) => severity)).toEqual(["high", "high"]);
  });

  test.each<[unknown, string[]]>([
    [[5], []],
    [{ site: "shop.example" }, []],
    [[""], []],
  ])("of %j are a failed call", async (logs) => {
    expect(await told({ stealerlogsbyemail: logs })).toMatchObject({ findings: [], missing: ["stealerlogsbyemail"] });
  });

  test("skip and count an unreadable site", async () => {
    const { findings, missing } = await told({ stealerlogsbyemail: ["shop.example", null] });
    expect(findings).toHaveLength(1);
    expect(missing).toEqual(["1 of the rows of stealerlogsbyemail could not be read"]);
  });

  test("leave sensitive sites out, and give no site for an address", async () => {
    const sites = ["pornhub.com", "www.tinder.com", "john.roe@example.org", "shop.example"];
    const { findings, missing } = await told({ stealerlogsbyemail: sites });
    expect(findings.map(({ title, subjects }) => [title, ...subjects])).toEqual([
      ["In infostealer logs", "any-infostealer"],
      ["In infostealer logs for shop.example", "shop.example"],
    ]);
    expect(missing).toEqual([]);
  });

  test("of more than 1000 sites are capped and counted", async () => {
    const sites = Array.from({ length: 1200 }, (_, index) => `site-${index}.example`);
    const { findings } = await told({ stealerlogsbyemail: sites });
    expect(findings).toHaveLength(1000);
    expect(findings[0]?.details).toContainEqual({ omitted_findings: 200 });
  });
});

test("every finding names Have I Been Pwned and its licence", () => {
  const all = Object.values(golden).flat();
  expect(all.length).toBeGreaterThan(15);
  for (const { details } of all) {
    expect(details[0]?.attribution).toBe("Have I Been Pwned, CC BY 4.0, https://haveibeenpwned.com");
  }
});

describe("the settings of hibp", () => {
  test("have the defaults of the contract", () => {
    expect(hibp.settings.parse({})).toEqual(account);
  });

  test.each([{ mode: "both" }, { pastes: "yes" }, { stealer_logs: 1 }, { catalogue: "breaches.json" }, { other: 1 }])(
    "%o are refused by hibp",
    (settings) => {
      expect(hibp.settings.safeParse(settings).success).toBe(false);
    },
  );
});
