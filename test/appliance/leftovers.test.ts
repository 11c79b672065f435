import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";
import { isGone } from "../helpers/is-gone.ts";

function importMany(appliance: Appliance): void {
  const file = join(appliance.folder, "many.txt");
  writeFileSync(file, Array.from({ length: 200_000 }, (_, index) => `u${index}@example.com\n`).join(""));
  appliance.json("corpus", "import", file, "--name", "many", "--format", "list");
}

/** Starts a command and kills it as soon as a file exists. */
async function killOnce(appliance: Appliance, args: string[], isThere: () => boolean): Promise<void> {
  const child = Bun.spawn([appliance.executable, ...args, "--data-dir", appliance.dataDir], {
    env: appliance.environment(),
    stdout: "ignore",
    stderr: "ignore",
  });
  while (!isThere() && child.exitCode === null) await Bun.sleep(1);
  child.kill("SIGKILL");
  await child.exited;
}

async function killedBackup(appliance: Appliance, file: string): Promise<string> {
  const left = `${file}.unfinished`;
  for (let tries = 0; tries < 10 && !existsSync(join(left, "xpose.db")); tries += 1) {
    rmSync(file, { force: true });
    await killOnce(appliance, ["backup", file], () => existsSync(join(left, "xpose.db")));
  }
  expect(existsSync(left)).toBe(true);
  return left;
}

const doctorSays = (appliance: Appliance) => appliance.run(["doctor"]).stdout;

describe("leftovers of a killed backup", () => {
  test("are reported by doctor and deleted by the next backup, whatever its name", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    importMany(appliance);
    const left = await killedBackup(appliance, join(appliance.folder, "monday.tar"));
    expect(doctorSays(appliance)).toMatch(new RegExp(`^ok {4}data directory: .+; a killed command left ${left};`, "m"));
    appliance.json("backup", join(appliance.folder, "tuesday.tar"));
    expect(existsSync(left)).toBe(false);
    expect(doctorSays(appliance)).not.toContain("killed command");
  });

  test("are deleted by the next start of the service, wherever they are, but foreign files are not", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    importMany(appliance);
    const folder = join(appliance.folder, "backups");
    mkdirSync(folder);
    const left = await killedBackup(appliance, join(folder, "monday.tar"));
    const foreign = join(folder, "mine.unfinished");
    mkdirSync(foreign);
    for (const name of ["lock", "notes.txt"]) writeFileSync(join(foreign, name), "");
    const service = await appliance.serve();
    await expect.poll(() => existsSync(left), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => service.log()).toMatch(/removed what killed processes left behind/);
    expect(readdirSync(foreign).sort()).toEqual(["lock", "notes.txt"]);
    appliance.json("backup", join(folder, "tuesday.tar"));
    expect(readdirSync(folder).sort()).toEqual(["mine.unfinished", "tuesday.tar"]);
    expect(readdirSync(join(appliance.dataDir, "tmp"))).toEqual([]);
  });
});

test("a killed service leaves no child running; doctor reports its home and the next start deletes it", async () => {
  await using appliance = new Appliance();
  const key = appliance.initialise();
  const ids = join(appliance.folder, "id");
  const python = join(appliance.folder, "python");
  writeFileSync(python, `#!/bin/sh\necho $$ > ${ids}\nexec sleep 60\n`);
  chmodSync(python, 0o755);
  const config = join(appliance.folder, "xpose.toml");
  writeFileSync(config, `[sources.holehe]\npython = "${python}"\n`);
  const service = await appliance.serve({ args: ["--config", config] });
  await client(service.url, key).enrich("jane.doe@example.com");
  await expect.poll(() => existsSync(ids) && readFileSync(ids, "utf8").endsWith("\n"), { timeout: 10_000 }).toBe(true);
  const id = Number(readFileSync(ids, "utf8"));
  expect(isGone(id)).toBe(false);
  const homes = () => readdirSync(join(appliance.dataDir, "tmp")).filter((name) => name.startsWith("xpose-child-"));
  expect(homes()).toHaveLength(1);
  expect(doctorSays(appliance)).not.toContain("killed command");
  service.kill("SIGKILL");
  await service.exited;
  await expect.poll(() => isGone(id)).toBe(true);
  const [home = ""] = homes();
  expect(doctorSays(appliance)).toContain(join(appliance.dataDir, "tmp", home));
  const again = await appliance.serve();
  await expect.poll(homes, { timeout: 10_000 }).toEqual([]);
  expect(again.log()).not.toMatch(/"level":50/);
});

test("temporary files, and parts of an import, are reported by doctor and deleted by the next start", async () => {
  await using appliance = new Appliance();
  appliance.json("init");
  const corpora = join(appliance.dataDir, "corpora");
  const file = join(appliance.folder, "many.txt");
  writeFileSync(file, Array.from({ length: 300_000 }, (_, index) => `u${index}@example.com\n`).join(""));
  const parts = () => readdirSync(corpora);
  for (let tries = 0; tries < 10 && parts().length === 0; tries += 1) {
    await killOnce(appliance, ["corpus", "import", file, "--name", "many"], () => parts().length > 0);
  }
  const [part = ""] = parts();
  const left = [
    join(corpora, part),
    ...["audit.head", "secret.key"].map((name) => join(appliance.dataDir, `${name}.999999999.tmp`)),
  ];
  for (const path of left.slice(1)) writeFileSync(path, "secret");
  const named = doctorSays(appliance);
  for (const path of left) expect(named).toContain(path);
  await appliance.serve();
  await expect.poll(() => left.filter((path) => existsSync(path)), { timeout: 10_000 }).toEqual([]);
});

test("12.3a the lock of the data directory holds even after its file is deleted", async () => {
  await using appliance = new Appliance();
  appliance.json("init");
  await appliance.serve();
  rmSync(join(appliance.dataDir, "service.lock"));
  const second = appliance.run(["serve", "--listen", "127.0.0.1:0"]);
  expect([second.exitCode, second.stderr]).toEqual([1, expect.stringContaining("another xpose serve runs")]);
  expect(doctorSays(appliance)).not.toContain("does not run");
});
