import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeConnector, type Job, type Seen } from "./connector-suite.ts";
import { type FakeService, freeKey, goodKey, startFakeService, unknownKey } from "./fake-service.ts";
import { folderOf, missingPython, runDriver } from "./run-driver.ts";

type Entry = {
  readonly Type: number;
  readonly Contents: unknown;
  readonly HumanReadable?: string;
  readonly EntryContext?: Readonly<Record<string, unknown>>;
  readonly IgnoreAutoExtract?: boolean;
};
type Run = { readonly entries: readonly Entry[]; readonly logs: readonly unknown[] };
type Command = {
  readonly command: string;
  readonly params: object;
  readonly args: object;
  readonly environment?: Record<string, string>;
};

const yml = Bun.YAML.parse(readFileSync(`${folderOf("xsoar")}xpose.yml`, "utf8")) as {
  script: { script: string; commands: { name: string; arguments: { name: string }[] }[] };
};
const missing = missingPython("requests");

/** A checkout with XSOAR's own CommonServerPython.py and demistomock.py, such as demisto/content-ci-cd-template. */
const checkout = process.env["XSOAR_CHECKOUT"];
const stub = fileURLToPath(new URL("stubs/xsoar", import.meta.url));
const platform = checkout !== undefined && existsSync(`${checkout}/CommonServerPython.py`) ? checkout : stub;
if (platform === stub) console.warn("XSOAR_CHECKOUT names no CommonServerPython: a stand-in of our own is used");

function run(jobs: readonly Command[]): Promise<Run[]> {
  return runDriver<Run[]>("xsoar.py", { platform, script: yml.script.script, jobs });
}

function commandOf({ email, url, key, seconds, tlp, verify, proxy, caFile }: Job): Command {
  return {
    command: "email",
    params: {
      url,
      credentials: { identifier: "", password: key },
      wait: String(seconds ?? 25),
      insecure: verify === false,
      proxy: proxy !== undefined,
      integrationReliability: "B - Usually reliable",
    },
    args: { email, ...(tlp === undefined ? {} : { tlp }) },
    environment: {
      ...(proxy === undefined ? {} : { HTTP_PROXY: proxy, HTTPS_PROXY: proxy }),
      ...(caFile === undefined ? {} : { REQUESTS_CA_BUNDLE: caFile }),
    },
  };
}

function seenOf({ entries, logs }: Run, job: Job): Seen {
  const output = JSON.stringify({ entries, logs });
  const error = entries.find(({ Type }) => Type === 4);
  if (error !== undefined) return { isError: true, said: String(error.Contents).replace(`${job.email}: `, ""), output };
  const [exposure] = Object.entries(entries[0]?.EntryContext ?? {}).flatMap(([path, value]) =>
    path.startsWith("Xpose.Exposure") ? [value as { headline: string }] : [],
  );
  return { isError: false, said: exposure?.headline ?? "no entry", output };
}

describeConnector({
  name: "xsoar",
  missing,
  // The platform's own bundle takes the place of `ca_file`.
  without: ["system_ca"],
  lookUp: async (jobs) => {
    const runs = await run(jobs.map(commandOf));
    return runs.map((result, at) => seenOf(result, jobs[at] as Job));
  },
});

