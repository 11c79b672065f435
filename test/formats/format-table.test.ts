import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { formatNames, formats, isFormatName } from "../../src/formats/format-table.ts";
import { exportFormat } from "../../src/wire/export.ts";
import { exampleCase } from "../helpers/export-case.ts";

/** One finding, one source that failed, one that was not asked. Read through against the mappings when they were made. */
const golden = formatNames.map((name) => {
  const url = new URL(`../fixtures/golden/export/example.${formats[name].extension}`, import.meta.url);
  return { name, bytes: readFileSync(url, "utf8") };
});

test.each(golden)("$name writes the example to the byte", ({ name, bytes }) => {
  expect(formats[name].write(exampleCase, { tlp: "amber", hasByteOrderMark: false })).toBe(bytes);
});

test("18.1 each format has its media type", () => {
  expect(Object.fromEntries(formatNames.map((name) => [name, formats[name].mediaType]))).toEqual({
    stix: "application/stix+json;version=2.1",
    misp: "application/json",
    ocsf: "application/json",
    ecs: "application/x-ndjson",
    csv: "text/csv; charset=utf-8; header=present",
    markdown: "text/markdown; charset=utf-8",
  });
  expect(exportFormat.options).toEqual(formatNames);
});

test("only a name of the table is one, not a member that every object has", () => {
  expect([...formatNames, "toString", "STIX", ""].filter(isFormatName)).toEqual(formatNames);
});
