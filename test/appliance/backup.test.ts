import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Appliance, type CommandResult, client, type Service } from "../helpers/appliance.ts";
import { operatorClient } from "../helpers/operator-client.ts";

type BackupBody = {
  file: string;
  bytes: number;
  audit_head: string;
  segments: number;
  records: number;
  secret: boolean;
};
type Manifest = { members: { name: string; size: number }[] };

const address = "jane.doe@example.com";

function importText(appliance: Appliance, name: string, text: string, ...options: string[]): void {
  const file = join(appliance.folder, `${name}.txt`);
  writeFileSync(file, text);
  appliance.json("corpus", "import", file, "--name", name, "--format", "list", ...options);
}

function addresses(count: number, prefix = "u"): string {
  return `${Array.from({ length: count }, (_, index) => `${prefix}${index}@example.com`).join("\n")}\n`;
}

/** An initialised appliance with one corpus, and a backup of it. */
function backedUp(appliance: Appliance): { key: string; file: string } {
  const key = appliance.initialise();
  importText(appliance, "leak", `${address}\n`);
  const file = join(appliance.folder, "backup.tar");
  appliance.json("backup", file);
  return { key, file };
}

function manifestOf(file: string): Manifest {
  const { stdout } = Bun.spawnSync(["tar", "-xOf", file, "manifest.json"]);
  return JSON.parse(stdout.toString()) as Manifest;
}

/** A restore that must be refused with one line on stderr and leave no files. */
function refused(target: Appliance, file: string, exitCode: number, env: Record<string, string> = {}): string {
  const run = target.run(["restore", file], { env });
  expect([run.exitCode, run.stdout, run.stderr]).toEqual([exitCode, "", expect.stringMatching(/^error: .*\n$/)]);
  expect(existsSync(target.dataDir)).toBe(false);
  return run.stderr;
}

function restore(target: Appliance, file: string, ...args: string[]): CommandResult {
  const run = target.run(["restore", file, ...args]);
  expect([run.exitCode, run.stderr]).toEqual([0, ""]);
  return run;
}

function expectSound(appliance: Appliance): void {
  for (const kind of ["audit", "corpus"]) expect(appliance.json(kind, "verify")).toMatchObject({ ok: true });
}

/** Everything in the data directory with the rights that others must not have. */
function exposedIn(folder: string): string[] {
  const names = ["", ...(readdirSync(folder, { recursive: true }) as string[])];
  return names.filter((name) => (statSync(join(folder, name)).mode & 0o077) !== 0);
}

async function resultOf(service: Service, key: string, email = address): Promise<string> {
  const answer = await client(service.url, key).enrich(email, { Prefer: "wait=20" });
  expect(answer.status).toBe(200);
  await answer.text();
  return await (await client(service.url, key).enrich(email)).text();
}

