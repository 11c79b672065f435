import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Appliance, client, type Service } from "../helpers/appliance.ts";

const [known, unknown] = ["jane.doe@example.com", "nobody@example.com"];
const home = "192.0.2.7";

type Key = {
  id: string;
  name: string;
  prefix: string;
  key: string;
  scopes: string[];
  allowed_ips: string[];
  expires_at: string | null;
};
type Event = Record<string, string | number | null>;
type Body = Record<string, unknown> & { error?: { code: string } };

/** A running appliance with one scanned address, behind a reverse proxy on this machine that names its clients. */
async function start(appliance: Appliance, env: Record<string, string> = {}, args: string[] = []) {
  const { workspace_id: workspaceId, operator_token: token } = appliance.json<Record<string, string>>("init");
  const leak = join(appliance.folder, "leak.csv");
  writeFileSync(leak, `email\n${known}\n`);
  appliance.json("corpus", "import", leak, "--name", "leak");
  const config = join(appliance.folder, "xpose.toml");
  writeFileSync(
    config,
    `data_dir = ${JSON.stringify(appliance.dataDir)}
[server]
trusted_proxies = ["127.0.0.1"]
[sources.misp]
base_url = "https://misp.example.com"
api_key = "0123456789abcdef0123456789abcdef01234567"
workspaces = ["Elsewhere"]
[[sources.http]]
name = "intranet"
url = "http://127.0.0.1:9/{email}"
internal = true
rate = "1/1h"
timeout = "1s"
[[sources.http]]
name = "outside"
url = "https://outside.example.com/{email}"
`,
  );
  const service = await appliance.serve({ env: { XPOSE_OFFLINE: "1", ...env }, args: ["--config", config, ...args] });
  const first = mint(appliance, "first");
  const scanned = await client(service.url, first.key).enrich(known, { Prefer: "wait=20" });
  const { request_id: scanId } = (await scanned.json()) as { request_id: string };
  expect(scanned.status).toBe(200);
  return { service, workspaceId: workspaceId ?? "", token: token ?? "", first, scanId };
}

function mint(appliance: Appliance, name: string, ...flags: string[]): Key {
  return appliance.json<Key>("keys", "create", "--name", name, ...flags);
}

/** One request with a key, as the proxy passes it on for a client at `ip`. */
async function ask({ url }: Pick<Service, "url">, key: string, path: string, { ip = home, email = "" } = {}) {
  const headers = { "X-API-Key": key, "X-Forwarded-For": ip, "Content-Type": "application/json" };
  const body = JSON.stringify({ indicator: { type: "email", value: email } });
  const response = await fetch(
    `${url}/api/v1/soc/${path}`,
    email === "" ? { headers } : { method: "POST", headers, body },
  );
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

function parsed(text: string): Body {
  try {
    return JSON.parse(text) as Body;
  } catch {
    return {};
  }
}

/** `200`, or the code of the error. */
async function outcome(...asked: Parameters<typeof ask>): Promise<string> {
  const { status, body } = await ask(...asked);
  return body.error?.code ?? String(status);
}

function exported(appliance: Appliance): Event[] {
  const lines = appliance.run(["audit", "export"]).stdout.trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Event);
}

