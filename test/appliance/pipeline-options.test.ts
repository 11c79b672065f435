import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { changes } from "../../src/wire/changes.ts";
import { flat } from "../../src/wire/flat.ts";
import { history } from "../../src/wire/history.ts";
import { Appliance, type Service } from "../helpers/appliance.ts";
import { expectBody } from "../helpers/wire-body.ts";

type Json = Record<string, unknown>;
type Options = Readonly<Record<string, unknown>>;

let appliance: Appliance;
let service: Service;
let key: string;
let readKey: string;
let upstream: ReturnType<typeof Bun.serve>;
/** Addresses that were asked about, with the source before each. */
const asked: string[] = [];
/** What a source answers: by source and address, else by source. */
const answers = new Map<string, () => Response | Promise<Response>>();
let addressCount = 0;
/** By the name of a test; ends the look-ups of that address. */
const gates = new Map<string, PromiseWithResolvers<void>>();

const none = () => new Response(null, { status: 404 });
const broken = () => new Response("broken", { status: 500 });
const breach =
  (title: string, severity = "high") =>
  () =>
    Response.json({ findings: [{ category: "breach", severity, title, source_url: "https://shop.example/a" }] });

function newAddress(): string {
  addressCount += 1;
  return `person${addressCount}+tag@example.com`;
}

/** An address whose outer source answers when `open` is called. */
function gated(): { email: string; open: () => void } {
  const email = newAddress();
  const gate = Promise.withResolvers<void>();
  gates.set(email, gate);
  answers.set(`outer ${email}`, async () => {
    await gate.promise;
    return none();
  });
  return { email, open: () => gate.resolve() };
}

beforeAll(async () => {
  upstream = Bun.serve({
    port: 0,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const [source, email] = [pathname.slice(1), searchParams.get("e") ?? ""];
      asked.push(`${source} ${email}`);
      return await (answers.get(`${source} ${email}`) ?? answers.get(source) ?? none)();
    },
  });
  appliance = new Appliance();
  key = appliance.initialise();
  readKey = appliance.json<{ key: string }>("keys", "create", "--name", "reader", "--scopes", "read").key;
  const source = (name: string, more = "") =>
    `[[sources.http]]\nname = "${name}"\nurl = "http://127.0.0.1:${upstream.port}/${name}?e={email}"\n` +
    `rate = "1000/1m"\ntimeout = "20s"\n${more}`;
  const file = join(appliance.folder, "xpose.toml");
  writeFileSync(
    file,
    `[server]\nget_lookup = true\npublic_url = "https://soc.example.com/x"\n${source("outer")}${source("inner", "internal = true\n")}`,
  );
  service = await appliance.serve({ args: ["--config", file] });
}, 60_000);

afterAll(async () => {
  for (const gate of gates.values()) gate.resolve();
  await appliance[Symbol.asyncDispose]();
  await upstream.stop(true);
});

const soc = "/api/v1/soc";

function post(email: string, options?: Options, { query = "", headers = {}, by = key } = {}): Promise<Response> {
  return fetch(`${service.url}${soc}/enrich${query}`, {
    method: "POST",
    headers: { "X-API-Key": by, "Content-Type": "application/json", ...headers },
    body: JSON.stringify({ indicator: { type: "email", value: email }, options }),
  });
}

