import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Appliance } from "../helpers/appliance.ts";
import { createAuthority } from "../helpers/certificates.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function csv(appliance: Appliance, name: string, text: string | Uint8Array): string {
  const file = join(appliance.folder, name);
  writeFileSync(file, text);
  return file;
}

describe("init", () => {
  test("prints the workspace and an operator token once, and makes everything private", async () => {
    await using appliance = new Appliance();
    const document = appliance.json<Record<string, string>>("init");
    expect(Object.keys(document)).toEqual(["workspace_id", "operator_token"]);
    expect(document["workspace_id"]).toMatch(uuid);
    expect(document["operator_token"]).toMatch(/^xpz_admin_[0-9a-f]{48}$/);
    const modes = execFileSync("find", [appliance.dataDir, "-perm", "/077"]).toString();
    expect(modes).toBe("");
  });

  test("a directory that is not empty is refused with 4, except for lost+found", async () => {
    await using appliance = new Appliance();
    mkdirSync(join(appliance.dataDir, "lost+found"), { recursive: true });
    expect(appliance.run(["init"]).exitCode).toBe(0);
    const again = appliance.run(["init"]);
    expect([again.exitCode, again.stderr]).toEqual([4, expect.stringContaining("not empty")]);
  });

  test("a directory that cannot be written is 1", async () => {
    await using appliance = new Appliance();
    const file = csv(appliance, "a-file", "");
    expect(appliance.run(["init", "--data-dir", join(file, "data")]).exitCode).toBe(1);
  });

  test("a file instead of the directory is refused with 4", async () => {
    await using appliance = new Appliance();
    expect(appliance.run(["init", "--data-dir", csv(appliance, "a-file", "")]).exitCode).toBe(4);
  });
});

describe("a data directory that cannot be used", () => {
  test("that is not initialised is 3, and the message names the command to run", async () => {
    await using appliance = new Appliance();
    for (const args of [["keys", "list"], ["serve"], ["enrich", "jane.doe@example.com"], ["corpus", "list"]]) {
      const { exitCode, stderr } = appliance.run(args);
      expect([exitCode, stderr]).toEqual([3, expect.stringContaining("run xpose init")]);
    }
  });

  test.each([
    ["without its database", "rm xpose.db", 4, "half initialised"],
    ["with an empty database", ": > xpose.db", 4, "half initialised"],
    ["without its secret", "rm secret.key", 4, "secret.key is missing"],
    ["with a secret of another directory", "printf '%064d' 0 > secret.key", 4, "does not belong"],
    [
      "with a database that is none",
      "printf 'not a database, really not one at all' > xpose.db; rm -f xpose.db-wal",
      1,
      "cannot be read",
    ],
  ])("%s is refused and not changed", async (_name, damage, code, message) => {
    await using appliance = new Appliance();
    appliance.initialise();
    execFileSync("sh", ["-c", damage], { cwd: appliance.dataDir });
    const before = readdirSync(appliance.dataDir)
      .filter((name) => !name.includes("-"))
      .sort();
    const { exitCode, stderr } = appliance.run(["keys", "list"]);
    expect([exitCode, stderr]).toEqual([code, expect.stringContaining(message)]);
    expect(
      readdirSync(appliance.dataDir)
        .filter((name) => !name.includes("-"))
        .sort(),
    ).toEqual(before);
  });

  test("of a newer version is 4", async () => {
    await using appliance = new Appliance();
    appliance.initialise();
    const script =
      "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('PRAGMA user_version=999'); c.commit()";
    execFileSync("python3", ["-c", script, join(appliance.dataDir, "xpose.db")]);
    for (const args of [
      ["keys", "list"],
      ["serve", "--listen", "127.0.0.1:0"],
    ]) {
      const { exitCode, stderr } = appliance.run(args);
      expect([exitCode, stderr]).toEqual([4, expect.stringContaining("newer version")]);
    }
  });

  test("with an unreadable secret file is 2, and the message names the key", async () => {
    await using appliance = new Appliance();
    appliance.initialise();
    for (const text of [null, "no secret"]) {
      const file = text === null ? "/nowhere/secret" : csv(appliance, "secret", text);
      const { exitCode, stderr } = appliance.run(["keys", "list"], { env: { XPOSE_SECRET_FILE: file } });
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining("secret_file")]);
    }
  });

  test("that this user may not read is 1, not called uninitialised", async () => {
    await using appliance = new Appliance();
    appliance.initialise();
    chmodSync(appliance.folder, 0o755);
    const command = ["setpriv", "--reuid=65534", "--clear-groups", appliance.executable, "keys", "list"];
    const run = Bun.spawnSync([...command, "--data-dir", appliance.dataDir], { env: appliance.environment() });
    expect([run.exitCode, run.stderr.toString()]).toEqual([1, expect.stringContaining("cannot be read")]);
  });

  test("that belongs to another user is opened as that user", async () => {
    await using appliance = new Appliance();
    appliance.initialise();
    chmodSync(appliance.folder, 0o755);
    execFileSync("chown", ["-R", "nobody", appliance.dataDir]);
    expect(appliance.run(["workspaces", "list"]).exitCode).toBe(0);
    expect(execFileSync("find", [appliance.dataDir, "!", "-user", "nobody"]).toString()).toBe("");
  });
});

