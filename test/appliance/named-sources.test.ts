import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Appliance, client, type Service } from "../helpers/appliance.ts";
import { badWeathers, type Weather } from "../helpers/bad-weather.ts";
import { emailrepTestKey, startFakeEmailrep } from "../helpers/fake-emailrep.ts";
import { hibpPaidKey, hibpTestKey, startFakeHibp } from "../helpers/fake-hibp.ts";
import { type FakeInternet, type SiteAnswer, startFakeInternet } from "../helpers/fake-internet.ts";
import { mispTestKey, startFakeMisp } from "../helpers/fake-misp.ts";
import { type Fault, type FaultServer, faults, startFaultServer } from "../helpers/fault-server.ts";
import { addressOf, answerAbout, installManySites, siteNames } from "../helpers/many-sites.ts";
import {
  installHoleheDouble,
  jane,
  makePythonEnvironment,
  missingPythonPackages,
} from "../helpers/python-environment.ts";

type Fakes = {
  readonly hibp: string;
  readonly emailrep: string;
  readonly misp: string;
  readonly requests: () => string[];
};
type SourceRow = { source: string; outcome: string; error: string | null; missing: string[] };

const whyNoHolehe = missingPythonPackages();

let fakes: Fakes;
let stop: () => Promise<unknown>;
beforeAll(async () => {
  const [hibp, emailrep, misp] = await Promise.all([startFakeHibp(), startFakeEmailrep(), startFakeMisp()]);
  const requests = () => hibp.requests.map(({ path }) => path);
  fakes = { hibp: hibp.url, emailrep: emailrep.url, misp: misp.url, requests };
  stop = () => Promise.all([hibp.stop(), emailrep.stop(), misp.stop()]);
  if (whyNoHolehe !== null) console.warn(`holehe: left out, ${whyNoHolehe}`);
});
afterAll(() => stop());

function configure(appliance: Appliance, more: Partial<Record<"hibp" | "emailrep" | "misp", string>> = {}): string[] {
  const environment = join(appliance.folder, "python");
  const tables = [
    `[sources.hibp]\nbase_url = "${fakes.hibp}"\nrate = "1000/1m"\n${more.hibp ?? `api_key = "${hibpPaidKey}"`}`,
    `[sources.emailrep]\nbase_url = "${fakes.emailrep}"\n${more.emailrep ?? `api_key = "${emailrepTestKey}"`}`,
    `[sources.misp]\nbase_url = "${fakes.misp}"\ninternal = true\n${more.misp ?? `api_key = "${mispTestKey}"`}`,
  ];
  if (whyNoHolehe === null) {
    mkdirSync(environment, { recursive: true });
    const { python, packages } = makePythonEnvironment(environment);
    installHoleheDouble(packages);
    tables.push(`[sources.holehe]\npython = "${python}"\n`);
  }
  const file = join(appliance.folder, "xpose.toml");
  writeFileSync(file, tables.join("\n"));
  return ["--config", file];
}

/** The three that speak HTTP, all with the same fault, beside a source that answers. */
function faultyTables(upstream: FaultServer, fault: Fault): string {
  const common = `base_url = "${upstream.url(fault)}"\napi_key = "canary-key"\ntimeout = "1s"\nrate = "1000/1m"\n`;
  const named = ["hibp", "emailrep", "misp"].map((name) => `[sources.${name}]\n${common}`);
  named[2] += "internal = true\n";
  return `${named.join("\n")}\n[[sources.http]]\nname = "good"\nurl = "${upstream.url("found")}?e={email}"\n`;
}

describe("the fault table of the sources that speak HTTP", () => {
  let upstream: FaultServer;
  beforeAll(async () => {
    upstream = await startFaultServer();
  });
  afterAll(() => upstream.close());

  // hibp and emailrep are refused by the configuration where the fault needs plain HTTP to another host.
  const names = (Object.keys(faults) as Fault[]).filter((fault) => fault !== "unknown_name");

  test.each(names)("%s is one failed source with its reason, and the others' findings are there", async (fault) => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const ca = join(appliance.folder, "ca.pem");
    writeFileSync(ca, upstream.ca);
    const file = join(appliance.folder, "xpose.toml");
    writeFileSync(file, `[outbound]\nca_file = "${ca}"\n${faultyTables(upstream, fault)}`);
    const service = await appliance.serve({ args: ["--config", file] });
    const api = client(service.url, key);
    const startedAt = performance.now();
    const { request_id } = (await (await api.enrich("jane.doe@example.com")).json()) as { request_id: string };
    const envelope = (await api.settle(request_id)) as { exposure: { findings: { source: string }[] } };
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(envelope.exposure.findings.map(({ source }) => source)).toEqual(["good"]);
    const { sources } = (await (await api.get(`/api/v1/soc/enrich/${request_id}/sources`)).json()) as {
      sources: SourceRow[];
    };
    const seen = Object.fromEntries(sources.map(({ source, outcome, error }) => [source, error ?? outcome]));
    const reason = faults[fault];
    expect(seen).toEqual({ hibp: reason, emailrep: reason, misp: reason, good: "ok" });
    expect(service.log()).not.toMatch(/canary-key|jane\.doe/);
  });
});

