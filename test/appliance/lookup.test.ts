import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Appliance, type Service } from "../helpers/appliance.ts";
import { readCsv } from "../helpers/read-csv.ts";

const added = "xpose_status,xpose_total,xpose_high,xpose_medium,xpose_low,xpose_sources_failed,xpose_request_id".split(
  ",",
);

let appliance: Appliance;
let service: Service;
let key: string;
let config: string;
let upstream: ReturnType<typeof Bun.serve>;

beforeAll(async () => {
  upstream = Bun.serve({
    port: 0,
    fetch(request) {
      const email = new URL(request.url).searchParams.get("e") ?? "";
      return new Response(null, { status: email.startsWith("broken") ? 500 : 404 });
    },
  });
  appliance = new Appliance();
  key = appliance.initialise();
  const rows = join(appliance.folder, "rows.csv");
  writeFileSync(rows, "email,severity,title\njane.doe@example.com,high,One\njane.doe@example.com,low,Two\n");
  appliance.json("corpus", "import", rows, "--name", "shop");
  config = join(appliance.folder, "xpose.toml");
  const source = `[[sources.http]]\nname = "web"\nurl = "http://127.0.0.1:${upstream.port}/?e={email}"\nrate = "100000/1m"\ninternal = true\n`;
  writeFileSync(config, source);
  service = await appliance.serve({ args: ["--config", config] });
});

afterAll(async () => {
  await appliance[Symbol.asyncDispose]();
  await upstream.stop(true);
});

/** Runs `xpose lookup` over a text, on the data directory and against the service: both give the same. */
async function lookUp(text: string, ...args: string[]) {
  const file = join(appliance.folder, `in-${crypto.randomUUID()}`);
  writeFileSync(file, text);
  const options = { env: { XPOSE_API_KEY: key } };
  const local = await appliance.runBeside(["lookup", file, ...args, "--config", config], options);
  const remote = await appliance.runBeside(["lookup", file, ...args, "--url", service.url], options);
  expect([remote.exitCode, remote.stdout]).toEqual([local.exitCode, local.stdout]);
  expect(`${local.stderr}${remote.stderr}`).not.toContain(key);
  return local;
}