function get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${service.url}${soc}/enrich${path}`, { headers: { "X-API-Key": key, ...headers }, redirect: "manual" });
}

/** Scans an address and waits for the end. Returns the id of the scan. */
async function scan(email: string, options?: Options): Promise<string> {
  const response = await post(email, options, { headers: { Prefer: "wait=20" } });
  expect(response.status).toBe(200);
  return String(((await response.json()) as Json)["request_id"]);
}

async function sourcesOf(id: string): Promise<Json[]> {
  return ((await (await get(`/${id}/sources`)).json()) as { sources: Json[] }).sources;
}

const codeOf = async (response: Response) => ((await response.json()) as { error: { code: string } }).error.code;
const askedAbout = (email: string) => asked.filter((one) => one.endsWith(` ${email}`)).map((one) => one.split(" ")[0]);

describe("14.1 who asks for nothing new sees no difference", () => {
  test("unknown parameters and members change no byte", async () => {
    const email = newAddress();
    answers.set(`outer ${email}`, breach("Present in Example Shop"));
    const id = await scan(email);
    const plain = await (await post(email)).text();
    expect(await (await post(email, { unknown: 1 }, { query: "?format=x&views=flat&depth=9" })).text()).toBe(plain);
    const polled = await (await get(`/${id}`)).text();
    expect(await (await get(`/${id}?since=x&cached_only=maybe&pending=503`)).text()).toBe(polled);
    const rows = await (await get(`/${id}/sources`)).text();
    expect(await (await get(`/${id}/sources?view=pink&on_pending=9`)).text()).toBe(rows);
    const names = [...(await post(email)).headers.keys()].filter((name) => name.startsWith("x-xpose"));
    expect(names).toEqual(["x-xpose-exposure-digest"]);
  });

  test.each<{ what: string; ask: (id: string) => Promise<Response> }>([
    { what: "cached_only that is no boolean", ask: () => post(newAddress(), { cached_only: "yes" }) },
    { what: "max_age below 0", ask: () => post(newAddress(), { max_age: -1 }) },
    { what: "an unknown mark", ask: () => post(newAddress(), { tlp: "pink" }) },
    { what: "an unknown view of a POST", ask: () => post(newAddress(), {}, { query: "?view=tree" }) },
    { what: "an empty view", ask: (id) => get(`/${id}?view=`) },
    { what: "two views", ask: (id) => get(`/${id}?view=flat&view=flat`) },
    { what: "an unknown on_pending", ask: (id) => get(`/${id}?on_pending=204`) },
    { what: "an unknown on_pending of a case", ask: (id) => get(`/${id}/case?on_pending=x`) },
    { what: "an unknown on_pending of an export", ask: (id) => get(`/${id}/export?format=csv&on_pending=x`) },
    { what: "a GET with two addresses", ask: () => get("?email=a@example.com&email=b@example.com") },
    { what: "a GET with a max_age that is no number", ask: () => get("?email=a@example.com&max_age=1e3") },
    { what: "two scans to compare with", ask: (id) => get(`/${id}/changes?since=a&since=b`) },
  ])("$what is 400 invalid_request", async ({ ask }) => {
    const response = await ask(await scan(newAddress()));
    expect([response.status, await codeOf(response)]).toEqual([400, "invalid_request"]);
    expect(response.headers.has("X-RateLimit-Limit")).toBe(true);
  });
});

describe("16.1 cached_only and max_age", () => {
  test("a miss with cached_only is 404 not_cached, is charged, and starts nothing; a hit answers", async () => {
    const email = newAddress();
    const before = Number((await get(`/${newAddress()}`)).headers.get("X-RateLimit-Remaining"));
    const miss = await post(email, { cached_only: true });
    const next = await post(email, { cached_only: true });
    expect([miss.status, await codeOf(miss)]).toEqual([404, "not_cached"]);
    const left = ({ headers }: Response) => Number(headers.get("X-RateLimit-Remaining"));
    expect([left(miss) - left(next), Number.isNaN(before)]).toEqual([1, false]);
    expect(askedAbout(email)).toEqual([]);
    await scan(email);
    expect((await post(email, { cached_only: true })).status).toBe(200);
  });

  test("a miss with cached_only does not join a scan either", async () => {
    const { email, open } = gated();
    expect((await post(email)).status).toBe(202);
    expect((await post(email, { cached_only: true })).status).toBe(404);
    open();
  });

  test("an older result is a miss, and only the sources are asked whose own answer is older", async () => {
    const email = newAddress();
    const first = await scan(email);
    expect((await post(email, { max_age: 3600 })).status).toBe(200);
    await Bun.sleep(2_100);
    const second = await scan(email, { tlp: "red", max_age: 1 });
    expect(second).not.toBe(first);
    expect(askedAbout(email)).toEqual(expect.arrayContaining(["outer", "inner", "inner"]));
    const third = await scan(email, { max_age: 2 });
    expect([...askedAbout(email)].sort()).toEqual(["inner", "inner", "outer", "outer"]);
    expect((await sourcesOf(third)).map(({ source, reused }) => [source, reused])).toEqual([
      ["inner", true],
      ["outer", false],
    ]);
  });

  test("0 asks every source, and calls at the same time share a scan", async () => {
    const { email, open } = gated();
    open();
    await scan(email);
    const both = await Promise.all([post(email, { max_age: 0 }), post(email, { max_age: 0 })]);
    const ids = await Promise.all(both.map(async (response) => ((await response.json()) as Json)["request_id"]));
    expect(both.map(({ status }) => status)).toEqual([202, 202]);
    expect(ids[0]).toBe(ids[1]);
    await get(`/${ids[0]}`, { Prefer: "wait=20" });
    expect([...askedAbout(email)].sort()).toEqual(["inner", "inner", "outer", "outer"]);
    expect((await sourcesOf(String(ids[0]))).every(({ reused }) => reused === false)).toBe(true);
  });
});

describe("16.2 tlp", () => {
  test("above max_tlp_outside only sources inside are asked, and every answer says so", async () => {
    const email = newAddress();
    answers.set(`inner ${email}`, breach("Present inside"));
    const started = await post(email, { tlp: "Amber+Strict" });
    const { request_id: id } = (await started.json()) as { request_id: string };
    expect([started.status, started.headers.get("X-Xpose-Reach")]).toEqual([202, "inside"]);
    await get(`/${id}`, { Prefer: "wait=20" });
    const paths = ["", "/sources", "/evidence", "/case", "/export?format=csv", "/changes", "?view=flat"];
    for (const path of paths)
      expect([path, (await get(`/${id}${path}`)).headers.get("X-Xpose-Reach")]).toEqual([path, "inside"]);
    expect(askedAbout(email)).toEqual(["inner"]);
    expect((await sourcesOf(id)).map(({ source, outcome, error }) => [source, outcome, error])).toEqual([
      ["inner", "ok", null],
      ["outer", "skipped", "tlp"],
    ]);
    const hit = await post(email, { tlp: "red" });
    expect([hit.status, hit.headers.get("X-Xpose-Reach"), hit.headers.get("X-Xpose-Partial")]).toEqual([
      200,
      "inside",
      null,
    ]);
  });

  test("a result of inside reach is no hit for a question of full reach; a full one serves both", async () => {
    const email = newAddress();
    const inside = await scan(email, { tlp: "red" });
    expect((await post(email, { cached_only: true })).status).toBe(404);
    const full = await scan(email, { tlp: "amber" });
    expect(full).not.toBe(inside);
    const hit = await post(email, { tlp: "red", cached_only: true });
    expect([hit.status, ((await hit.json()) as Json)["request_id"], hit.headers.get("X-Xpose-Reach")]).toEqual([
      200,
      full,
      null,
    ]);
    expect([...askedAbout(email)].sort()).toEqual(["inner", "outer"]);
  });

  test.each(["clear", "WHITE", "green", "amber"])("%s asks everybody", async (tlp) => {
    const email = newAddress();
    const id = await scan(email, { tlp });
    expect((await sourcesOf(id)).map(({ outcome }) => outcome)).toEqual(["no_data", "no_data"]);
  });

  test("an inside question does not wait for a scan of full reach", async () => {
    const { email, open } = gated();
    const { request_id: full } = (await (await post(email)).json()) as { request_id: string };
    const inside = await scan(email, { tlp: "red" });
    expect(inside).not.toBe(full);
    open();
  });

  test("a scan in which nothing may be asked is failed", () => {
    const config = join(appliance.folder, "outer.toml");
    writeFileSync(
      config,
      `[[sources.http]]\nname = "outer"\nurl = "http://127.0.0.1:${upstream.port}/outer?e={email}"\n`,
    );
    const email = newAddress();
    const { exitCode } = appliance.run(["enrich", email, "--tlp", "red", "--config", config]);
    expect([exitCode, askedAbout(email)]).toEqual([1, []]);
  });
});

test("16.3 Prefer: wait on GET answers as soon as the state is final, and at the latest in time", async () => {
  const { email, open } = gated();
  const { request_id: id } = (await (await post(email)).json()) as { request_id: string };
  const startedAt = performance.now();
  const pending = await get(`/${id}`, { Prefer: "wait=1" });
  expect(performance.now() - startedAt).toBeGreaterThan(900);
  expect([pending.status, ((await pending.json()) as Json)["status"]]).toEqual([200, "scanning"]);
  expect([pending.headers.has("Preference-Applied"), pending.headers.get("Retry-After")]).toEqual([false, "1"]);
  const waiting = get(`/${id}`, { Prefer: "wait=20" });
  await Bun.sleep(300);
  open();
  const final = await waiting;
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect([((await final.json()) as Json)["status"], final.headers.get("Preference-Applied")]).toEqual([
    "completed",
    "wait",
  ]);
});

describe("16.4, 30.3 on_pending", () => {
  const place = "https://soc.example.com/x/api/v1/soc/enrich";

  test("while the scan is pending", async () => {
    const { email, open } = gated();
    const posted = await post(email, {}, { query: "?on_pending=202&view=flat" });
    const { request_id: id } = (await posted.json()) as { request_id: string };
    expect([posted.status, posted.headers.get("Location")]).toEqual([202, `${place}/${id}?view=flat&on_pending=202`]);
    const plain = await post(email, {}, { query: "?on_pending=202" });
    expect([plain.headers.get("Location"), ((await plain.json()) as Json)["poll_url"]]).toEqual([
      `${place}/${id}?on_pending=202`,
      `/api/v1/soc/enrich/${id}`,
    ]);
    const published = await post(email);
    expect([published.status, published.headers.get("Location")]).toEqual([202, `${place}/${id}`]);
    const rows: [string, () => Promise<Response>, number, string | null][] = [
      ["POST 200", () => post(email, {}, { query: "?on_pending=200" }), 200, null],
      ["POST 503", () => post(email, {}, { query: "?on_pending=503" }), 503, null],
      ["GET", () => get(`/${id}`), 200, null],
      ["GET 200", () => get(`/${id}?on_pending=200`), 200, null],
      ["GET 202", () => get(`/${id}?on_pending=202`), 202, `${place}/${id}?on_pending=202`],
      ["GET flat 202", () => get(`/${id}?on_pending=202&view=flat`), 202, `${place}/${id}?view=flat&on_pending=202`],
      ["GET 503", () => get(`/${id}?on_pending=503`), 503, null],
      ["case", () => get(`/${id}/case`), 200, null],
      ["case 202", () => get(`/${id}/case?on_pending=202`), 202, `${place}/${id}/case?on_pending=202`],
      ["case 503", () => get(`/${id}/case?on_pending=503`), 503, null],
      [
        "export 202",
        () => get(`/${id}/export?format=stix&tlp=red&on_pending=202`),
        202,
        `${place}/${id}/export?format=stix&tlp=red&on_pending=202`,
      ],
      ["export 503", () => get(`/${id}/export?format=csv&on_pending=503`), 503, null],
    ];
    for (const [what, ask, status, location] of rows) {
      const response = await ask();
      const body = (await response.json()) as Json;
      expect([what, response.status, response.headers.get("Location"), response.headers.get("Retry-After")]).toEqual([
        ...[what, status, location],
        "1",
      ]);
      if (status === 503) expect(body).toMatchObject({ error: { code: "scan_pending" } });
      else expect(body).toMatchObject({ status: "scanning", request_id: id });
    }
    open();
  });

  test("a failed scan is 502 for who takes every 2xx for the answer", async () => {
    const email = newAddress();
    for (const source of ["outer", "inner"]) answers.set(`${source} ${email}`, broken);
    const id = await scan(email);
    const rows: [string, number][] = [
      ["", 200],
      ["?on_pending=202", 200],
      ["?on_pending=503", 502],
      ["?on_pending=503&view=flat", 502],
      ["?on_pending=503&view=case", 502],
      ["/case", 200],
      ["/case?on_pending=503", 502],
      ["/export?format=csv", 200],
      ["/export?format=csv&on_pending=503", 502],
      ["/changes?on_pending=503", 502],
    ];
    for (const [path, status] of rows) {
      const response = await get(`/${id}${path}`);
      expect([path, response.status]).toEqual([path, status]);
      if (status === 502) expect(await codeOf(response)).toBe("scan_failed");
    }
    const waited = await post(email, {}, { query: "?on_pending=503", headers: { Prefer: "wait=20" } });
    expect([waited.status, await codeOf(waited)]).toEqual([502, "scan_failed"]);
    const { events } = await auditOf(id);
    expect(events.map(({ action, outcome }) => [action, outcome])).toContainEqual(["enrich.polled", "200"]);
  });
});

/** Events of the trail that name this scan. */
async function auditOf(requestId: string) {
  await Bun.sleep(50);
  const lines = appliance.run(["audit", "export"]).stdout.trim().split("\n");
  const events = lines.map((line) => JSON.parse(line) as Json).filter((one) => one["request_id"] === requestId);
  return { events };
}

describe("16.5 the look-up by GET", () => {
  test("answers like the POST, with an unencoded plus, and the log never shows the query", async () => {
    const email = newAddress();
    const miss = await get(`?email=${email}`);
    const { request_id: id } = (await miss.json()) as { request_id: string };
    expect([miss.status, miss.headers.get("Location")]).toEqual([
      202,
      `https://soc.example.com/x/api/v1/soc/enrich/${id}`,
    ]);
    await get(`/${id}`, { Prefer: "wait=20" });
    const hit = await get(`?email=${encodeURIComponent(email)}&unknown=1`);
    expect(await hit.text()).toBe(await (await post(email)).text());
    expect((await get(`?email=${newAddress()}&cached_only=true`)).status).toBe(404);
    expect((await get("?email=nobody")).status).toBe(400);
    expect((await get("")).status).toBe(400);
    const inside = await get(`?email=${newAddress()}&tlp=amber+strict`, { Prefer: "wait=20" });
    expect([inside.status, inside.headers.get("X-Xpose-Reach")]).toEqual([200, "inside"]);
    const flatHit = await get(`?email=${email}&view=flat&on_pending=503`);
    expect(await flatHit.text()).toBe(await (await get(`/${id}?view=flat`)).text());
    expect(service.log()).not.toContain("person");
    expect(service.log()).not.toContain("email=");
  });

  test("is charged as a request, refused like one, and 405 unless it is switched on", async () => {
    const [one, two] = [await get(`?email=${newAddress()}`), await post(newAddress())];
    const left = ({ headers }: Response) => Number(headers.get("X-RateLimit-Remaining"));
    expect(left(one) - left(two)).toBe(1);
    expect((await fetch(`${service.url}${soc}/enrich?email=a@example.com`)).status).toBe(401);
    await using off = new Appliance();
    off.initialise();
    const plain = await off.serve();
    const response = await fetch(`${plain.url}${soc}/enrich?email=a@example.com`);
    expect([response.status, response.headers.get("Allow"), await codeOf(response)]).toEqual([
      405,
      "POST",
      "method_not_allowed",
    ]);
  });
});