describe("pipeline 14.4 each scope against each route", () => {
  test("a key does what its scopes say, and a missing scope is told after the plan", async () => {
    await using appliance = new Appliance();
    const { service, scanId } = await start(appliance);
    const views = ["", "/sources", "/evidence", "/case", "/export?format=csv"].map((view) => `enrich/${scanId}${view}`);
    const rows = [
      { scopes: "enrich,watch", hit: "200", poll: "200", miss: "202" },
      { scopes: "enrich", hit: "200", poll: "200", miss: "202" },
      { scopes: "read", hit: "200", poll: "200", miss: "not_cached" },
      { scopes: "watch,read", hit: "200", poll: "200", miss: "not_cached" },
      { scopes: "watch", hit: "scope_required", poll: "scope_required", miss: "scope_required" },
    ];
    for (const { scopes, hit, poll, miss } of rows) {
      const { key, scopes: shown } = mint(appliance, scopes, "--scopes", scopes);
      expect(shown.toSorted()).toEqual(scopes.split(",").toSorted());
      const found = {
        hit: await outcome(service, key, "enrich", { email: known }),
        polls: await Promise.all(views.map((path) => outcome(service, key, path))),
        miss: await outcome(service, key, "enrich", { email: `${scopes.replace(",", "-")}@example.com` }),
        whoami: await outcome(service, key, "whoami"),
      };
      expect([scopes, found]).toEqual([scopes, { hit, polls: views.map(() => poll), miss, whoami: "200" }]);
    }
    const watching = appliance.json<{ keys: Key[] }>("keys", "list").keys.find(({ name }) => name === "watch");
    expect(watching?.scopes).toEqual(["watch"]);
    const cheap = mint(appliance, "cheap", "--scopes", "watch");
    appliance.json("workspaces", "set-plan", "default", "starter");
    for (const path of ["whoami", ...views]) expect(await outcome(service, cheap.key, path)).toBe("plan_required");
  });

  test("a miss of a key that only reads is charged and written down, is never waited for, and starts no scan", async () => {
    await using appliance = new Appliance();
    const { service } = await start(appliance, { XPOSE_RATE_LIMIT_ENTERPRISE: "2" });
    const reader = mint(appliance, "reader", "--scopes", "read");
    const miss = await client(service.url, reader.key).enrich(unknown, { Prefer: "wait=20" });
    expect([miss.status, miss.headers.get("X-RateLimit-Remaining")]).toEqual([404, "1"]);
    expect(await miss.json()).toEqual({
      error: { code: "not_cached", message: expect.stringMatching(/^[A-Z].{20,}$/) },
    });
    expect(await outcome(service, reader.key, "enrich", { email: "again@example.com" })).toBe("not_cached");
    expect(await outcome(service, reader.key, "enrich", { email: known })).toBe("rate_limited");
    const own = exported(appliance).filter(({ key_id }) => key_id === reader.id);
    expect(own.map(({ action, outcome: told, request_id }) => [action, told, request_id])).toEqual([
      ["key.created", "ok", null],
      ["enrich.requested", "404", null],
      ["enrich.requested", "404", null],
      ["enrich.requested", "429", null],
    ]);
    expect(own[0]?.["detail"]).toBe("scopes read");
    expect(appliance.json("audit", "verify")).toMatchObject({ ok: true });
  });
});

