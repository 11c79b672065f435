import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { completedCase, failedCase } from "../../src/wire/case.ts";
import { Appliance, client, type Service } from "../helpers/appliance.ts";
import { readCsv } from "../helpers/read-csv.ts";
import { mispFault, ocsfFaults, stixFault } from "../helpers/schema-check.ts";
import { expectBody } from "../helpers/wire-body.ts";

/** By address: a known one, one that a source fails for, one that nobody answers about, one that takes for ever. */
const jane = "jane.doe@example.com";
const half = "half@example.com";
const nobody = "nobody@example.com";
const slow = "slow@example.com";

const mediaTypes: Readonly<Record<string, string>> = {
  stix: "application/stix+json;version=2.1",
  misp: "application/json",
  ocsf: "application/json",
  ecs: "application/x-ndjson",
  csv: "text/csv; charset=utf-8; header=present",
  markdown: "text/markdown; charset=utf-8",
};

/** A title that is a formula, a table, a link and a script at once. */
const title = "=HYPERLINK(1) | [x](javascript:alert(1)) `rm` <img src=x onerror=alert(1)>";

let appliance: Appliance;
let service: Service;
let api: ReturnType<typeof client>;
let otherKey: string;
let key: string;
let upstream: ReturnType<typeof Bun.serve>;
const ids: Record<string, string> = {};

beforeAll(async () => {
  upstream = Bun.serve({
    port: 0,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const email = searchParams.get("e");
      if (email === slow) return await new Promise<Response>(() => undefined);
      if (email === nobody || (email === half && pathname === "/two")) return new Response("broken", { status: 500 });
      if (email === jane && pathname === "/one") {
        return Response.json({
          findings: [{ category: "breach", severity: "high", title, source_url: "https://shop.example/a" }],
        });
      }
      return new Response(null, { status: 404 });
    },
  });
  appliance = new Appliance();
  key = appliance.initialise();
  appliance.json("workspaces", "create", "--name", "other");
  otherKey = appliance.mintKey("foreign", "other");
  const tables = ["one", "two"].map(
    (name) =>
      `[[sources.http]]\nname = "${name}"\nurl = "http://127.0.0.1:${upstream.port}/${name}?e={email}"\nrate = "1000/1m"\ntimeout = "30s"\n`,
  );
  const file = join(appliance.folder, "xpose.toml");
  writeFileSync(file, tables.join("\n"));
  service = await appliance.serve({ args: ["--config", file] });
  api = client(service.url, key);
  for (const email of [jane, half, nobody, slow]) {
    const body = (await (await api.enrich(email)).json()) as { request_id: string };
    ids[email] = body.request_id;
    if (email !== slow) await api.settle(body.request_id);
  }
});

afterAll(async () => {
  await appliance[Symbol.asyncDispose]();
  await upstream.stop(true);
});

const pathOf = (email: string, rest: string) => `/api/v1/soc/enrich/${ids[email]}${rest}`;

async function exported(email: string, query: string): Promise<string> {
  const response = await api.get(pathOf(email, `/export?${query}`));
  expect(response.status).toBe(200);
  return await response.text();
}

/** The exit code and output of a command; the scans' source is a server of this test, so it must not wait. */
function command(...args: string[]) {
  return appliance.runBeside([...args, "--config", join(appliance.folder, "xpose.toml")]);
}