describe("17.3 history", () => {
  async function ask(email: string, query = "", by = key) {
    return await fetch(`${service.url}${soc}/history${query}`, {
      method: "POST",
      headers: { "X-API-Key": by, "Content-Type": "application/json" },
      body: JSON.stringify({ indicator: { type: "email", value: email } }),
    });
  }

  test("lists finished scans, newest first, in pages, charged as a poll and written down", async () => {
    const email = newAddress();
    answers.set(`inner ${email}`, breach("Present inside"));
    const first = await scan(email, { tlp: "red" });
    answers.set(`outer ${email}`, broken);
    const second = await scan(email);
    for (const source of ["outer", "inner"]) answers.set(`${source} ${email}`, broken);
    const third = await scan(email, { max_age: 0 });
    const response = await ask(email.toUpperCase());
    const body = expectBody(history, await response.text());
    expect(body.indicator).toEqual({ type: "email", value: email });
    expect(body.scans.map(({ finished_at, digest, ...rest }) => rest)).toEqual([
      { request_id: third, status: "failed", partial: null, reach: "full", total: null },
      { request_id: second, status: "completed", partial: true, reach: "full", total: 1 },
      { request_id: first, status: "completed", partial: false, reach: "inside", total: 1 },
    ]);
    expect(body.scans.map(({ digest }) => digest?.slice(0, 7) ?? null)).toEqual([null, "sha256:", "sha256:"]);
    const page = expectBody(history, await (await ask(email, "?limit=2")).text());
    expect([page.scans.length, page.next_cursor === null]).toEqual([2, false]);
    const rest = expectBody(history, await (await ask(email, `?limit=2&cursor=${page.next_cursor}`)).text());
    expect([rest.scans.map(({ request_id }) => request_id), rest.next_cursor]).toEqual([[first], null]);
    expect(expectBody(history, await (await ask(newAddress())).text()).scans).toEqual([]);
    expect(expectBody(history, await (await ask(email, "", readKey)).text()).scans).toHaveLength(3);
    const [poll, next] = [await get(`/${first}`), await ask(email)];
    const left = ({ headers }: Response) => Number(headers.get("X-RateLimit-Remaining"));
    expect(left(poll) - left(next)).toBe(1);
    for (const query of ["?limit=0", "?limit=x", "?cursor=x"]) expect((await ask(email, query)).status).toBe(400);
    expect((await ask("nobody")).status).toBe(400);
    await Bun.sleep(1_100);
    expect(appliance.run(["audit", "export"]).stdout).not.toContain(email);
  });
});

