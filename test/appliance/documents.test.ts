import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Appliance, client } from "../helpers/appliance.ts";
import { codeIn, readPage, rowsOf, sectionOf } from "../helpers/markdown-page.ts";

const root = join(import.meta.dirname, "..", "..");

describe("docs/command-line.md", () => {
  const page = readPage("docs/command-line.md");
  /** By command: its own flags, and the values that its arguments and flags accept. */
  const commands = new Map<string, { readonly flags: readonly string[]; readonly values: readonly string[] }>();
  let globalFlags: readonly string[] = [];

  beforeAll(async () => {
    await using appliance = new Appliance();
    const { script } = appliance.json<{ script: string }>("completion", "bash");
    // `"<words of the command>") words="<sub-commands, values and flags>" ;;`
    const words = listsIn(script, /^ *"((?: [a-z][a-z-]*)*)"\) words="([^"]*)" ;;$/gm);
    // `"<words of the command> <flag>") words="<values>" ;;`
    const valuesOfFlags = listsIn(script, /^ *"((?: [a-z][a-z-]*)* --[a-z-]+)"\) words="([^"]*)" ;;$/gm);
    globalFlags = (words.get("") ?? []).filter((word) => word.startsWith("--"));
    const isParent = (path: string) => [...words.keys()].some((other) => other.startsWith(`${path} `));
    for (const [path, all] of words) {
      if (path === "" || isParent(path)) continue;
      const flags = all.filter((word) => word.startsWith("--") && !globalFlags.includes(word));
      const values = all.filter((word) => !word.startsWith("--"));
      commands.set(path, {
        flags,
        values: [...values, ...flags.flatMap((flag) => valuesOfFlags.get(`${path} ${flag}`) ?? [])],
      });
    }
  });

  test("has a heading for every command, and for nothing else", () => {
    const described = page.headings
      .filter((heading) => heading.startsWith("xpose "))
      .map((heading) => heading.slice(6));
    expect(commands.size).toBeGreaterThan(20);
    expect(described.sort()).toEqual([...commands.keys()].sort());
  });

  test("describes exactly the flags of each command", () => {
    for (const [path, { flags }] of commands) {
      expect([path, flagsIn(sectionOf(page, `xpose ${path}`)).sort()]).toEqual([path, [...flags].sort()]);
    }
  });

  test("describes the flags that every command has", () => {
    const described = flagsIn(sectionOf(page, "For every command")).filter((flag) => flag.startsWith("--"));
    expect([...described, "--version"].sort()).toEqual([...globalFlags].sort());
  });

  test("names every value that a flag or an argument can take", () => {
    for (const [path, { values }] of commands) {
      expect([path, codeIn(sectionOf(page, `xpose ${path}`))]).toEqual([path, expect.arrayContaining([...values])]);
    }
  });

  test("shows how to call a command, with its required flags", () => {
    for (const path of commands.keys()) {
      const section = sectionOf(page, `xpose ${path}`);
      const usage = codeIn(section)[0] ?? "";
      const required = rowsOf(section).filter(([, meaning = ""]) => meaning.endsWith("Required"));
      for (const part of [`xpose ${path}`, ...required.map(([flag = ""]) => codeIn(flag)[0] ?? "")]) {
        expect([path, usage]).toEqual([path, expect.stringContaining(part)]);
      }
    }
  });
});

describe("the README", () => {
  const text = readFileSync(join(root, "README.md"), "utf8");
  let appliance: Appliance;

  beforeAll(() => {
    appliance = new Appliance();
    appliance.json("init");
    for (const [file, name] of [
      ["example-shop-2021.csv", "example-shop"],
      ["forum-accounts.jsonl", "example-forum"],
    ] as const) {
      appliance.json("corpus", "import", join(root, "scripts", "quickstart", file), "--name", name);
    }
  });
  afterAll(() => appliance[Symbol.asyncDispose]());

  test("shows the answer of the executable, apart from ids and times", async () => {
    const shown: unknown = JSON.parse(/^```json\n([\s\S]*?)^```$/m.exec(text)?.[1] ?? "");
    const service = await appliance.serve();
    const { enrich, settle } = client(service.url, appliance.mintKey("readme"));
    const { request_id: scanId } = (await (await enrich("jane.doe@example.com")).json()) as { request_id: string };
    await settle(scanId);
    const answered: unknown = await (await enrich("jane.doe@example.com")).json();
    expect(withoutTimes(shown)).toEqual(withoutTimes(answered));
  });

  test("uses only commands that the executable has", () => {
    const lines = [...text.matchAll(/^xpose (.+)$/gm)].map((match) => match[1] ?? "");
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) {
      const words = line.split(" ").filter((word, at, all) => !word.startsWith("-") && !all[at - 1]?.startsWith("--"));
      const { exitCode, stdout } = appliance.run([...words, "--help"]);
      expect([line, exitCode]).toEqual([line, 0]);
      for (const flag of line.match(/--[a-z-]+/g) ?? [])
        expect([line, stdout]).toEqual([line, expect.stringContaining(flag)]);
    }
  });
});

/** Lists of words by their name; the pattern has the two as its groups. */
function listsIn(script: string, pattern: RegExp): Map<string, string[]> {
  return new Map([...script.matchAll(pattern)].map(([, name = "", words = ""]) => [name.trim(), words.split(" ")]));
}

/** The flags in the first column of the tables of a text. */
function flagsIn(section: string): string[] {
  return rowsOf(section).flatMap(([first = ""]) => codeIn(first).map((code) => code.split(" ")[0] ?? ""));
}

/** A JSON value with all ids and times replaced by constants. */
function withoutTimes(value: unknown): unknown {
  const text = JSON.stringify(value, (key, inner: unknown) => (key === "request_id" ? "id" : inner));
  return JSON.parse(text.replaceAll(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00/g, "time"));
}
