import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askHolehe, type HoleheQuestion, installPython } from "../helpers/ask-holehe.ts";
import { badWeathers, type Weather } from "../helpers/bad-weather.ts";
import { type FakeInternet, type SiteAnswer, type SiteRequest, startFakeInternet } from "../helpers/fake-internet.ts";
import { addressOf, answerAbout, installManySites, siteNames } from "../helpers/many-sites.ts";
import {
  installRealHolehe,
  jane,
  missingPythonPackages,
  realHosts,
  systemPython,
  whyNoRealHolehe,
} from "../helpers/python-environment.ts";

const whyNoPython = missingPythonPackages();
const whyNoReal = whyNoRealHolehe();

beforeAll(() => {
  if (whyNoPython !== null) console.warn(`holehe: tests skipped, ${systemPython} lacks packages: ${whyNoPython}`);
  else if (whyNoReal !== null) console.warn(`the real holehe: tests skipped, ${whyNoReal}`);
});

/** The fake internet of this file; each test sets its behaviour. */
let internet: FakeInternet;
let weather: Weather;
beforeAll(async () => {
  internet = await startFakeInternet({
    hosts: [...siteNames, ...realHosts()],
    answer: (request) => weather.answer(request),
    tunnel: (host) => weather.tunnel?.(host) ?? "open",
  });
});
afterAll(() => internet.close());

const calm: Weather = { answer: answerAbout(jane) };

/** Asks through the fake internet; returns the reply and the requests of the sites. */
async function askIn(given: Weather, question: HoleheQuestion) {
  weather = given;
  const before = internet.requests.length;
  const reply = await askHolehe({ proxy: internet.proxy, extraCa: internet.ca, ...question });
  return { ...reply, requests: internet.requests.slice(before) };
}

/** Further cases about the question itself. */
const badWeatherCases = [
  ...badWeathers.map(([what, reason, given]) => ({ what, reason, given, question: { secondsPerQuestion: 2 } })),
  {
    what: "a dead proxy",
    reason: "unreachable",
    given: calm,
    question: { proxy: "http://127.0.0.1:9" },
  },
  { what: "TLS inspection by an unknown authority", reason: "tls", given: calm, question: { extraCa: null } },
];

describe.skipIf(whyNoPython !== null)("a double in the shape of holehe", () => {
  test.each(badWeatherCases)("finds nothing with $what, and reports $reason", async ({ reason, given, question }) => {
    const { python, packages } = installPython();
    installManySites(packages);
    const error: unknown = await askIn(given, { python, ...question }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "SourceError", reason });
    expect(String(error)).toMatch(/12[2-4] of 124 sites gave no usable answer/);
    expect(String(error)).not.toMatch(/jane|example/);
  });

  test("finds each site's account, and asks each of these sites about an unused address of the same domain", async () => {
    const { python, packages } = installPython();
    const knowing = installManySites(packages).filter((host) => !host.startsWith("denying"));
    const { findings, missing, requests } = await askIn(calm, { python });
    expect(findings.flatMap(({ subjects }) => subjects)).toEqual([...knowing].sort());
    expect(missing).toEqual([]);
    const strangers = new Map<string, string>();
    for (const request of requests) {
      const address = addressOf(request) ?? "";
      if (address !== jane) strangers.set(request.host, address);
    }
    expect([...strangers.keys()].sort()).toEqual([...knowing].sort());
    expect([...strangers.values()].join("\n")).toMatch(/^(?:[a-z]{20}@example\.com\n?)+$/);
    expect(new Set(strangers.values()).size).toBe(knowing.length);
    expect(requests.length).toBe(2 * knowing.length + 1);
  });

  test("asks no site twice about an unknown address", async () => {
    const { python, packages } = installPython();
    const hosts = installManySites(packages);
    const reply = await askIn({ answer: answerAbout("john.roe@example.com") }, { python });
    expect(reply).toMatchObject({ findings: [], missing: [] });
    expect(reply.requests.length).toBe(hosts.length);
  });

  test("answers with half of its sites reachable, and fails with one less", async () => {
    const { python, packages } = installPython();
    const hosts = installManySites(packages);
    const halfway = (count: number): Weather => {
      const cut = new Set(hosts.slice(0, count));
      return { answer: answerAbout("john.roe@example.com"), tunnel: (host) => (cut.has(host) ? "drop" : "open") };
    };
    expect(await askIn(halfway(62), { python })).toMatchObject({ findings: [], missing: ["62 of 124 sites"] });
    await expect(askIn(halfway(63), { python })).rejects.toMatchObject({ reason: "unreachable" });
  });

  test("sites that hang do not delay others", async () => {
    const { python, packages } = installPython();
    const hosts = installManySites(packages);
    const hanging = new Set(hosts.slice(0, 62));
    const given: Weather = {
      answer: answerAbout("john.roe@example.com"),
      tunnel: (host) => (hanging.has(host) ? "hang" : "open"),
    };
    const reply = await askIn(given, { python, secondsPerQuestion: 4 });
    expect(reply).toMatchObject({ findings: [], missing: ["62 of 124 sites"] });
  });

  /** Jane is known. The sites with these names answer differently about anybody else. */
  const toStrangers = (names: RegExp, answer: SiteAnswer): Weather => ({
    answer: (request) =>
      names.test(request.host) && addressOf(request) !== jane ? answer : answerAbout(jane)(request),
  });
  const known = { status: 200, headers: { "content-type": "application/json" }, body: '{"registered":true}' };

  test.each<[string, SiteAnswer, object]>([
    ["reports every address", known, { unusable_sites: ["careless7.sites.example"] }],
    [
      "gives no usable answer about an unused address",
      { status: 200, body: "?" },
      { unusable_sites: ["careless7.sites.example"] },
    ],
    ["hangs up on the control question", "drop", { unusable_sites: ["careless7.sites.example"] }],
    ["asks to slow down at the control question", { status: 429 }, { rate_limited_sites: ["careless7.sites.example"] }],
    [
      "answers like a filter at the control question",
      { status: 403, body: "{}" },
      { unusable_sites: ["careless7.sites.example"] },
    ],
  ])("a site that %s is not evidence, and is reported", async (_what, answer, told) => {
    const { python, packages } = installPython();
    installManySites(packages);
    const { findings, missing } = await askIn(toStrangers(/^careless7\./, answer), { python });
    expect(findings.length).toBe(122);
    expect(findings.flatMap(({ subjects }) => subjects)).not.toContain("careless7.sites.example");
    expect(findings[0]).toMatchObject({ details: [{ sites_asked: 124, sites_failed: 1, ...told }] });
    expect(missing).toEqual(["1 of 124 sites"]);
  });

  test("without any usable control answer there is no evidence", async () => {
    const { python, packages } = installPython();
    installManySites(packages);
    const outcome = askIn(toStrangers(/./, { status: 429 }), { python });
    await expect(outcome).rejects.toMatchObject({ reason: "rate_limited" });
  });

  test.each([
    "jane+tag@example.com",
    "a#b&c=d@example.com",
    "100%41@example.com",
    "a/b?c@example.com",
    "o'brien@example.com",
    "-{a}|b~c!$*^`@example.com",
    "jos\u00e9@xn--mnchen-3ya.example",
  ])("every site is asked about %s, whatever its module's encoding", async (email) => {
    const { python, packages } = installPython();
    const hosts = installManySites(packages);
    const { findings, requests } = await askIn({ answer: answerAbout(email) }, { python, email });
    expect(findings.length).toBe(hosts.length - 1);
    const strangers = requests.map(addressOf).filter((address) => address !== email);
    expect(strangers.length).toBe(hosts.length - 1);
    expect(strangers.join("\n")).toMatch(/^(?:[a-z]{20}@[a-z0-9.-]+\n?)+$/);
  });
});