describe("the four named sources on the executable", () => {
  test("all of them answer, agree where they speak of one service, and never hand on a verdict", async () => {
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const service = await appliance.serve({ args: configure(appliance) });
    const api = client(service.url, key);
    const { request_id } = (await (await api.enrich("jane.doe@example.com")).json()) as { request_id: string };
    const envelope = JSON.stringify(await api.settle(request_id));
    const evidence = await (await api.get(`/api/v1/soc/enrich/${request_id}/evidence`)).text();
    const { sources } = (await (await api.get(`/api/v1/soc/enrich/${request_id}/sources`)).json()) as {
      sources: SourceRow[];
    };
    expect(sources.filter(({ source }) => source !== "holehe")).toMatchObject([
      { source: "emailrep", outcome: "ok", error: null },
      { source: "hibp", outcome: "ok", error: null },
      { source: "misp", outcome: "ok", error: null },
    ]);
    expect(envelope).toContain('"title":"Present in the LinkedIn 2012 breach"');
    expect(envelope).toContain('"corroborated_by":["emailrep"]');
    expect(evidence).toContain("CC BY 4.0");
    expect(envelope + evidence).not.toMatch(/"(?:reputation|suspicious|malicious\w*|blacklisted|score|verdict|risk)"/);
    // The shape is that of the contract: a finding's atom, then what belongs to the evidence.
    const [first] = (JSON.parse(evidence) as { findings: object[] }).findings;
    expect(Object.keys(first ?? {}).slice(13)).toEqual(["subject", "details", "answered_at", "answer_sha256"]);
  });

  test("a fault of one source is told apart from nothing found, and the others' findings are there", async () => {
    await using appliance = new Appliance();
    appliance.initialise();
    const args = configure(appliance, { hibp: `api_key = "${hibpTestKey}"`, misp: 'api_key = "wrong"' });
    const run = await appliance.runBeside(["enrich", "jane.doe@example.com", "--json", ...args]);
    expect(run.exitCode).toBe(0);
    const envelope = JSON.parse(run.stdout) as { exposure: { findings: { source: string }[] } };
    expect(new Set(envelope.exposure.findings.map(({ source }) => source))).toContain("emailrep");
    const check = await appliance.runBeside(["sources", "check", ...args]);
    expect(check.exitCode).toBe(1);
    expect(check.stdout).toMatch(/^ok\s+emailrep/m);
    expect(check.stdout).toMatch(/^FAIL\s+hibp: auth/m);
    expect(check.stdout).toMatch(/^FAIL\s+misp: auth/m);
  });

  test("in range mode the address never leaves", async () => {
    await using appliance = new Appliance();
    appliance.initialise();
    const args = configure(appliance, { hibp: `api_key = "${hibpPaidKey}"\nmode = "range"` });
    const before = fakes.requests().length;
    const run = await appliance.runBeside(["enrich", "jane.doe@example.com", "--json", ...args]);
    expect(run.stdout).toContain('"source":"hibp"');
    const sent = fakes.requests().slice(before).join("\n");
    expect(sent).toMatch(/breachedaccount\/range\/[0-9A-F]{6}/i);
    expect(sent).not.toMatch(/jane|example\.com|[0-9A-F]{7}/i);
  });

  test.skipIf(whyNoHolehe !== null)(
    "holehe finds accounts, those of sensitive sites only if it may, and a missing one is not_installed",
    async () => {
      await using appliance = new Appliance();
      appliance.initialise();
      const file = join(appliance.folder, "holehe.toml");
      const folder = join(appliance.folder, "environment");
      mkdirSync(folder);
      const { python, packages } = makePythonEnvironment(folder);
      writeFileSync(file, `[sources.holehe]\npython = "${python}"\n`);
      const missing = await appliance.runBeside(["sources", "check", "--config", file]);
      expect([missing.exitCode, missing.stdout]).toEqual([1, expect.stringContaining("not_installed")]);
      installHoleheDouble(packages);
      const titles = async () => {
        const run = await appliance.runBeside(["enrich", jane, "--json", "--config", file]);
        const { exposure } = JSON.parse(run.stdout) as { exposure: { findings: { title: string }[] } };
        return exposure.findings.map(({ title }) => title.replace("Account registered on ", ""));
      };
      expect(await titles()).toEqual(["shop.example"]);
      writeFileSync(file, `[sources.holehe]\npython = "${python}"\nallow_sensitive = true\n`);
      expect(await titles()).toEqual(["meet.example", "pornhub.com", "shop.example"]);
    },
  );
});

