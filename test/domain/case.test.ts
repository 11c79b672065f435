import { expect, test } from "vitest";
import { buildCase, type CaseFacts, caseText } from "../../src/domain/case.ts";
import type { ScanId } from "../../src/domain/scan.ts";
import { completedCase, failedCase } from "../../src/wire/case.ts";
import { emptyCase, exampleCase, failedRun, run } from "../helpers/export-case.ts";

/** docs/pipeline.md 17.2. */
const members = [
  "request_id",
  "status",
  "indicator",
  "asked_at",
  "finished_at",
  "partial",
  "reach",
  "digest",
  "failed_sources",
  "exposure",
  "evidence",
  "sources",
  "disambiguation",
  "generator",
];

const facts: CaseFacts = {
  scanId: "8f14e45f-ceea-467d-9a3f-2b4c1d0e7a12" as ScanId,
  indicator: { type: "email", value: "jane.doe@acme.example" },
  askedAt: new Date("2026-06-28T22:40:58.999Z"),
  finishedAt: new Date("2026-06-28T22:41:00Z"),
  reach: "inside",
  runs: [failedRun("emailrep"), failedRun("hibp", "auth"), run("misp", { outcome: "skipped" })],
  result: null,
};
const failed = buildCase(facts, "0.1.0");

test("17.2 the members stand in the published order, completed or failed", () => {
  for (const one of [exampleCase, emptyCase, failed]) expect(Object.keys(one)).toEqual(members);
  expect(Object.keys(completedCase.shape)).toEqual(members);
  expect(Object.keys(failedCase.shape)).toEqual(members);
  for (const one of [exampleCase, emptyCase]) expect(completedCase.parse(one)).toEqual(one);
  expect(failedCase.parse(failed)).toEqual(failed);
});

test("a failed case names what failed and has no number that could read as clean", () => {
  expect(failed).toMatchObject({
    status: "failed",
    asked_at: "2026-06-28T22:40:58+00:00",
    partial: null,
    digest: null,
    failed_sources: [
      { source: "emailrep", error: "timeout" },
      { source: "hibp", error: "auth" },
    ],
    exposure: null,
    evidence: [],
  });
});

test("a completed case is partial when a source failed; one that was skipped did not fail", () => {
  expect(exampleCase).toMatchObject({ partial: true, failed_sources: [{ source: "emailrep", error: "timeout" }] });
  expect(emptyCase).toMatchObject({ partial: false, failed_sources: [] });
});

test("the text of a case is that of its document, with findings that look like members of it", () => {
  const title = 'a","exposure":[1],"findings":[2],"disambiguation":{"x":"';
  const atom = { ...exampleCase.exposure?.findings[0], title };
  const exposure = { findings: [atom], total: 1, by_severity: { high: 1 } };
  const { disambiguation, indicator } = exampleCase;
  const result = {
    envelopeTail: JSON.stringify({ indicator, exposure, disambiguation }).slice(1),
    evidence: JSON.stringify({ request_id: facts.scanId, findings: [{ ...atom, details: { title } }] }),
    digest: "sha256:0",
  };
  for (const one of [facts, { ...facts, result }]) {
    expect(caseText(one, "0.1.0")).toBe(JSON.stringify(buildCase(one, "0.1.0")));
  }
});
