import { expect, test } from "vitest";
import { tlps } from "../../src/domain/tlp.ts";
import { ocsf } from "../../src/formats/ocsf.ts";
import { emptyCase, exampleCase } from "../helpers/export-case.ts";

test("with nothing found and nothing failed there is one event that says so", () => {
  const [event, ...others] = JSON.parse(ocsf(emptyCase, { tlp: "clear", hasByteOrderMark: false }));
  expect(others).toEqual([]);
  expect(event).toMatchObject({ message: "No finding; 2 of 2 sources answered", status: "Success" });
});

test("a source that failed is an event of its own, with its reason", () => {
  const events = JSON.parse(ocsf(exampleCase, { tlp: "clear", hasByteOrderMark: false }));
  expect(events.map(({ status_id, status_code }: Record<string, unknown>) => [status_id, status_code])).toEqual([
    [1, undefined],
    [2, "timeout"],
  ]);
});

test("marks are spelled as OCSF lists them", () => {
  const markOf = (tlp: (typeof tlps)[number]) =>
    JSON.parse(ocsf(emptyCase, { tlp, hasByteOrderMark: false }))[0].osint[0].tlp;
  expect(tlps.map(markOf)).toEqual(["CLEAR", "GREEN", "AMBER", "AMBER STRICT", "RED"]);
});