describe.skipIf(whyNoHolehe !== null)("holehe on the executable, its sites behind a proxy", () => {
  let internet: FakeInternet;
  let weather: Weather;
  beforeAll(async () => {
    internet = await startFakeInternet({
      hosts: siteNames,
      answer: (request) => weather.answer(request),
      tunnel: (host) => weather.tunnel?.(host) ?? "open",
    });
  });
  afterAll(() => internet.close());

  /** An appliance whose only source is a double of holehe with 124 sites that are reached through the proxy. */
  function configureHolehe(appliance: Appliance, { proxy = internet.proxy, ca = true } = {}): string[] {
    const folder = join(appliance.folder, "environment");
    mkdirSync(folder);
    const { python, packages } = makePythonEnvironment(folder);
    installManySites(packages);
    const caFile = join(appliance.folder, "ca.pem");
    writeFileSync(caFile, internet.ca);
    const file = join(appliance.folder, "holehe.toml");
    const outbound = `[outbound]\nproxy = "${proxy}"\n${ca ? `ca_file = "${caFile}"\n` : ""}`;
    writeFileSync(file, `${outbound}[sources.holehe]\npython = "${python}"\n`);
    return ["--config", file];
  }

  /** Asks a service about an address and reads how its only source fared. */
  async function look(service: Service, key: string, email = jane) {
    const api = client(service.url, key);
    const { request_id } = (await (await api.enrich(email)).json()) as { request_id: string };
    const envelope = (await api.settle(request_id)) as { status: string; exposure?: { findings: { title: string }[] } };
    const { sources } = (await (await api.get(`/api/v1/soc/enrich/${request_id}/sources`)).json()) as {
      sources: SourceRow[];
    };
    return { envelope, source: sources[0] };
  }

  const calm: Weather = { answer: answerAbout(jane) };
  const cases = [
    // One that takes the time of all sites is enough here.
    ...badWeathers
      .filter(([what]) => what !== "sites that do not answer")
      .map(([what, reason, given]) => ({ what, reason, given, changes: {} })),
    { what: "a dead proxy", reason: "unreachable", given: calm, changes: { proxy: "http://127.0.0.1:9" } },
    { what: "TLS inspection by an unknown authority", reason: "tls", given: calm, changes: { ca: false } },
  ];

  test.each(cases)("$what fails source and scan with $reason, and sources check says so", async (bad) => {
    const { reason, given, changes } = bad;
    weather = given;
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const args = configureHolehe(appliance, changes);
    const service = await appliance.serve({ args });
    const { envelope, source } = await look(service, key);
    expect(envelope.status).toBe("failed");
    expect(source).toMatchObject({ source: "holehe", outcome: "failed", findings: 0, error: reason, missing: [] });
    const check = await appliance.runBeside(["sources", "check", ...args]);
    expect(check.exitCode).toBe(1);
    expect(check.stdout).toMatch(
      new RegExp(`^FAIL  holehe: ${reason}: 12[2-4] of 124 sites gave no usable answer, 12`),
    );
    expect(check.stdout).not.toContain("base_url");
    expect(service.log() + check.stdout).not.toMatch(/jane\.doe|xpose-check@|example\.com/);
  });

  test("with half of its sites reachable it answers, and tells how many are missing", async () => {
    const reachable = new Set(siteNames.slice(62));
    weather = { answer: answerAbout(jane), tunnel: (host) => (reachable.has(host) ? "open" : 403) };
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const args = configureHolehe(appliance);
    const { envelope, source } = await look(await appliance.serve({ args }), key);
    expect(source).toMatchObject({ outcome: "ok", findings: 61, error: null, missing: ["62 of 124 sites"] });
    expect(envelope.exposure?.findings.map(({ title }) => title)).toContain(
      "Account registered on careless51.sites.example",
    );
    const check = await appliance.runBeside(["sources", "check", ...args]);
    expect([check.exitCode, check.stdout.trim()]).toEqual([0, "ok    holehe: answers; missing: 62 of 124 sites"]);
    reachable.delete(siteNames[62] ?? "");
    const later = await appliance.runBeside(["sources", "check", "--json", ...args]);
    expect([later.exitCode, JSON.parse(later.stdout)]).toMatchObject([
      1,
      { sources: [{ outcome: "failed", error: "unreachable" }] },
    ]);
  });

  test("a site that knows everybody is no evidence, and one that cannot tell about a stranger is none either", async () => {
    const odd: Record<string, SiteAnswer> = {
      "careless7.sites.example": { status: 200, body: '{"registered":true}' },
      "careful9.sites.example": { status: 429 },
    };
    weather = {
      answer: (request) => (addressOf(request) === jane ? null : odd[request.host]) ?? answerAbout(jane)(request),
    };
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const { envelope, source } = await look(await appliance.serve({ args: configureHolehe(appliance) }), key);
    expect(source).toMatchObject({ outcome: "ok", findings: 121, missing: ["2 of 124 sites"] });
    expect(JSON.stringify(envelope)).not.toMatch(/careless7\.|careful9\./);
  });

  test("every site is asked about an odd address as it is, however its module sends it", async () => {
    const odd = "o'brien&co+x%41#/?@example.com";
    weather = { answer: answerAbout(odd) };
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const { source } = await look(await appliance.serve({ args: configureHolehe(appliance) }), key, odd);
    expect(source).toMatchObject({ outcome: "ok", findings: 123, missing: [] });
  });

  test("when no site knows the address, the missing ones are told all the same", async () => {
    weather = {
      answer: answerAbout("john.roe@example.com"),
      tunnel: (host) => (host === siteNames[0] ? "drop" : "open"),
    };
    await using appliance = new Appliance();
    const key = appliance.initialise();
    const { envelope, source } = await look(await appliance.serve({ args: configureHolehe(appliance) }), key);
    expect(envelope).toMatchObject({ status: "completed", exposure: { total: 0 } });
    expect(source).toMatchObject({ outcome: "no_data", error: null, missing: ["1 of 124 sites"] });
  });
});

