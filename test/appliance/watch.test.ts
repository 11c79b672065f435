import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Appliance, type Service } from "../helpers/appliance.ts";
import { openReceiver, type Receiver } from "../helpers/webhook-receiver.ts";

type Event = Readonly<Record<string, unknown>> & { id: string; type: string };
type EventPage = { events: Event[]; next: string };

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const email = (value: string) => ({ type: "email", value });

function watcher(service: Service, key: string) {
  const headers = { "X-API-Key": key, "Content-Type": "application/json" };
  const soc = `${service.url}/api/v1/soc`;
  const post = (path: string, body: unknown) =>
    fetch(`${soc}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  const get = (path: string, extra: Record<string, string> = {}) =>
    fetch(`${soc}${path}`, { headers: { "X-API-Key": key, ...extra } });
  return {
    post,
    get,
    add: async (...values: string[]) => (await post("/watch", { indicators: values.map(email) })).json(),
    /** Reads until an event of this type has come. */
    async until(type: string, after: string | null, count = 1): Promise<EventPage> {
      const seen: Event[] = [];
      let next = after;
      for (let tries = 0; tries < 40; tries++) {
        const query = new URLSearchParams({ limit: "1000", ...(next === null ? {} : { after: next }) });
        const page = (await (await get(`/events?${query}`, { Prefer: "wait=2" })).json()) as EventPage;
        seen.push(...page.events);
        next = page.next;
        if (seen.filter((event) => event.type === type).length >= count) return { events: seen, next };
      }
      throw new Error(`no ${type} came: ${JSON.stringify(seen)}`);
    },
  };
}

function importLeak(appliance: Appliance, name: string, ...addresses: string[]): void {
  const file = join(appliance.folder, `${name}.csv`);
  writeFileSync(file, ["email,date", ...addresses.map((one) => `${one},2021-02-03`)].join("\n"));
  appliance.json("corpus", "import", file, "--name", name);
}

describe("a watch list of a running service", () => {
  let appliance: Appliance;
  let service: Service;
  let key: string;

  beforeAll(async () => {
    appliance = new Appliance();
    key = appliance.initialise();
    service = await appliance.serve();
  });

  afterAll(() => appliance[Symbol.asyncDispose]());

  test("20.2 what is added, what was there, what is no address", async () => {
    const { post } = watcher(service, key);
    const indicators = [
      email("Jane.Doe@example.com"),
      email("nobody"),
      email("jane.doe@example.com"),
      { type: "ip", value: "1.1.1.1" },
    ];
    const response = await post("/watch", { indicators, label: "staff" });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      added: 1,
      already: 1,
      invalid: [
        { value_index: 1, error: { code: "invalid_email", message: expect.any(String) } },
        { value_index: 3, error: { code: "unsupported_indicator", message: expect.any(String) } },
      ],
      total: 1,
    });
    for (const body of [
      {},
      { indicators: [] },
      { indicators: "x" },
      { indicators: [email("a@example.com")], label: "x".repeat(65) },
      [],
    ]) {
      expect((await post("/watch", body)).status).toBe(400);
    }
  });

  test("14.4 a key without the scope watch is told so, an unknown one nothing", async () => {
    const read = appliance.json<{ key: string }>("keys", "create", "--name", "reader", "--scopes", "read").key;
    const { get, post } = watcher(service, read);
    for (const response of [
      await get("/watch"),
      await get("/events"),
      await post("/watch", {}),
      await post("/watch/remove", {}),
    ]) {
      expect([response.status, await response.json()]).toMatchObject([403, { error: { code: "scope_required" } }]);
    }
    expect((await watcher(service, "xpz_live_00").get("/events")).status).toBe(401);
  });

  test("20.3, 20.4, 34 an import makes events of what is new, then one that counts", async () => {
    const { add, until, get } = watcher(service, key);
    await add("joe@example.com", "clean@example.com");
    importLeak(appliance, "leak", "jane.doe@example.com", "stranger@example.org");
    const { events, next } = await until("watch.checked", null);
    expect(events.map(({ type }) => type)).toEqual(["exposure.new", "watch.checked"]);
    expect(events[0]).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      type: "exposure.new",
      at: expect.stringMatching(/\+00:00$/),
      label: "staff",
      indicator: email("jane.doe@example.com"),
      request_id: null,
      findings: [
        expect.objectContaining({
          source: "leak",
          indicator_value: "jane.doe@example.com",
          first_seen: expect.any(String),
        }),
      ],
      first: true,
    });
    expect(events[1]).toMatchObject({
      trigger: "corpus",
      corpora: ["leak"],
      counts: { checked: 3, matched: 1, new: 1, failed: 0 },
    });
    const list = (await (await get("/watch?label=staff")).json()) as { watch: unknown[] };
    expect(list.watch).toEqual([
      {
        indicator: email("jane.doe@example.com"),
        label: "staff",
        added_at: expect.any(String),
        last_checked_at: expect.any(String),
        total: 1,
        by_severity: { medium: 1 },
      },
    ]);

    importLeak(appliance, "other", "jane.doe@example.com", "joe@example.com");
    const second = await until("watch.checked", next);
    expect(second.events.map(({ type, indicator, first }) => [type, indicator, first])).toEqual([
      ["exposure.new", email("jane.doe@example.com"), undefined],
      ["exposure.new", email("joe@example.com"), undefined],
      ["watch.checked", undefined, undefined],
    ]);
    expect(second.events[2]).toMatchObject({
      corpora: ["other"],
      counts: { checked: 3, matched: 2, new: 2, failed: 0 },
    });

    appliance.json("corpus", "remove", "other");
    const third = await until("watch.checked", second.next);
    expect(third.events).toMatchObject([{ type: "watch.checked", corpora: ["other"], counts: { matched: 0, new: 0 } }]);
  });

  test("20.4 the first check of an address gives one event with all that is known", async () => {
    const { get, add, until } = watcher(service, key);
    const { next } = (await (await get("/events?limit=1000")).json()) as EventPage;
    await add("stranger@example.org");
    const { events } = await until("exposure.new", next);
    expect(events).toMatchObject([{ indicator: email("stranger@example.org"), first: true }]);
  });

  test("20.5 pages have no gap, types are chosen, lines are events, strange ids are told", async () => {
    const { get } = watcher(service, key);
    const all = (await (await get("/events?limit=1000")).json()) as EventPage;
    const paged: Event[] = [];
    for (let after = ""; ; ) {
      const page = (await (await get(`/events?limit=2${after}`)).json()) as EventPage;
      if (page.events.length === 0) break;
      paged.push(...page.events);
      after = `&after=${page.next}`;
    }
    expect(paged).toEqual(all.events);
    const checked = (await (await get("/events?type=watch.checked")).json()) as EventPage;
    expect(checked.events).toEqual(all.events.filter(({ type }) => type === "watch.checked"));
    const lines = await get("/events?limit=1000", { Accept: "application/x-ndjson" });
    expect(lines.headers.get("Content-Type")).toBe("application/x-ndjson");
    expect(
      (await lines.text())
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(all.events);
    const empty = (await (await get(`/events?after=${all.next}`)).json()) as EventPage;
    expect(empty).toEqual({ events: [], next: all.next });
    for (const query of ["limit=0", "limit=1001", "type=x", "after=x"]) {
      expect([query, (await get(`/events?${query}`)).status]).toEqual([query, 400]);
    }
    expect((await get("/events?after=00000000-0000-4000-8000-000000000000")).status).toBe(404);
    const audit = appliance.run(["audit", "export"]).stdout;
    expect(audit.split("\n").filter((line) => line.includes('"events.read"'))).toHaveLength(1);
    expect(audit).toContain('"watch.changed"');
    expect(audit).not.toContain("example.");
  });

  test("20.1 the database holds no address of a list, and forgetting removes it from all lists", async () => {
    const { get } = watcher(service, key);
    const held = appliance.run(["watch", "list", "--json"]).stdout;
    expect(held).toContain("joe@example.com");
    const bytes = await Bun.file(join(appliance.dataDir, "xpose.db")).text();
    const log = await Bun.file(join(appliance.dataDir, "xpose.db-wal")).text();
    for (const text of [bytes, log]) expect(text).not.toContain("joe@example");
    expect(appliance.run(["corpus", "forget", "jane.doe@example.com"]).exitCode).toBe(0);
    expect(appliance.run(["watch", "list", "--json"]).stdout).not.toContain("jane.doe@");
    expect(await (await get("/events?limit=1000")).text()).not.toContain("jane.doe@");
  });

  test("20.2 removing, and a list that is full", async () => {
    const { post, add } = watcher(service, key);
    expect(
      await (await post("/watch/remove", { indicators: [email("joe@example.com"), email("no@example.com")] })).json(),
    ).toEqual({
      removed: 1,
      total: 2,
    });
    expect(await add("joe@example.com")).toMatchObject({ added: 1, total: 3 });
  });

  test("20.7 the commands", () => {
    const added = appliance.run(["watch", "add", "ann@example.com", "--label", "vip"]);
    expect([added.exitCode, added.stdout]).toEqual([0, "Added 1, 0 were there already; the list holds 4 addresses.\n"]);
    const file = join(appliance.folder, "staff.csv");
    writeFileSync(file, "name,mail\nA,ann@example.com\nB,bob@example.com\n");
    expect(appliance.json("watch", "import", file)).toEqual({ added: 1, already: 1, invalid: [], total: 5 });
    expect(appliance.json("watch", "check")).toMatchObject({ checked: 5, failed: 0 });
    expect(appliance.json("watch", "remove", "bob@example.com")).toEqual({ removed: 1, total: 4 });
    expect(appliance.run(["events", "--type", "watch.checked"]).stdout).toContain("3 checked, 1 with findings");
    expect(appliance.run(["watch", "add", "nobody"]).exitCode).toBe(1);
  });
});

test("20.2 above watch.max nothing is added", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const service = await appliance.serve({ env: { XPOSE_WATCH_MAX: "2" } });
  const { add, post } = watcher(service, key);
  await add("a@example.com");
  const refused = await post("/watch", { indicators: [email("b@example.com"), email("c@example.com")] });
  expect([refused.status, await refused.json()]).toMatchObject([409, { error: { code: "too_many" } }]);
  expect(await add("b@example.com")).toMatchObject({ added: 1, total: 2 });
});

test("20.5 a crash in the middle of a round loses no event and makes none twice", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  let service = await appliance.serve();
  const count = 4000;
  const addresses = Array.from({ length: count }, (_, index) => `user${index}@example.com`);
  for (let start = 0; start < count; start += 1000) {
    await watcher(service, key).add(...addresses.slice(start, start + 1000));
  }
  importLeak(appliance, "leak", ...addresses);
  for (let crash = 0; crash < 3; crash++) {
    await Bun.sleep(150 + 200 * crash);
    service.kill("SIGKILL");
    await service.exited;
    service = await appliance.serve();
  }
  const { events } = await watcher(service, key).until("watch.checked", null);
  const found = events.filter(({ type }) => type === "exposure.new");
  expect(found).toHaveLength(count);
  expect(new Set(found.map(({ indicator }) => JSON.stringify(indicator))).size).toBe(count);
  expect(new Set(events.map(({ id }) => id)).size).toBe(count + 1);
  expect(events.at(-1)).toMatchObject({
    type: "watch.checked",
    counts: { checked: count, matched: count, new: count, failed: 0 },
  });
  expect(events.map(({ id }) => id)).toEqual(events.map(({ id }) => id).sort());
});

test("20.3 every interval each address is scanned in full", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  importLeak(appliance, "leak", "jane.doe@example.com");
  const service = await appliance.serve({ env: { XPOSE_WATCH_INTERVAL: "3s" } });
  const { add, until } = watcher(service, key);
  await add("jane.doe@example.com", "joe@example.com");
  const { events } = await until("watch.checked", null, 2);
  const rounds = events.filter(({ type }) => type === "watch.checked");
  expect(rounds.at(-1)).toMatchObject({ trigger: "interval", corpora: [], counts: { failed: 0 } });
  expect(events.filter(({ type }) => type === "exposure.new")).toHaveLength(1);
});

describe("20.6 webhooks", () => {
  let receiver: Receiver;

  beforeAll(() => {
    receiver = openReceiver();
  });

  afterAll(() => receiver.close());

  test("are signed and thin, try again, survive a crash, and are switched off by 410 until a reload", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const config = join(appliance.folder, "xpose.toml");
    writeFileSync(config, `[[webhook]]\nname = "siem"\nurl = "${receiver.url}"\nsecret = "${secret}"\n`);
    const serve = () => appliance.serve({ args: ["--config", config] });
    let service = await serve();
    await watcher(service, key).add("jane.doe@example.com");

    receiver.answer(500);
    importLeak(appliance, "one", "jane.doe@example.com");
    await receiver.until(2);
    service.kill("SIGKILL");
    await service.exited;
    receiver.answer(200);
    service = await serve();
    // The second attempt is due 5 s after the first one.
    await receiver.until(4);
    const [first] = receiver.calls;
    const idOf = (call: (typeof receiver.calls)[number] | undefined) => call?.headers.get("webhook-id");
    // The crash may have come before the second failure was stored: then that event is the first to come again.
    const again = receiver.calls.slice(2).find((call) => idOf(call) === idOf(first));
    expect(new Set(receiver.calls.slice(2).map(idOf)).size).toBe(2);
    for (const call of receiver.calls) {
      expect(call.isSignedWith(secret)).toBe(true);
      expect(call.body).not.toContain("@");
    }
    expect(JSON.parse(again?.body ?? "")).toEqual({
      type: "exposure.new",
      timestamp: expect.any(String),
      data: {
        id: first?.headers.get("webhook-id"),
        label: null,
        request_id: null,
        counts: { new: 1, high: 0, medium: 1, low: 0 },
      },
    });

    receiver.answer(410);
    importLeak(appliance, "two", "jane.doe@example.com");
    await receiver.until(5);
    await Bun.sleep(1500);
    expect(receiver.calls).toHaveLength(5);
    expect(appliance.run(["webhooks", "list", "--config", config]).stdout).toMatch(/siem .* off/);
    receiver.answer(200);
    service.kill("SIGHUP");
    await receiver.until(6);
    expect(appliance.run(["webhooks", "list", "--config", config]).stdout).toMatch(/siem .* ready/);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain('xpose_webhook_attempts_total{webhook="siem",outcome="delivered"}');
    const tested = await appliance.runBeside(["webhooks", "test", "siem", "--config", config]);
    expect([tested.exitCode, tested.stdout]).toEqual([0, "siem answered 200.\n"]);
  });

  test("a receiver that hangs slows no call", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const config = join(appliance.folder, "xpose.toml");
    writeFileSync(config, `[[webhook]]\nname = "slow"\nurl = "${receiver.url}"\nsecret = "${secret}"\nthin = false\n`);
    const service = await appliance.serve({ args: ["--config", config] });
    const before = receiver.calls.length;
    receiver.answer("hang");
    const { add, get } = watcher(service, key);
    await add("jane.doe@example.com");
    importLeak(appliance, "one", "jane.doe@example.com");
    await receiver.until(before + 1);
    expect(receiver.calls.at(-1)?.body).toContain("jane.doe@example.com");
    const startedAt = performance.now();
    expect((await get("/events")).status).toBe(200);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  test.each([
    ["http://siem.example/hook", `secret = "${secret}"`, "webhook.siem.url"],
    ["https://siem.example/hook", "", "webhook.siem.secret"],
    ["https://siem.example/hook", 'secret = "whsec_x"', "webhook.siem.secret"],
    ["https://siem.example/hook", `secret = "${secret}"\ntypes = ["x"]`, "webhook.siem.types"],
  ])("a bad table is refused by name: %s %s", (url, rest, name) => {
    const appliance = new Appliance();
    appliance.initialise();
    const config = join(appliance.folder, "xpose.toml");
    writeFileSync(config, `[[webhook]]\nname = "siem"\nurl = "${url}"\n${rest}\n`);
    const { exitCode, stderr } = appliance.run(["serve", "--config", config]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(name)]);
    expect(stderr).not.toContain("whsec_x");
  });
});