describe("17.4 changes", () => {
  test("compares with the newest scan before, or with the named one", async () => {
    const email = newAddress();
    answers.set(`outer ${email}`, breach("Old"));
    answers.set(`inner ${email}`, breach("Same", "low"));
    const first = await scan(email);
    const alone = expectBody(changes, await (await get(`/${first}/changes`)).text());
    expect([alone.since, alone.new.length, alone.gone, alone.not_comparable]).toEqual([null, 2, [], []]);
    answers.set(`outer ${email}`, breach("New"));
    answers.set(`inner ${email}`, breach("Same", "high"));
    const second = await scan(email, { max_age: 0 });
    const body = expectBody(changes, await (await get(`/${second}/changes`)).text());
    expect([body.request_id, body.since]).toEqual([second, first]);
    expect([body.new.map(({ title }) => title), body.gone.map(({ title }) => title)]).toEqual([["New"], ["Old"]]);
    expect(body.changed.map(({ before, after }) => [before.severity, after.severity])).toEqual([["low", "high"]]);
    answers.set(`outer ${email}`, broken);
    const third = await scan(email, { max_age: 0 });
    const failed = expectBody(changes, await (await get(`/${third}/changes?since=${first}`)).text());
    expect([failed.since, failed.new, failed.gone, failed.not_comparable]).toEqual([
      ...[first, [], []],
      [{ source: "outer", reason: "failed" }],
    ]);
    const foreign = await scan(newAddress());
    for (const since of [foreign, "3f2a8c1e-0000-4000-8000-000000000000", "canary", ""]) {
      const response = await get(`/${second}/changes?since=${since}`);
      expect([since, response.status, await codeOf(response)]).toEqual([since, 404, "not_found"]);
    }
  });
});