test("a restored backup of a busy service is complete: keys, tokens, hits, scans, corpora and trail", async () => {
  await using source = new Appliance();
  const { operator_token: token = "", workspace_id: workspaceId } = source.json<Record<string, string>>("init");
  const key = source.mintKey("siem");
  importText(source, "leak", `${address}\n`);
  // Changes in this workspace do not affect the hits of the other workspace.
  source.json("workspaces", "create", "--name", "other");
  importText(source, "doomed", addresses(100), "--scope", "other");
  const asked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const upstream = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      if (!request.url.includes("held")) return new Response(null, { status: 404 });
      asked.resolve();
      await released.promise;
      return new Response(null, { status: 404 });
    },
  });
  const config = join(source.folder, "xpose.toml");
  const url = `http://127.0.0.1:${upstream.port}/{email}`;
  writeFileSync(config, `[[sources.http]]\nname = "inhouse"\nurl = "${url}"\ntimeout = "50s"\n`);
  const args = ["--config", config];
  const service = await source.serve({ args });
  const hit = await resultOf(service, key);
  expect(hit).toContain('"cache":"hit"');
  const logIn = await fetch(`${service.url}/api/v1/session`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  const cookie = logIn.headers.get("Set-Cookie")?.split(";")[0] ?? "";
  expect(cookie).toMatch(/^xpose_session=./);
  const held = (await (await client(service.url, key).enrich("held@example.com")).json()) as { request_id: string };
  await asked.promise;

  let isOver = false;
  const load = (async () => {
    let count = 0;
    for (; !isOver; count += 1) {
      const statuses = await Promise.all([
        client(service.url, key).enrich(address),
        client(service.url, key).enrich(`miss${count}@example.com`),
      ]);
      expect(statuses.map(({ status }) => status)).toEqual([200, 202]);
    }
    return count;
  })();
  writeFileSync(join(source.folder, "large.txt"), addresses(300_000, "large"));
  const importOptions = ["--name", "large", "--scope", "other"];
  const importing = source.runBeside(["corpus", "import", join(source.folder, "large.txt"), ...importOptions]);
  const removing = source.runBeside(["corpus", "remove", "doomed"]);
  const file = join(source.folder, "busy.tar");
  const backup = await source.runBeside(["backup", file, "--json"]);
  expect([backup.exitCode, (await importing).exitCode, (await removing).exitCode]).toEqual([0, 0, 0]);
  isOver = true;
  expect(await load).toBeGreaterThan(0);
  service.kill("SIGKILL");
  await service.exited;
  released.resolve();

  const body = JSON.parse(backup.stdout) as BackupBody;
  expect(body).toMatchObject({ file, bytes: statSync(file).size, secret: true });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(source.folder).filter((name) => name.includes("unfinished"))).toEqual([]);
  const bytes = readFileSync(file);
  for (const secret of [key, token, cookie.slice("xpose_session=".length)]) expect(bytes.includes(secret)).toBe(false);

  await using target = new Appliance();
  const restored = JSON.parse(restore(target, file, "--json").stdout) as Record<string, unknown>;
  expect(restored).toMatchObject({ data_dir: target.dataDir, segments: body.segments, records: body.records });
  expect(exposedIn(target.dataDir)).toEqual([]);
  expectSound(target);
  expect(target.json("audit", "verify", "--head", body.audit_head)).toMatchObject({ ok: true });
  // Later changes are missing, and a later head from the log reveals this.
  const later = source.json<{ head: string }>("audit", "verify").head;
  expect(target.run(["audit", "verify", "--head", later]).exitCode).toBe(1);
  const trail = target.run(["audit", "export"]).stdout.trimEnd().split("\n");
  const events = trail.map((line) => JSON.parse(line) as Record<string, string>);
  expect(events.filter(({ action }) => action === "audit.restored")).toHaveLength(1);
  expect(events.at(-1)).toMatchObject({ action: "audit.restored", actor: "cli", outcome: "ok" });
  expect(events.at(-1)?.["detail"]).toContain(body.audit_head);
  for (const list of [["workspaces"], ["operators"], ["keys"]]) {
    const unused = (text: string) => text.replaceAll(/"last_used_at":[^,]*/g, "");
    const of = (one: Appliance) => unused(JSON.stringify(one.json(...list, "list")));
    expect(of(target)).toBe(of(source));
  }

  const again = await target.serve({ args });
  expect(await (await client(again.url, key).enrich(address)).text()).toBe(hit);
  expect(await client(again.url, key).settle(held.request_id)).toMatchObject({ status: "completed" });
  const keysPath = `/api/v1/workspaces/${workspaceId}/keys`;
  const send = (headers: Record<string, string>) =>
    operatorClient((request) => fetch(new Request(again.url + new URL(request.url).pathname, request)), headers).call(
      "GET",
      keysPath,
    );
  expect((await send({ Authorization: `Bearer ${token}` })).status).toBe(200);
  expect((await send({ Cookie: cookie })).status).toBe(401);
  expect((await fetch(again.url)).status).toBe(200);
  expect(await resultOf(again, key, "new@example.com")).toContain('"total":0');
  again.kill("SIGTERM");
  expect(await again.exited).toBe(0);
  expect(again.log()).not.toMatch(/"level":"(?:error|fatal)"/);
  expectSound(target);
  upstream.stop(true);
}, 120_000);