describe("configuration", () => {
  test.each([
    ["an unknown key", "[cache]\ntll = '1h'", "cache.tll"],
    ["an unknown section", "[cash]\nttl = '1h'", "cash"],
    ["a wrong type", "[scan]\nconcurrency = 'many'", "scan.concurrency"],
    ["a duration without a unit", "[cache]\nttl = '24'", "cache.ttl"],
    ["a duration that is a number", "[cache]\nttl = 24", "cache.ttl"],
    ["no TOML at all", "cache: ttl", "xpose.toml"],
  ])("%s is 2 and named in one line", async (_name, text, key) => {
    await using appliance = new Appliance();
    appliance.json("init");
    const config = csv(appliance, "xpose.toml", `${text}\n`);
    const { exitCode, stderr } = appliance.run(["serve", "--listen", "127.0.0.1:0", "--config", config]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(key)]);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  test("the error for a wrong header of an http source does not show its value", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const table = '[[sources.http]]\nname = "x"\nurl = "https://h.example/{email}"\nheaders = { "A:" = "canary" }\n';
    const { exitCode, stderr } = appliance.run(["serve", "--config", csv(appliance, "xpose.toml", table)]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("(hidden)")]);
    expect(stderr).not.toContain("canary");
  });

  test("a named file that is missing is 2", async () => {
    await using appliance = new Appliance();
    expect(appliance.run(["init", "--config", "/nowhere/xpose.toml"]).exitCode).toBe(2);
  });

  test.each(["BUN_INSPECT", "BUN_OPTIONS", "NODE_OPTIONS", "NODE_TLS_REJECT_UNAUTHORIZED"])(
    "serve refuses to start while %s is set",
    async (name) => {
      await using appliance = new Appliance();
      appliance.json("init");
      const value = name === "NODE_TLS_REJECT_UNAUTHORIZED" ? "0" : name === "BUN_INSPECT" ? "0" : "--smol";
      const { exitCode, stderr } = appliance.run(["serve", "--listen", "127.0.0.1:0"], { env: { [name]: value } });
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining(name)]);
    },
  );

  test("plain HTTP beyond loopback is refused unless the configuration allows it", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const { exitCode, stderr } = appliance.run(["serve", "--listen", "0.0.0.0:0"]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("insecure_http")]);
  });

  test.each([
    { what: "a certificate that is a key", cert: "server.key", key: "server.key", ca: null, named: "tls_cert" },
    { what: "a key that is a certificate", cert: "server.pem", key: "server.pem", ca: null, named: "tls_key" },
    { what: "the key of another certificate", cert: "server.pem", key: "other.key", ca: null, named: "tls_key" },
    { what: "a missing certificate", cert: "nowhere.pem", key: "server.key", ca: null, named: "tls_cert" },
    { what: "an authority that is none", cert: "server.pem", key: "server.key", ca: "server.key", named: "client_ca" },
  ])("$what is 2 and named in one line", async ({ cert, key, ca, named }) => {
    await using appliance = new Appliance();
    appliance.json("init");
    const authority = createAuthority("test");
    for (const name of ["server", "other"]) {
      const issued = authority.issue(["IP:127.0.0.1"]);
      csv(appliance, `${name}.pem`, issued.cert);
      csv(appliance, `${name}.key`, issued.key);
    }
    const settings = Object.entries({ tls_cert: cert, tls_key: key, ...(ca === null ? {} : { client_ca: ca }) });
    const lines = settings.map(([name, file]) => `${name} = "${join(appliance.folder, file)}"`);
    const config = csv(appliance, "xpose.toml", `[server]\n${lines.join("\n")}\n`);
    const { exitCode, stderr } = appliance.run(["serve", "--listen", "127.0.0.1:0", "--config", config]);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(new RegExp(`^error: server\\.${named}: .*\\n$`))]);
  });

  test("serve that cannot listen explains why, without a warning about the head of the trail", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const { exitCode, stderr } = appliance.run(["serve", "--listen", `unix:${csv(appliance, "notes.txt", "kept")}`]);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("exists and is no socket")]);
    expect(stderr).not.toContain('"level":50');
    expect(readFileSync(join(appliance.folder, "notes.txt"), "utf8")).toBe("kept");
  });
});

