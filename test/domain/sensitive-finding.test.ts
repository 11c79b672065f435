import { expect, test } from "vitest";
import { type FindingInput, makeFinding, mergeFindings } from "../../src/domain/finding.ts";
import { withoutSensitiveSites } from "../../src/domain/sensitive-finding.ts";

const input: FindingInput = {
  category: "account",
  severity: "low",
  title: "Account reported",
  subject: "shop.example",
};

test.each<[string, Partial<FindingInput>]>([
  ["title", { title: "Account reported on pornhub" }],
  ["subject", { subject: "m.tinder.com" }],
  ["subject, by the name that stands for it", { subject: "tinder" }],
  ["URL", { sourceUrl: "https://www.grindr.com/about" }],
  ["details", { details: { domain: "ashleymadison.com" } }],
])("a finding with a sensitive site in its %s is dropped", (_where, change) => {
  expect(withoutSensitiveSites([makeFinding({ ...input, ...change })])).toEqual([]);
});

test("other findings stay unchanged, in their order", () => {
  const findings = [makeFinding({ ...input, details: { rows: 3 } }), makeFinding({ ...input, title: "A match" })];
  expect(withoutSensitiveSites(findings)).toEqual(findings);
});

test("only the sensitive part of a merged finding is removed", () => {
  const merged = mergeFindings([
    makeFinding({ ...input, details: { site: "shop.example" } }),
    makeFinding({ ...input, subject: "tinder.com", details: { site: "tinder.com" } }),
  ]);
  expect(withoutSensitiveSites(merged)).toEqual([makeFinding({ ...input, details: { site: "shop.example" } })]);
});
