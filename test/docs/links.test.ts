import { existsSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { allPages, anchorOf, type MarkdownPage } from "../helpers/markdown-page.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = new Map(allPages().map((page) => [page.path, page]));

/** Targets of the links and pictures of a page, without those to other hosts. */
function targetsOf({ text }: MarkdownPage): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? "")
    .filter((target) => !/^[a-z]+:/i.test(target));
}

/** Describes the fault of a link; null for a good link. */
function faultOf(page: MarkdownPage, target: string): string | null {
  const [file = "", anchor] = target.split("#");
  const path = file === "" ? page.path : posix.join(posix.dirname(page.path), file);
  if (!existsSync(`${root}${path}`)) return `${page.path}: ${target} leads to no file`;
  if (anchor === undefined) return null;
  const anchors = pages.get(path)?.headings.map(anchorOf) ?? [];
  return anchors.includes(anchor) ? null : `${page.path}: ${target} leads to no heading`;
}

test("every link between documents leads to a file and to a heading in it", () => {
  const all = [...pages.values()];
  expect(all.flatMap(targetsOf).length).toBeGreaterThan(50);
  const faults = all.flatMap((page) => targetsOf(page).map((target) => faultOf(page, target)));
  expect(faults.filter((fault) => fault !== null)).toEqual([]);
});

test("a link to a missing file, and one to a missing heading, are found", () => {
  const page = { path: "docs/api.md", text: "[a](none.md) [b](#none) [c](api.md#here)", headings: [] };
  expect(targetsOf(page).map((target) => faultOf(page, target))).toEqual([
    "docs/api.md: none.md leads to no file",
    "docs/api.md: #none leads to no heading",
    "docs/api.md: api.md#here leads to no heading",
  ]);
});

test("every page of docs can be reached from the README", () => {
  const reached = new Set(["README.md"]);
  for (const path of reached) {
    const page = pages.get(path);
    if (page === undefined) continue;
    for (const target of targetsOf(page)) {
      reached.add(posix.join(posix.dirname(path), target.split("#")[0] || posix.basename(path)));
    }
  }
  expect([...pages.keys()].filter((path) => !reached.has(path))).toEqual([]);
});

test("the README stays short enough to be read", () => {
  expect(pages.get("README.md")?.text.split("\n").length).toBeLessThanOrEqual(130);
});
