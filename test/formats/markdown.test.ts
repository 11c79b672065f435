import { expect, test } from "vitest";
import { markdown } from "../../src/formats/markdown.ts";
import { caseOf, emptyCase, linkedIn, run } from "../helpers/export-case.ts";

const options = { tlp: "red", hasByteOrderMark: false } as const;

function cellOf(title: string): string {
  const text = markdown(caseOf([{ ...linkedIn, title }], [run("hibp")]), options);
  return /^\| high \| breach \| (.*) \| hibp \|/m.exec(text)?.[1] ?? "";
}

test.each([
  ["a | b", "a \\| b"],
  ["`rm`", "\\`rm\\`"],
  ["<script>", "&lt;script&gt;"],
  ["[x](javascript:1)", "\\[x\\]\\(javascript:1)"],
  ["a\nb\rc", "a&#10;b&#13;c"],
  ["https://evil.example", "https\\://evil.example"],
  ["www.evil.example", "www\\.evil.example"],
  ["Account on my_shop (2021)", "Account on my_shop (2021)"],
])("%j is written as %j", (title, cell) => {
  expect(cellOf(title)).toBe(cell);
});

test("without findings there is no table, and the first line says how many sources answered", () => {
  const text = markdown(emptyCase, options);
  expect(text.startsWith("**No finding; 2 of 2 sources answered**\n")).toBe(true);
  expect(text).not.toContain("| --- |");
  expect(text).toContain("TLP:RED");
  expect(text).toContain("jane.doe@acme.example");
  expect(text.trimEnd().endsWith("no identity attribution")).toBe(true);
});
