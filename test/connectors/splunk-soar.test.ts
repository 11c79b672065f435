import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeConnector, type Job, type Seen } from "./connector-suite.ts";
import { type FakeService, goodKey, startFakeService, unknownKey } from "./fake-service.ts";
import { folderOf, missingPython, runDriver, systemAuthorities } from "./run-driver.ts";

type Result = {
  readonly status: "success" | "failed";
  readonly message: string;
  readonly parameter: Record<string, unknown>;
  readonly data: readonly Record<string, unknown>[];
  readonly summary: Record<string, unknown>;
};
type Run = {
  readonly status: readonly boolean[];
  readonly results: readonly Result[];
  readonly progress: readonly string[];
};
type Action = {
  readonly identifier: string;
  readonly config: object;
  readonly parameters: readonly object[];
  readonly seconds?: number | undefined;
  readonly environment?: object;
};

const missing = missingPython("requests", "certifi");
const app = JSON.parse(readFileSync(`${folderOf("splunk-soar")}xpose.json`, "utf8"));
const platform = fileURLToPath(new URL("stubs/splunk-soar", import.meta.url));

const run = (jobs: readonly Action[], environment: Record<string, string> = {}) =>
  runDriver<Run[]>("splunk-soar.py", { folder: folderOf("splunk-soar"), platform, jobs }, environment);

function actionOf({ email, url, key, seconds, tlp, verify, caFile, proxy }: Job): Action {
  return {
    identifier: "look_up_email",
    config: { url, api_key: key, verify_server_cert: verify ?? true, ca_file: caFile },
    parameters: [{ email, ...(tlp === undefined ? {} : { tlp }) }],
    seconds,
    environment: proxy === undefined ? {} : { HTTP_PROXY: proxy, HTTPS_PROXY: proxy },
  };
}

function seenOf(result: Run): Seen {
  const [first] = result.results;
  const output = JSON.stringify(result);
  if (first?.status !== "success") return { isError: true, said: first?.message ?? "no result", output };
  expect(first.message).toBe(first.summary["headline"]);
  return { isError: false, said: first.message, output };
}

describeConnector({
  name: "splunk-soar",
  missing,
  lookUp: async (jobs) => (await run(jobs.map(actionOf), systemAuthorities(jobs))).map(seenOf),
});

describe.skipIf(missing !== null)("Splunk SOAR's own conventions", () => {
  let service: FakeService;
  beforeAll(() => {
    service = startFakeService();
  });
  afterAll(() => service.stop());

  const action = (identifier: string, param: object, key = goodKey): Action => ({
    identifier,
    config: { url: service.url, api_key: key },
    parameters: [param],
  });

  test("test connectivity asks whoami and fails with a wrong key", async () => {
    const [good, bad] = await run([action("test_connectivity", {}), action("test_connectivity", {}, unknownKey)]);
    expect([good?.status, bad?.status]).toEqual([[true], [false]]);
    expect(service.calls.map(({ path }) => path)).toEqual(["/api/v1/soc/whoami", "/api/v1/soc/whoami"]);
  });

  test("the case is data for nothing found too, and partial is a success that says so", async () => {
    const [nothing, partial] = await run([
      action("look_up_email", { email: "nothing@example.com" }),
      action("look_up_email", { email: "partial@example.com" }),
    ]);
    expect(nothing?.results[0]?.data[0]).toMatchObject({ status: "completed", exposure: { total: 0 } });
    expect(partial?.results[0]).toMatchObject({
      status: "success",
      summary: { partial: true, sources_asked: 2, sources_answered: 1 },
    });
  });

  test("bulk gives one action result per address", async () => {
    const emails = "nothing@example.com, failed@example.com, nothing@example.com";
    const [result] = await run([action("bulk_look_up", { emails })]);
    expect(result?.results.map(({ status, message }) => ({ status, message }))).toEqual([
      { status: "success", message: "No finding; 5 of 5 sources answered" },
      { status: "failed", message: "xpose: no source answered: hibp (auth), misp (timeout)" },
    ]);
  });

  test("waiting is told with the request id", async () => {
    const [result] = await run([action("look_up_email", { email: "high@example.com" })]);
    expect(result?.progress[0]).toMatch(/^waiting for scan [0-9a-f-]{36}$/);
  });
});

test("the app's document has the shape of an app, and its files", () => {
  expect(app).toMatchObject({
    type: "investigative",
    fips_compliant: false,
    min_phantom_version: "6.3.0",
    python_version: "3.9, 3.13",
  });
  expect(app.configuration.api_key.data_type).toBe("password");
  for (const file of [app.main_module, app.logo, app.logo_dark])
    expect(existsSync(`${folderOf("splunk-soar")}${file}`)).toBe(true);
  const actions = app.actions.map(({ action, read_only }: { action: string; read_only: boolean }) => [
    action,
    read_only,
  ]);
  expect(actions).toEqual([
    ["test connectivity", true],
    ["look up email", true],
    ["bulk look up", true],
    ["add to watch list", false],
  ]);
  const paths = app.actions[1].output.map(({ data_path }: { data_path: string }) => data_path);
  for (const name of ["headline", "total", "high", "medium", "low", "partial", "sources_asked", "sources_answered"]) {
    expect(paths).toContain(`action_result.summary.${name}`);
  }
  for (const path of ["failed_sources.*.source", "exposure.findings.*.title"])
    expect(paths).toContain(`action_result.data.*.${path}`);
});