describe("19.6 xpose lookup", () => {
  test("CSV with a header: the same rows, quoted cells and all, with what is known", async () => {
    const rows = [
      '1,"Doe, ""Jane""",jane.doe@example.com',
      "2,plain,nobody@example.com",
      "3,bad,nope",
      '4,"two\nlines",JANE.DOE@example.com',
    ];
    const { exitCode, stdout } = await lookUp(`id,name,Mail\r\n${rows.join("\r\n")}\r\n`);
    // A row without a valid address is not completed.
    expect(exitCode).toBe(1);
    const [header, ...found] = readCsv(stdout.replaceAll("\n", "\r\n").replace("two\r\nlines", "two\nlines"));
    expect(header).toEqual(["id", "name", "Mail", ...added]);
    expect(found.map((row) => row.slice(0, 3))).toEqual([
      ["1", 'Doe, "Jane"', "jane.doe@example.com"],
      ["2", "plain", "nobody@example.com"],
      ["3", "bad", "nope"],
      ["4", "two\nlines", "JANE.DOE@example.com"],
    ]);
    expect(found.map((row) => row.slice(3, 9))).toEqual([
      ["completed", "2", "1", "0", "1", ""],
      ["completed", "0", "0", "0", "0", ""],
      ["invalid", "", "", "", "", ""],
      ["completed", "2", "1", "0", "1", ""],
    ]);
    expect(found[3]?.[9]).toBe(found[0]?.[9] ?? "");
  });

  test("the column is found by its name, or is the one that --column names", async () => {
    const text = "owner;contact;x\nboss@example.com;jane.doe@example.com;1\n";
    const { stdout } = await lookUp(text, "--column", "contact");
    expect(stdout.split("\n")[1]).toMatch(/^boss@example\.com;jane\.doe@example\.com;1;completed;2;/);
    expect(await lookUp(text, "--column", "other")).toMatchObject({ exitCode: 2, stdout: "" });
    expect(await lookUp("a,b\n1,2\n")).toMatchObject({ exitCode: 2, stdout: "" });
  });

  test("CSV without a header gets one, and no cell of a result is a formula", async () => {
    const { exitCode, stdout } = await lookUp('jane.doe@example.com,=1+1\nnobody@example.org,"a,b"\n');
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^email,column_2,xpose_status,/);
    expect(lines[1]).toMatch(/^jane\.doe@example\.com,'=1\+1,completed,/);
    expect(lines[2]).toMatch(/^nobody@example\.org,"a,b",completed,0,/);
    expect(exitCode).toBe(0);
  });

  test("JSON Lines keep their bytes and get further members", async () => {
    const { exitCode, stdout } = await lookUp('{"n": 1.50, "email":"jane.doe@example.com"}\n{}\nno json\n');
    // A row without a valid address is not completed.
    expect(exitCode).toBe(1);
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(
      /^\{"n": 1\.50, "email":"jane\.doe@example\.com","xpose_status":"completed","xpose_total":2,/,
    );
    expect(lines.map((line) => Object.keys(JSON.parse(line)).slice(-7))).toEqual([added, added, added]);
    expect(lines.slice(1).map((line) => JSON.parse(line).xpose_status)).toEqual(["invalid", "invalid"]);
  });

  test("an address a line, from the standard input", () => {
    const stdin = Buffer.from("jane.doe@example.com\n\nnobody@example.com\n");
    const { exitCode, stdout } = appliance.run(["lookup", "--config", config], { stdin });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^email,xpose_status,[^\n]*\njane\.doe@example\.com,completed,2,1,0,1,,[0-9a-f-]{36}\nnobody@/,
    );
    const json = appliance.run(["lookup", "-", "--format", "jsonl", "--config", config], { stdin });
    expect(JSON.parse(json.stdout.split("\n")[0] ?? "")).toMatchObject({
      email: "jane.doe@example.com",
      xpose_high: 1,
    });
    expect(appliance.run(["lookup"], { stdin: Buffer.from("") })).toMatchObject({ exitCode: 0, stdout: "" });
  });

  test("a source that failed is named, and with --cached-only nothing is started", async () => {
    const { stdout } = await lookUp("email\nbroken@example.com\n");
    expect(stdout).toMatch(/\nbroken@example\.com,completed,0,0,0,0,web,/);
    expect((await lookUp("email\nfresh@example.com\n", "--cached-only")).stdout).toContain(
      "\nfresh@example.com,not_cached,,,,,,\n",
    );
  });

  test("a look-up that failed ends with 1, and every row is written all the same", async () => {
    await using other = new Appliance();
    other.initialise();
    const file = join(other.folder, "xpose.toml");
    writeFileSync(
      file,
      `[[sources.http]]\nname = "web"\nurl = "http://127.0.0.1:${upstream.port}/?e={email}"\ninternal = true\n`,
    );
    const list = join(other.folder, "list.txt");
    writeFileSync(list, "fine@example.com\nbroken@example.com\nfine@example.com\n");
    const { exitCode, stdout } = await other.runBeside(["lookup", list, "--config", file]);
    expect(exitCode).toBe(1);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .slice(1)
        .map((line) => line.split(",")[1]),
    ).toEqual(["completed", "failed", "completed"]);
  });

  test("many rows in many batches keep their order", async () => {
    const values = Array.from({ length: 2500 }, (_, index) => `row${index}@example.com`);
    const { exitCode, stdout } = await lookUp(`email\n${values.join("\n")}\n`, "--batch", "700");
    expect(exitCode).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .slice(1)
        .map((line) => line.split(",")[0]),
    ).toEqual(values);
  }, 120_000);

  test("without a key, and with a service that is not there, it says so", async () => {
    const file = join(appliance.folder, "list.txt");
    writeFileSync(file, "jane.doe@example.com\n");
    const without = await appliance.runBeside(["lookup", file, "--url", service.url]);
    expect([without.exitCode, without.stderr]).toEqual([2, expect.stringContaining("XPOSE_API_KEY")]);
    const options = { env: { XPOSE_API_KEY: key } };
    const gone = await appliance.runBeside(["lookup", file, "--url", "http://127.0.0.1:1"], options);
    expect([gone.exitCode, gone.stderr]).toEqual([1, expect.stringContaining("does not answer")]);
    expect(await appliance.runBeside(["lookup", "no-such-file"])).toMatchObject({ exitCode: 3, stdout: "" });
    expect(await appliance.runBeside(["lookup", file, "--wait", "soon"])).toMatchObject({ exitCode: 2, stdout: "" });
  });
});