describe("pipeline 14.4 allowed addresses", () => {
  test("a foreign address gets exactly the 401 of an unknown key, and the trail says who and from where", async () => {
    await using appliance = new Appliance();
    const { service, scanId } = await start(appliance);
    const bound = mint(appliance, "bound", "--allowed-ip", "192.0.2.0/24", "--allowed-ip", "2001:db8::/32");
    expect(bound.allowed_ips).toEqual(["192.0.2.0/24", "2001:db8::/32"]);
    const stranger = `xpz_live_${"0".repeat(48)}`;
    for (const path of ["whoami", `enrich/${scanId}`, `enrich/${scanId}/export?format=csv`]) {
      const answers = [
        await ask(service, bound.key, path, { ip: "203.0.113.9" }),
        await ask(service, bound.key, path, { ip: "192.0.2.7, 203.0.113.9" }),
        await ask(service, stranger, path),
      ];
      const told = answers.map(({ status, text, headers }) => {
        const kept = [...headers].filter(([name]) => !["date", "x-correlation-id"].includes(name));
        return JSON.stringify([status, text, kept]);
      });
      expect([new Set(told).size, answers[0]?.status]).toEqual([1, 401]);
    }
    for (const ip of ["192.0.2.7", "2001:db8::7", "203.0.113.9, 192.0.2.7"]) {
      expect([ip, await outcome(service, bound.key, "enrich", { email: known, ip })]).toEqual([ip, "200"]);
    }
    // Denials are written by the next turn of the trail, at most a second later.
    const denials = () =>
      exported(appliance).filter(({ action, key_id }) => action === "auth.denied" && key_id === bound.id);
    for (let tries = 0; tries < 100 && denials().length < 6; tries += 1) await Bun.sleep(50);
    expect(denials().map(({ ip, outcome: told, key_name }) => [ip, told, key_name])).toEqual(
      Array.from({ length: 6 }, () => ["203.0.113.9", "401", "bound"]),
    );
    const created = exported(appliance).find(({ action, key_id }) => action === "key.created" && key_id === bound.id);
    expect(created?.["detail"]).toBe("allowed_ips 192.0.2.0/24,2001:db8::/32");
  });

  test("without a proxy in front the address is that of the connection; through a bare unix socket there is none", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const local = mint(appliance, "local", "--allowed-ip", "127.0.0.0/8");
    const everywhere = mint(appliance, "everywhere", "--allowed-ip", "0.0.0.0/0", "--allowed-ip", "::/0");
    const free = mint(appliance, "free");
    const service = await appliance.serve();
    expect(await outcome(service, local.key, "whoami", { ip: "203.0.113.9" })).toBe("200");
    service.kill("SIGTERM");
    await service.exited;
    const folder = join(appliance.folder, "run");
    mkdirSync(folder);
    const socket = join(folder, "xpose.sock");
    await appliance.serve({ args: ["--listen", `unix:${socket}`] });
    const through = async (key: string, headers: Record<string, string> = {}) =>
      (await fetch("http://xpose/api/v1/soc/whoami", { unix: socket, headers: { "X-API-Key": key, ...headers } }))
        .status;
    const told = { "X-Forwarded-For": "127.0.0.1" };
    expect([await through(local.key), await through(everywhere.key), await through(free.key)]).toEqual([401, 401, 200]);
    expect([await through(local.key, told), await through(everywhere.key, told)]).toEqual([200, 200]);
  });
});

