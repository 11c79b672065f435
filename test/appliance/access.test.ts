import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3/linux-x64";
import { describe, expect, test } from "vitest";
import { Appliance, client, type Service } from "../helpers/appliance.ts";
import { operatorClient } from "../helpers/operator-client.ts";
import { rewriteTrail, type StoredEvent } from "../helpers/rewritten-trail.ts";

const address = "jane.doe@example.com";
type KeyBody = { id: string; name: string; key: string; status: string; created_by: string; rotated_to: string | null };
type Check = { ok: boolean; rows: number; head: string; first_bad_row: number | null; problem: string | null };
type Event = Record<string, string | number | null>;

/** An initialised appliance whose service runs with these settings. */
async function start(appliance: Appliance, env: Record<string, string> = {}, args: string[] = []) {
  const { workspace_id: workspaceId, operator_token: token } = appliance.json<Record<string, string>>("init");
  importLeak(appliance);
  const key = appliance.json<KeyBody>("keys", "create", "--name", "siem");
  const service = await appliance.serve({ env, args });
  return { service, key, token: token ?? "", keysPath: `/api/v1/workspaces/${workspaceId}/keys` };
}

function importLeak(appliance: Appliance): void {
  const file = join(appliance.folder, "leak.csv");
  writeFileSync(file, `email\n${address}\n`);
  appliance.json("corpus", "import", file, "--name", "leak");
}

function manager({ url }: Pick<Service, "url">, token: string) {
  const send = (request: Request) => {
    const { pathname, search } = new URL(request.url);
    return fetch(new Request(url + pathname + search, request));
  };
  return operatorClient(send, { Authorization: `Bearer ${token}` }).call;
}

/** 200 when the key is admitted, because the request waits for its scan. */
async function statusWith(service: Pick<Service, "url">, key: string): Promise<number> {
  const response = await client(service.url, key).enrich(address, { Prefer: "wait=20" });
  await response.arrayBuffer();
  return response.status;
}

async function countBy(answers: Promise<Response>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status } of await Promise.all(answers)) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

function exported(appliance: Appliance): Event[] {
  const { stdout } = appliance.run(["audit", "export"]);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Event);
}

function database(appliance: Appliance): Database {
  return new Database(join(appliance.dataDir, "xpose.db"));
}