describe("30, 31 views and failed sources", () => {
  test("POST and GET give the same bytes, with the headers of the envelope", async () => {
    const email = newAddress();
    answers.set(`inner ${email}`, breach("Present in Example Shop"));
    answers.set(`outer ${email}`, broken);
    const id = await scan(email);
    const [plain, posted, polled] = [
      await post(email),
      await post(email, {}, { query: "?view=flat" }),
      await get(`/${id}?view=flat`),
    ];
    const ours = ({ headers }: Response) => [...headers].filter(([name]) => name.startsWith("x-xpose"));
    expect(ours(posted)).toEqual(ours(plain));
    expect(ours(polled)).toEqual(ours(plain));
    expect(plain.headers.get("X-Xpose-Partial")).toBe("1");
    expect(plain.headers.get("X-Xpose-Failed-Sources")).toBe("outer");
    const text = await posted.text();
    expect(await polled.text()).toBe(text);
    expect(expectBody(flat, text)).toMatchObject({
      headline: "1 finding (1 high); 1 of 2 sources answered; could not look: outer (http_5xx)",
      ...{
        status: "completed",
        email,
        request_id: id,
        total: 1,
        partial: true,
        sources_failed: "outer",
        poll_url: null,
      },
    });
    const document = await (await get(`/${id}/case`)).text();
    expect(await (await get(`/${id}?view=case`)).text()).toBe(document);
    expect(await (await post(email, {}, { query: "?view=case" })).text()).toBe(document);
    expect(await (await get(`/${id}?view=envelope`)).text()).toBe(await (await get(`/${id}`)).text());
  });

  test("several names are sorted, and a whole result has none", async () => {
    const email = newAddress();
    const whole = await scan(email);
    expect((await get(`/${whole}`)).headers.has("X-Xpose-Failed-Sources")).toBe(false);
  });

  test("pending and failed scans have the same keys", async () => {
    const { email, open } = gated();
    const posted = await post(email, {}, { query: "?view=flat" });
    const body = expectBody(flat, await posted.text());
    const { request_id: id } = body;
    expect([posted.status, posted.headers.get("Location")]).toEqual([
      202,
      `https://soc.example.com/x/api/v1/soc/enrich/${id}?view=flat`,
    ]);
    const known = ({ email: address, status, poll_url }: typeof body) => [address, status, poll_url];
    expect(known(body)).toEqual([email, "scanning", `/api/v1/soc/enrich/${id}`]);
    const pending = expectBody(flat, await (await get(`/${id}?view=flat`)).text());
    expect([pending.email, pending.total, pending.sources_failed]).toEqual([email, null, null]);
    open();
    const lost = newAddress();
    for (const source of ["outer", "inner"]) answers.set(`${source} ${lost}`, broken);
    const failed = expectBody(flat, await (await get(`/${await scan(lost)}?view=flat`)).text());
    expect([failed.status, failed.total, failed.headline, failed.sources_failed]).toEqual([
      ...["failed", null, null],
      "inner outer",
    ]);
  });
});

