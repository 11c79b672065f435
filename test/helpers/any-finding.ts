import fc from "fast-check";
import { type Finding, makeFinding, severities } from "../../src/domain/finding.ts";
import { anyText } from "./any-text.ts";

/** Findings from few titles, subjects and years, so that many are equal, agree, or differ in one field only. */
export function anyFinding(): fc.Arbitrary<Finding> {
  return fc
    .record({
      category: fc.constantFrom("breach", "account", "paste", "infostealer", "credential_leak"),
      severity: fc.constantFrom(...severities),
      title: fc.constantFrom("Present in Example Shop", "Present in Example Forum", "Account reported"),
      sourceUrl: fc.constantFrom(null, "https://shop.example/a", "https://shop.example/b"),
      subject: fc.constantFrom(
        "shop.example",
        "LinkedIn",
        "any-breach",
        "any-account",
        "any-credential",
        "Example Leak",
      ),
      year: fc.constantFrom(null, 2012, 2021),
      details: fc.dictionary(fc.constantFrom("a", "b", "c", "1"), fc.oneof(fc.integer(), fc.boolean(), anyText())),
    })
    .map(makeFinding);
}