test("no key, token, address or password is in a log, an error, the data directory or an answer", async () => {
  await using appliance = new Appliance();
  const { operator_token } = appliance.json<{ operator_token: string }>("init");
  const key = appliance.mintKey("canary");
  const leak = join(appliance.folder, "leak.csv");
  writeFileSync(leak, "email,password,phone\njane.doe@example.com,canary-password-1,+352-canary-phone\n");
  appliance.json("corpus", "import", leak, "--name", "leak");
  const args = configure(appliance, { emailrep: 'api_key = "canary-upstream-key"' });
  const service = await appliance.serve({ args, env: { XPOSE_LOG_LEVEL: "trace" } });
  const api = client(service.url, key);
  const { request_id } = (await (await api.enrich("jane.doe@example.com")).json()) as { request_id: string };
  const answers = [JSON.stringify(await api.settle(request_id))];
  for (const view of ["sources", "evidence"]) {
    answers.push(await (await api.get(`/api/v1/soc/enrich/${request_id}/${view}`)).text());
  }
  answers.push(await (await api.enrich("canary-not-an-address")).text());
  const commandLines = Bun.spawnSync([
    "sh",
    "-c",
    "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'",
  ]).stdout.toString();
  service.kill("SIGTERM");
  await service.exited;
  const canaries = [
    key,
    operator_token,
    hibpPaidKey,
    mispTestKey,
    "canary-upstream-key",
    "canary-password-1",
    "canary-phone",
  ];
  for (const canary of canaries) {
    expect(service.log(), "log").not.toContain(canary);
    expect(answers.join("\n"), "answers").not.toContain(canary);
    expect(commandLines, "command lines").not.toContain(canary);
    const found = Bun.spawnSync(["grep", "-rlaF", "-e", canary, appliance.dataDir]).stdout.toString();
    expect(found, "data directory").toBe("");
  }
  expect(service.log()).not.toContain("jane.doe");
  expect(service.log()).not.toContain("canary-not-an-address");
  expect(readFileSync(join(appliance.dataDir, "secret.key"), "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
  const secret = readFileSync(join(appliance.dataDir, "secret.key"), "utf8").trim();
  expect(service.log() + answers.join("\n")).not.toContain(secret);
});
