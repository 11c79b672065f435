import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemPython } from "../helpers/python-environment.ts";
import { describeConnector } from "./connector-suite.ts";
import { type FakeService, goodKey, startFakeService } from "./fake-service.ts";
import { folderOf, lookUpBy, missingPython, runDriver } from "./run-driver.ts";

type Attribute = {
  readonly uuid: string;
  readonly type: string;
  readonly category: string;
  readonly value: string;
  readonly comment: string;
  readonly to_ids: boolean;
  readonly disable_correlation: boolean;
  readonly distribution: string;
  readonly Tag?: readonly { readonly name: string }[];
  readonly first_seen?: string;
};
type Answer = { readonly results?: { readonly Attribute: readonly Attribute[] }; readonly error?: string };

const missing = missingPython();

describeConnector({ name: "misp", missing, lookUp: lookUpBy("misp.py") });

let service: FakeService;
beforeAll(() => {
  service = startFakeService();
});
afterAll(() => service.stop());

const config = () => ({ url: service.url, api_key: goodKey });
const request = (email: string, more: object = {}) => ({
  module: "xpose",
  attribute: { type: "email-src", value: email, uuid: "5f0c2b9e-0000-4000-8000-000000000000", ...more },
  config: config(),
});

describe.skipIf(missing !== null)("MISP's own conventions", () => {
  /** Answers of `dict_handler`, one per request. */
  const ask = (requests: readonly unknown[]) =>
    runDriver<Answer[]>("misp-raw.py", { folder: folderOf("misp"), requests });

  test("a finding is a text, and a link where it has one; none detects or correlates", async () => {
    const [answer] = await ask([request("ready@example.com")]);
    const attributes = answer?.results?.Attribute ?? [];
    expect(attributes.map(({ type }) => type)).toEqual(["text", "text", "link", "text", "text"]);
    for (const attribute of attributes) {
      expect(attribute).toMatchObject({ to_ids: false, disable_correlation: true, distribution: "5" });
      expect(attribute.Tag).toBeUndefined();
    }
    expect(attributes[0]?.comment).toMatch(/^xpose scan [0-9a-f-]{36}, person-resolution gated/);
    expect(attributes[1]).toMatchObject({
      category: "Other",
      value: "Present in the Example Shop 2021 breach",
      comment: "source=hibp reliability=0.9 (high) corroborated_by=misp category=breach severity=high",
      first_seen: "2026-11-20T08:30:00+00:00",
    });
    expect(attributes[2]).toMatchObject({
      category: "External analysis",
      value: "https://shop.example.com/security-notice",
      comment: "hibp: Present in the Example Shop 2021 breach",
    });
    expect(attributes[4]?.first_seen).toBeUndefined();
  });

  test("a second enrichment brings the same UUIDs, another address others", async () => {
    const [first, second, other] = await ask(
      ["ready", "ready", "partial"].map((name) => request(`${name}@example.com`)),
    );
    const uuids = (answer: Answer | undefined) => answer?.results?.Attribute.map(({ uuid }) => uuid) ?? [];
    expect(uuids(second)).toEqual(uuids(first));
    expect(new Set(uuids(first)).size).toBe(5);
    expect(uuids(first).filter((uuid) => uuids(other).includes(uuid))).toEqual([]);
  });

  test("the strictest tlp tag goes along and stands on every attribute", async () => {
    const Tag = [{ name: "tlp:green" }, { name: "TLP:RED" }, { name: "tlp:unclear" }, { name: "admiralty-scale:b" }];
    const [answer] = await ask([request("tlp@example.com", { Tag })]);
    expect(service.callsFor("tlp@example.com")[0]?.body).toMatchObject({ options: { tlp: "red" } });
    for (const attribute of answer?.results?.Attribute ?? []) expect(attribute.Tag).toEqual([{ name: "tlp:red" }]);
  });

  test("the older form gives one text per value, the headline first", async () => {
    const [answer] = await ask([{ module: "xpose", "email-dst": "partial@example.com", config: config() }]);
    const results = answer?.results as unknown as { types: string[]; values: string[] }[];
    expect(results[0]).toEqual({
      types: ["text"],
      values: ["xpose: 1 finding (1 high); 1 of 2 sources answered; could not look: emailrep (timeout)"],
    });
    for (const { values } of results) for (const value of values) expect(typeof value).toBe("string");
  });

  test("whatever comes in, an error is a text beside nothing else", async () => {
    const answers = await ask([
      { ...request("x.example"), attribute: { type: "domain", value: "x.example" } },
      { ...request("nothing@example.com"), config: { ...config(), wait: "soon" } },
      { ...request("nothing@example.com"), config: null },
      { module: "xpose", "ip-src": "192.0.2.1", config: config() },
      { module: "xpose", attribute: "text", config: config() },
      null,
      { ...request("nothing@example.com"), config: { ...config(), tlp: "pink" } },
    ]);
    expect(answers.map(({ error }) => error)).toEqual([
      "xpose looks up email addresses, not domain",
      "xpose: wait is a number of seconds, not 'soon'",
      "xpose: url is wanted, such as https://xpose.example.com, without user and password",
      "xpose looks up email addresses, not ip-src",
      "xpose looks up email addresses, not attribute",
      "xpose: the module failed (AttributeError)",
      "xpose: tlp is clear, green, amber, amber+strict or red, not 'pink'",
    ]);
    for (const answer of answers) expect(Object.keys(answer)).toEqual(["error"]);
  });

  test("the README shows what the module answers", async () => {
    const [answer] = await ask([request("jane.doe@example.com")]);
    const text = readFileSync(`${folderOf("misp")}README.md`, "utf8");
    for (const attribute of answer?.results?.Attribute.slice(0, 2) ?? []) {
      expect(text).toContain(JSON.stringify(attribute, null, 2));
    }
  });
});

