import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3/linux-x64";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bulk, bulk as bulkBody, bulkLine } from "../../src/wire/bulk.ts";
import { Appliance, client, type Service } from "../helpers/appliance.ts";
import { readCsv } from "../helpers/read-csv.ts";
import { expectBody } from "../helpers/wire-body.ts";

const bulkPath = "/api/v1/soc/enrich/bulk";
const emails = (count: number, name: string) =>
  Array.from({ length: count }, (_, index) => `${name}${index}@example.com`);
const indicators = (values: readonly string[]) => values.map((value) => ({ type: "email", value }));

type Answer = { readonly status: number; readonly headers: Headers; readonly body: Bulk };

function bulkClient(url: string, key: string) {
  const read = async (response: Response): Promise<Answer> => ({
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Bulk,
  });
  const send = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${url}${bulkPath}`, {
      method: "POST",
      headers: { "X-API-Key": key, "Content-Type": "application/json", ...headers },
      body,
    }).then(read);
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${url}${path}`, { headers: { "X-API-Key": key, ...headers } });
  return {
    send,
    post: (values: readonly string[], options: object = {}, headers: Record<string, string> = {}) =>
      send(JSON.stringify({ indicators: indicators(values), ...options }), headers),
    get,
    poll: (path: string, headers: Record<string, string> = {}) => get(path, headers).then(read),
    left: async () => {
      const { limits } = (await (await get("/api/v1/soc/whoami")).json()) as {
        limits: { requests: { remaining: number | null; limit: number } };
      };
      return limits.requests.remaining ?? limits.requests.limit;
    },
  };
}

/** A service with a corpus that holds `known0@example.com` and on, and, with `isAsking`, a source that answers after a while. */
async function startStage({ settings = "", isAsking = false }: { settings?: string; isAsking?: boolean }) {
  const upstream = Bun.serve({
    port: 0,
    async fetch(request) {
      const email = new URL(request.url).searchParams.get("e") ?? "";
      if (email.startsWith("broken")) return new Response("broken", { status: 500 });
      if (email.startsWith("slow")) await Bun.sleep(150);
      return new Response(null, { status: 404 });
    },
  });
  const appliance = new Appliance();
  const key = appliance.initialise();
  appliance.json("workspaces", "create", "--name", "other");
  const otherKey = appliance.mintKey("foreign", "other");
  const rows = join(appliance.folder, "rows.txt");
  writeFileSync(
    rows,
    emails(2000, "known")
      .map((email) => `${email}:x`)
      .join("\n"),
  );
  appliance.json("corpus", "import", rows, "--name", "shop");
  const source = `[[sources.http]]\nname = "web"\nurl = "http://127.0.0.1:${upstream.port}/?e={email}"\nrate = "100000/1m"\ninternal = true\n`;
  const config = join(appliance.folder, "xpose.toml");
  writeFileSync(config, `${settings}\n${isAsking ? source : ""}`);
  const service = await appliance.serve({ args: ["--config", config] });
  return {
    appliance,
    config,
    service,
    key,
    otherKey,
    async [Symbol.asyncDispose]() {
      await appliance[Symbol.asyncDispose]();
      await upstream.stop(true);
    },
  };
}

type Stage = Awaited<ReturnType<typeof startStage>>;

