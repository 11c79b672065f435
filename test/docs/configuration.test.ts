import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { codeIn, readPage, rowsOf, sectionOf } from "../helpers/markdown-page.ts";
import { settingKeys } from "../helpers/setting-keys.ts";

const page = readPage("docs/configuration.md");
const example = readFileSync(fileURLToPath(new URL("../../systemd/xpose.toml", import.meta.url)), "utf8");

type Documented = { readonly key: string; readonly defaults: readonly string[]; readonly meaning: string };

/** The settings that the page describes; one of several sources is there once for each. */
function documented(): Documented[] {
  const own = page.headings
    .filter((heading) => heading === "Top of the file" || heading.startsWith("["))
    .flatMap((heading) => {
      const table = heading === "Top of the file" ? "" : `${heading.slice(1, -1)}.`;
      return rowsOf(sectionOf(page, heading)).map(([key = "", defaults = "", meaning = ""]) => ({
        key: `${table}${codeIn(key)[0]}`,
        defaults: codeIn(defaults),
        meaning,
      }));
    });
  const common = rowsOf(sectionOf(page, "Common settings")).flatMap(
    ([key = "", kinds = "", defaults = "", meaning = ""]) =>
      kinds.split(", ").map((kind) => ({
        key: `sources.${kind}.${codeIn(key)[0]}`,
        defaults: codeIn(defaults),
        meaning,
      })),
  );
  return [...own, ...common];
}

/** The value of each key in the commented example, and whether the lines before it say that it is no default. */
function exampleValues(): Map<string, { readonly value: string; readonly isDefault: boolean }> {
  const values = new Map<string, { value: string; isDefault: boolean }>();
  let table = "";
  let comment = "";
  let wasKey = false;
  for (const line of example.split("\n")) {
    table = /^#?\[+([^\]]+)\]+$/.exec(line)?.[1] ?? table;
    const [, key, value = ""] = /^#([a-z_]+) = (.+)$/.exec(line) ?? [];
    if (key === undefined) {
      // Lines of one comment stand together; keys that follow each other share the comment before them.
      comment = line.startsWith("# ") && !wasKey ? `${comment} ${line}` : line;
      wasKey = false;
      continue;
    }
    wasKey = true;
    const isDefault = !/no default|required|default:|for air gaps|sent with every request/i.test(comment);
    values.set(table === "" ? key : `${table}.${key}`, { value, isDefault });
  }
  return values;
}

test("docs/configuration.md describes every setting, once, and invents none", () => {
  const keys = documented().map(({ key }) => key);
  expect(keys.sort()).toEqual(settingKeys().sort());
});

test("every setting of docs/configuration.md has a meaning", () => {
  expect(documented().filter(({ meaning }) => meaning === "")).toEqual([]);
});

test("the defaults of docs/configuration.md are those of the commented example", () => {
  const values = exampleValues();
  expect(values.size).toBe(settingKeys().length);
  for (const { key, defaults } of documented()) {
    const { value, isDefault } = values.get(key) ?? { value: "", isDefault: false };
    if (isDefault) expect([key, defaults]).toEqual([key, expect.arrayContaining([value])]);
    else if (!key.endsWith(".origin")) expect([key, defaults]).toEqual([key, []]);
  }
});
