import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ConfigRequest, checkServeSettings, loadConfig } from "../../src/config/config.ts";
import { takeEnvironment } from "../../src/config/environment.ts";
import { ConfigError } from "../../src/config/error.ts";

vi.mock("../../src/sources/registry.ts", async (importOriginal) => {
  const { sourceKinds } = await importOriginal<typeof import("../../src/sources/registry.ts")>();
  const { keyedSource, placelessSource } = await import("../helpers/keyed-source.ts");
  return { sourceKinds: [...sourceKinds, keyedSource, placelessSource] };
});

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xpose-config-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

type Given = { flags?: ConfigRequest["flags"]; env?: ConfigRequest["env"]; secrets?: boolean };

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function load(toml: string, { flags = {}, env = {}, secrets = true }: Given = {}) {
  return loadConfig({
    flags: { config: write("xpose.toml", toml), ...flags },
    env,
    needs: { sourceSecrets: secrets },
  });
}

const configOf = (toml: string, given?: Given) => load(toml, given).config;

/** The error message for a bad configuration. */
function refusal(toml: string, given?: Given): string {
  try {
    load(toml, given);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const { message } = error as ConfigError;
    expect(message).not.toMatch(/[\n\r]/);
    return message;
  }
  throw new Error(`accepted: ${toml}`);
}

const intranet = '[[sources.http]]\nname = "intranet"\nurl = "https://intranet.example/leaks/{email}"\n';

describe("defaults", () => {
  test("an empty file gives the defaults of the contract", () => {
    expect(configOf("")).toEqual({
      dataDir: "/var/lib/xpose",
      secretFile: "/var/lib/xpose/secret.key",
      isSecretInDataDir: true,
      isSecretCredential: false,
      offline: false,
      server: {
        listen: { kind: "tcp", host: "127.0.0.1", port: 8080 },
        socketMode: 0o660,
        sourceUrl: null,
        publicUrl: null,
        getLookUp: false,
        bulkLimit: 1000,
        tlsCert: null,
        tlsKey: null,
        clientCa: null,
        insecureHttp: false,
        trustedProxies: [],
        drainDelayMs: 0,
        hostnames: [],
      },
      cache: { ttlMs: 24 * 3_600_000, partialTtlMs: 15 * 60_000 },
      scan: {
        concurrency: 16,
        timeoutMs: 90_000,
        maxQueue: 10_000,
        retentionMs: 30 * 86_400_000,
        ledgerRetentionMs: 400 * 86_400_000,
        maxFindings: 2000,
        maxTlpOutside: "amber",
      },
      watch: { max: 100_000, intervalMs: 7 * 86_400_000, eventRetentionMs: 30 * 86_400_000 },
      webhooks: [],
      audit: { retentionMs: 400 * 86_400_000 },
      rateLimit: { team: 600, enterprise: 6000, windowMs: 3_600_000 },
      outbound: { proxy: null, noProxy: [], caFile: null },
      log: { level: "info", format: "json" },
      sources: [],
      corpus: { isEnabled: true, timeoutMs: 10_000 },
    });
  });

  test("a configuration is deeply frozen", () => {
    const config = configOf(`${intranet}headers = { X-Team = "soc" }\nworkspaces = ["default"]`);
    const isFrozen = (value: unknown): boolean =>
      typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen));
    expect(isFrozen(config)).toBe(true);
  });
});

describe("which file is read", () => {
  const request = { env: {}, flags: {}, needs: { sourceSecrets: false } };

  test("a missing default file means defaults, and an existing default file is read", () => {
    const absent = { ...request, defaultFile: join(folder, "absent.toml") };
    expect(loadConfig(absent).config.offline).toBe(false);
    expect(loadConfig({ ...request, defaultFile: write("x.toml", "offline = true") }).config.offline).toBe(true);
  });

  test("an unreadable default file is refused", () => {
    mkdirSync(join(folder, "is-a-folder"));
    expect(() => loadConfig({ ...request, defaultFile: join(folder, "is-a-folder") })).toThrow(/EISDIR/);
  });

  test("the flag overrides XPOSE_CONFIG, which overrides the default file", () => {
    const variable = write("variable.toml", "[scan]\nconcurrency = 2");
    const env = { XPOSE_CONFIG: variable };
    const defaultFile = write("default.toml", "[scan]\nconcurrency = 3");
    expect(loadConfig({ ...request, env, defaultFile }).config.scan.concurrency).toBe(2);
    expect(configOf("[scan]\nconcurrency = 1", { env }).scan.concurrency).toBe(1);
    expect(loadConfig({ ...request, env: { XPOSE_CONFIG: "" }, defaultFile }).config.scan.concurrency).toBe(3);
  });

  test("a named file that is missing is refused", () => {
    const missing = join(folder, "missing.toml");
    expect(() => loadConfig({ ...request, flags: { config: missing } })).toThrow(
      `--config: got "${missing}" (ENOENT), want a file that can be read`,
    );
    expect(() => loadConfig({ ...request, env: { XPOSE_CONFIG: missing } })).toThrow(/^XPOSE_CONFIG: got/);
  });
});