describe("19 lists of indicators", () => {
  let stage: Stage;
  let api: ReturnType<typeof bulkClient>;
  beforeAll(async () => {
    stage = await startStage({ isAsking: true });
    api = bulkClient(stage.service.url, stage.key);
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  test("19.3 32 rows are in the order of the input, equal ones share a scan, a bad one spoils no other", async () => {
    const values = [
      "known1@example.com",
      "KNOWN1@Example.COM",
      "no address",
      "broken1@example.com",
      "new1@example.com",
    ];
    const started = await api.post(values, {}, { Prefer: "wait=20" });
    expect(started.status).toBe(200);
    expect(started.headers.get("Preference-Applied")).toBe("wait");
    expectBody(bulkBody, JSON.stringify(started.body));
    const { bulk_id, results, ...rest } = started.body;
    expect(rest).toEqual({
      status: "completed",
      poll_url: `${bulkPath}/${bulk_id}`,
      total: 5,
      counts: { completed: 4, pending: 0, failed: 0, invalid: 1 },
    });
    expect(results.map(({ status }) => status)).toEqual([
      "completed",
      "completed",
      "invalid",
      "completed",
      "completed",
    ]);
    expect(results[0]?.request_id).toBe(results[1]?.request_id ?? "");
    expect(results[1]).toMatchObject({
      indicator: { type: "email", value: "known1@example.com" },
      total: 1,
      partial: false,
    });
    expect(results[2]).toMatchObject({
      indicator: { value: "no address" },
      request_id: null,
      error: { code: "invalid_email" },
      partial: null,
      failed_sources: [],
      reach: null,
      digest: null,
      total: null,
    });
    // A source that failed never reads as clean.
    expect(results[3]).toMatchObject({ partial: true, failed_sources: ["web"], total: 0, reach: "full" });
    expect(Object.keys(results[0] ?? {})).toEqual(
      "indicator status request_id error partial failed_sources reach digest total".split(" "),
    );
    const single = await client(stage.service.url, stage.key).enrich("known1@example.com");
    expect(single.headers.get("X-Xpose-Exposure-Digest")).toBe(results[0]?.digest ?? "");
    expect(((await single.json()) as { request_id: string }).request_id).toBe(results[0]?.request_id ?? "");
    const polled = await api.poll(started.body.poll_url);
    expect([polled.status, polled.body]).toEqual([200, started.body]);
  });

  test("19.1 text/plain and text/csv hold an address a line", async () => {
    for (const type of ["text/plain", "text/csv; charset=utf-8"]) {
      const answer = await api.send('known2@example.com\r\n\n"known3@example.com"\nnope\n', {
        "Content-Type": type,
        Prefer: "wait=20",
      });
      expect(answer.body.results.map(({ indicator: { value }, status }) => [value, status])).toEqual([
        ["known2@example.com", "completed"],
        ["known3@example.com", "completed"],
        ["nope", "invalid"],
      ]);
    }
  });

  test("19.2 each distinct valid indicator is charged once, and a refused list nothing", async () => {
    const before = await api.left();
    const answer = await api.post(["known4@example.com", "Known4@example.com", "known5@example.com", "nope"]);
    expect(before - (await api.left())).toBe(2);
    expect(answer.headers.get("X-RateLimit-Remaining")).toBe(String(before - 2));
    for (const body of ["{", "[]", '{"indicators":[]}', '{"indicators":{}}', '{"indicators":[{}],"options":[]}']) {
      expect((await api.send(body)).status).toBe(400);
    }
    expect((await api.post(emails(1001, "many"))).status).toBe(400);
    expect((await api.send(JSON.stringify({ indicators: indicators(["x".repeat(600_000)]) }))).status).toBe(413);
    expect((await api.send("a@b.example", { "Content-Type": "application/xml" })).status).toBe(415);
    expect(before - (await api.left())).toBe(2);
  });

  test("16.1 with cached_only nothing is started", async () => {
    await api.post(["known6@example.com"], {}, { Prefer: "wait=20" });
    const answer = await api.post(["known6@example.com", "never@example.com"], { options: { cached_only: true } });
    expect(answer.status).toBe(200);
    expect(answer.body.results).toMatchObject([
      { status: "completed" },
      { status: "not_cached", request_id: null, error: { code: "not_cached" }, partial: null, total: null },
    ]);
    expect((await api.post(["a@example.com"], { options: { cached_only: "yes" } })).status).toBe(400);
  });

  test("19.4 as NDJSON and CSV, streamed, in the order of the input", async () => {
    const values = [...emails(20, "known"), "nope", "broken2@example.com"];
    const { body } = await api.post(values, {}, { Prefer: "wait=20" });
    for (const [path, headers] of [
      [`${body.poll_url}?format=ndjson`, {}],
      [body.poll_url, { Accept: "application/x-ndjson" }],
    ] as const) {
      const response = await api.get(path, headers);
      expect(response.headers.get("Content-Type")).toBe("application/x-ndjson");
      const lines = (await response.text())
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      for (const line of lines) expectBody(bulkLine, JSON.stringify(line));
      expect(lines.map(({ envelope, ...row }) => row)).toEqual(body.results as unknown[]);
      const stored = await (await api.get(`/api/v1/soc/enrich/${lines[0].request_id}`)).json();
      expect(lines[0].envelope).toEqual(stored);
      expect(lines[20].envelope).toBeNull();
      expect(Object.keys(lines[0]).at(-1)).toBe("envelope");
    }
    const response = await api.get(`${body.poll_url}?format=csv&bom=1`);
    expect(response.headers.get("Content-Type")).toBe("text/csv; charset=utf-8; header=present");
    expect(response.headers.get("Content-Disposition")).not.toContain("@");
    const text = Buffer.from(await response.arrayBuffer()).toString("utf8");
    expect(text.startsWith("\ufeffindicator,source,")).toBe(true);
    const [header = [], ...rows] = readCsv(text.slice(1));
    const cell = (row: readonly string[] | undefined, name: string) => row?.[header.indexOf(name)];
    expect(rows.map((row) => cell(row, "indicator"))).toEqual(values);
    expect(cell(rows[0], "partial")).toBe("false");
    expect(cell(rows[20], "partial")).toBe("");
    expect([cell(rows[21], "partial"), cell(rows[21], "failed_sources")]).toEqual(["true", "web:http_5xx"]);
    for (const query of ["format=xml", "format=", "format=csv&format=csv", "format=csv&bom=2"]) {
      expect((await api.get(`${body.poll_url}?${query}`)).status).toBe(400);
    }
  });

  test("14.2 a list of another workspace is the same 404 as one that is not there", async () => {
    const { body } = await api.post(["known7@example.com"]);
    const foreign = bulkClient(stage.service.url, stage.otherKey);
    const texts = await Promise.all(
      [body.bulk_id, crypto.randomUUID(), "no-id"].map(async (id) => {
        const response = await foreign.get(`${bulkPath}/${id}?format=ndjson`);
        expect(response.status).toBe(404);
        return await response.text();
      }),
    );
    expect(new Set(texts).size).toBe(1);
    expect((await fetch(`${stage.service.url}${bulkPath}`, { method: "POST", body: "{}" })).status).toBe(401);
    expect((await api.get(bulkPath)).status).toBe(405);
  });

  test("16.3 a poll that prefers to wait is answered as soon as the list is over", async () => {
    const started = await api.post(emails(4, "slow"));
    expect(started.status).toBe(202);
    expect(started.headers.get("Location")).toBe(started.body.poll_url);
    expect(started.headers.get("Retry-After")).toBe("1");
    expect(started.body).toMatchObject({ status: "running", counts: { pending: 4 } });
    expect(started.body.results[0]).toMatchObject({ status: "scanning", error: null, partial: null });
    const startedAt = performance.now();
    const polled = await api.poll(started.body.poll_url, { Prefer: "wait=40" });
    expect(polled.body.status).toBe("completed");
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  test("19.5 within a workspace a single call goes before the scans of a list", async () => {
    const list = await api.post(emails(150, "slow-list"));
    const single = await client(stage.service.url, stage.key).enrich("slow-single@example.com", { Prefer: "wait=30" });
    expect(((await single.json()) as { status: string }).status).toBe("completed");
    const { body } = await api.poll(list.body.poll_url);
    expect(body.counts.pending).toBeGreaterThan(60);
    // One that waits in the list is taken forward by a single call for it.
    const joined = await client(stage.service.url, stage.key).enrich("slow-list149@example.com", { Prefer: "wait=30" });
    expect(((await joined.json()) as { status: string }).status).toBe("completed");
    expect((await api.poll(list.body.poll_url)).body.counts.pending).toBeGreaterThan(20);
  });

  test("the audit trail names a list once, with its size", () => {
    const { stdout } = stage.appliance.run(["audit", "export"]);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const lists = events.filter(({ action }) => action === "bulk.requested");
    expect(lists).toContainEqual(expect.objectContaining({ count: 5, outcome: "202", indicator_hmac: null }));
    expect(lists).toContainEqual(expect.objectContaining({ outcome: "400", request_id: null }));
    expect(events).toContainEqual(expect.objectContaining({ action: "export.made", count: 22 }));
    expect(stdout).not.toContain("known1@example.com");
  });

  test("metrics count lists and their rows", async () => {
    const text = await (await fetch(`${stage.service.url}/metrics`)).text();
    expect(Number(/^xpose_bulk_total (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(5);
    expect(Number(/^xpose_bulk_indicators_total (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(150);
  });
});

describe("19.2 edges of budget and queue", () => {
  test("a list that the budget cannot pay for is 429, and one over the whole limit 400; nothing is started", async () => {
    await using stage = await startStage({ settings: "[rate_limit]\nenterprise = 10\nteam = 10\n" });
    const api = bulkClient(stage.service.url, stage.key);
    expect((await api.post(emails(11, "known"))).status).toBe(400);
    expect(await api.left()).toBe(10);
    expect((await api.post(emails(7, "known"), {}, { Prefer: "wait=20" })).body.counts.completed).toBe(7);
    const refused = await api.post(emails(4, "fresh"));
    expect(refused.status).toBe(429);
    expect(refused.body).toMatchObject({ error: { code: "rate_limited" } });
    expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(0);
    expect(refused.headers.get("X-RateLimit-Remaining")).toBe("3");
    expect((await api.post(emails(3, "known"))).body.counts.completed).toBe(3);
    expect((await api.post(["known0@example.com"])).status).toBe(429);
    expect((await api.post(["nope"])).status).toBe(200);
    expect((await api.send("{")).status).toBe(429);
    using database = openDatabase(stage);
    expect(database.count("SELECT count(*) AS n FROM scan")).toBe(7);
  });

  test("a list that the queue cannot take is 503, charged and started nothing; a smaller one passes", async () => {
    await using stage = await startStage({ settings: "[scan]\nmax_queue = 20\nconcurrency = 1\n", isAsking: true });
    const api = bulkClient(stage.service.url, stage.key);
    const before = await api.left();
    const refused = await api.post(emails(21, "slow"));
    expect([refused.status, refused.headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(refused.body).toMatchObject({ error: { code: "overloaded" } });
    expect(await api.left()).toBe(before);
    expect((await api.post(emails(20, "slow"))).status).toBe(202);
    using database = openDatabase(stage);
    expect(database.count("SELECT count(*) AS n FROM scan")).toBe(20);
    expect(database.count("SELECT count(*) AS n FROM bulk")).toBe(1);
  });

  test("server.bulk_limit bounds a list", async () => {
    await using stage = await startStage({ settings: "[server]\nbulk_limit = 3\n" });
    const api = bulkClient(stage.service.url, stage.key);
    expect((await api.post(emails(4, "known"))).status).toBe(400);
    expect((await api.post(emails(3, "known"))).status).toBe(202);
  });
});

function openDatabase({ appliance }: Pick<Stage, "appliance">) {
  const database = new Database(join(appliance.dataDir, "xpose.db"), { readonly: true });
  return {
    count: (sql: string) => (database.prepare(sql).get() as { n: number }).n,
    [Symbol.dispose]: () => void database.close(),
  };
}

describe("19.5 lists of a thousand", () => {
  test("health is answered all the while, and a thousand results are streamed", async () => {
    await using stage = await startStage({});
    const api = bulkClient(stage.service.url, stage.key);
    const waits: number[] = [];
    let isOver = false;
    const beat = (async () => {
      while (!isOver) {
        const startedAt = performance.now();
        await (await fetch(`${stage.service.url}/healthz`)).arrayBuffer();
        waits.push(performance.now() - startedAt);
        await Bun.sleep(1);
      }
    })();
    const values = [...emails(500, "known"), ...emails(500, "absent")];
    const { body } = await api.post(values, {}, { Prefer: "wait=50" });
    expect(body.counts).toEqual({ completed: 1000, pending: 0, failed: 0, invalid: 0 });
    const text = await (await api.get(`${body.poll_url}?format=ndjson`)).text();
    isOver = true;
    await beat;
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ indicator }) => indicator.value)).toEqual(values);
    expect(lines.map(({ total }) => total)).toEqual([...Array(500).fill(1), ...Array(500).fill(0)]);
    // 50 ms is the rule. The worst of some hundred tells how busy the machine of the tests is, so it is left some room.
    waits.sort((one, other) => one - other);
    expect(waits[Math.floor(waits.length * 0.95)]).toBeLessThan(50);
    expect(waits.at(-1)).toBeLessThan(1000);
  }, 60_000);

  test("after a kill at any moment the list is there as a whole, or nothing of it is", async () => {
    await using stage = await startStage({});
    let { service }: { service: Service } = stage;
    const found: number[] = [];
    for (const [round, delayMs] of [0, 8, 16, 24, 32, 48, 64, 90, 130, 200].entries()) {
      const api = bulkClient(service.url, stage.key);
      const posted = api.post(emails(1000, `kill${round}-`)).catch(() => null);
      await Bun.sleep(delayMs);
      service.kill("SIGKILL");
      await service.exited;
      const answer = await posted;
      {
        using database = openDatabase(stage);
        const items = database.count(`SELECT count(*) AS n FROM bulk_item WHERE indicator_value LIKE 'kill${round}-%'`);
        const scans = database.count(`SELECT count(*) AS n FROM scan WHERE indicator_value LIKE 'kill${round}-%'`);
        expect([items, scans]).toEqual(items === 0 ? [0, 0] : [1000, 1000]);
        found.push(items);
        // An answer was given for nothing that is not there.
        if (answer !== null) expect(items).toBe(1000);
      }
      service = await stage.appliance.serve({ args: ["--config", stage.config] });
      if (answer === null) continue;
      const polled = await bulkClient(service.url, stage.key).poll(answer.body.poll_url, { Prefer: "wait=50" });
      expect(polled.body.counts).toEqual({ completed: 1000, pending: 0, failed: 0, invalid: 0 });
    }
    expect(found.some((count) => count === 0)).toBe(true);
    expect(found.some((count) => count === 1000)).toBe(true);
  }, 120_000);
});