describe("the life of a key", () => {
  test("over HTTP: mint, use, list, rotate, revoke; each applies from the next request on and is audited", async () => {
    await using appliance = new Appliance();
    const { service, token, keysPath } = await start(appliance);
    const call = manager(service, token);
    const minted = (await (await call("POST", keysPath, { name: "Splunk" })).json()) as KeyBody;
    expect(await statusWith(service, minted.key)).toBe(200);
    const rotated = (await (await call("POST", `${keysPath}/${minted.id}/rotate`)).json()) as KeyBody;
    expect([await statusWith(service, minted.key), await statusWith(service, rotated.key)]).toEqual([401, 200]);
    expect((await call("DELETE", `${keysPath}/${rotated.id}`)).status).toBe(200);
    expect(await statusWith(service, rotated.key)).toBe(401);
    const list = await (await call("GET", keysPath)).text();
    for (const { key } of [minted, rotated]) expect(list).not.toContain(key);
    const own = exported(appliance).filter(({ key_id }) => key_id === minted.id || key_id === rotated.id);
    expect(own.map(({ action, actor, outcome, key_name }) => [action, actor, outcome, key_name])).toEqual(
      expect.arrayContaining([
        ["key.created", "operator:admin", "201", "Splunk"],
        ["enrich.requested", `key:${minted.id}`, "202", "Splunk"],
        ["key.rotated", "operator:admin", "201", "Splunk"],
        ["enrich.requested", `key:${rotated.id}`, "200", "Splunk"],
        ["key.revoked", "operator:admin", "200", "Splunk"],
      ]),
    );
  });

  test("on the command line, beside the running service; each applies from the next request on", async () => {
    await using appliance = new Appliance();
    const { service, key } = await start(appliance);
    expect(await statusWith(service, key.key)).toBe(200);
    const rotated = appliance.json<KeyBody>("keys", "rotate", key.id);
    expect(rotated).toMatchObject({ name: "siem", status: "active", created_by: "cli", rotated_from: key.id });
    expect([await statusWith(service, key.key), await statusWith(service, rotated.key)]).toEqual([401, 200]);
    expect(appliance.json<KeyBody>("keys", "revoke", rotated.id)).toMatchObject({ status: "revoked" });
    expect(await statusWith(service, rotated.key)).toBe(401);
    expect(appliance.json<{ keys: KeyBody[] }>("keys", "list").keys.map(({ status }) => status)).toEqual([
      "revoked",
      "revoked",
    ]);
    const unknown = "3f2a8c1e-0000-4000-8000-000000000000";
    expect(appliance.run(["keys", "revoke", rotated.id]).exitCode).toBe(0);
    expect(appliance.run(["keys", "rotate", rotated.id]).exitCode).toBe(4);
    expect(appliance.run(["keys", "rotate", unknown]).exitCode).toBe(3);
    expect(appliance.run(["keys", "revoke", unknown]).exitCode).toBe(3);
    expect(appliance.run(["keys", "revoke", rotated.id, "--workspace", "nobody"]).exitCode).toBe(3);
  });

  test("a changed plan, a disabled workspace and a revoked operator apply from the next request on", async () => {
    await using appliance = new Appliance();
    const { service, key, token, keysPath } = await start(appliance);
    appliance.json("workspaces", "set-plan", "default", "starter");
    expect(await statusWith(service, key.key)).toBe(403);
    appliance.json("workspaces", "set-plan", "default", "team");
    expect(await statusWith(service, key.key)).toBe(200);
    appliance.json("workspaces", "disable", "default");
    expect(await statusWith(service, key.key)).toBe(401);
    appliance.json("workspaces", "enable", "default");
    expect(await statusWith(service, key.key)).toBe(200);
    const list = () => manager(service, token)("GET", keysPath);
    expect((await list()).status).toBe(200);
    const [admin] = appliance.json<{ id: string; name: string; role: string; status: string }[]>("operators", "list");
    expect(admin).toMatchObject({ name: "admin", role: "admin", status: "active" });
    expect(appliance.json("operators", "revoke", admin?.id ?? "")).toMatchObject({ status: "revoked" });
    expect((await list()).status).toBe(401);
    const viewer = appliance.json<Record<string, string>>("operators", "create", "--name", "v", "--role", "viewer");
    expect(Object.keys(viewer)).toEqual(["id", "name", "role", "token"]);
    const asViewer = manager(service, viewer["token"] ?? "");
    expect((await asViewer("GET", keysPath)).status).toBe(403);
    expect((await asViewer("GET", keysPath.replace("/keys", "/audit"))).status).toBe(200);
    expect(appliance.run(["operators", "create", "--name", "V"]).exitCode).toBe(4);
    expect(appliance.run(["operators", "create", "--name", "x", "--role", "owner"]).exitCode).toBe(2);
    expect(appliance.run(["operators", "revoke", key.id]).exitCode).toBe(3);
  });

  test("of twenty concurrent rotations one is 201 and nineteen are 409, and exactly one key works", async () => {
    await using appliance = new Appliance();
    const { service, key, token, keysPath } = await start(appliance);
    const call = manager(service, token);
    const all = await Promise.all(Array.from({ length: 20 }, () => call("POST", `${keysPath}/${key.id}/rotate`)));
    const won = all.filter(({ status }) => status === 201);
    expect([won.length, all.filter(({ status }) => status === 409).length]).toEqual([1, 19]);
    const next = (await won[0]?.json()) as KeyBody;
    expect([await statusWith(service, key.key), await statusWith(service, next.key)]).toEqual([401, 200]);
    expect(appliance.json<{ keys: KeyBody[] }>("keys", "list").keys).toHaveLength(2);
  });

  test("a kill -9 during a rotation leaves exactly one working key", async () => {
    await using appliance = new Appliance();
    let { service, key, token, keysPath } = await start(appliance);
    for (let round = 0; round < 6; round += 1) {
      const rotation = manager(service, token)("POST", `${keysPath}/${key.id}/rotate`)
        .then(async (response) => (await response.json()) as KeyBody)
        .catch(() => null);
      await Bun.sleep(round);
      service.kill("SIGKILL");
      await service.exited;
      const answered = await rotation;
      service = await appliance.serve();
      const { keys } = appliance.json<{ keys: KeyBody[] }>("keys", "list");
      const active = keys.filter(({ status }) => status === "active");
      expect(active).toHaveLength(1);
      const isOld = active[0]?.id === key.id;
      expect(await statusWith(service, key.key)).toBe(isOld ? 200 : 401);
      if (answered !== null) expect([isOld, (await statusWith(service, answered.key)) < 300]).toEqual([false, true]);
      key = appliance.json<KeyBody>("keys", "rotate", active[0]?.id ?? "");
    }
  });
});

