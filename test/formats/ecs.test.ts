import { expect, test } from "vitest";
import { ecs } from "../../src/formats/ecs.ts";
import { caseOf, emptyCase, linkedIn, run } from "../helpers/export-case.ts";

const options = { tlp: "amber", hasByteOrderMark: false } as const;

test("with nothing found and nothing failed there is one line that says so", () => {
  const line = JSON.parse(ecs(emptyCase, options));
  expect(line.message).toBe("No finding; 2 of 2 sources answered");
  expect(line.event.outcome).toBe("success");
  expect(line.xpose).not.toHaveProperty("finding");
});

test("a finding without times stands at the end of the scan", () => {
  const line = JSON.parse(ecs(caseOf([{ ...linkedIn, first_seen: null, last_seen: null }], [run("hibp")]), options));
  expect(line["@timestamp"]).toBe("2026-06-28T22:41:00.000Z");
  expect(Object.keys(line.event)).not.toContain("start");
});