test("backups during imports, merges and removals hold every segment that they name", async () => {
  await using source = new Appliance();
  source.json("init");
  const service = await source.serve();
  let isOver = false;
  const churn = (async () => {
    for (let round = 0; !isOver; round++) {
      const file = join(source.folder, "churn.txt");
      writeFileSync(file, addresses(5_000, `round${round}-`));
      for (const args of [
        ["corpus", "import", file, "--name", `c${round % 4}`],
        ["corpus", "remove", `c${(round + 1) % 4}`],
      ])
        expect((await source.runBeside(args)).exitCode).not.toBe(1);
    }
  })();
  for (let count = 0; count < 12; count++) {
    const file = join(source.folder, `${count}.tar`);
    expect((await source.runBeside(["backup", file])).exitCode).toBe(0);
    await Bun.sleep(100);
  }
  isOver = true;
  await churn;
  service.kill("SIGTERM");
  await service.exited;
  const segments = new Set<number>();
  for (let count = 0; count < 12; count++) {
    await using target = new Appliance();
    const { stdout } = restore(target, join(source.folder, `${count}.tar`), "--json");
    segments.add((JSON.parse(stdout) as BackupBody).segments);
    expectSound(target);
  }
  expect(segments.size).toBeGreaterThan(1);
}, 120_000);

describe("a file that differs from the backup in any bit", () => {
  test("a shortened, extended or flipped file is refused, wherever it was changed", async () => {
    await using source = new Appliance();
    await using target = new Appliance();
    const { file } = backedUp(source);
    const whole = readFileSync(file);
    const bad = join(source.folder, "bad.tar");
    for (const size of [0, 1, 511, 512, 600, 4096, whole.length >> 1, whole.length - 1024, whole.length - 1]) {
      writeFileSync(bad, whole.subarray(0, size));
      refused(target, bad, 1);
    }
    writeFileSync(bad, Buffer.concat([whole, Buffer.alloc(1)]));
    refused(target, bad, 1);
    // Flip bits in every header, member and padding, and at the end.
    const members = [
      { name: "manifest.json", size: Number.parseInt(whole.toString("latin1", 124, 135), 8) },
      { name: "manifest.mac", size: 65 },
      ...manifestOf(file).members,
    ];
    const places = [whole.length - 1, whole.length - 1024];
    let at = 0;
    for (const { size } of members) {
      const padding = (512 - (size % 512)) % 512;
      places.push(at, at + 150, at + 200, at + 512, at + 512 + (size >> 1), at + 511 + size);
      if (padding > 0) places.push(at + 512 + size + padding - 1);
      at += 512 + size + padding;
    }
    expect(at + 1024).toBe(whole.length);
    for (const place of places) {
      const flipped = Buffer.from(whole);
      flipped[place] = (flipped[place] ?? 0) ^ 1;
      writeFileSync(bad, flipped);
      const run = target.run(["restore", bad]);
      expect([place, run.exitCode], run.stderr).toEqual([place, expect.toSatisfy((code) => code === 1 || code === 4)]);
      expect(existsSync(target.dataDir)).toBe(false);
    }
    restore(target, file);
  }, 120_000);

  test("foreign and hostile archives are refused and write nothing, inside or outside", async () => {
    await using source = new Appliance();
    await using target = new Appliance();
    const { file } = backedUp(source);
    const inner = join(source.folder, "inner");
    mkdirSync(inner);
    const tar = (...args: string[]) => expect(Bun.spawnSync(["tar", ...args], { cwd: inner }).exitCode).toBe(0);
    const made = (name: string) => join(source.folder, name);
    tar("-xf", file);
    const names = ["manifest.json", "manifest.mac", "secret.key", "audit.head", "xpose.db"];
    tar("-cf", made("repacked.tar"), ...names, "corpora");
    tar("-czf", made("backup.tgz"), ...names);
    tar("-cPf", made("upwards.tar"), "--transform", "s,^,../../,", ...names);
    rmSync(join(inner, "manifest.json"));
    symlinkSync("/etc/passwd", join(inner, "manifest.json"));
    tar("-cf", made("link.tar"), "manifest.json");
    writeFileSync(made("text"), "hello\n");
    writeFileSync(made("zeros"), Buffer.alloc(100_000));
    Bun.spawnSync(["mkfifo", made("pipe")]);
    const before = readdirSync(target.folder);
    const bad = ["repacked.tar", "backup.tgz", "upwards.tar", "link.tar", "text", "zeros", "pipe", "inner"];
    for (const name of bad) refused(target, made(name), 1);
    refused(target, made("nothing"), 3);
    expect(readdirSync(target.folder)).toEqual(before);
  });

  test("a backup of a newer version is refused with this reason", async () => {
    await using source = new Appliance();
    await using target = new Appliance();
    const { file } = backedUp(source);
    const newer = readFileSync(file)
      .toString("latin1")
      .replace(/"schema_version": \d/, '"schema_version":99');
    writeFileSync(file, newer, "latin1");
    expect(refused(target, file, 4)).toContain("newer version of xpose");
  });
});

