import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Files that name missing documents on purpose: this rule, and the test of dead links. */
const exceptions = ["test/rules/document-names.test.ts", "test/docs/links.test.ts"];

const places = ["src", "test", "scripts", "docs", "migrations", "systemd", ".ci", "biome.json", "package.json"];
const pages = readdirSync(root).filter((name) => name.endsWith(".md"));
const files = [...places, ...pages].flatMap(filesIn).filter((path) => !exceptions.includes(path));

/** The text files at a path of the repository (a file or folder), without fixtures, pictures and styles. */
function filesIn(path: string): string[] {
  if (path === "test/fixtures") return [];
  if (!statSync(`${root}${path}`).isDirectory()) return [path];
  return readdirSync(`${root}${path}`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.isFile())
    .flatMap((entry) => filesIn(`${path}/${entry.name}`))
    .filter((name) => !/\.(?:png|svg|css)$/.test(name));
}

/** `<path>:<line>: <text>` for every match of the pattern in a file for which `isWrong` is true. */
function findIn(path: string, pattern: RegExp, isWrong: (match: RegExpExecArray) => boolean): string[] {
  return readFileSync(`${root}${path}`, "utf8")
    .split("\n")
    .flatMap((line, at) =>
      [...line.matchAll(pattern)].filter(isWrong).map((match) => `${path}:${at + 1}: ${match[0].trim()}`),
    );
}

/** A document is named by its path from the root or, inside a document, from the document's own folder. */
function isMissing(path: string, name: string): boolean {
  const fromOwnFolder = path.endsWith(".md") ? posix.join(posix.dirname(path), name) : name;
  return ![name, fromOwnFolder].some((candidate) => existsSync(`${root}${candidate}`));
}

test("the rule of document names finds the files of the repository", () => {
  for (const path of ["src/main.ts", "biome.json", "docs/contract.md", "README.md", "test/rules/rules.test.ts"]) {
    expect(files).toContain(path);
  }
});

test("every document named by a comment, test, message or page is in the repository", () => {
  const names = /[\w./-]*[\w-]\.md\b/g;
  expect(files.flatMap((path) => findIn(path, names, ([name]) => isMissing(path, name.replace(/^\/+/, ""))))).toEqual(
    [],
  );
});

test("no document has a name in capitals", () => {
  const words = /\b(?:ARCHITECTURE|CONTRACT|PERFORMANCE|PIPELINE|SECURITY-BASELINE|STYLE)\b/g;
  expect(files.flatMap((path) => findIn(path, words, () => true))).toEqual([]);
});

test("every cited rule number exists in its document", () => {
  const rules = new Map([
    ["docs/contract.md", rulesOf("docs/contract.md")],
    ["docs/pipeline.md", rulesOf("docs/pipeline.md")],
    ["docs/corpus-formats.md", rulesOf("docs/corpus-formats.md")],
  ]);
  const number = String.raw`\d+(?:\.\d+[ab]?)?`;
  const cited = new RegExp(
    String.raw`(docs/contract\.md|docs/pipeline\.md|docs/corpus-formats\.md|\bcontract) (${number}(?:(?:, | and )${number})*)(?![\d.]\d)`,
    "g",
  );
  let count = 0;
  const wrong = files
    .filter((path) => !path.endsWith(".md"))
    .flatMap((path) =>
      findIn(path, cited, ([, document = "", numbers = ""]) => {
        count += 1;
        const known = rules.get(document) ?? rules.get("docs/contract.md");
        return numbers.split(/, | and /).some((one) => known?.has(one) !== true);
      }),
    );
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThan(100);
});

/** The numbers of the sections and rules of a document: `## 8 Rate limit`, `- **8.1** ...`. */
function rulesOf(path: string): Set<string> {
  const text = readFileSync(`${root}${path}`, "utf8");
  return new Set([...text.matchAll(/^(?:## |- \*\*)(\d+(?:\.\d+[ab]?)?)/gm)].map((match) => match[1] ?? ""));
}
