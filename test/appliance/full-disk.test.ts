import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Appliance, client, type Service } from "../helpers/appliance.ts";
import { canMount, SmallDisk } from "../helpers/small-disk.ts";

type Key = { id: string; key: string };

const address = "jane.doe@example.com";

/** An appliance whose data directory lies on a disk of 16 MiB, with a cached result. Stopped. */
async function prepare(appliance: Appliance, stop: "SIGTERM" | "SIGKILL") {
  const { operator_token: token, workspace_id: workspaceId } = appliance.json<Record<string, string>>("init");
  const [key, leaked] = ["siem", "leaked"].map((name) => appliance.json<Key>("keys", "create", "--name", name));
  appliance.json("workspaces", "create", "--name", "other");
  const other = appliance.mintKey("other", "other");
  const file = join(appliance.folder, "leak.csv");
  writeFileSync(file, `email\n${address}\n`);
  appliance.json("corpus", "import", file, "--name", "leak");
  const service = await appliance.serve();
  if (key === undefined || leaked === undefined) throw new Error("no key was minted");
  for (const one of [key.key, other]) {
    const answer = await client(service.url, one).enrich(address, { Prefer: "wait=20" });
    expect([answer.status, (await answer.text()).includes('"total":1')]).toEqual([200, true]);
  }
  service.kill(stop);
  await service.exited;
  return { token: token ?? "", workspaceId: workspaceId ?? "", key, leaked, other };
}

const statusOf = async (service: Service, key: string, email = address) =>
  (await client(service.url, key).enrich(email)).status;