describe("19.1, 32 the options of a list", () => {
  async function bulk(emails: readonly string[], options: Options) {
    const response = await fetch(`${service.url}${soc}/enrich/bulk`, {
      method: "POST",
      headers: { "X-API-Key": key, "Content-Type": "application/json", Prefer: "wait=20" },
      body: JSON.stringify({ indicators: emails.map((value) => ({ type: "email", value })), options }),
    });
    return { status: response.status, body: (await response.json()) as { results: Json[] } };
  }

  test("tlp and max_age hold for every indicator, and rows tell their reach", async () => {
    const [known, fresh] = [newAddress(), newAddress()];
    const full = await scan(known);
    const { body } = await bulk([known, fresh], { tlp: "red" });
    expect(body.results.map(({ status, reach, request_id: id }) => [status, reach, id === full])).toEqual([
      ["completed", "full", true],
      ["completed", "inside", false],
    ]);
    expect(askedAbout(fresh)).toEqual(["inner"]);
    const again = await bulk([known, fresh], { max_age: 0 });
    expect(again.body.results.map(({ status, reach }) => [status, reach])).toEqual([
      ["completed", "full"],
      ["completed", "full"],
    ]);
    expect([...askedAbout(known)].sort()).toEqual(["inner", "inner", "outer", "outer"]);
  });

  test.each<Options>([{ max_age: -1 }, { tlp: "pink" }, { cached_only: 1 }, { depth: 7 }])(
    "%j is 400 invalid_request",
    async (options) => {
      expect((await bulk([newAddress()], options)).status).toBe(400);
    },
  );
});

