import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

function codeFiles(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return codeFiles(path);
    return entry.isFile() && /\.tsx?$/.test(path) && !path.endsWith(".d.ts") ? [path] : [];
  });
}

const codeOf = new Map(
  ["src", "scripts", "test"].flatMap(codeFiles).map((path) => [path, readFileSync(`${root}${path}`, "utf8")]),
);

const all = "*";

/** The names that a file imports from other files, by path. `*` stands for all names. */
function importsOf(path: string, code: string): [target: string, name: string][] {
  const targetOf = (specifier: string) => posix.join(posix.dirname(path), specifier);
  const named = (list: string, specifier: string): [string, string][] =>
    list
      .split(",")
      .map(
        (item) =>
          item
            .trim()
            .replace(/^type\s+/, "")
            .split(/\s+as\s+|\s*:\s*/)[0] ?? "",
      )
      .filter((name) => name !== "")
      .map((name) => [targetOf(specifier), name]);
  const inBraces = /(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s*from\s*"(\.[^"]+)"/g;
  const taken = /\{([^{}]*)\}\s*=\s*await\s+import(?:Original)?\(\s*"(\.[^"]+)"\s*\)/g;
  const member = /\bimport\(\s*"(\.[^"]+)"\s*\)\)?\s*\.(\w+)/g;
  const whole = /\*\s+as\s+\w+\s+from\s*"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"\s*\)(?!\)?\s*\.)/g;
  const isTaken = [...code.matchAll(taken)].map((match) => (match.index ?? 0) + match[0].length);
  return [
    ...[...code.matchAll(inBraces), ...code.matchAll(taken)].flatMap((match) => named(match[1] ?? "", match[2] ?? "")),
    ...[...code.matchAll(member)].map((match): [string, string] => [targetOf(match[1] ?? ""), match[2] ?? ""]),
    ...[...code.matchAll(whole)]
      .filter((match) => !isTaken.includes((match.index ?? 0) + match[0].length))
      .map((match): [string, string] => [targetOf(match[1] ?? match[2] ?? ""), all]),
  ];
}

type Export = { readonly name: string; readonly isType: boolean };

/** The declarations that a file exports. */
function exportsOf(code: string): Export[] {
  const declared = /^export\s+(?:abstract\s+)?(?:async\s+)?(const|let|function\*?|class|type|interface)\s+(\w+)/gm;
  return [...code.matchAll(declared)].map(([, kind = "", name = ""]) => ({
    name,
    isType: kind === "type" || kind === "interface",
  }));
}

const countOf = (name: string, code: string) => [...code.matchAll(new RegExp(`\\b${name}\\b`, "g"))].length;

/**
 * Exports of src that are not needed, each with the reason. A type without an import is allowed as long as its own file
 * uses it: it belongs to an exported function, and callers may want to name it.
 */
function deadExports(files: ReadonlyMap<string, string>): string[] {
  const users = new Map<string, Set<"product" | "test">>();
  for (const [path, code] of files) {
    for (const [target, name] of importsOf(path, code)) {
      const key = `${target} ${name}`;
      users.set(key, (users.get(key) ?? new Set()).add(path.startsWith("test/") ? "test" : "product"));
    }
  }
  function faultOf(path: string, code: string, { name, isType }: Export): string | null {
    const by = new Set([...(users.get(`${path} ${name}`) ?? []), ...(users.get(`${path} ${all}`) ?? [])]);
    if (by.has("product")) return null;
    const isUsedHere = countOf(name, code) > 1;
    if (by.has("test")) return isUsedHere ? null : "only tests use it";
    if (!isUsedHere) return "nothing uses it";
    return isType ? null : "nothing imports it";
  }
  return [...files]
    .filter(([path]) => path.startsWith("src/"))
    .flatMap(([path, code]) =>
      exportsOf(code).map((one) => ({ name: one.name, path, fault: faultOf(path, code, one) })),
    )
    .flatMap(({ name, path, fault }) => (fault === null ? [] : [`${path} ${name}: ${fault}`]));
}

/** Exports that the rule cannot see in use, each with its reason. */
const exceptions: readonly string[] = [
  // Describes a line of NDJSON. The domain writes the line as text, and tests compare it with this schema.
  "src/wire/bulk.ts bulkLine",
];

test("every export of src is used, and not only by tests", () => {
  expect(codeOf.size).toBeGreaterThan(500);
  expect(deadExports(codeOf).filter((text) => !exceptions.some((one) => text.startsWith(`${one}:`)))).toEqual([]);
});

test("every way to import a name counts, and a dead export is found", () => {
  const files = new Map([
    [
      "src/a.ts",
      [
        ...["braces", "renamed", "taken", "member", "typed", "tested", "alone"].map(
          (name) => `export const ${name} = 1;`,
        ),
        "export const inner = 1;\nuse(inner);\nuse(tested);",
        "export type Kept = 1;\nexport const typed2: Kept = 1;",
        "export type Dead = 1;",
        "export async function onlyTested() {}",
      ].join("\n"),
    ],
    ["src/whole.ts", "export const first = 1;\nexport const second = 2;"],
    [
      "src/b.ts",
      [
        'import {\n  braces,\n  renamed as other,\n  type typed2,\n} from "./a.ts";',
        'import type { typed } from "./a.ts";',
        'const { taken } = await import("./a.ts");',
        'const x = async () => (await import("./a.ts")).member();',
        'import * as whole from "./whole.ts";',
      ].join("\n"),
    ],
    ["test/a.test.ts", 'import { onlyTested, tested } from "../src/a.ts";'],
  ]);
  expect(deadExports(files)).toEqual([
    "src/a.ts alone: nothing uses it",
    "src/a.ts inner: nothing imports it",
    "src/a.ts Dead: nothing uses it",
    "src/a.ts onlyTested: only tests use it",
  ]);
});