/** The names of all commands: each has a file. */
const files = readdirSync(join(import.meta.dirname, "../../src/cli/commands")).map((name) => name.replace(/\.ts$/, ""));

/** The subcommands that a help text lists, without `help`. */
function commandsIn(help: string): string[] {
  const list = /^Commands:\n((?: {2}.*\n?)*)/m.exec(help)?.[1] ?? "";
  return [...list.matchAll(/^ {2}([a-z][\w-]*)/gm)].map((match) => match[1] ?? "").filter((name) => name !== "help");
}

type Helped = { readonly path: readonly string[]; readonly help: string; readonly commands: readonly string[] };

/** Every command with its help text, found by following the help from the program down. */
function everyCommand(appliance: Appliance, path: readonly string[] = []): Helped[] {
  const help = appliance.run([...path, "--help"]).stdout;
  const commands = commandsIn(help);
  return [{ path, help, commands }, ...commands.flatMap((name) => everyCommand(appliance, [...path, name]))];
}

describe("usage", () => {
  test.each([
    [["nonsense"], 2],
    [["keys"], 2],
    [["keys", "create"], 2],
    [["keys", "create", "--name", "x", "--nonsense"], 2],
    [["workspaces", "create", "--name", "x", "--plan", "gold"], 2],
    [["workspaces", "set-plan", "default", "gold"], 2],
    [["corpus", "import"], 2],
    [["--help"], 0],
    [["keys", "create", "--help"], 0],
    [["version", "--json"], 0],
  ])("%j ends with %i", async (args, code) => {
    await using appliance = new Appliance();
    expect(appliance.run(args).exitCode).toBe(code);
  });

  test("every help text has an example of its own command", async () => {
    await using appliance = new Appliance();
    const leaves = everyCommand(appliance).filter(({ commands }) => commands.length === 0);
    expect(leaves.length).toBeGreaterThan(35);
    // Variables or a shell construct may come before the command: `source <(xpose completion bash)`.
    const example = (path: readonly string[]) =>
      new RegExp(`^Example:\\n {2}.*\\b${["xpose", ...path].join(" ")}\\b`, "m");
    expect(leaves.filter(({ path, help }) => !example(path).test(help)).map(({ path }) => path)).toEqual([]);
  });

  test.each([[["--help"]], [["help"]], [["completion", "bash"]]])("%j names every command", async (args) => {
    await using appliance = new Appliance();
    const { stdout } = appliance.run(args);
    expect(files.filter((name) => !new RegExp(`\\b${name}\\b`).test(stdout))).toEqual([]);
  });

  test("every file of a command is a command of the program", async () => {
    await using appliance = new Appliance();
    expect(commandsIn(appliance.run(["--help"]).stdout).sort()).toEqual([...files].sort());
  });

  test.each([
    { typed: ["export", "id", "--format"], has: "markdown", hasNot: "stealer" },
    { typed: ["corpus", "import", "file", "--format"], has: "stealer", hasNot: "markdown" },
    { typed: ["corpus"], has: "import", hasNot: "export" },
    { typed: ["export", "id", "--output"], has: "", hasNot: "--format" },
  ])("bash completes the values of a flag as its own command takes them: $typed", async ({ typed, has, hasNot }) => {
    await using appliance = new Appliance();
    const { stdout: script } = appliance.run(["completion", "bash"]);
    const words = ["xpose", ...typed, ""];
    const line = `COMP_WORDS=(${words.map((word) => `"${word}"`).join(" ")}) COMP_CWORD=${words.length - 1}; _xpose; echo "\${COMPREPLY[*]}"`;
    const { stdout } = Bun.spawnSync(["bash", "-c", `${script}\n${line}`], { env: { PATH: "/usr/bin:/bin" } });
    const offered = stdout.toString().trim().split(" ");
    expect(offered).toContain(has);
    expect(offered).not.toContain(hasNot);
  });

  test("a mistyped command gets a suggestion, and the name of a command may be a value", async () => {
    await using appliance = new Appliance();
    expect(appliance.run(["keyz", "list"]).stderr).toContain("Did you mean keys?");
    appliance.json("init");
    expect(appliance.json("keys", "create", "--name", "serve")).toMatchObject({ name: "serve" });
  });

  test("flags may be anywhere after the command", async () => {
    await using appliance = new Appliance();
    appliance.run(["init"]);
    const { exitCode, stdout } = appliance.run([
      "keys",
      "--json",
      "create",
      "--data-dir",
      appliance.dataDir,
      "--name",
      "n",
    ]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ name: "n", status: "active" });
  });
});