test("14.4 a key of scope read gets the history, hits and views, and starts nothing", async () => {
  const email = newAddress();
  expect((await post(email, {}, { by: readKey })).status).toBe(404);
  await scan(email);
  expect((await post(email, { tlp: "red" }, { by: readKey, query: "?view=flat" })).status).toBe(200);
});

test("35 no answer is a redirect", async () => {
  for (const path of ["", "/", "//", "/x/changes", "?email=", "?view=flat"]) {
    const { status } = await get(path);
    expect([path, status >= 300 && status < 400]).toEqual([path, false]);
  }
});

describe("xpose enrich", () => {
  test("--cached-only, --max-age and --tlp", async () => {
    const config = join(appliance.folder, "xpose.toml");
    const email = newAddress();
    const run = (...flags: string[]) => appliance.runBeside(["enrich", email, "--json", "--config", config, ...flags]);
    const miss = await run("--cached-only");
    expect([miss.exitCode, askedAbout(email)]).toEqual([3, []]);
    const inside = await run("--tlp", "red");
    expect([inside.exitCode, askedAbout(email)]).toEqual([0, ["inner"]]);
    expect(inside.stderr).toContain("outside sources were not asked");
    const full = await run();
    expect([full.exitCode, full.stderr.includes("outside sources")]).toEqual([0, false]);
    expect((await run("--cached-only")).stdout).toBe(full.stdout.replace("miss_scan_complete", "hit"));
    expect((await run("--max-age", "0")).exitCode).toBe(0);
    expect([...askedAbout(email)].sort()).toEqual(["inner", "inner", "outer", "outer"]);
    for (const wrong of [
      ["--max-age", "-1"],
      ["--max-age", "1h"],
      ["--tlp", "pink"],
      ["--cached-only", "--refresh"],
    ]) {
      expect([wrong, (await run(...wrong)).exitCode]).toEqual([wrong, 2]);
    }
  });
});
