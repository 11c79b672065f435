import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { SourceError } from "../../src/domain/error.ts";
import { type HttpClient, type HttpRequest, openHttpClient } from "../../src/egress/client.ts";
import { type CatalogueOptions, openCatalogue } from "../../src/sources/breach-catalogue.ts";
import breaches from "../fixtures/sources/hibp/breaches.json";
import { startFakeHibp } from "../helpers/fake-hibp.ts";

const start = new Date("2026-03-01T12:00:00Z");
const hourMs = 60 * 60 * 1000;
const list = JSON.stringify(breaches);

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "xpose-catalogue-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A service of the list under the test's control. It returns `replies` in turn, and the last one from then on. */
function service(...replies: (string | number | SourceError | Promise<string>)[]) {
  const requests: HttpRequest[] = [];
  const http: HttpClient = {
    request: async (request) => {
      const reply = replies[Math.min(requests.push(request), replies.length) - 1];
      if (reply instanceof SourceError) throw reply;
      const status = typeof reply === "number" ? reply : 200;
      const body = new TextEncoder().encode(typeof reply === "number" ? "" : await reply);
      return { status, headers: { "content-type": "application/json" }, body };
    },
  };
  return { http, requests };
}

/** A catalogue with a clock that the test moves, by default in its own folder. */
function opened(options: Partial<CatalogueOptions> = {}) {
  const clock = { now: start };
  const cacheFile = options.cacheFile ?? join(newFolder(), "breaches.json");
  const catalogue = openCatalogue({
    file: null,
    cacheFile,
    baseUrl: "https://hibp.example/api/v3",
    http: null,
    now: () => clock.now,
    ...options,
  });
  const refresh = (signal = AbortSignal.timeout(5_000)) =>
    catalogue.refresh({ signal, deadline: new Date(clock.now.getTime() + 10_000) });
  const pass = (ms: number) => {
    clock.now = new Date(clock.now.getTime() + ms);
  };
  return { catalogue, cacheFile, refresh, pass };
}

