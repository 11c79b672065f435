/**
 * `kill -9` in the middle of work, 500 times: nothing that was acknowledged is lost, nothing that was revoked lives again,
 * and the service is ready within 2 s. Imports and merges are killed more closely by `npm run soak:corpus`.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Appliance, type Service } from "../../test/helpers/appliance.ts";
import { finish, judge } from "../judge.ts";
import { share } from "../share.ts";

type Key = { readonly id: string; readonly key: string };
/** Something that was acknowledged: returns what is wrong now, or null. */
type Promised = () => Promise<string | null>;
/** Does its work again and again until it fails, and notes what was acknowledged. */
type Work = (note: (promised: Promised) => void) => Promise<void>;

const roundCount = share(500);
const readyWithinMs = 2_000;
const faults: string[] = [];
let promisedCount = 0;
let longestReadyMs = 0;
let nextNumber = 0;

await using appliance = new Appliance();
const { workspace_id: workspace, operator_token: token } = appliance.json<Record<string, string>>("init");
const keysPath = `/api/v1/workspaces/${workspace}/keys`;
const env = { XPOSE_RATE_LIMIT_ENTERPRISE: "0" };
let service: Service = await appliance.serve({ env });
const ownKey = appliance.mintKey("siege");
const children = new Set<ReturnType<typeof Bun.spawn>>();

const works: Readonly<Record<string, Work>> = {
  async enrich(note) {
    for (;;) {
      const { status, body } = await enrich(`user${nextNumber++}@example.com`, ownKey);
      if (status !== 202) return;
      const id = String(body["request_id"]);
      note(async () => {
        const poll = await fetch(`${service.url}/api/v1/soc/enrich/${id}`, { headers: { "X-API-Key": ownKey } });
        return poll.ok ? null : `an accepted scan answers ${poll.status}`;
      });
    }
  },
  async mint(note) {
    for (;;) {
      const minted = await manage("POST", "", { name: `siege ${nextNumber++}` });
      note(() => isAlive(minted, "a minted key"));
    }
  },
  async rotate(note) {
    for (;;) {
      const before = await manage("POST", "", { name: `siege ${nextNumber++}` });
      const after = await manage("POST", `/${before.id}/rotate`);
      note(async () => (await isAlive(after, "the key of a rotation")) ?? (await isDead(before, "a rotated key")));
    }
  },
  async revoke(note) {
    for (;;) {
      const minted = await manage("POST", "", { name: `siege ${nextNumber++}` });
      await manage("DELETE", `/${minted.id}`);
      note(() => isDead(minted, "a revoked key"));
    }
  },
  async import(note) {
    const name = `leak${nextNumber++}`;
    const file = join(appliance.folder, `${name}.csv`);
    writeFileSync(file, `email\n${Array.from({ length: 2_000 }, (_, at) => `${name}.${at}@example.com`).join("\n")}\n`);
    if (!(await command("corpus", "import", file, "--name", name))) return;
    note(() => isFound(`${name}.7@example.com`, true));
  },
  async forget(note) {
    const name = `gone${nextNumber++}`;
    const file = join(appliance.folder, `${name}.csv`);
    writeFileSync(file, `email\n${name}@example.com\n`);
    appliance.json("corpus", "import", file, "--name", name);
    if (!(await command("corpus", "forget", `${name}@example.com`))) return;
    note(() => isFound(`${name}@example.com`, false));
  },
  async backup(note) {
    const file = join(appliance.folder, `backup${nextNumber++}.tar`);
    if (!(await command("backup", file))) return;
    note(async () => {
      const target = `${file}.restored`;
      const { exitCode, stderr } = appliance.run(["restore", file, "--data-dir", target]);
      rmSync(target, { recursive: true, force: true });
      return exitCode === 0 ? null : `a backup is not restored: ${stderr}`;
    });
  },
};

const names = Object.keys(works);
for (let round = 0; round < roundCount; round += 1) {
  const name = names[round % names.length] ?? "";
  const promises: Promised[] = [];
  const isCommand = ["import", "forget", "backup"].includes(name);
  const work = works[name]?.((promised) => void promises.push(promised)).catch(() => undefined);
  await Bun.sleep(Math.random() * (isCommand ? 600 : 120));
  for (const child of children) child.kill("SIGKILL");
  service.kill("SIGKILL");
  await Promise.all([service.exited, work]);
  await start();
  promisedCount += promises.length;
  // The last ones are those that the kill came closest to.
  for (const promised of promises.slice(-5)) {
    const fault = await promised();
    if (fault !== null) faults.push(`round ${round}, ${name}: ${fault}`);
  }
}
const verify = appliance.run(["corpus", "verify"]);
const audit = appliance.run(["audit", "verify"]);
for (const fault of faults) console.log(fault);
judge(faults.length === 0, `${roundCount} kills, ${promisedCount} acknowledgements, ${faults.length} lost or revived`);
judge(longestReadyMs < readyWithinMs, `ready after ${longestReadyMs.toFixed(0)} ms at the latest`);
judge(verify.exitCode === 0 && audit.exitCode === 0, `corpora and audit trail whole: ${verify.stderr}${audit.stderr}`);
// The service sweeps a second after its start.
await Bun.sleep(2_000);
const { stdout } = appliance.run(["doctor"]);
judge(!stdout.includes("a killed command left"), "nothing is left of killed commands");
console.log("skipped: bulk look-ups, which this version does not have");
finish();

async function start(): Promise<void> {
  const startedAt = performance.now();
  service = await appliance.serve({ env });
  while ((await fetch(`${service.url}/readyz`)).status !== 200) await Bun.sleep(5);
  longestReadyMs = Math.max(longestReadyMs, performance.now() - startedAt);
}

async function command(...args: string[]): Promise<boolean> {
  const child = Bun.spawn([appliance.executable, ...args, "--data-dir", appliance.dataDir], {
    env: appliance.environment(),
    stdout: "ignore",
    stderr: "ignore",
  });
  children.add(child);
  const exitCode = await child.exited;
  children.delete(child);
  return exitCode === 0;
}

/** Throws when the answer is no success, and when there is none. */
async function manage(method: string, path: string, body?: object): Promise<Key> {
  const response = await fetch(`${service.url}${keysPath}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return response.status === 204 ? { id: "", key: "" } : ((await response.json()) as Key);
}

async function enrich(email: string, key: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${service.url}/api/v1/soc/enrich`, {
    method: "POST",
    headers: { "X-API-Key": key, "Content-Type": "application/json", ...headers },
    body: JSON.stringify({ indicator: { type: "email", value: email } }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function isAlive({ key }: Key, what: string): Promise<string | null> {
  const { status } = await enrich("jane.doe@example.com", key);
  return status === 200 || status === 202 ? null : `${what} is answered ${status}`;
}

async function isDead({ key }: Key, what: string): Promise<string | null> {
  const { status } = await enrich("jane.doe@example.com", key);
  return status === 401 ? null : `${what} is answered ${status}`;
}

async function isFound(email: string, isWanted: boolean): Promise<string | null> {
  const { status, body } = await enrich(email, ownKey, { Prefer: "wait=10" });
  const { findings } = body["exposure"] as { findings: readonly object[] };
  const count = findings.length;
  if (status === 200 && count > 0 === isWanted) return null;
  return `${email} has ${count} findings (${status}), wanted ${isWanted ? "some" : "none"}`;
}
