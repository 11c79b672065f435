import { expect, test } from "vitest";
import { csv } from "../../src/formats/csv.ts";
import { caseOf, emptyCase, failedRun, linkedIn, run } from "../helpers/export-case.ts";
import { readCsv } from "../helpers/read-csv.ts";

const options = { tlp: "amber", hasByteOrderMark: false } as const;

function titleCell(title: string): string {
  const text = csv(caseOf([{ ...linkedIn, title }], [run("hibp")]), options);
  return text.split("\r\n").slice(1).join("\r\n").split("high,")[2]?.split(",https:")[0] ?? "";
}

test.each([
  ["=1+1", "'=1+1"],
  ["+1", "'+1"],
  ["-1", "'-1"],
  ["@SUM(A1)", "'@SUM(A1)"],
  ["\tx", "'\tx"],
  ["\rx", '"\'\rx"'],
  ["a=1", "a=1"],
  ["a,b", '"a,b"'],
  ['say "x"', '"say ""x"""'],
  ["a\r\nb", '"a\r\nb"'],
])("18.4 %j is written as %j", (title, cell) => {
  expect(titleCell(title)).toBe(cell);
});

test("the guard holds for the address too", () => {
  const exported = { ...emptyCase, indicator: { type: "email", value: "=1+1@acme.example" } } as const;
  expect(readCsv(csv(exported, options))[1]?.[0]).toBe("'=1+1@acme.example");
});

test("without findings one row tells of the sources that failed", () => {
  const rows = readCsv(csv(caseOf([], [failedRun("emailrep"), failedRun("hibp", "auth"), run("holehe")]), options));
  expect(rows.slice(1)).toEqual([
    ["jane.doe@acme.example", ...Array(11).fill(""), emptyCase.request_id, "true", "emailrep:timeout hibp:auth"],
  ]);
});

test("a byte order mark stands there only when it is asked for", () => {
  expect(csv(emptyCase, options).startsWith("indicator,")).toBe(true);
  expect(csv(emptyCase, { ...options, hasByteOrderMark: true }).startsWith("\ufeffindicator,")).toBe(true);
});