describe("keys and workspaces", () => {
  test("a key object has the fields of the contract in their order, and lists show no key", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const created = appliance.json<Record<string, string>>("keys", "create", "--name", " splunk ");
    expect(Object.keys(created)).toEqual([
      "id",
      "name",
      "prefix",
      "status",
      "created_at",
      "created_by",
      "last_used_at",
      "expires_at",
      "revoked_at",
      "rotated_from",
      "rotated_to",
      "scopes",
      "allowed_ips",
      "key",
    ]);
    expect(created).toMatchObject({ name: "splunk", status: "active", created_by: "cli", last_used_at: null });
    expect(created["key"]).toMatch(/^xpz_live_[0-9a-f]{48}$/);
    expect(created["prefix"]).toBe(created["key"]?.slice(0, 13));
    const list = appliance.run(["keys", "list", "--json"]).stdout;
    expect(list).not.toContain(created["key"]);
    expect(JSON.parse(list)).toMatchObject({ keys: [{ id: created["id"] }], next_cursor: null });
  });

  test.each([
    [["keys", "create", "--name", "TAKEN"], 4],
    [["keys", "create", "--name", ""], 4],
    [["keys", "create", "--name", "x".repeat(65)], 4],
    [["keys", "create", "--name", "late", "--expires-at", "2001-01-01T00:00:00Z"], 4],
    [["keys", "create", "--name", "odd", "--expires-at", "tomorrow"], 4],
    [["keys", "create", "--name", "x", "--workspace", "nobody"], 3],
    [["keys", "create", "--name", "x", "--workspace", "cheap"], 4],
    [["workspaces", "create", "--name", "DEFAULT"], 4],
    [["workspaces", "create", "--name", "00000000-0000-4000-8000-000000000000"], 4],
    [["workspaces", "set-plan", "nobody", "team"], 3],
    [["enrich", "jane.doe@example.com", "--workspace", "cheap"], 4],
    [["enrich", "no-address"], 4],
    [["enrich", "jane.doe@example.com"], 1],
  ])("%j ends with %i", async (args, code) => {
    await using appliance = new Appliance();
    appliance.json("init");
    appliance.json("keys", "create", "--name", "taken");
    appliance.json("workspaces", "create", "--name", "cheap", "--plan", "starter");
    const { exitCode, stderr } = appliance.run(args);
    expect([exitCode, stderr]).toEqual([code, expect.stringMatching(/^error: .+\n$/)]);
  });

  test("workspaces are objects of four fields", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const created = appliance.json<{ id: string }>("workspaces", "create", "--name", "acme");
    expect(created).toEqual({ id: expect.stringMatching(uuid), name: "acme", plan: "team", status: "active" });
    expect(appliance.json("workspaces", "disable", created.id)).toMatchObject({ status: "disabled" });
    expect(appliance.json<unknown[]>("workspaces", "list")).toHaveLength(2);
  });
});