describe.skipIf(whyNoReal !== null)("the real holehe", () => {
  test.each(badWeatherCases)("finds nothing with $what, and reports $reason", async (bad) => {
    const { what, reason, given, question } = bad;
    const { python, packages } = installPython();
    installRealHolehe(packages);
    const error: unknown = await askIn(given, { python, ...question }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "SourceError", reason });
    expect(String(error)).not.toMatch(/jane|example/);
    console.info(`the real holehe, ${what}: ${reason}: ${(error as Error).message}`);
  });

  /** Answers that lead many modules to their second request. */
  const tokens: Weather = {
    answer: () => ({
      status: 200,
      headers: {
        "content-type": "text/html",
        "set-cookie": ["iamcsr=token", "csrftoken=token", "xing_csrf_token=token"],
      },
      body: `var my_post_key = "token" "appToken":"token" name="csrfmiddlewaretoken" value="token"`,
    }),
  };

  test("asks its sites about the exact address, with any characters", async () => {
    const { python, packages } = installPython();
    installRealHolehe(packages);
    const hostsAskedAbout = async (email: string) => {
      const before = internet.requests.length;
      await expect(askIn(tokens, { python, email, allowSensitive: true })).rejects.toMatchObject({
        reason: "bad_answer",
      });
      const requests = internet.requests.slice(before);
      return new Set(requests.filter((request) => isAbout(email, request)).map(({ host }) => host));
    };
    const usual = await hostsAskedAbout("jane.doe@example.com");
    expect(usual.size).toBeGreaterThan(80);
    for (const local of ["jane+tag", "a#b", "a&b=c", "100%41", "a/b", "a?b"]) {
      const hosts = await hostsAskedAbout(`${local}@example.com`);
      expect([...usual].filter((host) => !hosts.has(host))).toEqual(["www.xnxx.com"]);
    }
    for (const local of ["o'brien", "jos\u00e9", "{a}|b~c!$*^`"]) {
      expect([...(await hostsAskedAbout(`${local}@example.com`))].sort()).toEqual([...usual].sort());
    }
  }, 60_000);
});

/** Whether a request contains this exact address: in the query, the path, a form, JSON or other text. */
function isAbout(email: string, { target, body }: SiteRequest): boolean {
  const url = new URL(target, "https://site.example");
  const texts = [...url.searchParams.values(), ...url.pathname.split("/").map(decodeURIComponent)];
  if (/^[\w.%+[\]*-]+=/.test(body)) texts.push(...new URLSearchParams(body).values());
  else texts.push(...body.split("\r\n"));
  return texts.some((text) => text === email || textsIn(text).some((inner) => inner === email));
}

/** All texts in a JSON document, and in JSON nested in its texts; none for other text. */
function textsIn(json: string): string[] {
  const texts: string[] = [];
  try {
    JSON.parse(json, (_key, value) => {
      if (typeof value === "string") texts.push(value, ...textsIn(value));
      return value;
    });
  } catch {
    // Not JSON.
  }
  return texts;
}
