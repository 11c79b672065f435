import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { currentVersion, openSchema } from "../../src/store/sqlite/migrate.ts";
import { codeIn, readPage, rowsOf, sectionOf } from "../helpers/markdown-page.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readPage("docs/architecture.md");

/** Part of `src` -> the parts that it may import, as the page has them. */
const mayImport = new Map(
  rowsOf(sectionOf(page, "The folders")).map((cells) => [codeIn(cells[0] ?? "")[0] ?? "", codeIn(cells[2] ?? "")]),
);

const sourceFiles = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" }).filter((path) =>
  /\.tsx?$/.test(path),
);

/** The part that a file belongs to: the longest one of the table that its path begins with, else its first folder. */
function partOf(path: string): string {
  const parts = [...mayImport.keys()].filter((part) => path === part || path.startsWith(`${part}/`));
  return parts.sort((a, b) => b.length - a.length)[0] ?? path.split("/")[0] ?? "";
}

/** Imports of other parts that the page does not allow, `<file> imports <file>`. */
function forbiddenImports(path: string, code: string): string[] {
  return [...code.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)]
    .map((match) => posix.join(posix.dirname(path), match[1] ?? ""))
    .filter((target) => !target.startsWith("../"))
    .filter(
      (target) => partOf(target) !== partOf(path) && mayImport.get(partOf(path))?.includes(partOf(target)) !== true,
    )
    .map((target) => `${path} imports ${target}`);
}

test("docs/architecture.md has every part of src, and none that is not there", () => {
  const parts = new Set(sourceFiles.map(partOf));
  expect([...mayImport.keys()].sort()).toEqual([...parts].sort());
});

test("every import of src is one that docs/architecture.md allows", () => {
  const wrong = sourceFiles.flatMap((path) => forbiddenImports(path, readFileSync(`${root}src/${path}`, "utf8")));
  expect(wrong).toEqual([]);
});

/** Static imports of values from `wire`, `<file> imports <file>`. */
function valueImportsOfWire(path: string, code: string): string[] {
  return [...code.matchAll(/^(?:import|export)\s+(?!type\s)[^;]*?from\s+"(\.[^"]+)"/gm)]
    .map((match) => posix.join(posix.dirname(path), match[1] ?? ""))
    .filter((target) => target.startsWith("wire/") || target === "http/openapi.ts")
    .map((target) => `${path} imports ${target}`);
}

test("schemas of wire are loaded on demand: every other import of wire is one of types", () => {
  const others = sourceFiles.filter((path) => !path.startsWith("wire/") && path !== "http/openapi.ts");
  const wrong = others.flatMap((path) => valueImportsOfWire(path, readFileSync(`${root}src/${path}`, "utf8")));
  expect(wrong).toEqual([]);
});

test("an import of a schema is found, one of a type and one on demand are none", () => {
  const code = [
    'import { key } from "../../wire/key.ts";',
    'import {\n  type KeyList,\n  keyList,\n} from "../../wire/key.ts";',
    'import type { KeyBody } from "../../wire/key.ts";',
    'const { mintRequest } = await import("../../wire/key.ts");',
    'import { openapiDocument } from "../openapi.ts";',
  ].join("\n");
  const found = ["wire/key.ts", "wire/key.ts", "http/openapi.ts"].map((file) => `http/routes/keys.ts imports ${file}`);
  expect(valueImportsOfWire("http/routes/keys.ts", code)).toEqual(found);
});

test("an import against the arrows is found, and one of an unknown folder too", () => {
  const code = 'import { a } from "../access/audit.ts";\nconst b = await import("../new/b.ts");';
  expect(forbiddenImports("domain/workspace.ts", code)).toEqual([
    "domain/workspace.ts imports access/audit.ts",
    "domain/workspace.ts imports new/b.ts",
  ]);
  expect(forbiddenImports("new/b.ts", 'import "./c.ts";\nimport { d } from "../domain/d.ts";')).toEqual([
    "new/b.ts imports domain/d.ts",
  ]);
});

test("the table of docs/architecture.md has no circle", () => {
  const open = new Map(mayImport);
  // Takes away, again and again, the parts that import nothing that is left.
  for (let before = -1; before !== open.size; ) {
    before = open.size;
    for (const [part, targets] of [...open]) if (!targets.some((target) => open.has(target))) open.delete(part);
  }
  expect([...open.keys()]).toEqual([]);
});

test("every file and folder that docs/architecture.md names exists", () => {
  const named = codeIn(page.text).filter(
    (code) => /^[a-z][\w./-]*(?:\.ts|\.toml|\/)$/.test(code) && code.includes("/"),
  );
  expect(named.length).toBeGreaterThan(40);
  const missing = named.filter((path) => !existsSync(`${root}src/${path}`) && !existsSync(`${root}${path}`));
  expect(missing).toEqual([]);
});

/** The methods of the interfaces of a file. */
function methodsIn(code: string): string[] {
  const interfaces = [...code.matchAll(/^export interface \w+ \{([\s\S]*?)^\}/gm)].map((match) => match[1] ?? "");
  return interfaces.flatMap((body) => [...body.matchAll(/^ {2}(\w+)\(/gm)].map((match) => match[1] ?? ""));
}

test("docs/architecture.md lists every method of the store port by its file, and none that is not there", () => {
  const port = readdirSync(`${root}src/store/port`).map((name) => `store/port/${name}`);
  const methods = new Map(port.map((path) => [path, methodsIn(readFileSync(`${root}src/${path}`, "utf8")).sort()]));
  const described = rowsOf(sectionOf(page, "The store port")).map((cells): [string, string[]] => [
    codeIn(cells[1] ?? "")[0] ?? "",
    codeIn(cells[2] ?? "").sort(),
  ]);
  expect([...methods.values()].flat().length).toBeGreaterThan(30);
  expect(new Map(described)).toEqual(new Map([...methods].filter(([, names]) => names.length > 0)));
});

test("docs/architecture.md has every table of the database, once, and none that is not there", () => {
  const schema = openSchema(currentVersion);
  const tables = schema
    .prepare<[], { name: string }>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .all()
    .map(({ name }) => name);
  schema.close();
  const described = rowsOf(sectionOf(page, "The schema")).flatMap(([names = ""]) => codeIn(names));
  expect(described.sort()).toEqual(tables.sort());
});

test("Store is every interface of the store port", () => {
  const port = readdirSync(`${root}src/store/port`).map((name) =>
    readFileSync(`${root}src/store/port/${name}`, "utf8"),
  );
  const names = port.flatMap((code) =>
    [...code.matchAll(/^export interface (\w+) \{/gm)].map((match) => match[1] ?? ""),
  );
  const all = /^export interface Store\s+extends ([^{]*)/m.exec(port.join("\n"))?.[1] ?? "";
  expect(
    all
      .split(",")
      .map((name) => name.trim())
      .sort(),
  ).toEqual(names.sort());
});