describe.skipIf(missing !== null)("XSOAR's own conventions", () => {
  let service: FakeService;
  beforeAll(() => {
    service = startFakeService();
  });
  afterAll(() => service.stop());

  const job = (email: string): Job => ({ email, url: service.url, key: goodKey });
  const command = (name: string, args: object, email = "high@example.com"): Command => ({
    ...commandOf(job(email)),
    command: name,
    args,
  });
  const contextOf = (entry: Entry | undefined, prefix: string) =>
    Object.entries(entry?.EntryContext ?? {}).find(([path]) => path.startsWith(prefix))?.[1];

  test("test-module asks whoami and nothing else", async () => {
    const [result] = await run([command("test-module", {})]);
    expect(result?.entries).toEqual(["ok"]);
    expect(service.calls.map(({ method, path }) => `${method} ${path}`)).toEqual(["GET /api/v1/soc/whoami"]);
  });

  test("!email: the score is 0 whatever was found, and an address without a result is an entry of its own", async () => {
    const [result] = await run([
      command("email", { email: "failed@example.com,ready@example.com,nothing@example.com" }),
    ]);
    const entries = result?.entries ?? [];
    expect(entries.map(({ Type }) => Type)).toEqual([1, 1, 4, 19]);
    for (const entry of entries.slice(0, 2)) {
      expect(contextOf(entry, "DBotScore")).toMatchObject([
        { Score: 0, Vendor: "Xpose", Type: "email", Reliability: "B - Usually reliable" },
      ]);
      expect(entry.IgnoreAutoExtract).toBe(true);
      expect(JSON.stringify(contextOf(entry, "Account"))).not.toMatch(/Malicious|Blocked/);
    }
    expect(entries[2]?.Contents).toBe("failed@example.com: xpose: no source answered: hibp (auth), misp (timeout)");
    const metrics = (entries[3] as unknown as { APIExecutionMetrics: { Type: string; APICallsCount: number }[] })
      .APIExecutionMetrics;
    expect(metrics).toContainEqual({ Type: "Successful", APICallsCount: 2 });
    expect(metrics).toContainEqual({ Type: "ServiceError", APICallsCount: 1 });
  });

  test("!email: the metrics say which kind of fault it was", async () => {
    const job = (more: Partial<Job>): Job => ({
      email: "nothing@example.com",
      url: service.url,
      key: goodKey,
      ...more,
    });
    const jobs = [
      job({ email: "limited-long@example.com" }),
      job({ key: unknownKey }),
      job({ key: freeKey }),
      job({ email: "unavailable@example.com" }),
      job({ url: "http://127.0.0.1:9" }),
      job({ proxy: "http://127.0.0.1:9" }),
      job({ email: "slow@example.com", seconds: 2 }),
      job({ email: "not an address" }),
    ];
    const kinds = (await run(jobs.map(commandOf))).map(({ entries }) => {
      const metrics = entries.at(-1) as unknown as { APIExecutionMetrics: { Type: string }[] };
      return metrics.APIExecutionMetrics.map(({ Type }) => Type);
    });
    expect(kinds).toEqual(
      "QuotaError AuthError AuthError ServiceError ConnectionError ProxyError TimeoutError GeneralError"
        .split(" ")
        .map((kind) => [kind]),
    );
  });

  test("!xpose-email-exposure frees its worker, and goes on with the request id", async () => {
    const [first] = await run([
      command("xpose-email-exposure", { email: "high@example.com", interval_in_seconds: "17" }),
    ]);
    const scheduled = first?.entries[0] as unknown as { PollingCommand: string; NextRun: string; PollingArgs: object };
    expect(scheduled).toMatchObject({ PollingCommand: "xpose-email-exposure", NextRun: "17" });
    const [second] = await run([command("xpose-email-exposure", scheduled.PollingArgs)]);
    const exposure = contextOf(second?.entries[0], "Xpose.Exposure(val.email && val.email == obj.email)");
    expect(exposure).toMatchObject({
      email: "high@example.com",
      headline: "3 findings (2 high, 1 low); 5 of 5 sources answered",
      total: 3,
      high: 2,
      partial: false,
      sources_asked: 5,
      failed_sources: [],
    });
    expect(JSON.stringify(second?.entries)).not.toContain("DBotScore");
    const argumentsInYml = yml.script.commands.find(({ name }) => name === "xpose-email-exposure")?.arguments ?? [];
    const declared = argumentsInYml.map(({ name }) => name);
    for (const name of Object.keys(scheduled.PollingArgs)) expect(declared).toContain(name);
  });

  test("!xpose-bulk: a row without a result has no number and says why", async () => {
    const args = { emails: "nothing@example.com,failed@example.com,partial@example.com,no-address,slow@example.com" };
    const [first] = await run([command("xpose-bulk", args)]);
    const polling = first?.entries[0] as unknown as { PollingArgs: { bulk_id: string } };
    expect(polling.PollingArgs.bulk_id).toMatch(/^[0-9a-f-]{36}$/);
    const [again] = await run([command("xpose-bulk", polling.PollingArgs)]);
    expect(JSON.stringify(again?.entries)).toContain("PollingCommand");

    const done = { emails: "nothing@example.com,failed@example.com,partial@example.com,no-address" };
    const [start] = await run([command("xpose-bulk", done)]);
    const begun = start?.entries[0] as unknown as { PollingArgs: object };
    const [end] = await run([command("xpose-bulk", begun.PollingArgs)]);
    expect(contextOf(end?.entries[0], "Xpose.Exposure")).toMatchObject([
      { email: "nothing@example.com", status: "completed", total: 0 },
      { email: "failed@example.com", status: "failed", total: null, high: null, partial: null },
      {
        email: "partial@example.com",
        total: 1,
        partial: true,
        failed_sources: [{ source: "emailrep", error: "timeout" }],
      },
      { email: "no-address", status: "invalid", total: null },
    ]);
  });

  test("!xpose-watch-add fills Xpose.Watch", async () => {
    const [result] = await run([command("xpose-watch-add", { emails: "a@example.com,b@example.com", label: "staff" })]);
    expect(contextOf(result?.entries[0], "Xpose.Watch")).toMatchObject({ added: 2, total: 2 });
    expect(service.calls.at(-1)?.body).toMatchObject({ label: "staff" });
  });

  test("the README shows the war room as it is", async () => {
    const [result] = await run([command("email", { email: "jane.doe@example.com" })]);
    const text = readFileSync(`${folderOf("xsoar")}README.md`, "utf8");
    expect(text).toContain(result?.entries[0]?.HumanReadable);
  });

  test("markup in a title counts nowhere in the war room", async () => {
    const [result] = await run([command("email", { email: "hostile@example.com" })]);
    const shown = result?.entries[0]?.HumanReadable ?? "";
    expect(shown).not.toMatch(/(?<!\\)<img|(?<!\\)\[link\]|(?<!\\)\*\*bold/);
    expect(shown.split("\n").filter((line) => line.startsWith("| medium")).length).toBe(1);
  });
});
