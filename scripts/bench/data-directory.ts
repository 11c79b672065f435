import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addressOf, ask } from "./caller.ts";
import { onServerCore } from "./pinning.ts";
import { cleanEnvironment, type StartedServer, startServer } from "./started-server.ts";

/** A data directory with known addresses, and everything needed to serve it. */
export type DataDirectory = {
  readonly folder: string;
  readonly command: (...args: readonly string[]) => string[];
  /** Runs a command that must succeed. */
  readonly run: (...args: readonly string[]) => unknown;
  readonly serve: () => Promise<StartedServer>;
  /** A key of each workspace. */
  readonly keys: Readonly<Record<WorkspaceName, string>>;
  /** Addresses of the name `scanned` that are hits. */
  readonly scannedCount: number;
  /** Addresses of the name `unseen` that are in the corpus and were never requested. */
  readonly unseenCount: number;
};

/**
 * `default` has only corpora, `online` the slow source, `five` five sources. `importing` gets the corpus that is imported
 * during a measurement, because new data makes the results of the workspaces that see it stale.
 */
const workspaceNames = ["default", "online", "five", "importing"] as const;
type WorkspaceName = (typeof workspaceNames)[number];

type Request = {
  readonly executable: string;
  readonly folder: string;
  readonly scannedCount: number;
  readonly unseenCount: number;
  /** URLs of the fake upstreams. */
  readonly slowUrl: string;
  readonly fiveUrl: string;
};

/** Concurrent requests while the data directory is filled. */
const atOnce = 32;

export async function prepareDataDirectory(request: Request): Promise<DataDirectory> {
  const { executable, folder, scannedCount, unseenCount } = request;
  mkdirSync(folder, { recursive: true });
  const configFile = join(folder, "xpose.toml");
  writeFileSync(configFile, configuration(request));
  const where = ["--data-dir", join(folder, "data"), "--config", configFile];
  const command = (...args: readonly string[]) => [executable, ...args, ...where];
  const run = (...args: readonly string[]): unknown => {
    const result = Bun.spawnSync(command(...args, "--json"), { env: cleanEnvironment });
    if (!result.success) throw new Error(`xpose ${args.join(" ")}: ${result.stderr.toString()}`);
    return JSON.parse(result.stdout.toString());
  };
  const keyOf = (workspace: string) =>
    (run("keys", "create", "--name", "bench", "--workspace", workspace) as { key: string }).key;
  const serve = () => startServer(onServerCore(command("serve", "--listen", "127.0.0.1:0")), join(folder, "xpose.log"));

  run("init");
  for (const name of workspaceNames.slice(1)) run("workspaces", "create", "--name", name);
  const corpus = join(folder, "corpus.csv");
  writeFileSync(corpus, csv({ scanned: scannedCount, unseen: unseenCount }));
  run("corpus", "import", corpus, "--name", "bench");
  const keys = {
    default: keyOf("default"),
    online: keyOf("online"),
    five: keyOf("five"),
    importing: keyOf("importing"),
  };
  await using service = await serve();
  let next = 0;
  const scan = async () => {
    while (next < scannedCount)
      await ask(service.url, keys.default, addressOf("scanned", next++), { wait: 50, status: 200 });
  };
  await Promise.all(Array.from({ length: atOnce }, scan));
  return { folder, command, run, serve, keys, scannedCount, unseenCount };
}

function configuration({ slowUrl, fiveUrl }: Request): string {
  const source = (name: string, url: string, workspace: string) => `
[[sources.http]]
name = "${name}"
url = "${url}/${name}/{email}"
timeout = "60s"
workspaces = ["${workspace}"]
`;
  // The rate limiter is active but refuses no request.
  return `
[rate_limit]
team = 1000000000
enterprise = 1000000000

[scan]
concurrency = 400
${source("slow", slowUrl, "online")}${[1, 2, 3, 4, 5].map((index) => source(`five-${index}`, fiveUrl, "five")).join("")}`;
}

/** Two findings per address. */
function csv(counts: Readonly<Record<string, number>>): string {
  const lines = ["email,severity,title,subject,date"];
  for (const [name, count] of Object.entries(counts)) {
    for (let index = 0; index < count; index++) {
      const address = addressOf(name, index);
      lines.push(`${address},medium,Present in the Example Shop 2021 breach,shop.example,2021-03-04`);
      lines.push(`${address},medium,Present in the Example Forum 2019 breach,forum.example,2019-11`);
    }
  }
  return `${lines.join("\n")}\n`;
}