describe("8 the rate limit", () => {
  test("of 60 concurrent requests with a limit of 20 exactly 20 pass, and the others get Retry-After", async () => {
    await using appliance = new Appliance();
    const { service, key } = await start(appliance, { XPOSE_RATE_LIMIT_ENTERPRISE: "20" });
    const api = client(service.url, key.key);
    const answers = await Promise.all(Array.from({ length: 60 }, () => api.enrich(address)));
    const passed = answers.filter(({ status }) => status === 202 || status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    expect([passed.length, refused.length]).toEqual([20, 40]);
    const left = passed.map(({ headers }) => Number(headers.get("X-RateLimit-Remaining"))).sort((a, b) => a - b);
    expect(left).toEqual(Array.from({ length: 20 }, (_, index) => index));
    for (const { headers } of answers) {
      expect(headers.get("X-RateLimit-Limit")).toBe("20");
      const reset = Number(headers.get("X-RateLimit-Reset")) - Date.now() / 1000;
      expect([reset > 3500, reset <= 3601]).toEqual([true, true]);
    }
    for (const response of refused) {
      const seconds = Number(response.headers.get("Retry-After"));
      expect([Number.isInteger(seconds), seconds > 3500, seconds <= 3600]).toEqual([true, true, true]);
      expect(response.headers.get("X-RateLimit-Remaining")).toBe("0");
      const message = "Rate limit exceeded for this API key";
      expect(await response.json()).toEqual({ error: { code: "rate_limited", message } });
    }
  });

  test("the count survives a restart, a kill -9 and a rotation, and another key is not affected", async () => {
    await using appliance = new Appliance();
    const env = { XPOSE_RATE_LIMIT_ENTERPRISE: "20" };
    let { service, key } = await start(appliance, env);
    const left = async (token = key.key) => {
      const { headers, status } = await client(service.url, token).enrich(address);
      return status < 300 ? Number(headers.get("X-RateLimit-Remaining")) : status;
    };
    expect([await left(), await left()]).toEqual([19, 18]);
    service.kill("SIGTERM");
    expect(await service.exited).toBe(0);
    service = await appliance.serve({ env });
    expect(await left()).toBe(17);
    service.kill("SIGKILL");
    await service.exited;
    service = await appliance.serve({ env });
    expect(await left()).toBe(16);
    key = appliance.json<KeyBody>("keys", "rotate", key.id);
    expect(await left()).toBe(15);
    expect(await left(appliance.mintKey("another"))).toBe(19);
  });

  test("a retry passes exactly after Retry-After, and not a second earlier", async () => {
    await using appliance = new Appliance();
    const env = { XPOSE_RATE_LIMIT_ENTERPRISE: "2", XPOSE_RATE_LIMIT_WINDOW: "3s" };
    const { service, key } = await start(appliance, env);
    const api = client(service.url, key.key);
    for (let round = 0; round < 2; round += 1) {
      const both = [await api.enrich(address), await api.enrich(address)];
      expect(both.every(({ status }) => status < 300)).toBe(true);
      await Bun.sleep(round * 400);
      const refused = await api.enrich(address);
      const seconds = Number(refused.headers.get("Retry-After"));
      expect([refused.status, seconds >= 1, seconds <= 3]).toEqual([429, true, true]);
      const askedAt = performance.now();
      await Bun.sleep((seconds - 1) * 1000 - 20);
      expect((await api.enrich(address)).status).toBe(429);
      await Bun.sleep(seconds * 1000 - (performance.now() - askedAt));
      expect((await api.enrich(address)).status).toBe(200);
      // Wait until the window that this request opened is over.
      if (round === 0) await Bun.sleep(3000);
    }
  });

  test("SIGHUP changes the limit for the next request, 0 removes the headers, polls have 20 times the limit", async () => {
    await using appliance = new Appliance();
    const file = join(appliance.folder, "xpose.toml");
    const limit = (count: number) => writeFileSync(file, `[rate_limit]\nenterprise = ${count}\n`);
    limit(1);
    const { service, key } = await start(appliance, {}, ["--config", file]);
    const api = client(service.url, key.key);
    const first = await api.enrich(address);
    const { poll_url } = (await first.json()) as { poll_url: string };
    expect((await api.enrich(address)).status).toBe(429);
    const polls = await countBy(Array.from({ length: 25 }, () => api.get(poll_url)));
    expect(polls).toEqual({ 200: 20, 429: 5 });
    limit(3);
    await reload(service, 1);
    const raised = await api.enrich(address);
    expect([raised.status, raised.headers.get("X-RateLimit-Remaining")]).toEqual([200, "1"]);
    limit(0);
    await reload(service, 2);
    const unlimited = await api.enrich(address);
    expect([unlimited.status, unlimited.headers.has("X-RateLimit-Limit")]).toEqual([200, false]);
  });
});

async function reload(service: Service, times: number): Promise<void> {
  service.kill("SIGHUP");
  while (service.log().split("configuration reloaded").length <= times) await Bun.sleep(10);
}

describe("9.8 the audit trail", () => {
  test("is valid after a kill; a changed row or a cut tail is detected, even after the service went on", async () => {
    await using appliance = new Appliance();
    const { service, key } = await start(appliance);
    const headFile = join(appliance.dataDir, "audit.head");
    for (let count = 0; count < 5; count += 1) await statusWith(service, key.key);
    service.kill("SIGTERM");
    await service.exited;
    const verify = (...args: string[]) => {
      const { exitCode, stdout } = appliance.run(["audit", "verify", "--json", ...args]);
      return { exitCode, ...(JSON.parse(stdout) as Check) };
    };
    const whole = verify();
    expect(whole).toMatchObject({ exitCode: 0, ok: true, first_bad_row: null, problem: null });
    expect(readFileSync(headFile, "utf8").trim()).toBe(whole.head);
    expect(service.log()).toContain(whole.head);
    const tamper = (change: (events: StoredEvent[]) => StoredEvent[]) => {
      const connection = database(appliance);
      rewriteTrail(connection, change);
      connection.close();
    };
    const { rows } = whole;
    const outcome = (rows: StoredEvent[], text: string) =>
      rows.map((event) => (event.row === 3 ? { ...event, fields: { ...event.fields, outcome: text } } : event));
    tamper((events) => outcome(events, "401"));
    expect(verify()).toMatchObject({ exitCode: 1, ok: false, first_bad_row: 3 });
    tamper((events) => outcome(events, "ok").slice(0, rows - 2));
    expect(verify()).toMatchObject({ exitCode: 1, ok: false, first_bad_row: rows - 1 });

    // The service appends many rows after the cut: the kept head must not follow.
    const second = await appliance.serve();
    for (let count = 0; count < 8; count += 1) await statusWith(second, key.key);
    second.kill("SIGTERM");
    await second.exited;
    expect(readFileSync(headFile, "utf8").trim()).toBe(whole.head);
    expect(verify()).toMatchObject({ exitCode: 1, ok: false, first_bad_row: rows });
    expect(second.log()).toContain("is not kept");

    // Without the kept head nothing is proved, whatever the trail holds.
    writeFileSync(headFile, "");
    expect(appliance.run(["audit", "verify"]).stderr).toMatch(/^warning: [^\n]+ holds no head; [^\n]+\n/);
    const replaced = verify();
    expect(replaced).toMatchObject({ exitCode: 1, ok: false, first_bad_row: null });
    // Database and head are both replaced by a forged continuation: only a head from the log detects this.
    writeFileSync(headFile, `${replaced.head}\n`);
    expect(verify()).toMatchObject({ exitCode: 0, ok: true });
    expect(verify("--head", whole.head)).toMatchObject({ exitCode: 1, ok: false, first_bad_row: rows });
    expect(verify("--head", replaced.head)).toMatchObject({ exitCode: 0, ok: true });
    expect(appliance.run(["audit", "verify", "--head", "canary"])).toMatchObject({ exitCode: 2, stdout: "" });
  });

  test("a database locked by another process does not stop hits; their events are written later", async () => {
    await using appliance = new Appliance();
    const { service, key } = await start(appliance);
    const api = client(service.url, key.key);
    const { request_id } = (await (await api.enrich(address)).json()) as { request_id: string };
    await api.settle(request_id);
    const requested = () => exported(appliance).filter(({ action }) => action === "enrich.requested").length;
    const before = requested();
    const other = database(appliance);
    other.exec("BEGIN IMMEDIATE");
    const hits = await Promise.all(Array.from({ length: 5 }, () => api.enrich(address)));
    for (const { status, headers } of hits) expect([status, headers.has("X-RateLimit-Limit")]).toEqual([200, false]);
    const miss = await api.enrich("john.doe@example.com");
    expect([miss.status, ((await miss.json()) as { error: { code: string } }).error.code]).toEqual([
      503,
      "unavailable",
    ]);
    expect((await client(service.url, `xpz_live_${"0".repeat(48)}`).enrich(address)).status).toBe(401);
    other.exec("ROLLBACK");
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toMatch(/^xpose_ratelimit_fail_open_total [1-9]/m);
    while (requested() < before + 6) await Bun.sleep(100);
    expect(appliance.json<Check>("audit", "verify").ok).toBe(true);
  });

  test("8.6 when only the counters fail a miss passes too, without limit headers, and the metric rises", async () => {
    await using appliance = new Appliance();
    const { service, key } = await start(appliance);
    await client(service.url, key.key).enrich("first@example.com");
    const other = database(appliance);
    other.exec("CREATE TRIGGER broken BEFORE UPDATE ON budget BEGIN SELECT RAISE(ABORT, 'broken'); END");
    other.close();
    const miss = await client(service.url, key.key).enrich("second@example.com");
    expect([miss.status, miss.headers.has("X-RateLimit-Limit")]).toEqual([202, false]);
    const { request_id: id } = (await miss.json()) as { request_id: string };
    expect(await client(service.url, key.key).settle(id)).toMatchObject({ status: "completed" });
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toMatch(/^xpose_ratelimit_fail_open_total [1-9]/m);
    expect((await client(service.url, `xpz_live_${"0".repeat(48)}`).enrich(address)).status).toBe(401);
  });

  test("unknown keys give one event per address and minute; a revoked key is recorded in its workspace", async () => {
    await using appliance = new Appliance();
    const { service, key, token, keysPath } = await start(appliance);
    appliance.json("keys", "revoke", key.id);
    for (let count = 0; count < 10; count += 1) await statusWith(service, "canary");
    await statusWith(service, key.key);
    service.kill("SIGTERM");
    await service.exited;
    const denied = exported(appliance).filter(({ action }) => action === "auth.denied");
    const unknown = denied.filter(({ actor }) => actor === "anonymous");
    expect(unknown.map(({ count, ip, workspace_id }) => [count, ip, workspace_id])).toEqual([
      [1, "127.0.0.1", null],
      [9, "127.0.0.1", null],
    ]);
    expect(denied.filter(({ key_name }) => key_name === "siem")).toHaveLength(1);
    const again = await appliance.serve();
    const page = (await (await manager(again, token)("GET", keysPath.replace("/keys", "/audit"))).json()) as {
      events: Event[];
    };
    const shown = page.events.filter(({ action }) => action === "auth.denied");
    expect(shown.map(({ key_name, outcome }) => [key_name, outcome])).toEqual([["siem", "401"]]);
  });

  test("commands work with the secret in a read-only folder, and warn that the head is not kept there", async () => {
    await using appliance = new Appliance();
    const secrets = join(appliance.folder, "secrets");
    mkdirSync(secrets);
    const xpose = `XPOSE_SECRET_FILE=${secrets}/key ${appliance.executable}`;
    const where = `--data-dir ${appliance.dataDir} --json`;
    const script = [
      `mount -t tmpfs none ${secrets}`,
      `head -c 32 /dev/zero | od -An -v -tx1 | tr -d ' \\n' > ${secrets}/key`,
      `mount -o remount,ro ${secrets}`,
      `${xpose} init ${where}`,
      `${xpose} keys create --name siem ${where}`,
    ].join(" && ");
    const run = Bun.spawnSync(["unshare", "-m", "sh", "-c", script], { env: appliance.environment() });
    expect(run.stdout.toString()).toMatch(/"operator_token":"xpz_admin_.+\n.*"key":"xpz_live_/);
    expect(run.stderr.toString()).toMatch(/^(warning: the head of the audit trail is not kept in [^\n]+\n){2}$/);
    expect(run.exitCode).toBe(0);
  });
});

describe("secrets", () => {
  test("a thief of the database without the secret has no usable key, token or session, and finds no address outside scans", async () => {
    await using appliance = new Appliance();
    const { service, key, token, keysPath } = await start(appliance);
    const call = manager(service, token);
    const api = client(service.url, key.key);
    const { request_id } = (await (await api.enrich(address)).json()) as { request_id: string };
    await api.settle(request_id);
    const logIn = await call("POST", "/api/v1/session", { token });
    const session = /xpose_session=([0-9a-f]{64})/.exec(logIn.headers.get("Set-Cookie") ?? "")?.[1] ?? "";
    expect(session).toHaveLength(64);
    service.kill("SIGKILL");
    await service.exited;

    const stolen = database(appliance);
    const tables = stolen
      .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all()
      .map(({ name }) => name);
    expect(tables).toContain("audit");
    const hashes: string[] = [];
    for (const table of tables) {
      const text = JSON.stringify(stolen.prepare(`SELECT * FROM ${table}`).all());
      for (const secret of [key.key, key.key.slice(13), token, token.slice(10), session])
        expect(text).not.toContain(secret);
      // Only scans and their findings hold the address.
      if (!["scan", "evidence", "answer", "ready_result"].includes(table))
        expect([table, text.includes("jane.doe")]).toEqual([table, false]);
      if (["api_key", "operator", "session"].includes(table)) hashes.push(...(text.match(/[0-9a-f]{64}/g) ?? []));
    }
    expect(hashes.length).toBe(3);
    // A search of the files for keys finds nothing.
    for (const name of readdirSync(appliance.dataDir).filter((one) => one.startsWith("xpose.db"))) {
      const bytes = readFileSync(join(appliance.dataDir, name)).toString("latin1");
      expect(bytes).not.toMatch(/xpz_(?:live|admin)_[0-9a-f]{8}/);
    }

    // No stored value works as a credential, in any header or form.
    const again = await appliance.serve();
    for (const hash of hashes) {
      for (const tried of [hash, `xpz_live_${hash.slice(0, 48)}`]) expect(await statusWith(again, tried)).toBe(401);
      for (const headers of [
        { Authorization: `Bearer ${hash}` },
        { Authorization: "", Cookie: `xpose_session=${hash}` },
      ]) {
        expect(
          (await call("GET", keysPath, undefined, headers as Record<string, string>).catch(() => null))?.status ?? 401,
        ).toBe(401);
        const given = await manager(again, "")("GET", keysPath, undefined, headers as Record<string, string>);
        expect(given.status).toBe(401);
      }
    }
    again.kill("SIGTERM");
    await again.exited;
    // The database under another secret is refused.
    writeFileSync(join(appliance.dataDir, "secret.key"), `${"ab".repeat(32)}\n`);
    expect(appliance.run(["keys", "list"]).exitCode).toBe(4);
  });

  test("marked secrets appear nowhere: log, errors, lists, metrics, audit, data directory", async () => {
    await using appliance = new Appliance();
    const { service, key, token, keysPath } = await start(appliance, { XPOSE_LOG_LEVEL: "debug" });
    const call = manager(service, token);
    const canaries: string[] = [];
    const canary = (what: string) => {
      const text = `canary-${what}-${canaries.length}`;
      canaries.push(text);
      return text;
    };
    const texts: string[] = [];
    const collect = async (response: Response) => {
      texts.push(JSON.stringify([...response.headers]), await response.text());
    };
    const api = client(service.url, key.key);
    const rotated = (await (await call("POST", `${keysPath}/${key.id}/rotate`)).json()) as KeyBody;
    await collect(await client(service.url, canary("key")).enrich(address));
    await collect(await client(service.url, rotated.key).enrich(`${canary("local")}@`));
    await collect(
      await client(service.url, rotated.key).enrich(address, { Authorization: canary("auth"), Cookie: canary("c") }),
    );
    await collect(await client(service.url, rotated.key).get(`/api/v1/soc/enrich/${canary("id")}`));
    await collect(await client(service.url, rotated.key).get(`/api/v1/${canary("path")}?q=${canary("query")}`));
    await collect(await api.enrich(`${canary("mail")}@example.com`));
    for (const body of [canary("json"), { name: `${canary("n")}\u0007` }, { name: "x", expires_at: canary("time") }]) {
      await collect(await call("POST", keysPath, body));
    }
    await collect(await call("POST", `${keysPath}/${canary("k")}/rotate`));
    await collect(await call("GET", `${keysPath}?cursor=${canary("cursor")}&status=${canary("status")}`));
    await collect(await call("GET", keysPath, undefined, { Host: `${canary("host")}.example` }));
    await collect(await call("GET", keysPath, undefined, { Authorization: `Bearer ${canary("token")}` }));
    await collect(await call("POST", "/api/v1/session", { token: canary("login") }));
    await collect(await call("POST", "/api/v1/session", { token: "x" }, { Origin: `http://${canary("origin")}` }));
    await collect(await call("GET", keysPath));
    await collect(await call("GET", keysPath.replace("/keys", "/audit")));
    await collect(await fetch(`${service.url}/metrics`));
    for (const args of [
      ["keys", "list"],
      ["operators", "list"],
      ["workspaces", "list"],
      ["audit", "export"],
    ]) {
      const { stdout, stderr } = appliance.run([...args, "--json"]);
      texts.push(stdout, stderr);
    }
    texts.push(appliance.run(["keys", "revoke", canary("command")]).stderr);
    service.kill("SIGTERM");
    await service.exited;
    texts.push(service.log());
    const secrets = [
      ...canaries,
      key.key,
      rotated.key,
      token,
      readFileSync(join(appliance.dataDir, "secret.key"), "utf8").trim(),
    ];
    expect(secrets.length).toBeGreaterThan(20);
    for (const secret of secrets) for (const text of texts) expect(text).not.toContain(secret);
    const own = readdirSync(appliance.dataDir, { withFileTypes: true, recursive: true }).filter((entry) =>
      entry.isFile(),
    );
    for (const entry of own.filter(({ name }) => name !== "secret.key")) {
      const bytes = readFileSync(join(entry.parentPath, entry.name)).toString("latin1");
      for (const secret of secrets) expect([entry.name, bytes.includes(secret)]).toEqual([entry.name, false]);
    }
  });

  test("metrics are only for this machine and for operators, and contain no key and no address", async () => {
    await using appliance = new Appliance();
    const { service, key, token } = await start(appliance);
    await statusWith(service, key.key);
    const ask = (headers: Record<string, string> = {}) => fetch(`${service.url}/metrics`, { headers });
    const text = await (await ask()).text();
    expect(text).toContain('xpose_http_requests_total{method="POST",path="/api/v1/soc/enrich",status="200"} 1');
    for (const secret of [key.key, key.id, "jane.doe", token]) expect(text).not.toContain(secret);
    for (const headers of [
      { "X-Forwarded-For": "127.0.0.1" },
      { Forwarded: "for=127.0.0.1" },
      { "X-Real-IP": "::1" },
    ]) {
      expect((await ask(headers as Record<string, string>)).status).toBe(401);
    }
    expect((await ask({ "X-Forwarded-For": "203.0.113.7", Authorization: `Bearer ${token}` })).status).toBe(200);
  });
});