describe("values", () => {
  test("flags override variables, and variables override the file", () => {
    const toml = '[server]\nlisten = "127.0.0.1:1001"';
    const env = { XPOSE_SERVER_LISTEN: "127.0.0.1:1002" };
    const portOf = (given: Given) => configOf(toml, given).server.listen;
    expect(portOf({})).toMatchObject({ port: 1001 });
    expect(portOf({ env })).toMatchObject({ port: 1002 });
    expect(portOf({ env, flags: { listen: "127.0.0.1:1003" } })).toMatchObject({ port: 1003 });
  });

  test("--data-dir may be relative to the working directory, and the secret is inside it", () => {
    const typed = relative(process.cwd(), join(folder, "data"));
    expect(configOf("", { flags: { dataDir: typed } })).toMatchObject({
      dataDir: join(folder, "data"),
      secretFile: join(folder, "data/secret.key"),
      isSecretInDataDir: true,
      isSecretCredential: false,
    });
  });

  test.each([
    ["127.0.0.1:0", { kind: "tcp", host: "127.0.0.1", port: 0 }],
    ["[::1]:8080", { kind: "tcp", host: "::1", port: 8080 }],
    ["localhost:65535", { kind: "tcp", host: "localhost", port: 65_535 }],
    ["unix:/run/xpose/xpose.sock", { kind: "unix", path: "/run/xpose/xpose.sock" }],
  ])("listen %s is understood", (text, expected) => {
    expect(configOf(`[server]\nlisten = "${text}"`).server.listen).toEqual(expected);
  });

  test.each([
    "8080",
    ":8080",
    "localhost",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "::1:8080",
    "[127.0.0.1]:80",
    "http://localhost:80",
    "unix:relative.sock",
    `unix:/${"x".repeat(107)}`,
  ])("listen %s is refused", (text) => {
    expect(refusal(`[server]\nlisten = "${text}"`)).toMatch(
      /^server\.listen: got ".*, want host:port, \[ipv6\]:port or/,
    );
  });

  test.each([
    ["1s", 1000],
    ["90s", 90_000],
    ["15m", 900_000],
    ["24h", 86_400_000],
    ["30d", 2_592_000_000],
    ["0s", 0],
  ])("the duration %s is %d milliseconds", (text, ms) => {
    expect(configOf(`[cache]\nttl = "${text}"`).cache.ttlMs).toBe(ms);
  });

  test.each(['"24"', '"1.5h"', '"-1s"', '"1w"', '" 1s"', '"1h30m"', '""', "24", "true", '"99999999999d"', '"36501d"'])(
    "the duration %s is refused",
    (text) => {
      expect(refusal(`[cache]\nttl = ${text}`)).toBe(
        `cache.ttl: got ${text}, want a duration such as 90s, 15m, 24h or 30d, or 0s`,
      );
    },
  );

  test("a duration of zero is accepted only where the contract allows it", () => {
    expect(configOf('[cache]\npartial_ttl = "0s"').cache.partialTtlMs).toBe(0);
    expect(refusal('[scan]\nretention = "0s"')).toMatch(/^scan\.retention: got "0s", want/);
    expect(refusal('[rate_limit]\nwindow = "0h"')).toMatch(/^rate_limit\.window: got "0h", want/);
  });

  test("a time-out beyond the limit of the runtime's timers is refused", () => {
    expect(refusal('[scan]\ntimeout = "30d"')).toBe('scan.timeout: got "30d", want a duration from 1s to 24h');
  });

  test.each([
    ["[scan]\nconcurrency = 0", "scan.concurrency: got 0, want a whole number from 1 to 1000000000"],
    ["[scan]\nconcurrency = 1.5", "scan.concurrency: got 1.5, want a whole number from 1 to 1000000000"],
    ["[rate_limit]\nteam = -1", "rate_limit.team: got -1, want a whole number from 0 to 1000000000"],
    ['[rate_limit]\nteam = "600"', 'rate_limit.team: got "600", want a whole number from 0 to 1000000000'],
    ["[rate_limit]\nteam = inf", "rate_limit.team: got Infinity, want a whole number from 0 to 1000000000"],
    ["offline = 1", "offline: got 1, want true or false"],
    ['data_dir = "data"', 'data_dir: got "data", want an absolute path'],
    ["data_dir = 2026-01-02", "data_dir: got 2026-01-02, want an absolute path"],
    ['data_dir = "/a\\u0000b"', 'data_dir: got "/a\\u0000b", want an absolute path'],
    ['[server]\nsocket_mode = "660"', 'server.socket_mode: got "660", want a file mode such as 0660, as text'],
    ["[server]\nsocket_mode = 0o660", "server.socket_mode: got 432, want a file mode such as 0660, as text"],
    [
      '[server]\nhostnames = ["a.example:80"]',
      'server.hostnames.0: got "a.example:80", want a host name without a port',
    ],
    ['[server]\nhostnames = "a.example"', 'server.hostnames: got "a.example", want a list of host names'],
    [
      "[server]\ntrusted_proxies = [1]",
      "server.trusted_proxies.0: got 1, want an address or a network such as 10.0.0.0/8",
    ],
    ['[server]\nsource_url = "git"', "server.source_url: got (hidden), want an absolute http or https URL"],
    ['[log]\nlevel = "loud"', 'log.level: got "loud", want one of trace, debug, info, warn, error, fatal'],
    ['[log]\nformat = "xml"', 'log.format: got "xml", want json or pretty'],
    ["cache = 3", "cache: got 3, want a table"],
    ["[[cache]]", "cache: got a list, want a table"],
    ["sources = 2026-01-02", "sources: got 2026-01-02, want a table"],
    ["[outbound]\nno_proxy = 3", "outbound.no_proxy: got 3, want host names or networks, separated by commas"],
  ])("%j is refused with the key, the given value and the expected value", (toml, message) => {
    expect(refusal(toml)).toBe(message);
  });

  test.each([
    ["tll = 1", "tll: unknown key"],
    ["[cache]\ntll = 1", "cache.tll: unknown key"],
    ["[cahce]\nttl = 1", "cahce: unknown key"],
    ["[server.tls]\ncert = 1", "server.tls: unknown key"],
    ["[sources.hibbp]", "sources.hibbp: unknown key"],
    ["[sources.corpus]\nrate = 1", "sources.corpus.rate: unknown key"],
    [`${intranet}api_key = "k"`, "sources.http.intranet.api_key: unknown key"],
    [`[sources.keyed]\napi_key = "k"\ninternal = true`, "sources.keyed.internal: unknown key"],
    ["__proto__ = 1", "__proto__: unknown key"],
    ["[cache.__proto__]\nttl = 1", "cache.__proto__: unknown key"],
    ["[sources.__proto__]", "sources.__proto__: unknown key"],
    ['"a\\nb" = 1', '"a\\nb": unknown key'],
  ])("%j is refused as an unknown key", (toml, message) => {
    expect(refusal(toml)).toBe(message);
  });

  test("a certificate and its key are only valid together, and client_ca needs both", () => {
    expect(configOf('[server]\ntls_cert = "/c.pem"\ntls_key = "/k.pem"\nclient_ca = "/ca.pem"').server).toMatchObject({
      tlsCert: "/c.pem",
      tlsKey: "/k.pem",
      clientCa: "/ca.pem",
    });
    expect(refusal('[server]\ntls_cert = "/c.pem"')).toMatch(/^server\.tls_key: got nothing, want/);
    expect(refusal('[server]\ntls_key = "/k.pem"')).toMatch(/^server\.tls_cert: got nothing, want/);
    expect(refusal('[server]\nclient_ca = "/ca.pem"')).toMatch(/^server\.client_ca: got "\/ca\.pem", want/);
  });

  test("no_proxy is a list or one text with commas", () => {
    const expected = ["localhost", "10.0.0.0/8"];
    expect(configOf('[outbound]\nno_proxy = ["localhost", "10.0.0.0/8"]').outbound.noProxy).toEqual(expected);
    expect(configOf('[outbound]\nno_proxy = "localhost, 10.0.0.0/8,"').outbound.noProxy).toEqual(expected);
    expect(configOf("", { env: { XPOSE_OUTBOUND_NO_PROXY: "localhost,10.0.0.0/8" } }).outbound.noProxy).toEqual(
      expected,
    );
  });

  test("host names are compared in lower case", () => {
    expect(configOf('[server]\nhostnames = ["Xpose.Example"]').server.hostnames).toEqual(["xpose.example"]);
  });
});