describe("minting, listing and rotating", () => {
  test("over HTTP and by the command line a rotation keeps scopes, addresses and expiry", async () => {
    await using appliance = new Appliance();
    const { service, workspaceId, token } = await start(appliance);
    const path = `${service.url}/api/v1/workspaces/${workspaceId}/keys`;
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const body = JSON.stringify({ name: "graylog", expires_in: "90d", scopes: ["read"], allowed_ips: ["192.0.2.7"] });
    const response = await fetch(path, { method: "POST", headers, body });
    expect(response.status).toBe(201);
    const minted = (await response.json()) as Key & { created_at: string };
    const fields =
      "created_at,created_by,last_used_at,expires_at,revoked_at,rotated_from,rotated_to,scopes,allowed_ips,key";
    expect(Object.keys(minted).join()).toBe(`id,name,prefix,status,${fields}`);
    expect(minted).toMatchObject({ scopes: ["read"], allowed_ips: ["192.0.2.7/32"] });
    const lifetimeMs = Date.parse(minted.expires_at ?? "") - Date.parse(minted.created_at);
    expect(lifetimeMs).toBe(90 * 86_400_000);
    const same = { name: "graylog", scopes: ["read"], allowed_ips: ["192.0.2.7/32"], expires_at: minted.expires_at };
    const rotated = (await (await fetch(`${path}/${minted.id}/rotate`, { method: "POST", headers })).json()) as Key;
    expect(rotated).toMatchObject(same);
    const again = appliance.json<Key>("keys", "rotate", rotated.id);
    expect(again).toMatchObject(same);
    expect(await outcome(service, again.key, "enrich", { email: unknown })).toBe("not_cached");
    expect(await outcome(service, again.key, "whoami", { ip: "192.0.2.8" })).toBe("invalid_api_key");
    const { keys } = (await (await fetch(path, { headers })).json()) as { keys: Key[] };
    expect(keys.filter(({ name }) => name === "graylog")).toMatchObject([same, same, same]);
    expect(appliance.json("audit", "verify")).toMatchObject({ ok: true });
  });

  test("the command line takes dates and durations, prints the id with the key, and lists what a key may do", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    expect(mint(appliance, "day", "--expires-at", "2097-03-01").expires_at).toBe("2097-03-01T00:00:00+00:00");
    const before = Date.now();
    const soon = Date.parse(mint(appliance, "soon", "--expires-in", "12h").expires_at ?? "") - before;
    expect(Math.abs(soon - 12 * 3_600_000)).toBeLessThan(60_000);
    const flags = ["--scopes", "read, watch", "--allowed-ip", "10.20.0.0/16", "--allowed-ip", "192.0.2.7"];
    const { stdout } = appliance.run(["keys", "create", "--name", "narrow", ...flags]);
    const [, id] =
      /^Key "narrow" \(([0-9a-f-]{36})\) of workspace "default".*\nxpz_live_[0-9a-f]{48}\n$/.exec(stdout) ?? [];
    const { keys } = appliance.json<{ keys: Key[] }>("keys", "list");
    expect(keys.find((key) => key.id === id)).toMatchObject({
      name: "narrow",
      scopes: ["read", "watch"],
      allowed_ips: ["10.20.0.0/16", "192.0.2.7/32"],
    });
    const table = appliance.run(["keys", "list"]).stdout.split("\n");
    expect(table[0]).toMatch(/^ID +NAME +PREFIX +STATUS +SCOPES +ALLOWED IPS +LAST USED +EXPIRES$/);
    expect(table.find((line) => line.includes("narrow"))).toMatch(
      / active +read,watch +10\.20\.0\.0\/16,192\.0\.2\.7\/32 +- +-$/,
    );
    expect(table.find((line) => line.includes("soon"))).toMatch(/ active +enrich,watch +any +- +\d{4}-/);
  });

  test.each([
    { flags: ["--scopes", "write"], code: 2, told: /read, watch/ },
    { flags: ["--scopes", ""], code: 2, told: /read, watch/ },
    { flags: ["--scopes", "read,"], code: 2, told: /read, watch/ },
    { flags: ["--allowed-ip", "10.0.0.0/40"], code: 4, told: /10\.0\.0\.0\/8/ },
    { flags: ["--allowed-ip", "siem.example.com"], code: 4, told: /addresses or networks/ },
    { flags: ["--expires-in", "90"], code: 4, told: /90d/ },
    { flags: ["--expires-in", "0d"], code: 4, told: /90d/ },
    { flags: ["--expires-at", "2027-02-30"], code: 4, told: /RFC 3339/ },
    { flags: ["--expires-at", "2001-01-01"], code: 4, told: /future/ },
    { flags: ["--expires-in", "90d", "--expires-at", "2097-01-01"], code: 2, told: /cannot be used with/ },
  ])("$flags ends with $code, and says what is wanted", async ({ flags, code, told }) => {
    await using appliance = new Appliance();
    appliance.json("init");
    const { exitCode, stdout, stderr } = appliance.run(["keys", "create", "--name", "x", ...flags]);
    expect([exitCode, stdout, stderr]).toEqual([code, "", expect.stringMatching(told)]);
    expect(appliance.json<{ keys: Key[] }>("keys", "list").keys).toEqual([]);
  });

  test("a key stops working when its time is over", async () => {
    await using appliance = new Appliance();
    const { service } = await start(appliance);
    const brief = mint(appliance, "brief", "--expires-in", "3s");
    expect(await outcome(service, brief.key, "whoami")).toBe("200");
    const end = Date.now() + 10_000;
    while ((await outcome(service, brief.key, "whoami")) === "200" && Date.now() < end) await Bun.sleep(100);
    expect(await outcome(service, brief.key, "whoami")).toBe("invalid_api_key");
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(brief.expires_at ?? ""));
  });
});

