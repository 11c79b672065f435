import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemPython } from "../helpers/python-environment.ts";
import { describeConnector } from "./connector-suite.ts";
import { type FakeService, goodKey, startFakeService } from "./fake-service.ts";
import { outcomes } from "./outcomes.ts";
import { folderOf, lookUpBy, missingPython, runDriver } from "./run-driver.ts";

const missing = missingPython();

describeConnector({ name: "python", missing, lookUp: lookUpBy("python.py") });

describe.skipIf(missing !== null)("the one-file client", () => {
  const folder = mkdtempSync(join(tmpdir(), "xpose-python-"));
  let service: FakeService;
  beforeAll(() => {
    service = startFakeService();
    writeFileSync(join(folder, "key"), `${goodKey}\n`);
  });
  afterAll(async () => {
    await service.stop();
    rmSync(folder, { recursive: true });
  });

  /** Runs a line of Python beside the client, with the settings in the environment. */
  async function python(line: string): Promise<unknown> {
    const child = Bun.spawn(
      [systemPython, "-B", "-c", `import json\nfrom xpose_client import *\nprint(json.dumps(${line}))`],
      {
        stdout: "pipe",
        stderr: "pipe",
        env: { PYTHONPATH: folderOf("python"), XPOSE_URL: `${service.url}/`, XPOSE_API_KEY_FILE: join(folder, "key") },
      },
    );
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect(stderr).toBe("");
    return JSON.parse(stdout);
  }

  test("look_up, bulk and whoami take their settings from the environment", async () => {
    expect(await python('look_up("jane.doe@example.com")["headline"]')).toBe(
      "2 findings (1 high, 1 low); 4 of 5 sources answered; could not look: emailrep (timeout)",
    );
    expect(await python('whoami()["key"]["scopes"]')).toEqual(["enrich", "watch"]);
  });

  test("bulk: a row per address given, in their order, one call for the distinct ones", async () => {
    const rows = await python(
      'bulk(["partial@example.com", "failed@example.com", "PARTIAL@example.com ", "no-address"])',
    );
    expect(rows).toMatchObject([
      { email: "partial@example.com", status: "completed", total: 1, partial: true, failed_sources: ["emailrep"] },
      { status: "failed", total: null, error: "xpose: no source answered: hibp (auth), misp (timeout)" },
      { email: "PARTIAL@example.com", total: 1 },
      { status: "invalid", total: null, error: "xpose: invalid_email (The value is not a valid email address.)" },
    ]);
    const [call] = service.calls.filter(({ method, path }) => method === "POST" && path.endsWith("/bulk"));
    expect(call?.body).toMatchObject({ indicators: { length: 3 } });
  });

  test("an error carries its code and the seconds", async () => {
    const wanted = outcomes.filter(({ code }) => code !== undefined);
    const jobs = wanted.map(({ email, key }) => ({ email, key, url: service.url }));
    const seen = await runDriver<object[]>("python.py", { folder: folderOf("python"), jobs });
    expect(seen).toMatchObject(wanted.map(({ code, retryAfter }) => ({ code, retry_after: retryAfter ?? null })));
  });

  test("a key with a line end in it, and one with odd characters, is never shown", async () => {
    const jobs = ["xpz_live_\nsecret", "xpz_live_sécret"].map((key) => ({
      email: "nothing@example.com",
      key,
      url: service.url,
    }));
    const seen = await runDriver<{ said: string; output: string }[]>("python.py", { folder: folderOf("python"), jobs });
    for (const { said, output } of seen) {
      expect(said).toBe("xpose: api_key is no key: it holds odd characters");
      expect(output).not.toMatch(/s[eé]cret/);
    }
  });

  test("settings that are wrong are named", async () => {
    const job = { email: "nothing@example.com", key: goodKey };
    const jobs = [
      { ...job, url: "xpose.example.com" },
      { ...job, url: "https://user:pw@xpose.example.com" },
      { ...job, url: service.url, proxy: "socks://127.0.0.1:1" },
      { ...job, url: "https://127.0.0.1:1", caFile: join(folder, "none.pem") },
      { ...job, url: "https://127.0.0.1:1", caFile: join(folder, "key") },
      { ...job, url: service.url, verify: "perhaps" },
    ];
    const seen = await runDriver<{ said: string }[]>("python.py", { folder: folderOf("python"), jobs });
    expect(seen.map(({ said }) => said)).toEqual([
      "xpose: url is wanted, such as https://xpose.example.com, without user and password",
      "xpose: url is wanted, such as https://xpose.example.com, without user and password",
      "xpose: proxy is wanted as http://host:port",
      "xpose: ca_file cannot be read: No such file or directory",
      "xpose: ca_file cannot be read: it holds no certificate",
      "xpose: verify is true or false, not 'perhaps'",
    ]);
  });
});
