import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { errorCodes } from "../../src/domain/error.ts";
import { statusOf } from "../../src/http/errors.ts";
import { sourceKinds } from "../../src/sources/registry.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Paths of all files under a folder, relative to the root. Links are not followed, because one fixture is a loop. */
function filesIn(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesIn(path) : entry.isFile() ? [path] : [];
  });
}

const sourceFiles = filesIn("src");
const testFiles = filesIn("test").filter((path) => path.endsWith(".ts"));

test("the rules find the files of the repository", () => {
  expect(sourceFiles).toContain("src/domain/envelope.ts");
  expect(testFiles).toContain("test/rules/rules.test.ts");
});

test("test names are unique", () => {
  const filesOf = new Map<string, string[]>();
  for (const path of testFiles) {
    for (const name of testNames(readFileSync(`${root}${path}`, "utf8"))) {
      filesOf.set(name, [...(filesOf.get(name) ?? []), path]);
    }
  }
  expect(filesOf.size).toBeGreaterThan(20);
  expect([...filesOf].filter(([, paths]) => paths.length > 1)).toEqual([]);
});

test("a repeated test name is detected", () => {
  const code = `test("a", f);\n  it("a", f);\ntest.each([1])("$a", f);\ntest(\`\${a}\`, f);`;
  expect(testNames(code)).toEqual(["a", "a"]);
});

test("every error code of the product has one status, and every status has a code", () => {
  expect(Object.keys(statusOf).sort()).toEqual([...errorCodes].sort());
  for (const status of Object.values(statusOf)) {
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
  }
});

test("files and folders of src are named in kebab-case", () => {
  const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
  const named = sourceFiles.filter((path) => !path.endsWith("/README.md"));
  const misnamed = named.filter(
    (path) => !path.split("/").every((part) => kebab.test(part.replace(/(?:\.d)?\.[a-z]+$/, ""))),
  );
  expect(misnamed).toEqual([]);
});

test("no file of src is named after what it is instead of what is in it", () => {
  const vague = /\/(?:utils?|helpers?|types|index|common|misc|shared)\.tsx?$/;
  expect(sourceFiles.filter((path) => vague.test(path))).toEqual([]);
});

/** The names of the tests in a file, without rows of tables, whose names are data. */
function testNames(code: string): string[] {
  const declared = /^\s*(?:test|it)(?:\.(?:skipIf|runIf)\(.*?\))?\(\s*(["'`])((?:\\.|(?!\1).)*)\1/gm;
  return [...code.matchAll(declared)].map((match) => match[2] ?? "").filter((name) => !name.includes("${"));
}

/** Whether a file declares a source, by the type of the constant or with `satisfies`. */
function declaresSource(code: string): boolean {
  return /^export const \w+: SourceKind\b|^(?:export const .*|\}.*) satisfies SourceKind\b/m.test(code);
}

test("a source is found however its type is written", () => {
  for (const code of [
    "export const a: SourceKind<Settings> = {",
    "export const a = {\n} satisfies SourceKind<Settings>;",
    "export const a = {\n} as const satisfies SourceKind;",
    "export const a = make() satisfies SourceKind;",
  ]) {
    expect(declaresSource(code)).toBe(true);
  }
  expect(declaresSource("export type SourceKind<Settings> = {")).toBe(false);
});

test("every kind of source is registered, and has a test, example settings and invented replies", () => {
  const declaring = sourceFiles
    .filter((path) => path.startsWith("src/sources/") && path.endsWith(".ts") && !path.endsWith("/registry.ts"))
    .filter((path) => declaresSource(readFileSync(`${root}${path}`, "utf8")));
  const kinds = declaring.map((path) => path.slice("src/sources/".length, -".ts".length)).sort();
  expect(kinds).toEqual(sourceKinds.map(({ kind }) => kind).sort());
  const settings = readFileSync(`${root}systemd/xpose.toml`, "utf8");
  const replies = new Set(filesIn("test/fixtures/sources").map((path) => path.split("/")[3]));
  for (const kind of kinds) {
    expect(testFiles).toContain(`test/sources/${kind}.test.ts`);
    expect(settings).toMatch(new RegExp(`^#\\[+sources\\.${kind}\\]`, "m"));
    // The fault server has the replies of the http source.
    if (kind !== "http") expect(replies).toContain(kind);
  }
});
