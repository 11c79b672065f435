import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const built = join(import.meta.dirname, "..", "..", "dist", "xpose");

export type CommandResult = { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string };

export type Service = {
  readonly url: string;
  readonly pid: number;
  /** The standard error so far. */
  readonly log: () => string;
  readonly kill: (signal: "SIGTERM" | "SIGKILL" | "SIGHUP" | "SIGINT") => void;
  readonly exited: Promise<number>;
};

export type ServeOptions = {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A script for bash that becomes the service; it gets the executable as `$0` and the arguments as `$@`. */
  readonly shell?: string;
};

/** A fresh machine: the executable copied to an empty folder, a data directory, and a clean environment. */
export class Appliance implements AsyncDisposable {
  readonly folder: string;
  readonly dataDir: string;
  readonly executable: string;
  readonly #services: { kill: (signal: "SIGKILL") => void; exited: Promise<number> }[] = [];

  constructor() {
    if (!existsSync(built)) throw new Error("dist/xpose is missing: npm run build");
    this.folder = mkdtempSync(join(tmpdir(), "xpose-appliance-"));
    this.dataDir = join(this.folder, "data");
    this.executable = join(this.folder, "xpose");
    copyFileSync(built, this.executable);
    mkdirSync(join(this.folder, "work"));
  }

  environment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
    return { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", TMPDIR: tmpdir(), ...extra };
  }

  /** Runs a command in its own folder, on the data directory of the appliance unless `args` name another. */
  run(args: readonly string[], options: { env?: Record<string, string>; stdin?: Uint8Array } = {}): CommandResult {
    const where = args.includes("--data-dir") ? [] : ["--data-dir", this.dataDir];
    const result = Bun.spawnSync([this.executable, ...args, ...where], {
      cwd: join(this.folder, "work"),
      env: this.environment(options.env),
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
      timeout: 60_000,
    });
    return { exitCode: result.exitCode, stdout: result.stdout.toString(), stderr: result.stderr.toString() };
  }

  /**
   * Runs a command without blocking, for a command that asks a server of the test. `shell` is a bash script with the
   * executable as `$0` and the arguments as `$@`.
   */
  async runBeside(
    args: readonly string[],
    options: { env?: Record<string, string>; stdin?: Bun.BunFile; cwd?: string; shell?: string } = {},
  ): Promise<CommandResult> {
    const { env, stdin = "ignore", cwd = join(this.folder, "work"), shell } = options;
    const words = [this.executable, ...args, "--data-dir", this.dataDir];
    const child = Bun.spawn(shell === undefined ? words : ["bash", "-c", shell, ...words], {
      cwd,
      env: this.environment(env),
      stdin,
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return { exitCode: await child.exited, stdout, stderr };
  }

  /** Runs a command that must succeed and returns its JSON document. */
  json<Document>(...args: string[]): Document {
    const { exitCode, stdout, stderr } = this.run([...args, "--json"]);
    if (exitCode !== 0) throw new Error(`xpose ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
    return JSON.parse(stdout) as Document;
  }

  /** Sets up the data directory and mints a key of the workspace `default`. */
  initialise(): string {
    this.json("init");
    return this.mintKey("test");
  }

  mintKey(name: string, workspace = "default"): string {
    return this.json<{ key: string }>("keys", "create", "--name", name, "--workspace", workspace).key;
  }

  /** Starts the service on a free port and waits for its first line. */
  async serve({ args = [], env = {}, shell }: ServeOptions = {}): Promise<Service> {
    const listen = args.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
    const words = [this.executable, "serve", "--data-dir", this.dataDir, ...listen, ...args];
    const child = Bun.spawn(shell === undefined ? words : ["bash", "-c", shell, ...words], {
      cwd: join(this.folder, "work"),
      env: this.environment(env),
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#services.push(child);
    let log = "";
    const reading = (async () => {
      for await (const chunk of child.stderr) log += new TextDecoder().decode(chunk);
    })();
    let first = "";
    for await (const chunk of child.stdout) {
      first += new TextDecoder().decode(chunk);
      if (first.includes("\n")) break;
    }
    if (!first.includes("\n")) {
      await reading;
      throw new Error(`serve ended with ${await child.exited}: ${log}`);
    }
    const { listening } = JSON.parse(first) as { listening: string };
    return {
      url: listening,
      pid: child.pid,
      log: () => log,
      kill: (signal) => child.kill(signal),
      exited: child.exited.then(async (code) => {
        await reading;
        return code;
      }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const service of this.#services) {
      service.kill("SIGKILL");
      await service.exited;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A client of the exposure API, like a SIEM. */
export function client(url: string, key: string) {
  const headers = { "X-API-Key": key, "Content-Type": "application/json" };
  return {
    enrich: (email: string, extra: Record<string, string> = {}) =>
      fetch(`${url}/api/v1/soc/enrich`, {
        method: "POST",
        headers: { ...headers, ...extra },
        body: JSON.stringify({ indicator: { type: "email", value: email } }),
      }),
    get: (path: string) => fetch(`${url}${path}`, { headers: { "X-API-Key": key } }),
    /** Polls until the scan is completed or failed and returns its last body. */
    async settle(requestId: string): Promise<Record<string, unknown>> {
      for (;;) {
        const response = await fetch(`${url}/api/v1/soc/enrich/${requestId}`, { headers: { "X-API-Key": key } });
        const body = (await response.json()) as Record<string, unknown>;
        if (body["status"] === "completed" || body["status"] === "failed" || !response.ok) return body;
        await Bun.sleep(20);
      }
    },
  };
}
