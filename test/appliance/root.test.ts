import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AuditLine } from "../../src/wire/audit.ts";
import { Appliance } from "../helpers/appliance.ts";

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn("not run by root: commands of root are not tested");

/** A data directory of the user nobody, and a folder that only root can enter. */
class RootedAppliance extends Appliance {
  readonly closed = join(this.folder, "closed");

  constructor() {
    super();
    chmodSync(this.folder, 0o755);
    mkdirSync(this.closed, { mode: 0o700 });
  }

  override initialise(): string {
    mkdirSync(this.dataDir, { mode: 0o700 });
    execFileSync("chown", ["nobody:nogroup", this.dataDir]);
    const key = super.initialise();
    return key;
  }

  /** A file that only root can read. */
  private(name: string, text: string): string {
    const file = join(this.closed, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  foreignFiles(): string {
    return execFileSync("find", [this.dataDir, "!", "-user", "nobody"]).toString();
  }
}

describe.skipIf(!isRoot)("a command of root on the data directory of another user", () => {
  test("imports a file that only root can read, and names the user who cannot read a folder", async () => {
    await using appliance = new RootedAppliance();
    appliance.initialise();
    const list = appliance.private("private.list", "email\njane.doe@example.com\n");
    expect(appliance.json("corpus", "import", list, "--name", "private")).toMatchObject({ imported: 1 });
    const folder = appliance.run(["corpus", "import", appliance.closed, "--name", "folder"]);
    expect([folder.exitCode, folder.stderr]).toEqual([1, expect.stringContaining("permission denied to user nobody")]);
    expect(appliance.foreignFiles()).toBe("");
  });

  test("writes a backup where only root can, whole or not at all, and restores from it", async () => {
    await using appliance = new RootedAppliance();
    appliance.initialise();
    const file = join(appliance.closed, "x.tar");
    appliance.json("backup", file);
    expect(readdirSync(appliance.closed)).toEqual(["x.tar"]);
    const { mode, uid } = statSync(file);
    expect([mode & 0o777, uid]).toEqual([0o600, 0]);
    expect(execFileSync("find", [appliance.dataDir, "-name", "*unfinished*"]).toString()).toBe("");
    expect(appliance.foreignFiles()).toBe("");
    expect(appliance.run(["backup", file])).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("exists") });
    const taken = appliance.private("y.tar.unfinished", "of another backup");
    expect(appliance.run(["backup", join(appliance.closed, "y.tar")])).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining("in the way"),
    });
    expect(readFileSync(taken, "utf8")).toBe("of another backup");

    const restored = join(appliance.folder, "restored");
    mkdirSync(restored, { mode: 0o700 });
    execFileSync("chown", ["nobody:nogroup", restored]);
    appliance.json("restore", file, "--data-dir", restored);
    expect(execFileSync("find", [restored, "!", "-user", "nobody"]).toString()).toBe("");
    expect(appliance.json("audit", "verify", "--data-dir", restored)).toMatchObject({ ok: true });
  });

  test("writes evidence where only root can, and leaves no file when there is none", async () => {
    await using appliance = new RootedAppliance();
    appliance.initialise();
    const list = appliance.private("private.list", "email\njane.doe@example.com\n");
    appliance.json("corpus", "import", list, "--name", "private");
    const { request_id: id } = appliance.json<{ request_id: string }>("enrich", "jane.doe@example.com");
    const file = join(appliance.closed, "case.csv");
    expect(appliance.run(["export", id, "--format", "csv", "--output", file]).exitCode).toBe(0);
    expect(readFileSync(file, "utf8")).toContain("private");
    expect([statSync(file).mode & 0o777, statSync(file).uid]).toEqual([0o600, 0]);
    const second = join(appliance.closed, "second.csv");
    const enrich = ["enrich", "jane.doe@example.com", "--refresh", "--format", "csv", "--output", second];
    expect(appliance.run(enrich).exitCode).toBe(0);
    expect(existsSync(second)).toBe(true);
    const third = join(appliance.closed, "third.csv");
    const unknown = "00000000-0000-4000-8000-000000000000";
    expect(appliance.run(["export", unknown, "--format", "csv", "--output", third]).exitCode).toBe(3);
    expect(existsSync(third)).toBe(false);
    expect(appliance.foreignFiles()).toBe("");
  });

  test("reads a secret that only root can read, which the user of the service is told he cannot", async () => {
    await using appliance = new RootedAppliance();
    const file = appliance.private("xpose_secret", "ab".repeat(32));
    mkdirSync(appliance.dataDir, { mode: 0o700 });
    execFileSync("chown", ["nobody:nogroup", appliance.dataDir]);
    for (const env of [{ XPOSE_SECRET_FILE: file }, { CREDENTIALS_DIRECTORY: appliance.closed }]) {
      execFileSync("sh", ["-c", 'rm -rf "$1"/*', "sh", appliance.dataDir]);
      for (const command of [
        ["init"],
        ["keys", "list"],
        ["corpus", "list"],
        ["backup", join(appliance.closed, "b.tar")],
      ]) {
        expect([command, appliance.run(command, { env }).exitCode]).toEqual([command, 0]);
      }
      expect(existsSync(join(appliance.dataDir, "secret.key"))).toBe(false);
      execFileSync("rm", [join(appliance.closed, "b.tar")]);
    }
    const words = ["setpriv", "--reuid=nobody", "--clear-groups", appliance.executable, "keys", "list"];
    const env = appliance.environment({ XPOSE_SECRET_FILE: file });
    const refused = Bun.spawnSync([...words, "--data-dir", appliance.dataDir], { env });
    expect([refused.exitCode, refused.stderr.toString()]).toEqual([2, expect.stringContaining("by user nobody")]);
  });

  test("reads such a secret also where /tmp forbids to run anything, and leaves nothing of root behind", async () => {
    await using appliance = new RootedAppliance();
    const file = appliance.private("xpose_secret", "ab".repeat(32));
    mkdirSync(appliance.dataDir, { mode: 0o700 });
    execFileSync("chown", ["nobody:nogroup", appliance.dataDir]);
    const env = { XPOSE_SECRET_FILE: file };
    expect(appliance.run(["init"], { env }).exitCode).toBe(0);
    const shell = 'mount -t tmpfs -o noexec,mode=1777 tmpfs /mnt && TMPDIR=/mnt "$@"';
    const words = ["unshare", "--mount", "sh", "-c", shell, "sh", appliance.executable, "keys", "list"];
    const run = Bun.spawnSync([...words, "--data-dir", appliance.dataDir], { env: appliance.environment(env) });
    expect([run.exitCode, run.stderr.toString()]).toEqual([0, expect.any(String)]);
    expect(appliance.foreignFiles()).toBe("");
  });

  test("finds the secret where the unit of the service names it, for the data directory of the service only", async () => {
    await using appliance = new RootedAppliance();
    const file = appliance.private("xpose_secret", "cd".repeat(32));
    mkdirSync(appliance.dataDir, { mode: 0o700 });
    execFileSync("chown", ["nobody:nogroup", appliance.dataDir]);
    const config = join(appliance.folder, "xpose.toml");
    writeFileSync(config, `data_dir = "${appliance.dataDir}"\n`);
    // A mount of this process alone: the unit of the machine stays as it is.
    const script =
      "mount -t tmpfs tmpfs /etc/systemd && mkdir -p /etc/systemd/system/xpose.service.d && " +
      `printf '[Service]\\nLoadCredential=xpose_secret:${file}\\n' > /etc/systemd/system/xpose.service.d/secret.conf && ` +
      'for words in init "keys list" "config show"; do "$0" $words --config "$1" || exit; done; "$0" keys list --data-dir "$2"';
    const run = Bun.spawnSync(
      ["unshare", "--mount", "sh", "-c", script, appliance.executable, config, appliance.dataDir],
      { env: appliance.environment() },
    );
    expect(run.stdout.toString()).toMatch(new RegExp(`^secret_file +"${file}" +credential xpose_secret$`, "m"));
    expect(existsSync(join(appliance.dataDir, "secret.key"))).toBe(false);
    expect([run.exitCode, run.stderr.toString()]).toEqual([4, expect.stringContaining("secret.key is missing")]);
  });

  test("is written down with the person who called sudo", async () => {
    await using appliance = new RootedAppliance();
    appliance.initialise();
    const loginUid = readFileSync("/proc/self/loginuid", "utf8");
    const isOpen = ["4294967295", "0"].includes(loginUid.trim());
    const env = { SUDO_USER: "alice", SUDO_UID: "1000" };
    const created = JSON.parse(appliance.run(["keys", "create", "--name", "siem", "--json"], { env }).stdout) as object;
    const { stdout } = appliance.run(["audit", "export"]);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as AuditLine);
    const actors = events.flatMap((event) => ("actor" in event && event.actor !== null ? [event.actor] : []));
    if (isOpen) {
      expect(created).toMatchObject({ created_by: "cli:alice" });
      expect([actors[0], actors.at(-1)]).toEqual(["cli", "cli:alice"]);
    } else {
      expect(new Set(actors).size).toBe(1);
    }
    expect(appliance.json("audit", "verify")).toMatchObject({ ok: true });
  });
});