describe("18 the executable exports a completed scan", () => {
  test.each(Object.entries(mediaTypes))("as %s", async (format, mediaType) => {
    const response = await api.get(pathOf(jane, `/export?format=${format}`));
    expect(response.headers.get("Content-Type")).toBe(mediaType);
    const disposition = response.headers.get("Content-Disposition") ?? "";
    expect(disposition).toMatch(/^attachment; filename="[^"]+"$/);
    expect(disposition).toContain(ids[jane] ?? "");
    expect(disposition).not.toContain("jane");
    const text = await response.text();
    expect(text).not.toMatch(/malicious|suspicious|verdict|reputation|"to_ids":true|"type":"indicator"|risk/i);
    expect(await exported(jane, `format=${format}&tlp=AMBER`)).toBe(text);
  });

  test("each document is valid by the schema of its format", async () => {
    const { objects } = JSON.parse(await exported(jane, "format=stix&tlp=red"));
    expect(objects.map(stixFault).filter((fault: unknown) => fault !== null)).toEqual([]);
    expect(objects[0].name).toBe("TLP:RED");
    expect(mispFault(JSON.parse(await exported(jane, "format=misp")))).toBeNull();
    expect(JSON.parse(await exported(jane, "format=ocsf")).flatMap(ocsfFaults)).toEqual([]);
    const lines = (await exported(jane, "format=ecs")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).xpose.finding.title)).toEqual([title]);
  });

  test("18.4 hostile text is no formula in CSV and no markup in Markdown", async () => {
    const [header = [], row = []] = readCsv(await exported(jane, "format=csv"));
    expect(row[header.indexOf("title")]).toBe(`'${title}`);
    // Reading it as text drops the mark; the rest is the same.
    expect(await exported(jane, "format=csv&bom=1")).toBe(await exported(jane, "format=csv"));
    const bytes = await (await api.get(pathOf(jane, "/export?format=csv&bom=1"))).bytes();
    expect([...bytes.slice(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
    const text = await exported(jane, "format=markdown");
    expect(text).not.toContain("<img");
    expect(text).not.toContain("](javascript");
  });
});

test("18.2 a source that failed stands in every format, also where nothing was found", async () => {
  for (const format of Object.keys(mediaTypes)) {
    const text = await exported(half, `format=${format}`);
    expect([format, text.includes("two"), text.includes("http_5xx")]).toEqual([format, true, true]);
    if (format !== "csv") expect(text).toContain("No finding; 1 of 2 sources answered; could not look: two (http_5xx)");
  }
});

test("18.1 an unfinished and a failed scan are answered as a poll is", async () => {
  const unfinished = await api.get(pathOf(slow, "/export?format=stix"));
  expect([unfinished.status, unfinished.headers.get("Retry-After")]).toEqual([200, "1"]);
  expect(await unfinished.json()).toEqual({
    status: expect.stringMatching(/^(queued|scanning|running)$/),
    request_id: ids[slow],
  });
  expect(await (await api.get(pathOf(nobody, "/export?format=csv"))).json()).toEqual({
    status: "failed",
    request_id: ids[nobody],
  });
});

test("17.2 the case of a completed, a partial, a failed and an unfinished scan", async () => {
  const textOf = async (email: string) => await (await api.get(pathOf(email, "/case"))).text();
  const whole = expectBody(completedCase, await textOf(jane));
  expect(whole).toMatchObject({ partial: false, reach: "full", failed_sources: [] });
  expect(whole.evidence).toHaveLength(1);
  expect(expectBody(completedCase, await textOf(half))).toMatchObject({
    partial: true,
    failed_sources: [{ source: "two", error: "http_5xx" }],
  });
  expect(expectBody(failedCase, await textOf(nobody)).failed_sources.map(({ source }) => source)).toEqual([
    "one",
    "two",
  ]);
  expect(Object.keys(JSON.parse(await textOf(slow)))).toEqual(["status", "request_id"]);
});

test("18.1 a bad format, a bad mark and what is not one's own", async () => {
  const codes: Record<string, unknown> = {};
  for (const query of ["", "?format=pdf", "?format=csv&tlp=ultra", "?format=csv&bom=2"]) {
    const response = await api.get(pathOf(jane, `/export${query}`));
    codes[query] = [response.status, ((await response.json()) as { error: { code: string } }).error.code];
  }
  expect(new Set(Object.values(codes).map(String))).toEqual(new Set(["400,invalid_request"]));
  const foreign = client(service.url, otherKey);
  const unknown = "/api/v1/soc/enrich/3f2a8c1e-0000-4000-8000-000000000000";
  for (const view of ["/case", "/export?format=csv"]) {
    const [theirs, none] = [await foreign.get(pathOf(jane, view)), await foreign.get(unknown + view)];
    expect([theirs.status, await theirs.text()]).toEqual([404, await none.text()]);
  }
});

describe("18.5 the command line", () => {
  test.each(Object.keys(mediaTypes))("xpose export prints what the service answers: %s", async (format) => {
    const { exitCode, stdout } = await command("export", ids[jane] ?? "", "--format", format);
    expect(exitCode).toBe(0);
    expect(stdout.trimEnd()).toBe((await exported(jane, `format=${format}`)).trimEnd());
  });

  test("xpose enrich --format takes the stored result, and starts a scan on a miss", async () => {
    const hit = await command("enrich", jane, "--format", "ecs", "--tlp", "green");
    expect(hit.exitCode).toBe(0);
    expect(JSON.parse(hit.stdout)).toMatchObject({ labels: { tlp: "green" }, xpose: { request_id: ids[jane] } });
    const miss = await command("enrich", "new@example.com", "--format", "markdown");
    expect([miss.exitCode, miss.stdout.split("\n")[0]]).toEqual([0, "**No finding; 2 of 2 sources answered**"]);
  });

  test("a partial export warns, a file is private, and one that exists is refused", async () => {
    const file = join(appliance.folder, "half.csv");
    const first = await command("export", ids[half] ?? "", "--format", "csv", "--bom", "--output", file);
    expect([first.exitCode, first.stdout, first.stderr]).toEqual([0, "", expect.stringContaining("partial")]);
    expect(readFileSync(file).subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const again = await command("export", ids[half] ?? "", "--format", "csv", "--output", file);
    expect([again.exitCode, again.stderr]).toEqual([4, expect.stringContaining("exists already")]);
  });

  test.each([
    { what: "a failed scan", args: () => ["export", ids[nobody] ?? "", "--format", "csv"], code: 1 },
    { what: "an unfinished scan", args: () => ["export", ids[slow] ?? "", "--format", "csv"], code: 4 },
    { what: "an unknown id", args: () => ["export", "none", "--format", "csv"], code: 3 },
    {
      what: "another workspace",
      args: () => ["export", ids[jane] ?? "", "--format", "csv", "--workspace", "other"],
      code: 3,
    },
    { what: "no format", args: () => ["export", ids[jane] ?? ""], code: 2 },
    { what: "a bad format", args: () => ["export", ids[jane] ?? "", "--format", "pdf"], code: 2 },
    { what: "a bad mark", args: () => ["export", ids[jane] ?? "", "--format", "csv", "--tlp", "ultra"], code: 2 },
    { what: "a mark without a format", args: () => ["enrich", jane, "--tlp", "red"], code: 2 },
    { what: "an address that no source answers about", args: () => ["enrich", nobody, "--format", "csv"], code: 1 },
  ])("$what ends with $code and prints nothing", async ({ args, code }) => {
    const output = join(appliance.folder, "refused.csv");
    const { exitCode, stdout, stderr } = await command(...args(), "--output", output);
    expect([exitCode, stdout, existsSync(output)]).toEqual([code, "", false]);
    expect(stderr).not.toBe("");
  });
});

test("each export is in the audit trail, and no address with it", async () => {
  const { stdout } = await command("audit", "export");
  const made = stdout.split("\n").filter((line) => line.includes('"export.made"'));
  expect(made.length).toBeGreaterThan(10);
  expect(made.some((line) => line.includes('"actor":"cli"'))).toBe(true);
  expect(made.join("\n")).not.toContain("example.com");
});