describe("corpus import", () => {
  const good = "email,password\njane.doe@example.com,hunter2\n";

  test("reports what it read, kept and skipped; importing the same file again changes nothing", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const file = csv(appliance, "leak.csv", `${good}jane.doe@example.com,other\nnobody,x\n,x\n`);
    const report = appliance.json<Record<string, unknown>>("corpus", "import", file, "--name", "leak");
    expect(report).toEqual({
      name: "leak",
      read: 4,
      imported: 1,
      skipped: expect.objectContaining({ duplicate: 1, invalid_email: 1, no_email: 1 }),
      duration_ms: expect.any(Number),
      formats: { csv: 4 },
      further_addresses: 0,
      fields_dropped: 0,
      left_out: [],
      same_as: null,
    });
    const again = appliance.json<Record<string, unknown>>("corpus", "import", file, "--name", "leak");
    expect(again).toMatchObject({ read: 4, imported: 0, skipped: { already_imported: 4 } });
    expect(appliance.json<unknown[]>("corpus", "list")).toHaveLength(1);
    expect(appliance.json("corpus", "remove", "leak")).toMatchObject({ name: "leak" });
    expect(appliance.run(["corpus", "remove", "leak"]).exitCode).toBe(3);
  });

  const bad: [string, (appliance: Appliance) => string, number][] = [
    ["missing", (appliance) => join(appliance.folder, "missing.csv"), 3],
    [
      "a FIFO",
      (appliance) => {
        const path = join(appliance.folder, "fifo.csv");
        execFileSync("mkfifo", [path]);
        return path;
      },
      1,
    ],
    ["empty", (appliance) => csv(appliance, "empty.csv", ""), 1],
    ["binary", (appliance) => csv(appliance, "binary.csv", crypto.getRandomValues(new Uint8Array(65_536))), 1],
    [
      "without an address in a hundred lines",
      (appliance) => csv(appliance, "none.csv", `email\n${"nothing\n".repeat(200)}`),
      1,
    ],
    [
      "one line of 1 GB",
      (appliance) => {
        const path = join(appliance.folder, "line.csv");
        execFileSync("sh", ["-c", `head -c 1000000000 /dev/zero | tr '\\0' x > ${path}`]);
        return path;
      },
      1,
    ],
  ];

  test("several files, and names that begin with a dash, get a hint", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const several = appliance.run(["corpus", "import", "jane.doe@example.com.txt", "b.txt", "--name", "leak"]);
    expect(several.exitCode).toBe(2);
    expect(several.stderr).toContain("one file or folder is imported at a time");
    expect(several.stderr).not.toContain("jane.doe@");
    const dashed = appliance.run(["corpus", "import", "-combo.txt", "--name", "leak"]);
    expect(dashed.exitCode).toBe(2);
    expect(dashed.stderr).toContain("is given as ./-NAME, or behind --");
  });

  test("a process substitution gets a hint", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    const fifo = join(appliance.folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    const { exitCode, stderr } = appliance.run(["corpus", "import", fifo, "--name", "leak"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("- reads standard input");
  });

  test.each(bad)("a file that is %s is refused, and the old state stays", async (_name, make, code) => {
    await using appliance = new Appliance();
    appliance.json("init");
    appliance.json("corpus", "import", csv(appliance, "good.csv", good), "--name", "leak");
    const before = appliance.run(["corpus", "list", "--json"]).stdout;
    const { exitCode, stderr } = appliance.run(["corpus", "import", make(appliance), "--name", "leak"]);
    expect([exitCode, stderr]).toEqual([code, expect.stringMatching(/error: .+\n$/)]);
    expect(appliance.run(["corpus", "list", "--json"]).stdout).toBe(before);
    expect(readdirSync(join(appliance.dataDir, "corpora"))).toHaveLength(1);
  });

  test("stats and list show the stored data and their origin, and verify finds them undamaged", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    appliance.json("corpus", "import", csv(appliance, "leak.csv", good), "--name", "leak", "--date", "2021");
    appliance.json("corpus", "import", csv(appliance, "more.csv", `${good}john@example.org,x\n`), "--name", "more");
    expect(appliance.json("corpus", "stats")).toMatchObject({ addresses: 3, records: 3, templates: 2, forgotten: 0 });
    expect(appliance.json("corpus", "list")).toMatchObject([
      {
        name: "leak",
        imports: [{ file: "leak.csv", format: "csv", importer: "cli", options: { date: "2021" }, read: 1, records: 1 }],
      },
      { name: "more", records: 2 },
    ]);
    expect(appliance.json("corpus", "verify")).toMatchObject({ ok: true });
    const [file] = readdirSync(join(appliance.dataDir, "corpora"));
    const path = join(appliance.dataDir, "corpora", file ?? "");
    const bytes = readFileSync(path);
    bytes.writeUInt8((bytes[5000] ?? 0) ^ 1, 5000);
    writeFileSync(path, bytes);
    const { exitCode, stdout } = appliance.run(["corpus", "verify", "--json"]);
    expect([exitCode, JSON.parse(stdout)]).toEqual([1, expect.objectContaining({ ok: false })]);
  });

  test("more imports than may be live are merged by the command, and all of them are found", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    for (let index = 0; index < 10; index++) {
      appliance.json(
        "corpus",
        "import",
        csv(appliance, `${index}.csv`, `${good}u${index}@example.com,x\n`),
        "--name",
        "leak",
      );
    }
    expect(readdirSync(join(appliance.dataDir, "corpora")).length).toBeLessThanOrEqual(8);
    expect(appliance.json("corpus", "stats")).toMatchObject({ records: 20 });
    for (const index of [0, 5, 9]) {
      const envelope = appliance.json<{ exposure: { total: number } }>("enrich", `u${index}@example.com`);
      expect(envelope.exposure.total).toBe(1);
    }
  });

  test("forget erases an address from corpora and from what scans stored", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    appliance.json("corpus", "import", csv(appliance, "leak.csv", `${good}john@example.org,x\n`), "--name", "leak");
    const total = (email: string) => appliance.json<{ exposure: { total: number } }>("enrich", email).exposure.total;
    expect(total("jane.doe@example.com")).toBe(1);
    expect(appliance.run(["corpus", "forget", "Jane.Doe@Example.com"])).toMatchObject({ exitCode: 0 });
    expect(appliance.run(["corpus", "forget", "unknown@example.com"])).toMatchObject({ exitCode: 0 });
    expect(appliance.run(["corpus", "forget", "no address"])).toMatchObject({ exitCode: 4 });
    expect(total("jane.doe@example.com")).toBe(0);
    expect(total("john@example.org")).toBe(1);
    expect(
      appliance.json("corpus", "import", csv(appliance, "b.csv", `${good}a@example.com,x\n`), "--name", "leak"),
    ).toMatchObject({
      read: 2,
      imported: 1,
      skipped: { forgotten: 1 },
    });
    expect(total("jane.doe@example.com")).toBe(0);
  });

  test("the content of other columns is nowhere in the data directory", async () => {
    await using appliance = new Appliance();
    appliance.json("init");
    appliance.json("corpus", "import", csv(appliance, "good.csv", good), "--name", "leak");
    const found = Bun.spawnSync(["grep", "-rla", "-e", "hunter2", "-e", "jane.doe", appliance.dataDir]);
    expect(found.stdout.toString()).toBe("");
  });
});