describe("pipeline 15.1 whoami", () => {
  test("tells of workspace, key, limits and sources, to the letter, and charges nothing", async () => {
    await using appliance = new Appliance();
    const { service, workspaceId } = await start(appliance);
    const { key, id, prefix, expires_at } = mint(appliance, "graylog", "--scopes", "read", "--expires-in", "90d");
    const { version } = appliance.json<{ version: string }>("version");
    const expected = (reset: string | null, requests: number, polls: number) =>
      JSON.stringify({
        workspace: { id: workspaceId, name: "default", plan: "enterprise" },
        key: { id, name: "graylog", prefix, expires_at, scopes: ["read"] },
        limits: {
          requests: { limit: 6000, remaining: requests, reset_at: requests === 6000 ? null : reset },
          polls: { limit: 120_000, remaining: polls, reset_at: polls === 120_000 ? null : reset },
        },
        sources: [
          // The one scan took its only turn of the hour.
          { source: "intranet", kind: "http", outside: false, state: "paused" },
          { source: "leak", kind: "corpus", outside: false, state: "ready" },
          { source: "outside", kind: "http", outside: true, state: "offline" },
        ],
        version,
      });
    const first = await ask(service, key, "whoami");
    expect([first.status, first.text]).toEqual([200, expected(null, 6000, 120_000)]);
    expect(first.headers.get("X-RateLimit-Limit")).toBeNull();
    const hit = await ask(service, key, "enrich", { email: known });
    const reset = new Date(Number(hit.headers.get("X-RateLimit-Reset")) * 1000)
      .toISOString()
      .replace(".000Z", "+00:00");
    expect((await ask(service, key, "whoami")).text).toBe(expected(reset, 5999, 120_000));
    const listed = appliance.json<{ keys: { id: string; last_used_at: string | null }[] }>("keys", "list").keys;
    expect(listed.find((one) => one.id === id)?.last_used_at).toMatch(/^\d{4}-.*\+00:00$/);
    const own = exported(appliance).filter(({ key_id }) => key_id === id);
    expect(own.map(({ action }) => action)).toEqual(["key.created", "enrich.requested"]);
  });

  test("the check of a monitoring system understands it", async () => {
    await using appliance = new Appliance();
    const { service } = await start(appliance);
    const { key } = mint(appliance, "icinga", "--scopes", "read");
    const env = { XPOSE_URL: service.url, XPOSE_API_KEY: key };
    const { exitCode, stdout } = appliance.run(["connector", "check"], { env });
    const states = "intranet is paused, outside is offline";
    expect([exitCode, stdout]).toEqual([
      1,
      `XPOSE WARNING - ${states}; 6000 of 6000 requests left | requests_left=6000;;;0;6000\n`,
    ]);
  });

  test("more than 60 calls a minute and key are 429, of that key alone", async () => {
    await using appliance = new Appliance();
    const { service, first } = await start(appliance);
    const { key } = mint(appliance, "eager");
    const all = await Promise.all(Array.from({ length: 65 }, () => ask(service, key, "whoami")));
    const refused = all.filter(({ status }) => status === 429);
    expect([all.filter(({ status }) => status === 200).length, refused.length]).toEqual([60, 5]);
    for (const { body, headers } of refused) {
      expect(body).toEqual({ error: { code: "rate_limited", message: "Rate limit exceeded for this API key" } });
      expect(Number(headers.get("Retry-After"))).toBeGreaterThanOrEqual(1);
      expect(Number(headers.get("Retry-After"))).toBeLessThanOrEqual(60);
    }
    expect(await outcome(service, first.key, "whoami")).toBe("200");
    expect(await outcome(service, key, "enrich", { email: known })).toBe("200");
  });
});

test("pipeline 35 no path redirects", async () => {
  await using appliance = new Appliance();
  const { service, first, scanId } = await start(appliance);
  const paths = [
    "",
    "//",
    "/index.html",
    "/dashboard",
    "/api",
    "/api/v1",
    "/api/v1/soc/enrich/",
    "/api/v1/soc/whoami/",
  ];
  for (const path of [...paths, `//api/v1/soc/enrich/${scanId}`, `/api/v1/soc/./whoami`, "/healthz/", "/assets/"]) {
    for (const method of ["GET", "POST", "DELETE", "OPTIONS"]) {
      const headers = { "X-API-Key": first.key, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example" };
      const { status, headers: answered } = await fetch(`${service.url}${path}`, {
        method,
        headers,
        redirect: "manual",
      });
      expect([method, path, status >= 300 && status < 400, answered.get("Location")]).toEqual([
        method,
        path,
        false,
        null,
      ]);
    }
  }
});