function manager(service: Service, headers: Record<string, string>) {
  return async (method: string, path: string, body?: unknown) =>
    await fetch(service.url + path, {
      method,
      headers: { "Content-Type": "application/json", Origin: service.url, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
}

describe.skipIf(!canMount)("12.5a with 0 bytes free", () => {
  test.each(["SIGTERM", "SIGKILL"] as const)(
    "xpose starts after %s, serves hits, says so, revokes, disables and ends sessions; once there is room all is normal",
    async (stop) => {
      await using appliance = new Appliance();
      using disk = new SmallDisk(appliance.dataDir, 16);
      const { token, workspaceId, key, leaked, other } = await prepare(appliance, stop);
      disk.fill();
      expect(disk.freeBytes()).toBe(0);
      const service = await appliance.serve();
      for (let count = 0; count < 3; count += 1) expect(await statusOf(service, key.key)).toBe(200);

      // All places report the problem with the path.
      const text = `the disk is full: ${appliance.dataDir}`;
      await expect.poll(() => service.log()).toMatch(/"level":50,.*"the disk is full/);
      expect(service.log()).toContain(`"path":"${appliance.dataDir}"`);
      const ready = await fetch(`${service.url}/readyz`);
      expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining(text)]);
      expect(await (await fetch(`${service.url}/metrics`)).text()).toContain("xpose_disk_full 1\n");
      expect(appliance.run(["doctor"])).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(text) });

      // An operator can log in, revoke and log out; the command line can revoke too.
      const logIn = await manager(service, {})("POST", "/api/v1/session", { token });
      expect(logIn.status).toBe(204);
      const cookie = logIn.headers.get("Set-Cookie")?.split(";")[0] ?? "";
      const call = manager(service, { Cookie: cookie });
      const keysPath = `/api/v1/workspaces/${workspaceId}/keys`;
      expect(await statusOf(service, leaked.key)).toBe(200);
      expect((await call("DELETE", `${keysPath}/${leaked.id}`)).status).toBe(200);
      expect(await statusOf(service, leaked.key)).toBe(401);
      expect((await call("DELETE", "/api/v1/session")).status).toBe(204);
      expect((await call("GET", keysPath)).status).toBe(401);
      expect(await statusOf(service, other)).toBe(200);
      expect(appliance.run(["workspaces", "disable", "other"]).exitCode).toBe(0);
      expect(await statusOf(service, other)).toBe(401);

      // A miss needs a write and is refused; hits still work.
      const miss = await client(service.url, key.key).enrich("new@example.com");
      expect([miss.status, await miss.text()]).toEqual([503, expect.stringContaining('"storage_full"')]);
      expect(await statusOf(service, key.key)).toBe(200);

      disk.free();
      const freedAt = performance.now();
      await expect.poll(() => statusOf(service, key.key, "new@example.com"), { interval: 20 }).toBe(202);
      await expect
        .poll(async () => (await fetch(`${service.url}/readyz`)).text(), { interval: 20 })
        .toBe('{"status":"ok"}');
      const requested = () =>
        appliance
          .run(["audit", "export"])
          .stdout.split("\n")
          .filter((line) => line.includes('"enrich.requested"')).length;
      expect(performance.now() - freedAt).toBeLessThan(1_000);
      // Before, then three hits, the leaked key twice (refused once: no event), the other key once, the miss, one hit.
      await expect.poll(requested, { timeout: 5_000 }).toBeGreaterThanOrEqual(2 + 3 + 1 + 1 + 2);
      await expect.poll(() => service.log()).toContain("the disk has room again");
      service.kill("SIGTERM");
      expect(await service.exited).toBe(0);
      expect(appliance.json("audit", "verify")).toMatchObject({ ok: true });
      expect(statSync(join(appliance.dataDir, "reserve")).size).toBe(1024 ** 2);
    },
  );

  test("commands can revoke while no service runs, and stopping on the full disk loses nothing", async () => {
    await using appliance = new Appliance();
    using disk = new SmallDisk(appliance.dataDir, 16);
    const { key, leaked } = await prepare(appliance, "SIGTERM");
    disk.fill();
    const revoked = appliance.run(["keys", "revoke", leaked.id]);
    expect([revoked.exitCode, revoked.stderr]).toEqual([0, expect.stringContaining("the disk is full")]);
    expect(appliance.run(["keys", "create", "--name", "more"])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`error: the disk is full: ${appliance.dataDir}`),
    });
    for (let count = 0; count < 2; count += 1) {
      const service = await appliance.serve();
      expect([await statusOf(service, key.key), await statusOf(service, leaked.key)]).toEqual([200, 401]);
      service.kill("SIGTERM");
      expect(await service.exited).toBe(0);
      expect(service.log()).not.toMatch(/"level":60|SQLITE_/);
    }
    disk.free();
    expect(appliance.json("audit", "verify")).toMatchObject({ ok: true });
  });

  test("there is space for a hundred revocations", async () => {
    await using appliance = new Appliance();
    using disk = new SmallDisk(appliance.dataDir, 64);
    appliance.json("init");
    for (let count = 0; count < 20; count += 1) {
      appliance.json("workspaces", "create", "--name", `w${count}`);
    }
    const service = await appliance.serve();
    disk.fill();
    for (let round = 0; round < 5; round += 1) {
      for (let count = 0; count < 20; count += 1) {
        const { exitCode, stderr } = appliance.run(["workspaces", round % 2 === 0 ? "disable" : "enable", `w${count}`]);
        expect([exitCode, stderr.includes("error")]).toEqual([0, false]);
      }
    }
    service.kill("SIGTERM");
    await service.exited;
  }, 120_000);

  test("a scan that a kill interrupted continues once there is space", async () => {
    await using appliance = new Appliance();
    using disk = new SmallDisk(appliance.dataDir, 16);
    const { key } = await prepare(appliance, "SIGTERM");
    const asked = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const upstream = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch() {
        asked.resolve();
        await held.promise;
        return new Response(null, { status: 404 });
      },
    });
    const config = join(appliance.folder, "xpose.toml");
    writeFileSync(config, `[[sources.http]]\nname = "held"\nurl = "http://127.0.0.1:${upstream.port}/{email}"\n`);
    const first = await appliance.serve({ args: ["--config", config] });
    const { request_id: id } = (await (await client(first.url, key.key).enrich("new@example.com")).json()) as {
      request_id: string;
    };
    await asked.promise;
    first.kill("SIGKILL");
    await first.exited;
    held.resolve();
    disk.fill();
    const second = await appliance.serve({ args: ["--config", config] });
    const api = client(second.url, key.key);
    expect(await (await api.get(`/api/v1/soc/enrich/${id}`)).json()).toMatchObject({ request_id: id });
    disk.free();
    expect(await api.settle(id)).toMatchObject({ status: "completed" });
    await upstream.stop(true);
  });
});