test("tampering before the backup is still detected after the restore", async () => {
  await using source = new Appliance();
  await using target = new Appliance();
  backedUp(source);
  writeFileSync(join(source.dataDir, "audit.head"), `99:${"ab".repeat(32)}\n`);
  const file = join(source.folder, "tampered.tar");
  source.json("backup", file);
  const run = target.run(["restore", file]);
  expect([run.exitCode, run.stderr]).toEqual([0, expect.stringContaining("tampered")]);
  expect(target.run(["audit", "verify"]).exitCode).toBe(1);
});

describe("the target of a backup and of a restore", () => {
  test("a restore refuses a directory that is not empty, and changes nothing in it", async () => {
    await using source = new Appliance();
    const { file } = backedUp(source);
    const before = readFileSync(join(source.dataDir, "secret.key"), "utf8");
    const again = source.run(["restore", file]);
    expect([again.exitCode, again.stderr]).toEqual([4, expect.stringContaining("is not empty")]);
    expect(readFileSync(join(source.dataDir, "secret.key"), "utf8")).toBe(before);
    expectSound(source);
    await using target = new Appliance();
    mkdirSync(target.dataDir);
    writeFileSync(join(target.dataDir, "note"), "mine");
    expect(target.run(["restore", file]).exitCode).toBe(4);
    expect(readdirSync(target.dataDir)).toEqual(["note"]);
    rmSync(join(target.dataDir, "note"));
    mkdirSync(join(target.dataDir, "lost+found"));
    chmodSync(target.dataDir, 0o755);
    restore(target, file);
    expect(exposedIn(target.dataDir)).toEqual(["lost+found"]);
    expectSound(target);
  });

  test("a backup never replaces a file, and needs a folder outside the data directory", async () => {
    await using source = new Appliance();
    const { file } = backedUp(source);
    const before = readFileSync(file);
    expect(source.run(["backup", file]).exitCode).toBe(4);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(source.run(["backup", source.folder]).exitCode).toBe(4);
    expect(source.run(["backup", join(source.dataDir, "inside.tar")]).exitCode).toBe(4);
    expect(source.run(["backup", join(source.folder, "nowhere", "x.tar")]).exitCode).toBe(3);
    expect(source.run(["backup", "-"]).exitCode).toBe(2);
    expect(source.run(["backup"]).exitCode).toBe(2);
    expect(source.run(["backup", "/dev/null/x.tar"]).exitCode).toBe(1);
    // Names of the parts of an unfinished backup.
    for (const name of ["xpose.db", "lock", "backup.tar.unfinished"]) source.json("backup", join(source.folder, name));
    await using empty = new Appliance();
    expect(empty.run(["backup", join(empty.folder, "x.tar")]).exitCode).toBe(3);
    expect(readdirSync(empty.folder).filter((name) => name.startsWith("x.tar"))).toEqual([]);
  });

  test("the backup reports a damaged segment or database, and writes no file", async () => {
    await using source = new Appliance();
    backedUp(source);
    const corpora = join(source.dataDir, "corpora");
    const segment = join(corpora, readdirSync(corpora)[0] ?? "");
    const sound = readFileSync(segment);
    writeFileSync(segment, Buffer.from(sound).fill(1, 5000, 5100));
    const file = join(source.folder, "second.tar");
    const run = source.run(["backup", file]);
    expect([run.exitCode, run.stderr]).toEqual([1, expect.stringContaining("xpose corpus verify")]);
    writeFileSync(segment, sound);
    const database = join(source.dataDir, "xpose.db");
    const bytes = readFileSync(database);
    writeFileSync(database, bytes.fill(0xff, bytes.length - 4096));
    const other = source.run(["backup", file]);
    expect([other.exitCode, other.stderr]).toEqual([1, expect.stringContaining("damaged")]);
    expect(readdirSync(source.folder).filter((name) => name.startsWith("second"))).toEqual([]);
  });
});

