import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3/linux-x64";
import { expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";
import { makeDirectoryOlder } from "../helpers/older-directory.ts";

const address = "jane.doe@example.com";

/** A directory with a key and a corpus, of the schema before the present one. */
async function olderDirectory(appliance: Appliance): Promise<string> {
  const key = appliance.initialise();
  const file = join(appliance.folder, "leak.csv");
  writeFileSync(file, `email\n${address}\n`);
  appliance.json("corpus", "import", file, "--name", "leak");
  await makeDirectoryOlder(appliance.dataDir, 5);
  return key;
}

function alter(appliance: Appliance, sql: string): void {
  const connection = new Database(join(appliance.dataDir, "xpose.db"));
  connection.exec(sql);
  connection.close();
}

function databaseHash(appliance: Appliance): string {
  return createHash("sha256")
    .update(readFileSync(join(appliance.dataDir, "xpose.db")))
    .digest("hex");
}

test("serve upgrades a directory of before; its keys work, its trail goes on, and from then on rights are proved", async () => {
  await using appliance = new Appliance();
  const key = await olderDirectory(appliance);
  expect(appliance.run(["keys", "list"])).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("--older") });
  const service = await appliance.serve();
  const answer = await client(service.url, key).enrich(address, { Prefer: "wait=10" });
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('"total":1')]);
  service.kill("SIGTERM");
  await service.exited;
  expect(service.log()).toContain('"from":5,"to":11,"msg":"data directory upgraded"');
  expect(appliance.json("audit", "verify")).toMatchObject({ ok: true, problem: null });
  expect(appliance.run(["audit", "export"]).stdout).toContain('"action":"audit.baseline"');
  alter(appliance, "UPDATE workspace SET plan = 'free'");
  expect(appliance.run(["audit", "verify"])).toMatchObject({
    exitCode: 1,
    stdout: expect.stringMatching(/workspace .+ is not as/),
  });
});

test("an upgrade that cannot be made names the table, and leaves the directory as it was", async () => {
  await using appliance = new Appliance();
  await olderDirectory(appliance);
  alter(appliance, "DROP TABLE polled");
  const before = databaseHash(appliance);
  const { exitCode, stderr } = appliance.run(["serve", "--listen", "127.0.0.1:0"]);
  expect([exitCode, stderr]).toEqual([
    4,
    expect.stringMatching(/^error: .+ cannot be upgraded.+the table "polled" is missing\n$/),
  ]);
  expect(databaseHash(appliance)).toBe(before);
});

test("backup --older copies a directory of before as it is, and the copy can be restored and upgraded", async () => {
  await using source = new Appliance();
  await using target = new Appliance();
  const key = await olderDirectory(source);
  const before = databaseHash(source);
  const file = join(source.folder, "older.tar");
  expect(source.run(["backup", file])).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("--older") });
  expect(source.json("backup", file, "--older")).toMatchObject({ schema_version: 5, records: 1, segments: 1 });
  expect(databaseHash(source)).toBe(before);
  expect(existsSync(`${file}.unfinished`)).toBe(false);
  // The older program finds in it what it left: the database is the one of before.
  const copy = join(source.folder, "copy.db");
  writeFileSync(copy, Bun.spawnSync(["tar", "-xOf", file, "xpose.db"]).stdout);
  const connection = new Database(copy);
  expect(connection.pragma("user_version", { simple: true })).toBe(5);
  expect(connection.prepare("SELECT count(*) AS count FROM audit WHERE events LIKE '%audit.baseline%'").get()).toEqual({
    count: 0,
  });
  connection.close();

  expect(target.run(["restore", file])).toMatchObject({ exitCode: 0, stderr: "" });
  expect(target.json("audit", "verify")).toMatchObject({ ok: true });
  expect(target.json<{ name: string }[]>("corpus", "list")).toMatchObject([{ name: "leak" }]);
  const service = await target.serve();
  expect((await client(service.url, key).enrich(address, { Prefer: "wait=10" })).status).toBe(200);
});
