/**
 * From a fresh clone to the first evidence: creates a temporary data directory, imports two small corpora of invented
 * people, creates a key, starts the service, looks up an address like a SIEM, and serves until Ctrl-C. Needs the built
 * executable and no network.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..", "..");
const executable = join(root, "dist", "xpose");
const runs = join(root, ".quickstart");
mkdirSync(runs, { recursive: true });
const dataDir = mkdtempSync(join(runs, "data-"));
const address = "jane.doe@example.com";

/** A clean environment: editors set variables that `serve` refuses. */
const environment = { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8" };

try {
  await main();
} finally {
  rmSync(dataDir, { recursive: true, force: true });
}

async function main(): Promise<void> {
  say(`1. A data directory of its own, removed at the end: ${dataDir}`);
  const { operator_token: token } = xpose("init") as { operator_token: string };

  say("2. Two small corpora of invented people, one CSV and one JSON Lines");
  const folder = join(root, "scripts", "quickstart");
  xpose("corpus", "import", join(folder, "example-shop-2021.csv"), "--name", "example-shop");
  xpose("corpus", "import", join(folder, "forum-accounts.jsonl"), "--name", "example-forum");

  say("3. A key for the API, shown this once");
  const { key } = xpose("keys", "create", "--name", "quickstart") as { key: string };
  console.log(`   ${key}`);

  say("4. The service");
  const { service, url } = await serve();
  console.log(`   listening on ${url}`);

  say(`5. Ask about ${address}: nothing is known yet, so a scan starts (202)`);
  const headers = { "X-API-Key": key, "Content-Type": "application/json" };
  const body = JSON.stringify({ indicator: { type: "email", value: address } });
  const enrich = () => fetch(`${url}/api/v1/soc/enrich`, { method: "POST", headers, body });
  const miss = await enrich();
  const accepted = (await miss.json()) as { request_id: string; poll_url: string };
  console.log(`   ${miss.status} ${JSON.stringify(accepted)}`);

  say("6. Poll until the scan is completed");
  for (let status = "scanning"; status !== "completed"; ) {
    const polled = (await (await fetch(`${url}${accepted.poll_url}`, { headers })).json()) as { status: string };
    status = polled.status;
    console.log(`   ${status}`);
    if (status === "failed") throw new Error("the scan failed");
    if (status !== "completed") await Bun.sleep(200);
  }

  say("7. Ask again: a hit (200), the whole envelope");
  const hit = await enrich();
  console.log(JSON.stringify(await hit.json(), null, 2));

  say("Go on yourself:");
  console.log(`
  export XPOSE_API_KEY=${key}

  curl -s -X POST ${url}/api/v1/soc/enrich \\
    -H "X-API-Key: $XPOSE_API_KEY" -H "Content-Type: application/json" \\
    -d '{ "indicator": { "type": "email", "value": "john.roe@example.org" } }'

  curl -s ${url}${accepted.poll_url} -H "X-API-Key: $XPOSE_API_KEY"

  ${executable} enrich max.sample@example.net --data-dir ${dataDir}

The dashboard: ${url}, log in with ${token}
`);
  say(`Serving on ${url} until Ctrl-C.`);
  process.exitCode = await service.exited;
}

function say(text: string): void {
  console.log(`\n${text}`);
}

/** Runs a command on the data directory and returns its JSON output. */
function xpose(...args: string[]): unknown {
  const run = Bun.spawnSync([executable, ...args, "--data-dir", dataDir, "--json"], { env: environment });
  if (!run.success) throw new Error(`xpose ${args[0]} failed: ${run.stderr.toString()}`);
  return JSON.parse(run.stdout.toString());
}

/** Starts the service on port 8080, or on a free port if 8080 is taken. */
async function serve() {
  for (const port of [8080, 0]) {
    const command = [executable, "serve", "--data-dir", dataDir, "--listen", `127.0.0.1:${port}`];
    const service = Bun.spawn(command, { env: { ...environment, XPOSE_LOG_LEVEL: "warn" }, stderr: "pipe" });
    for await (const chunk of service.stdout) {
      const { listening } = JSON.parse(new TextDecoder().decode(chunk)) as { listening: string };
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => service.kill("SIGTERM"));
      void service.stderr.pipeTo(new WritableStream({ write: (bytes) => void process.stderr.write(bytes) }));
      return { service, url: listening };
    }
    await service.exited;
    if (port !== 8080) throw new Error(`the service did not start: ${await new Response(service.stderr).text()}`);
    console.log("   port 8080 is taken, so another one");
  }
  throw new Error("the service did not start");
}