/** A checkout of misp-modules, and one of PyMISP, which it imports. */
const checkout = process.env["MISP_MODULES_CHECKOUT"];
const pymisp = process.env["PYMISP_CHECKOUT"];
const whyNoServer =
  checkout === undefined || pymisp === undefined || !existsSync(`${checkout}/misp_modules`)
    ? "MISP_MODULES_CHECKOUT and PYMISP_CHECKOUT name no checkouts"
    : missingPython("tornado", "psutil", "requests", "dateutil", "deprecated");
if (whyNoServer !== null) console.warn(`the real misp-modules server: skipped, ${whyNoServer}`);

describe.skipIf(whyNoServer !== null)("the real misp-modules server", () => {
  const root = mkdtempSync(join(tmpdir(), "xpose-misp-"));
  const stubs = fileURLToPath(new URL("stubs/misp", import.meta.url));
  const port = 20_000 + (process.pid % 20_000);
  const base = `http://127.0.0.1:${port}`;
  let server: ReturnType<typeof Bun.spawn>;

  beforeAll(async () => {
    mkdirSync(join(root, "expansion"));
    cpSync(`${folderOf("misp")}expansion/xpose.py`, join(root, "expansion/xpose.py"));
    server = Bun.spawn([systemPython, "-B", "-m", "misp_modules", "-l", "127.0.0.1", "-p", String(port), "-c", root], {
      cwd: root,
      stdout: Bun.file(join(root, "log")),
      stderr: Bun.file(join(root, "errors")),
      env: { PATH: "/usr/bin:/bin", PYTHONPATH: `${stubs}:${checkout}:${pymisp}` },
    });
    for (let turn = 0; turn < 300; turn += 1) {
      const isUp = await fetch(`${base}/modules`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isUp) return;
      await Bun.sleep(100);
    }
    throw new Error(`the server does not come up: ${readFileSync(join(root, "errors"), "utf8").slice(-2000)}`);
  }, 40_000);
  afterAll(async () => {
    server.kill();
    await server.exited;
    rmSync(root, { recursive: true });
  });

  const query = async (body: object) =>
    (await fetch(`${base}/query`, { method: "POST", body: JSON.stringify(body) })).json() as Promise<Answer>;

  test("lists the module with its settings", async () => {
    const modules = (await (await fetch(`${base}/modules`)).json()) as {
      name: string;
      mispattributes: object;
      meta: object;
    }[];
    expect(modules.find(({ name }) => name === "xpose")).toMatchObject({
      mispattributes: { format: "misp_standard", output: ["text", "link", "comment"] },
      meta: {
        "module-type": ["expansion", "hover"],
        config: ["url", "api_key", "wait", "ca_file", "verify", "proxy", "cached_only", "tlp"],
      },
    });
  });

  test("hands both forms of a request to it, and its answers on as they are", async () => {
    const standard = await query(request("partial@example.com"));
    expect(standard.results?.Attribute[0]?.value).toMatch(/^xpose: 1 finding \(1 high\); 1 of 2 sources answered/);
    const older = await query({ module: "xpose", email: "nothing@example.com", config: config() });
    expect(JSON.stringify(older)).toContain("xpose: No finding; 5 of 5 sources answered");
    const failed = await query(request("failed@example.com"));
    expect(failed).toEqual({ error: "xpose: no source answered: hibp (auth), misp (timeout)" });
  });

  test("ends before the server's time-out, and leaves no key in its log", async () => {
    const answer = await query({ ...request("slow@example.com"), timeout: 8 });
    expect(answer.error).toMatch(/is still scanning; ask again$/);
    const log = ["log", "errors"].map((file) => readFileSync(join(root, file), "utf8")).join("");
    expect(log).not.toContain(goodKey);
  });
});