describe("the server secret", () => {
  test("outside the data directory is not in the backup, and a restore needs the same secret", async () => {
    await using source = new Appliance();
    await using target = new Appliance();
    const outside = join(source.folder, "outside");
    mkdirSync(outside, { mode: 0o700 });
    const secretFile = join(outside, "xpose.secret");
    const env = { XPOSE_SECRET_FILE: secretFile };
    const file = join(source.folder, "backup.tar");
    const must = (args: string[]) => expect(source.run(args, { env })).toMatchObject({ exitCode: 0 });
    for (const args of [["init"], ["keys", "create", "--name", "one"], ["backup", file]]) must(args);
    const names = manifestOf(file).members.map(({ name }) => name);
    expect(names).toEqual(["audit.head", "xpose.db"]);
    expect(readFileSync(file).includes(readFileSync(secretFile, "utf8").trim())).toBe(false);

    expect(refused(target, file, 4)).toContain("set secret_file");
    const wrong = join(source.folder, "wrong.secret");
    writeFileSync(wrong, `${"ab".repeat(32)}\n`, { mode: 0o600 });
    expect(refused(target, file, 4, { XPOSE_SECRET_FILE: wrong })).toContain("does not belong");
    refused(target, file, 2, { XPOSE_SECRET_FILE: join(source.folder, "missing.secret") });

    // The head beside the secret belongs to a later trail: it is replaced, and the trail records this.
    must(["keys", "create", "--name", "two"]);
    const kept = readFileSync(join(outside, "audit.head"), "utf8").trim();
    const run = target.run(["restore", file], { env });
    expect([run.exitCode, run.stderr]).toEqual([0, expect.stringContaining(kept)]);
    expect(readdirSync(target.dataDir).sort()).toEqual(["corpora", "xpose.db"]);
    expect(readdirSync(outside).sort()).toEqual(["audit.head", "xpose.secret"]);
    expect(target.run(["audit", "verify"], { env }).exitCode).toBe(0);
    expect(target.run(["audit", "verify", "--head", kept], { env }).exitCode).toBe(1);
    expect(target.run(["audit", "export"], { env }).stdout).toContain(kept);
  });

  test("of the backup goes to the configured file, and never replaces another secret", async () => {
    await using source = new Appliance();
    await using target = new Appliance();
    const { file } = backedUp(source);
    const secretFile = join(target.folder, "moved.secret");
    const env = { XPOSE_SECRET_FILE: secretFile };
    writeFileSync(secretFile, `${"ab".repeat(32)}\n`);
    refused(target, file, 4, env);
    rmSync(secretFile);
    expect(target.run(["restore", file], { env }).exitCode).toBe(0);
    expect(statSync(secretFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(secretFile, "utf8")).toBe(readFileSync(join(source.dataDir, "secret.key"), "utf8"));
    expect(existsSync(join(target.dataDir, "secret.key"))).toBe(false);
    expect(target.run(["audit", "verify"], { env }).exitCode).toBe(0);
  });
});

describe("an interruption", () => {
  type Cut = { begunBy: string; afterMs: number; signal: "SIGKILL" | "SIGTERM" };

  /** Starts a command and kills it so many milliseconds after a file appeared; returns its exit code. */
  async function cut(appliance: Appliance, args: string[], { begunBy, afterMs, signal }: Cut): Promise<number> {
    const child = Bun.spawn([appliance.executable, ...args, "--data-dir", appliance.dataDir], {
      env: appliance.environment(),
      stdout: "ignore",
      stderr: "ignore",
    });
    while (!existsSync(begunBy) && child.exitCode === null) await Bun.sleep(1);
    await Bun.sleep(afterMs);
    child.kill(signal);
    return await child.exited;
  }

  test("a kill -9 leaves no partial backup, and the next backup to the same file removes the leftovers", async () => {
    await using source = new Appliance();
    source.json("init");
    importText(source, "leak", addresses(300_000));
    let killedCount = 0;
    for (let round = 0; round < 12; round++) {
      const file = join(source.folder, `${round}.tar`);
      const at = { begunBy: `${file}.unfinished`, afterMs: 4 * round, signal: "SIGKILL" } as const;
      if ((await cut(source, ["backup", file], at)) !== 0) killedCount++;
      if (existsSync(file)) continue;
      source.json("backup", file);
      expect(readdirSync(source.folder).filter((name) => name.startsWith(`${round}.tar`))).toEqual([`${round}.tar`]);
    }
    expect(killedCount).toBeGreaterThan(0);
    for (let round = 0; round < 12; round++) {
      await using target = new Appliance();
      restore(target, join(source.folder, `${round}.tar`));
    }
    expectSound(source);
  }, 120_000);

  test("a kill -9 of a restore leaves a complete or no usable data directory, and the next restore starts over", async () => {
    await using source = new Appliance();
    source.json("init");
    importText(source, "leak", addresses(300_000));
    const file = join(source.folder, "backup.tar");
    source.json("backup", file);
    let halfCount = 0;
    for (let round = 0; round < 12; round++) {
      await using target = new Appliance();
      const begunBy = join(target.dataDir, "restore.unfinished");
      await cut(target, ["restore", file], { begunBy, afterMs: 4 * round, signal: "SIGKILL" });
      if (!existsSync(join(target.dataDir, "xpose.db"))) {
        const look = target.run(["keys", "list"]);
        expect([3, 4]).toContain(look.exitCode);
        if (look.stderr.includes("half restored")) halfCount++;
        restore(target, file);
      }
      expectSound(target);
      const service = await target.serve();
      service.kill("SIGTERM");
      expect(await service.exited).toBe(0);
      expect(readdirSync(target.dataDir)).not.toContain("restore.unfinished");
    }
    expect(halfCount).toBeGreaterThan(0);
  }, 120_000);

  test("every command reports a restore that was killed while it moved files into place", async () => {
    await using source = new Appliance();
    await using target = new Appliance();
    const { file } = backedUp(source);
    for (const name of ["restore.unfinished", "corpora"]) mkdirSync(join(target.dataDir, name), { recursive: true });
    writeFileSync(join(target.dataDir, "secret.key"), "");
    for (const args of [["keys", "list"], ["serve"], ["restore", file], ["init"]]) {
      const run = target.run(args);
      expect([run.exitCode, run.stderr]).toEqual([4, expect.stringContaining("half restored")]);
    }
    expect(readdirSync(target.dataDir).sort()).toEqual(["corpora", "restore.unfinished", "secret.key"]);
  });

  test("after SIGTERM neither leaves any files", async () => {
    await using source = new Appliance();
    source.json("init");
    importText(source, "leak", addresses(1_000_000));
    const file = join(source.folder, "backup.tar");
    const atOnce = { afterMs: 5, signal: "SIGTERM" } as const;
    expect(await cut(source, ["backup", file], { begunBy: `${file}.unfinished`, ...atOnce })).toBe(1);
    expect(readdirSync(source.folder).filter((name) => name.startsWith("backup.tar"))).toEqual([]);
    source.json("backup", file);
    await using target = new Appliance();
    const begunBy = join(target.dataDir, "restore.unfinished");
    expect(await cut(target, ["restore", file], { begunBy, ...atOnce })).toBe(1);
    expect(existsSync(target.dataDir)).toBe(false);
  }, 60_000);

  test("of two concurrent backups to one file, or restores to one directory, exactly one succeeds", async () => {
    await using source = new Appliance();
    source.json("init");
    importText(source, "leak", addresses(300_000));
    const file = join(source.folder, "backup.tar");
    const both = async (appliance: Appliance, args: string[]) =>
      (await Promise.all([appliance.runBeside(args), appliance.runBeside(args)]))
        .map(({ exitCode }) => exitCode)
        .sort();
    const [first, second] = await both(source, ["backup", file]);
    expect([first, [1, 4].includes(second ?? 0)]).toEqual([0, true]);
    await using target = new Appliance();
    const [one, other] = await both(target, ["restore", file]);
    expect([one, [1, 4].includes(other ?? 0)]).toEqual([0, true]);
    expectSound(target);
  }, 60_000);
});