describe("a file that is not TOML", () => {
  test.each([
    ["a = ", 1],
    ["offline = true\n\n[cache]\nttl = \n[scan]", 4],
    ["[cache]\nttl = '1s'\nttl = '2s'", 3],
    ["[server]\nhostnames = [\n  'a.example',\n  'b.example'\n]\n[", 6],
    ["[cache]\r\nttl = 1s\r\n", 2],
  ])("%j is refused with its line", (toml, line) => {
    expect(refusal(toml)).toMatch(new RegExp(`^${join(folder, "xpose.toml")}: line ${line}: [A-Z]`));
  });

  test.each([
    "api_key = canary-secret",
    'api_key = "canary-secret',
    'api_key = canary-secret"x"',
    'api_key = "x"canary-secret',
    'api_key = "canary-secret\\q"',
    "api_key = [canary-secret]",
    "api_key = { a = canary-secret }",
    "canary-secret",
  ])("the value in %j is not shown", (line) => {
    expect(refusal(`[sources.keyed]\n${line}`)).not.toContain("canary");
  });
});

describe("variables", () => {
  test("every scalar key has a variable, with the type of the key", () => {
    const env = {
      XPOSE_DATA_DIR: "/data",
      XPOSE_SECRET_FILE: "/etc/secret",
      XPOSE_OFFLINE: "1",
      XPOSE_SERVER_SOCKET_MODE: "0600",
      XPOSE_SERVER_INSECURE_HTTP: "true",
      XPOSE_CACHE_TTL: "1h",
      XPOSE_SCAN_MAX_QUEUE: "7",
      XPOSE_RATE_LIMIT_TEAM: "0",
      XPOSE_OUTBOUND_PROXY: "http://proxy.example:3128",
      XPOSE_LOG_FORMAT: "pretty",
      XPOSE_SOURCES_CORPUS_ENABLED: "0",
    };
    const { config, warnings } = load("", { env });
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      dataDir: "/data",
      secretFile: "/etc/secret",
      isSecretInDataDir: false,
      offline: true,
      server: { socketMode: 0o600, insecureHttp: true },
      cache: { ttlMs: 3_600_000 },
      scan: { maxQueue: 7 },
      rateLimit: { team: 0 },
      outbound: { proxy: "http://proxy.example:3128" },
      log: { format: "pretty" },
      corpus: { isEnabled: false },
    });
  });

  test("the keys of a declared source have variables, including the keys of its kind", () => {
    const toml = `${intranet.replace("intranet", "intranet-2")}confidence = 0.5\n[sources.keyed]\napi_key = "file"`;
    const env = {
      XPOSE_SOURCES_HTTP_INTRANET_2_CONFIDENCE: "0.25",
      XPOSE_SOURCES_HTTP_INTRANET_2_URL: "https://other.example/{email}",
      XPOSE_SOURCES_KEYED_API_KEY: "variable",
      XPOSE_SOURCES_KEYED_MODE: "range",
      XPOSE_SOURCES_KEYED_CATALOGUE: "/catalogue.json",
    };
    const { config, warnings } = load(toml, { env });
    expect(warnings).toEqual([]);
    expect(config.sources).toMatchObject([
      { name: "intranet-2", confidence: 0.25, settings: { url: "https://other.example/{email}" } },
      { name: "keyed", apiKey: "variable", settings: { mode: "range", catalogue: "/catalogue.json" } },
    ]);
  });

  test("a variable never declares a source; it is ignored with a warning", () => {
    const { config, warnings } = load("", { env: { XPOSE_SOURCES_KEYED_API_KEY: "canary" } });
    expect(config.sources).toEqual([]);
    expect(warnings).toEqual(["XPOSE_SOURCES_KEYED_API_KEY names no key that a variable could set and is ignored"]);
  });

  test("a variable that names no key gives a warning without its value, except variables for clients", () => {
    const env = {
      XPOSE_CACHE_TLL: "canary",
      XPOSE_API_KEY: "canary",
      XPOSE_CONFIG: "",
      OTHER: "canary",
      XPOSE_SOURCES: "x",
    };
    const { warnings } = load("", { env });
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).toMatch(/XPOSE_CACHE_TLL.*XPOSE_SOURCES /);
    expect(warnings.join()).not.toContain("canary");
  });

  test("an empty variable does not override the file", () => {
    expect(configOf('[cache]\nttl = "2h"', { env: { XPOSE_CACHE_TTL: "" } }).cache.ttlMs).toBe(7_200_000);
  });

  test("a bad value is refused with the key and the variable", () => {
    expect(refusal("", { env: { XPOSE_SCAN_MAX_QUEUE: "many" } })).toBe(
      'scan.max_queue (from XPOSE_SCAN_MAX_QUEUE): got "many", want a whole number from 1 to 1000000000',
    );
    expect(refusal("", { env: { XPOSE_OFFLINE: "yes" } })).toMatch(
      /^offline \(from XPOSE_OFFLINE\): got "yes", want true/,
    );
    expect(refusal("", { flags: { listen: "80" } })).toMatch(/^server\.listen \(from --listen\): got "80", want/);
    expect(refusal("", { flags: { dataDir: "" } })).toMatch(/^data_dir \(from --data-dir\): got "", want/);
  });

  test("a variable that matches two sources is refused", () => {
    const toml = intranet.replace("intranet", "a-b") + intranet.replace("intranet", "a_b");
    expect(configOf(toml).sources).toHaveLength(2);
    expect(refusal(toml, { env: { XPOSE_SOURCES_HTTP_A_B_ENABLED: "0" } })).toMatch(
      /^XPOSE_SOURCES_HTTP_A_B_ENABLED: it names/,
    );
  });
});

