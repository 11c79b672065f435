import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3/linux-x64";
import { describe, expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";

type Check = { ok: boolean; rows: number; head: string; first_bad_row: number | null; problem: string | null };
type Key = { id: string; key: string };

function alter(appliance: Appliance, sql: string): void {
  const connection = new Database(join(appliance.dataDir, "xpose.db"));
  connection.pragma("foreign_keys = OFF");
  const triggers = connection.prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'trigger'");
  for (const { name } of triggers.all()) connection.exec(`DROP TRIGGER ${name}`);
  connection.exec(sql);
  connection.close();
}

function verify(appliance: Appliance, ...args: string[]): Check & { exitCode: number | null; stderr: string } {
  const { exitCode, stdout, stderr } = appliance.run(["audit", "verify", "--json", ...args]);
  return { exitCode, stderr, ...(JSON.parse(stdout) as Check) };
}

const headFile = (appliance: Appliance) => join(appliance.dataDir, "audit.head");

async function metrics(url: string): Promise<string> {
  return await (await fetch(`${url}/metrics`)).text();
}

describe("a trail that was erased", () => {
  test.each([
    ["missing", (file: string) => rmSync(file)],
    ["empty", (file: string) => writeFileSync(file, "")],
    ["nonsense", (file: string) => writeFileSync(file, "0\n")],
  ])(
    "is found though the kept head is %s, before and after the next start, which keeps no new one",
    async (_what, lose) => {
      await using appliance = new Appliance();
      appliance.initialise();
      const first = await appliance.serve();
      first.kill("SIGTERM");
      await first.exited;
      expect(verify(appliance)).toMatchObject({ exitCode: 0, ok: true });
      alter(appliance, "DELETE FROM audit; DELETE FROM audit_holder");
      lose(headFile(appliance));
      expect(verify(appliance)).toMatchObject({ exitCode: 1, ok: false, first_bad_row: 1 });

      const service = await appliance.serve();
      await expect.poll(() => metrics(service.url), { timeout: 5_000 }).toContain("xpose_audit_head_kept 0\n");
      expect(service.log()).toMatch(/"level":50,.*the head of the audit trail is not kept/);
      const doctor = appliance.run(["doctor"]);
      expect([doctor.exitCode, doctor.stdout]).toEqual([
        1,
        expect.stringMatching(/FAIL {2}data directory: the head of the audit trail is lost/),
      ]);
      const minted = appliance.run(["keys", "create", "--name", "later"]);
      expect([minted.exitCode, minted.stderr]).toEqual([
        0,
        expect.stringContaining("the head of the audit trail is not kept"),
      ]);
      service.kill("SIGTERM");
      await service.exited;
      expect(verify(appliance)).toMatchObject({ exitCode: 1, ok: false });
    },
  );
});

test("a head that was lost by accident is put back from the log, and the trail goes on from it", async () => {
  await using appliance = new Appliance();
  appliance.initialise();
  const first = await appliance.serve();
  first.kill("SIGTERM");
  await first.exited;
  const logged = [...first.log().matchAll(/"head":"(\d+:[0-9a-f]{64})"/g)].at(-1)?.[1] ?? "";
  rmSync(headFile(appliance));
  const lost = verify(appliance);
  expect(lost).toMatchObject({
    exitCode: 1,
    first_bad_row: null,
    problem: expect.stringContaining("the file is missing"),
  });
  expect(lost.stderr).toMatch(/^warning: .+ holds no head; .+ write the last "audit head" of the log to this file$/m);
  writeFileSync(headFile(appliance), `${logged}\n`);
  appliance.mintKey("later");
  expect(verify(appliance)).toMatchObject({ exitCode: 0, ok: true });
  const service = await appliance.serve();
  expect(await metrics(service.url)).toContain("xpose_audit_head_kept 1\n");
});

describe("rights that were changed behind the trail", () => {
  test.each([
    [
      "a revoked key made alive",
      "UPDATE api_key SET revoked_at = NULL",
      /key .+ is not as event \d+ \(key\.revoked\) left it/,
    ],
    [
      "a key of nobody",
      `INSERT INTO api_key (id, workspace_id, name, folded_name, prefix, hash, created_at, created_by)
      SELECT 'mine', id, 'mine', 'mine', '0000', 'mine', 1, 'cli' FROM workspace`,
      /no event tells of the key mine/,
    ],
    ["another plan", "UPDATE workspace SET plan = 'team'", /workspace .+ is not as event \d+/],
    [
      "a viewer made an admin",
      "UPDATE operator SET role = 'admin'",
      /operator .+ is not as event \d+ \(workspace\.operator_created\)/,
    ],
    [
      "an operator of nobody",
      "INSERT INTO operator SELECT 'mine', id, 'm', 'admin', 'm', 1, NULL FROM workspace",
      /no event tells of the operator mine/,
    ],
    ["an operator that is gone", "DELETE FROM operator WHERE role = 'viewer'", /operator .+ is gone/],
  ])("%s is found", async (_what, sql, problem) => {
    await using appliance = new Appliance();
    appliance.json("init");
    const { id } = appliance.json<Key>("keys", "create", "--name", "leaked");
    appliance.json("keys", "revoke", id);
    appliance.json("operators", "create", "--name", "vera", "--role", "viewer");
    expect(verify(appliance)).toMatchObject({ exitCode: 0, ok: true });
    alter(appliance, sql);
    expect(verify(appliance)).toMatchObject({ exitCode: 1, ok: false, problem: expect.stringMatching(problem) });
  });
});

test("audit.retention keeps the trail short while xpose serves, and it stays proved", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const config = join(appliance.folder, "xpose.toml");
  writeFileSync(config, '[audit]\nretention = "1s"\n');
  const first = await appliance.serve({ args: ["--config", config] });
  for (let count = 0; count < 20; count += 1) await client(first.url, key).enrich(`u${count}@example.com`);
  first.kill("SIGTERM");
  await first.exited;
  const before = verify(appliance);
  await Bun.sleep(1_100);
  const service = await appliance.serve({ args: ["--config", config] });
  await expect.poll(() => service.log(), { timeout: 10_000 }).toContain("audit events past their retention removed");
  await expect.poll(() => verify(appliance).rows, { timeout: 5_000 }).toBeLessThan(before.rows);
  const after = verify(appliance);
  expect(after).toMatchObject({ exitCode: 0, ok: true });
  const [firstLine = ""] = appliance.run(["audit", "export"]).stdout.split("\n");
  expect((JSON.parse(firstLine) as { row: number }).row).toBeGreaterThan(1);
  expect(verify(appliance, "--head", before.head)).toMatchObject({ exitCode: 0 });
  service.kill("SIGTERM");
  await service.exited;
  alter(appliance, "UPDATE api_key SET expires_at = 1");
  expect(verify(appliance)).toMatchObject({
    exitCode: 1,
    problem: expect.stringMatching(/key .+ is not as an event before the start/),
  });
});