test("init, serve and a look-up work with the source tree out of reach", async () => {
  await using appliance = new Appliance();
  const root = join(import.meta.dirname, "..", "..");
  const script = [
    `for hidden in src node_modules migrations; do mount -t tmpfs none ${root}/$hidden; done`,
    `test -z "$(ls ${root}/src)"`,
    `${appliance.executable} init --data-dir ${appliance.dataDir} >/dev/null`,
    `${appliance.executable} corpus import ${csv(appliance, "a.csv", "email\njane.doe@example.com\n")} --name leak --data-dir ${appliance.dataDir} --json`,
    `${appliance.executable} enrich jane.doe@example.com --data-dir ${appliance.dataDir} --json`,
  ].join(" && ");
  const run = Bun.spawnSync(["unshare", "-m", "sh", "-c", script], { env: appliance.environment() });
  expect(run.stderr.toString()).not.toMatch(/error:/);
  expect(run.stdout.toString()).toContain('"title":"Present in leak"');
});

test("if the temporary folder forbids execution, the database library is unpacked in the data directory", async () => {
  await using appliance = new Appliance();
  const folder = join(appliance.folder, "noexec");
  mkdirSync(folder);
  const xpose = `env TMPDIR=${folder} ${appliance.executable}`;
  const script = [
    `mount -t tmpfs -o noexec none ${folder}`,
    `${xpose} init --data-dir ${appliance.dataDir} >/dev/null`,
    `${xpose} workspaces list --data-dir ${appliance.dataDir} --json`,
  ].join(" && ");
  const run = Bun.spawnSync(["unshare", "-m", "sh", "-c", script], { env: appliance.environment() });
  expect([run.stdout.toString(), run.stderr.toString()]).toEqual([expect.stringContaining('"name":"default"'), ""]);
});