describe("sources", () => {
  test("a source has the defaults of its kind", () => {
    expect(configOf(intranet).sources[0]).toMatchObject({
      name: "intranet",
      kind: "http",
      isEnabled: true,
      baseUrl: null,
      apiKey: null,
      timeoutMs: 10_000,
      pace: null,
      confidence: 0.6,
      origin: "intranet",
      workspaces: null,
      isInternal: false,
      clientCert: null,
      clientKey: null,
      headers: {},
      settings: { url: "https://intranet.example/leaks/{email}" },
    });
  });

  test("a source has the values of its table", () => {
    const toml = `[sources.keyed]
      enabled = false
      base_url = "https://keyed.example/api/"
      timeout = "3s"
      rate = "5/2m"
      confidence = 0.12345
      origin = "feed"
      workspaces = ["default"]
      mode = "range"`;
    expect(configOf(toml).sources).toMatchObject([
      {
        name: "keyed",
        isEnabled: false,
        baseUrl: "https://keyed.example/api",
        timeoutMs: 3000,
        pace: { count: 5, windowMs: 120_000 },
        confidence: 0.123,
        origin: "feed",
        workspaces: ["default"],
        settings: { mode: "range" },
      },
    ]);
  });

  test.each(["10", "0/1m", "10/0s", "1.5/1m", "10/1m/1", "ten/1m", "10/m"])("the rate %s is refused", (rate) => {
    expect(refusal(`${intranet}rate = "${rate}"`)).toBe(
      `sources.http.intranet.rate: got "${rate}", want calls per duration, such as 10/1m`,
    );
  });

  test.each([
    ["confidence = 1.01", "sources.http.intranet.confidence: got 1.01, want a number from 0 to 1"],
    [
      'workspaces = "default"',
      'sources.http.intranet.workspaces: got "default", want a list of workspace ids or names',
    ],
    ['origin = "Feed"', /^sources\.http\.intranet\.origin: got "Feed", want 1 to 50 of a-z/],
    ["headers = { X-Key = 5 }", "sources.http.intranet.headers.X-Key: got (hidden), want a text in quotation marks"],
    ['headers = "canary"', "sources.http.intranet.headers: got (hidden), want a table"],
    ['headers = { "X Key" = "canary" }', /^sources\.http\.intranet.*headers.*: got \(hidden\), want a header name$/],
    [
      'headers = { X-Key = "a\\r\\nb" }',
      /^sources\.http\.intranet\.headers\.X-Key: got \(hidden\), want a header value$/,
    ],
    [
      'headers = { Host = "other.test" }',
      /^sources\.http\.intranet\.headers\.Host: got \(hidden\), want another header: xpose sets this one itself$/,
    ],
    [
      'client_cert = "/c.pem"',
      "sources.http.intranet.client_key: got nothing, want a file: client_cert and client_key go together",
    ],
    [
      'client_key = "/k.pem"',
      "sources.http.intranet.client_cert: got nothing, want a file: client_cert and client_key go together",
    ],
    [
      'client_cert = "c.pem"\nclient_key = "/k.pem"',
      'sources.http.intranet.client_cert: got "c.pem", want an absolute path',
    ],
  ])("%j in a source is refused", (line, message) => {
    expect(refusal(intranet + line)).toMatch(message);
  });

  test("only http is declared as a list of tables; any other kind is one table", () => {
    expect(refusal('[sources.http]\nname = "a"')).toBe(
      "sources.http: got a table, want tables with double brackets, [[sources.http]]",
    );
    expect(refusal("[[sources.keyed]]")).toBe("sources.keyed: got a list, want a table");
    expect(refusal("sources.http = [1]")).toBe("sources.http[0]: got 1, want a table");
  });

  test("an http source needs a name of the contract's form", () => {
    expect(refusal('[[sources.http]]\nurl = "https://a.example/{email}"')).toMatch(
      /^sources\.http\[0\]\.name: got nothing/,
    );
    expect(refusal('[[sources.http]]\nname = "A b"')).toMatch(/^sources\.http\[0\]\.name: got "A b", want 1 to 50/);
  });

  test("two sources with the same name are refused, even of different kinds", () => {
    expect(refusal(intranet + intranet)).toMatch(/^sources: two sources are named intranet/);
    expect(refusal(`${intranet.replace("intranet", "keyed")}\n[sources.keyed]\napi_key = "k"`)).toMatch(/named keyed/);
  });

  test.each(["http://127.0.0.1:9/{email}", "http://[::1]/{email}", "http://localhost/{email}"])(
    "plain http is allowed to loopback: %s",
    (url) => {
      expect(configOf(`[[sources.http]]\nname = "a"\nurl = "${url}"`).sources).toHaveLength(1);
    },
  );

  test("plain http beyond loopback is refused, unless the source is marked internal", () => {
    const toml = '[[sources.http]]\nname = "a"\nurl = "http://a.example/canary/{email}"\n';
    expect(refusal(toml)).toBe(
      'sources.http.a.url: got "http://a.example", want an https URL; plain http only to loopback or with internal = true',
    );
    expect(configOf(`${toml}internal = true`).sources[0]?.isInternal).toBe(true);
    expect(refusal('[sources.keyed]\napi_key = "k"\nbase_url = "http://keyed.example"')).toMatch(
      /^sources\.keyed\.base_url: got/,
    );
    expect(refusal('[sources.keyed]\nbase_url = "https://u:canary@keyed.example"')).not.toContain("canary");
  });

  test("a source uses its base_url, else the default of its kind, and is refused without either", () => {
    const baseUrlOf = (toml: string) => configOf(`${toml}\napi_key = "k"`).sources[0]?.baseUrl;
    expect(baseUrlOf("[sources.keyed]")).toBe("https://keyed.example/v1");
    expect(baseUrlOf('[sources.placeless]\nbase_url = "https://placeless.example/"')).toBe("https://placeless.example");
    expect(refusal('[sources.placeless]\napi_key = "k"')).toBe(
      "sources.placeless.base_url: got nothing, want the https URL of the service",
    );
    expect(configOf("[sources.placeless]\nenabled = false").sources[0]?.baseUrl).toBeNull();
  });

  test("a source over HTTP may have a client certificate and headers, except the header that its kind sets", () => {
    const lines = 'client_cert = "/c.pem"\nclient_key = "/k.pem"\nheaders = { CF-Access-Client-Id = "canary" }\n';
    for (const table of [intranet, '[sources.keyed]\napi_key = "k"\n']) {
      expect(configOf(table + lines).sources).toMatchObject([
        { clientCert: "/c.pem", clientKey: "/k.pem", headers: { "CF-Access-Client-Id": "canary" } },
      ]);
    }
    expect(refusal('[sources.keyed]\napi_key = "k"\nheaders = { X-Keyed = "canary" }')).toBe(
      "sources.keyed.headers.X-Keyed: got (hidden), want another header: xpose sets this one itself",
    );
  });

  test("the fingerprint depends on every setting except time-out and rate", () => {
    const textOf = (lines: string) => configOf(intranet + lines).sources[0]?.fingerprintText;
    const plain = textOf("");
    expect(textOf('timeout = "5s"\nrate = "1/1h"')).toBe(plain);
    expect(textOf("confidence = 0.6\nenabled = true")).toBe(plain);
    for (const line of [
      "confidence = 0.7",
      'origin = "o"',
      "internal = true",
      'workspaces = ["w"]',
      "enabled = false",
      'client_cert = "/c.pem"\nclient_key = "/k.pem"',
      'headers = { a = "1" }',
    ]) {
      expect(textOf(line)).not.toBe(plain);
    }
    expect(textOf('headers = { a = "1", b = "2" }')).toBe(textOf('headers = { b = "2", a = "1" }'));
    expect(textOf('headers = { a = "1" }')).not.toBe(textOf('headers = { a = "2" }'));
    const keyedText = (key: string) => configOf(`[sources.keyed]\napi_key = "${key}"`).sources[0]?.fingerprintText;
    expect(keyedText("one")).not.toBe(keyedText("two"));
  });
});