test("restore --head takes a backup of this service and no other, and says what a backup without it proves", async () => {
  await using mine = new Appliance();
  await using stranger = new Appliance();
  await using target = new Appliance();
  for (const one of [mine, stranger]) one.initialise();
  const head = verify(mine).head;
  const files = [mine, stranger].map((one) => {
    const file = join(one.folder, "backup.tar");
    one.json("backup", file);
    return file;
  });
  const [own = "", foreign = ""] = files;
  const restore = (file: string, ...args: string[]) => target.run(["restore", file, ...args]);
  expect(restore(foreign, "--head", "canary")).toMatchObject({ exitCode: 2 });
  expect(restore(foreign, "--head", head)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("is not that of the head"),
  });
  mine.mintKey("later");
  const later = verify(mine).head;
  expect(restore(own, "--head", later)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("was logged before"),
  });
  const taken = restore(own, "--head", head);
  expect([taken.exitCode, taken.stdout]).toEqual([
    0,
    expect.stringContaining(`Its audit trail holds the head ${head}`),
  ]);
  rmSync(target.dataDir, { recursive: true });
  expect(restore(foreign).stdout).toContain(
    "prove only that the backup is intact, not that it is yours. With --head N:HEX",
  );
});

test("a trigger that somebody put into the database is told by serve and doctor", async () => {
  await using appliance = new Appliance();
  appliance.json("init");
  const connection = new Database(join(appliance.dataDir, "xpose.db"));
  connection.exec("CREATE TRIGGER evil AFTER INSERT ON api_key BEGIN DELETE FROM session; END");
  connection.close();
  const service = await appliance.serve();
  const told = 'the trigger "evil" of the table "api_key" is not one of xpose';
  await expect.poll(() => service.log().replaceAll("\\", ""), { timeout: 5_000 }).toContain(told);
  expect(appliance.run(["doctor"])).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(told) });
});
