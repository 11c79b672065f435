import { expect, test } from "vitest";
import { headline } from "../../src/domain/headline.ts";
import { caseOf, failedRun, linkedIn, run } from "../helpers/export-case.ts";

const low = { ...linkedIn, severity: "low" } as const;

test.each([
  {
    findings: [],
    sources: ["a", "b", "c", "d", "e"].map((name) => run(name)),
    text: "No finding; 5 of 5 sources answered",
  },
  {
    findings: [linkedIn],
    sources: [failedRun("emailrep"), run("hibp")],
    text: "1 finding (1 high); 1 of 2 sources answered; could not look: emailrep (timeout)",
  },
  {
    findings: [linkedIn, linkedIn, low, low, low, low, low],
    sources: [run("hibp")],
    text: "7 findings (2 high, 5 low); 1 of 1 sources answered",
  },
  {
    findings: [],
    sources: [failedRun("a", "auth"), failedRun("b"), run("c"), run("d", { outcome: "skipped" })],
    text: "No finding; 1 of 3 sources answered; could not look: a (auth), b (timeout)",
  },
])("$text", ({ findings, sources, text }) => {
  expect(headline(caseOf(findings, sources))).toBe(text);
});

test("it says that outside sources were not asked", () => {
  const inside = { ...caseOf([], [failedRun("a"), run("corpus")]), reach: "inside" } as const;
  expect(headline(inside)).toBe(
    "No finding; 1 of 2 sources answered; could not look: a (timeout); outside sources were not asked",
  );
});