describe("secrets", () => {
  test("an enabled source without its key is refused, but only by commands that need the key", () => {
    expect(refusal("[sources.keyed]")).toMatch(/^sources\.keyed\.api_key: got nothing, want an API key/);
    expect(configOf("[sources.keyed]\nenabled = false").sources[0]?.apiKey).toBeNull();
    expect(configOf("[sources.keyed]", { secrets: false }).sources[0]?.apiKey).toBeNull();
  });

  test("a key comes from its file, trimmed", () => {
    const file = write("key", "  abc-123\n");
    expect(configOf(`[sources.keyed]\napi_key_file = "${file}"`).sources[0]?.apiKey).toBe("abc-123");
  });

  test("an unusable key file is refused, and commands that need no key do not open it", () => {
    const missing = `[sources.keyed]\napi_key_file = "${join(folder, "missing")}"`;
    expect(refusal(missing)).toMatch(/^sources\.keyed\.api_key_file: got ".*missing" \(ENOENT\), want a file/);
    expect(configOf(missing, { secrets: false }).sources[0]?.apiKey).toBeNull();
    expect(refusal('[sources.keyed]\napi_key_file = "canary"')).toBe(
      "sources.keyed.api_key_file: got (hidden), want an absolute path",
    );
    for (const text of ["", "canary two", "canary\nsecond", "canäry"]) {
      const message = refusal(`[sources.keyed]\napi_key_file = "${write("bad", text)}"`);
      expect(message).toMatch(/^sources\.keyed\.api_key: got \(hidden\), want one line/);
    }
  });

  test("a key in the file and a key file exclude each other, but a variable replaces either", () => {
    const file = write("key", "from-file");
    expect(refusal(`[sources.keyed]\napi_key = "canary"\napi_key_file = "${file}"`)).toBe(
      "sources.keyed.api_key: got (hidden), want one of api_key and api_key_file",
    );
    const env = { XPOSE_SOURCES_KEYED_API_KEY: "from-variable" };
    expect(configOf(`[sources.keyed]\napi_key_file = "${file}"`, { env }).sources[0]?.apiKey).toBe("from-variable");
    const fileEnv = { XPOSE_SOURCES_KEYED_API_KEY_FILE: file };
    expect(configOf('[sources.keyed]\napi_key = "k"', { env: fileEnv }).sources[0]?.apiKey).toBe("from-file");
  });

  test("a credential of the service manager is the key when the file has no key", () => {
    write("keyed_api_key", "from-credential\n");
    const env = { CREDENTIALS_DIRECTORY: folder };
    expect(configOf("[sources.keyed]", { env }).sources[0]?.apiKey).toBe("from-credential");
    expect(configOf('[sources.keyed]\napi_key = "own"', { env }).sources[0]?.apiKey).toBe("own");
  });

  test("a credential of the service manager is the server secret when no file is set", () => {
    const file = write("xpose_secret", "00");
    const env = { CREDENTIALS_DIRECTORY: folder };
    expect(configOf("", { env })).toMatchObject({ secretFile: file, isSecretInDataDir: false });
    expect(configOf('secret_file = "/etc/secret"', { env })).toMatchObject({ secretFile: "/etc/secret" });
    rmSync(file);
    expect(configOf("", { env }).secretFile).toBe("/var/lib/xpose/secret.key");
  });

  test("a secret inside the data directory is recognised, however its path is written", () => {
    const isInDataDir = (file: string) => configOf(`data_dir = "/data"\nsecret_file = "${file}"`).isSecretInDataDir;
    expect(isInDataDir("/data/keys/secret")).toBe(true);
    expect(isInDataDir("/data/../etc/secret")).toBe(false);
    expect(isInDataDir("/database/secret")).toBe(false);
  });

  test.each([
    "api_key = 31337",
    'api_key = "canary two"',
    'base_url = "https://keyed.example/?token=canary"',
    'base_url = "canary"',
  ])("%j is refused without showing it", (line) => {
    expect(refusal(`[sources.keyed]\n${line}`)).not.toMatch(/canary|31337/);
  });

  test("a proxy's password is not shown", () => {
    expect(refusal('[outbound]\nproxy = "socks5://user:canary@proxy.example"')).not.toContain("canary");
    expect(refusal('[outbound]\nproxy = "user:canary@proxy.example:3128"')).not.toContain("canary");
  });
});