/** Waits for a background fetch to end. */
async function until(isDone: () => boolean): Promise<void> {
  for (let turn = 0; !isDone() && turn < 10_000; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(isDone()).toBe(true);
}

describe("the catalogue from the service", () => {
  test("is fetched by the first scan that needs it, and not before", async () => {
    const { http, requests } = service(list);
    const { catalogue, refresh } = opened({ http });
    expect(catalogue.state()).toEqual({ breachCount: 0, asOf: null, error: null });
    expect(catalogue.find("ExampleShop")).toBeNull();
    expect(requests).toEqual([]);
    await refresh();
    expect(requests).toMatchObject([{ url: "https://hibp.example/api/v3/breaches", maxBytes: 16 * 1024 * 1024 }]);
    expect(JSON.stringify(requests[0]?.headers)).not.toContain("key");
    expect(catalogue.state()).toEqual({ breachCount: breaches.length, asOf: start, error: null });
    expect(catalogue.find("ExampleShop")).toMatchObject({ Title: "Example Shop", Domain: "shop.example" });
    expect(catalogue.find("exampleshop")).toBeNull();
  });

  test("comes from the fake through the real client", async () => {
    const fake = await startFakeHibp();
    const http = openHttpClient({ userAgent: "xpose/1.2.3", proxy: null, noProxy: [], extraCa: null });
    onTestFinished(() => Promise.all([http.close(), fake.stop()]).then(() => undefined));
    const { catalogue, refresh } = opened({ http, baseUrl: `${fake.url}/` });
    await refresh();
    expect(catalogue.state()).toMatchObject({ breachCount: breaches.filter((breach) => !breach.IsRetired).length });
    expect(fake.requests).toMatchObject([{ path: "/api/v3/breaches" }]);
    expect(fake.requests[0]?.headers["hibp-api-key"]).toBeUndefined();
  });

  test("is fetched at most daily, and the old list is used while a new one is fetched", async () => {
    const next = Promise.withResolvers<string>();
    const { http, requests } = service(list, next.promise);
    const { catalogue, refresh, pass } = opened({ http });
    await refresh();
    pass(24 * hourMs - 1);
    await refresh();
    expect(requests.length).toBe(1);
    pass(1);
    await refresh();
    expect(requests.length).toBe(2);
    expect(catalogue.state().breachCount).toBe(breaches.length);
    next.resolve(JSON.stringify(breaches.slice(0, 3)));
    await until(() => catalogue.state().breachCount === 3);
    expect(catalogue.find("ExampleShop")).toBeNull();
  });

  test("is fetched again when its date is in the future", async () => {
    const { http, requests } = service(list);
    const { refresh, pass } = opened({ http });
    await refresh();
    pass(-48 * hourMs);
    await refresh();
    expect(requests.length).toBe(2);
  });

  test("is fetched once for concurrent scans", async () => {
    const reply = Promise.withResolvers<string>();
    const { http, requests } = service(reply.promise);
    const { catalogue, refresh } = opened({ http });
    const scans = [refresh(), refresh(), refresh()];
    reply.resolve(list);
    await Promise.all(scans);
    expect(requests.length).toBe(1);
    expect(catalogue.state().breachCount).toBe(breaches.length);
  });

  test("is never fetched while offline", async () => {
    const { catalogue, refresh } = opened({ http: null });
    await refresh();
    expect(catalogue.state()).toEqual({ breachCount: 0, asOf: null, error: null });
  });

  test("that hangs delays a scan neither past its signal nor up to its deadline", async () => {
    const never = new Promise<string>(() => {});
    const aborted = opened({ http: service(never).http });
    await aborted.refresh(AbortSignal.abort());
    const late = opened({ http: service(never).http });
    await late.catalogue.refresh({ signal: AbortSignal.timeout(5_000), deadline: new Date(start.getTime() + 500) });
    expect(late.catalogue.state().breachCount).toBe(0);
  });

  test.each<[string, string | number | SourceError, string]>([
    [
      "cannot be reached",
      new SourceError("unreachable", "hibp.example: refused"),
      "unreachable: hibp.example: refused",
    ],
    ["is over the cap", new SourceError("too_large", "hibp.example: more"), "too_large: hibp.example: more"],
    ["is a 503", 503, "http_5xx: answered 503"],
    ["is a 404", 404, "http_4xx: answered 404"],
    ["is broken", "[{", "bad_answer: not JSON"],
    ["is empty", "[]", "bad_answer: not the list of breaches"],
    ["is not a list", "{}", "bad_answer: not the list of breaches"],
    [
      "has most entries of a wrong type",
      JSON.stringify(
        [...breaches, ...breaches, ...breaches].map((entry, at) => (at % 3 === 0 ? entry : { ...entry, Title: 5 })),
      ),
      `bad_answer: ${breaches.length * 2} of ${breaches.length * 3} rows are not of the known shape`,
    ],
  ])("that %s keeps the old list in use, and the error is reported", async (_name, reply, error) => {
    const { http, requests } = service(list, reply, list);
    const { catalogue, refresh, pass } = opened({ http });
    await refresh();
    pass(25 * hourMs);
    await refresh();
    await until(() => catalogue.state().error !== null);
    expect(catalogue.state()).toEqual({ breachCount: breaches.length, asOf: start, error });
    expect(catalogue.find("ExampleShop")).not.toBeNull();
    // Not requested again with each scan, but after an hour.
    pass(hourMs - 1);
    await refresh();
    expect(requests.length).toBe(2);
    pass(1);
    await refresh();
    await until(() => catalogue.state().error === null);
    expect(requests.length).toBe(3);
  });

  test("with one unreadable entry keeps all others", async () => {
    const { http } = service(JSON.stringify([{ ...breaches[0], Title: 5 }, ...breaches.slice(1)]));
    const { catalogue, refresh } = opened({ http });
    await refresh();
    expect(catalogue.state()).toMatchObject({ breachCount: breaches.length - 1, error: null });
    expect(catalogue.find(breaches[0]?.Name ?? "")).toBeNull();
  });

  test("that never arrives fails no scan", async () => {
    const { http } = service(503);
    const { catalogue, refresh } = opened({ http });
    await refresh();
    expect(catalogue.state()).toEqual({ breachCount: 0, asOf: null, error: "http_5xx: answered 503" });
  });
});

describe("the cached list", () => {
  test("is private and complete, and a restart does not fetch it again", async () => {
    const { http, requests } = service(list);
    const first = opened({ http });
    await first.refresh();
    expect(statSync(first.cacheFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(first.cacheFile, "utf8")).toBe(list);
    expect(readdirSync(join(first.cacheFile, ".."))).toEqual(["breaches.json"]);
    const second = opened({ http, cacheFile: first.cacheFile });
    expect(second.catalogue.state()).toEqual({ breachCount: breaches.length, asOf: start, error: null });
    await second.refresh();
    expect(requests.length).toBe(1);
  });

  test("that another process has fetched is used", async () => {
    const { http, requests } = service(list);
    const { catalogue, cacheFile, refresh } = opened({ http });
    expect(catalogue.state().breachCount).toBe(0);
    writeFileSync(cacheFile, list);
    utimesSync(cacheFile, start, start);
    await refresh();
    expect(requests).toEqual([]);
    expect(catalogue.state().breachCount).toBe(breaches.length);
  });

  test.each(["", "[{", "[]", '{"x":1}'])("of %o is not an error: it is fetched again", async (broken) => {
    const { http, requests } = service(list);
    const cacheFile = join(newFolder(), "breaches.json");
    writeFileSync(cacheFile, broken);
    const { catalogue, refresh } = opened({ http, cacheFile });
    expect(catalogue.state()).toEqual({ breachCount: 0, asOf: null, error: null });
    await refresh();
    expect(requests.length).toBe(1);
    expect(readFileSync(cacheFile, "utf8")).toBe(list);
  });

  test("that cannot be written is used anyway, and the error is reported", async () => {
    const { http, requests } = service(list);
    const { catalogue, cacheFile, refresh } = opened({
      http,
      cacheFile: join(newFolder(), "missing", "breaches.json"),
    });
    await refresh();
    expect(catalogue.state()).toEqual({ breachCount: breaches.length, asOf: start, error: "ENOENT" });
    expect(existsSync(cacheFile)).toBe(false);
    await refresh();
    expect(requests.length).toBe(1);
  });
});

describe("the operator's own list", () => {
  test("is read without any request, at any age", async () => {
    const file = join(newFolder(), "breaches.json");
    writeFileSync(file, list);
    const asOf = new Date("2020-01-01T00:00:00Z");
    utimesSync(file, asOf, asOf);
    const { http, requests } = service(list);
    const { catalogue, refresh } = opened({ file, http });
    await refresh();
    expect(catalogue.state()).toEqual({ breachCount: breaches.length, asOf, error: null });
    expect(requests).toEqual([]);
  });

  test.each<[string, string | null, string]>([
    ["missing", null, "ENOENT"],
    ["broken", "[{", "not JSON"],
    ["of another kind", '{"x":1}', "bad_answer: not the list of breaches"],
    ["too large", " ".repeat(16 * 1024 * 1024 + 1), "too_large: more than 16777216 bytes"],
  ])("that is %s fails no scan, and the error is reported", async (_name, content, error) => {
    const file = join(newFolder(), "breaches.json");
    if (content !== null) writeFileSync(file, content);
    const { http, requests } = service(list);
    const { catalogue, refresh } = opened({ file, http });
    await refresh();
    expect(catalogue.find("ExampleShop")).toBeNull();
    expect(catalogue.state()).toEqual({ breachCount: 0, asOf: null, error: `${file}: ${error}` });
    expect(requests).toEqual([]);
  });
});

describe("the aliases", () => {
  const named = (Name: string, Title: string, Domain: string | null) => ({ ...breaches[0], Name, Title, Domain });

  async function aliasesOf(...entries: unknown[]) {
    const { catalogue, refresh } = opened({ http: service(JSON.stringify(entries)).http });
    await refresh();
    return Object.fromEntries(catalogue.aliases);
  }

  test("map the name and the title of a breach to the domain of its service", async () => {
    expect(await aliasesOf(named("ExampleShop", "Example Shop", "WWW.Shop.example"))).toEqual({
      exampleshop: "shop.example",
      "example-shop": "shop.example",
    });
  });

  test("leave out breaches without a usable domain", async () => {
    expect(await aliasesOf(named("A", "B", ""), named("C", "D", null), named("E", "F", "no domain"))).toEqual({});
  });

  test("prefer a name to a title, and the first of two equal titles", async () => {
    const aliases = await aliasesOf(
      named("One", "Shop", "one.example"),
      named("Two", "Shop", "two.example"),
      named("Three", "Two", "three.example"),
    );
    expect(aliases).toEqual({ one: "one.example", two: "two.example", three: "three.example", shop: "one.example" });
  });

  test("are those of the list in use", async () => {
    const { http } = service(list);
    const { catalogue, refresh } = opened({ http });
    expect(catalogue.aliases.size).toBe(0);
    await refresh();
    expect(catalogue.aliases.get("example-shop")).toBe("shop.example");
  });
});