describe("settings that only the service checks", () => {
  const check = (toml: string, env: ConfigRequest["env"] = {}) => checkServeSettings(configOf(toml), env);
  const listening = (address: string, more = "") => `[server]\nlisten = "${address}"\n${more}`;

  test.each(["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "localhost:80", "unix:/run/x.sock"])(
    "plain HTTP on %s is served",
    (address) => {
      expect(() => check(listening(address))).not.toThrow();
    },
  );

  test.each(["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "xpose.example:80", "128.0.0.1:80"])(
    "plain HTTP on %s needs server.insecure_http",
    (address) => {
      expect(() => check(listening(address))).toThrow(
        /^server\.insecure_http: got false, want true to serve plain HTTP/,
      );
      expect(() => check(listening(address, "insecure_http = true"))).not.toThrow();
      expect(() => check(listening(address, 'tls_cert = "/c"\ntls_key = "/k"'))).not.toThrow();
    },
  );

  test.each(["BUN_INSPECT", "BUN_OPTIONS", "NODE_OPTIONS", "NODE_TLS_REJECT_UNAUTHORIZED"])(
    "the service refuses to start while %s is set",
    (name) => {
      expect(() => check("", { [name]: "canary" })).toThrow(`${name}: got (hidden), want it unset while xpose serves`);
      expect(() => check("", { [name]: "" })).not.toThrow();
    },
  );
});

describe("the environment of the process", () => {
  test("proxy variables are removed from the runtime", () => {
    const names = ["HTTP_PROXY", "https_proxy", "ALL_PROXY", "no_proxy"];
    const before = names.map((name) => [name, process.env[name]] as const);
    try {
      for (const name of names) process.env[name] = "http://proxy.example";
      process.env["XPOSE_TEST_MARK"] = "kept";
      expect(takeEnvironment()["XPOSE_TEST_MARK"]).toBe("kept");
      expect(names.map((name) => process.env[name])).toEqual(names.map(() => undefined));
    } finally {
      delete process.env["XPOSE_TEST_MARK"];
      for (const [name, value] of before) if (value !== undefined) process.env[name] = value;
    }
  });
});
