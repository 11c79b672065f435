import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { corroborate, type SourcedFinding } from "../../src/domain/corroboration.ts";
import { makeFinding, mergeFindings } from "../../src/domain/finding.ts";
import { generalSubjects } from "../../src/domain/subject.ts";
import { anyFinding } from "../helpers/any-finding.ts";

type Said = { category?: string; origin?: string; years?: readonly number[] };

function says(source: string, subject: string, { category = "breach", origin = source, years = [] }: Said = {}) {
  const finding = makeFinding({ category, severity: "medium", title: `${source} on ${subject}`, subject });
  return { source, origin, finding: { ...finding, years } } satisfies SourcedFinding;
}

function agreeing(...findings: SourcedFinding[]): (readonly string[])[] {
  return corroborate(findings).map((corroboration) => corroboration.by);
}

test("the published example: a breach at LinkedIn is corroborated by two accounts there", () => {
  const [hibp, emailrep, holehe] = corroborate([
    says("hibp", "linkedin.com", { years: [2021] }),
    says("emailrep", "linkedin", { category: "account" }),
    says("holehe", "linkedin.com", { category: "account" }),
  ]);
  expect(hibp).toEqual({ count: 2, by: ["emailrep", "holehe"] });
  expect(emailrep).toEqual({ count: 2, by: ["hibp", "holehe"] });
  expect(holehe).toEqual({ count: 2, by: ["emailrep", "hibp"] });
});

test("a finding that is alone or about another subject is not corroborated", () => {
  expect(corroborate([])).toEqual([]);
  expect(corroborate([says("hibp", "linkedin.com")])).toEqual([{ count: 0, by: [] }]);
  expect(agreeing(says("hibp", "linkedin.com"), says("holehe", "spotify.com"))).toEqual([[], []]);
});

test("a source never corroborates itself, however many findings it has", () => {
  const findings = [says("hibp", "linkedin.com"), says("hibp", "linkedin.com", { category: "paste" })];
  expect(agreeing(...findings)).toEqual([[], []]);
});

describe("years (contract 7.5)", () => {
  test.each<{ why: string; one: number[]; other: number[]; agree: boolean }>([
    { why: "the same year agrees", one: [2021], other: [2021], agree: true },
    { why: "another year does not", one: [2012], other: [2021], agree: false },
    { why: "no year agrees with any", one: [], other: [2021], agree: true },
    { why: "two without a year agree", one: [], other: [], agree: true },
    { why: "one common year of several is enough", one: [2012, 2021], other: [2016, 2021], agree: true },
    { why: "several years, none in common", one: [2012, 2021], other: [2016], agree: false },
  ])("$why", ({ one, other, agree }) => {
    const findings = [says("hibp", "linkedin.com", { years: one }), says("leaks", "linkedin.com", { years: other })];
    expect(agreeing(...findings)).toEqual(agree ? [["leaks"], ["hibp"]] : [[], []]);
  });

  test("agreement is not transitive: a finding without a year does not join two years", () => {
    const findings = [
      says("old", "linkedin.com", { years: [2012] }),
      says("undated", "linkedin.com"),
      says("young", "linkedin.com", { years: [2021] }),
    ];
    expect(agreeing(...findings)).toEqual([["undated"], ["old", "young"], ["undated"]]);
  });
});

describe("general subjects are agreed to one-way (contract 7.5)", () => {
  const categories = ["breach", "paste", "infostealer", "credential_leak", "account", "spam_list"];
  const pairs = Object.entries(generalSubjects).flatMap(([general, kinds]) =>
    categories.map((category) => ({ general, category, agrees: kinds.some((kind) => kind === category) })),
  );
  test.each(pairs)("$category agrees to $general: $agrees", ({ general, category, agrees }) => {
    const findings = [says("emailrep", general, { category: "metadata" }), says("hibp", "shop.example", { category })];
    expect(agreeing(...findings)).toEqual([agrees ? ["hibp"] : [], []]);
  });

  test("two general findings of one subject agree with each other", () => {
    expect(agreeing(says("a", "any-breach"), says("b", "any-breach"))).toEqual([["b"], ["a"]]);
  });

  test("years also apply to general subjects", () => {
    const findings = [says("a", "any-breach", { years: [2012] }), says("b", "shop.example", { years: [2021] })];
    expect(agreeing(...findings)).toEqual([[], []]);
  });

  test("a category that is named like a subject does not count as a subject", () => {
    expect(agreeing(says("a", "breach"), says("b", "shop.example"))).toEqual([[], []]);
  });
});

describe("origins", () => {
  test("sources of one origin never corroborate each other", () => {
    const findings = [says("hibp", "linkedin.com"), says("export", "linkedin.com", { origin: "hibp" })];
    expect(agreeing(...findings)).toEqual([[], []]);
  });

  test("an origin counts once and is named by its first source", () => {
    const findings = [
      says("hibp", "linkedin.com"),
      says("dump-c", "linkedin.com", { origin: "combo" }),
      says("dump-b", "linkedin.com", { origin: "combo" }),
      says("zlist", "linkedin.com", { origin: "list" }),
    ];
    expect(corroborate(findings)[0]).toEqual({ count: 2, by: ["dump-b", "zlist"] });
  });

  test("the first name is chosen among the sources that agree, not among all", () => {
    const findings = [
      says("hibp", "linkedin.com", { years: [2021] }),
      says("dump-a", "linkedin.com", { origin: "combo", years: [2012] }),
      says("dump-b", "linkedin.com", { origin: "combo" }),
    ];
    expect(agreeing(...findings)[0]).toEqual(["dump-b"]);
  });

  test("at most five names are given, the first by code unit, while the count may be larger", () => {
    const others = ["g", "c", "e", "a", "d", "f", "b"].map((name) => says(name, "linkedin.com"));
    expect(corroborate([says("hibp", "linkedin.com"), ...others])[0]).toEqual({
      count: 7,
      by: ["a", "b", "c", "d", "e"],
    });
  });
});

test("a merged finding can agree through each of its subjects, and counts an origin once", () => {
  const [merged] = mergeFindings(
    ["shop.example", "any-breach", "linkedin.com"].map((subject) => ({
      ...says("misp", subject).finding,
      title: "One event",
    })),
  );
  if (merged === undefined) expect.fail("nothing merged");
  const findings = [
    { source: "misp", origin: "misp", finding: merged },
    says("shop-list", "shop.example", { category: "account" }),
    says("hibp", "linkedin.com"),
    says("other", "forum.example"),
    says("mail", "forum.example", { category: "account" }),
  ];
  expect(corroborate(findings)[0]).toEqual({ count: 3, by: ["hibp", "other", "shop-list"] });
  expect(agreeing(...findings).slice(1)).toEqual([["misp"], ["misp"], ["mail"], ["other"]]);
});

test("the result equals a comparison of all pairs, in the order of the input", () => {
  const sourced = fc.record({
    source: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"),
    finding: anyFinding(),
  });
  fc.assert(
    fc.property(fc.array(sourced, { maxLength: 20 }), (said) => {
      const findings = said.map(({ source, finding }) => ({
        source,
        finding,
        origin: source < "d" ? "shared" : source,
      }));
      expect(corroborate(findings)).toEqual(findings.map((finding) => comparePairs(finding, findings)));
    }),
    { numRuns: 500 },
  );
});

test("the cost is not quadratic: 40,000 general findings finish before the test times out", () => {
  const findings = Array.from({ length: 40_000 }, (_, index) =>
    says(`source-${index % 5}`, "any-breach", { years: [1970 + (index % 1000)] }),
  );
  expect(corroborate(findings)[39_999]?.count).toBe(0);
  expect(
    corroborate(findings.map((sourced) => ({ ...sourced, finding: { ...sourced.finding, years: [] } })))[0]?.count,
  ).toBe(4);
});

/** A literal implementation of contract 7.5. */
function comparePairs(mine: SourcedFinding, all: readonly SourcedFinding[]) {
  const general: Record<string, readonly string[]> = generalSubjects;
  const witnesses = all.filter(({ origin, finding }) => {
    const isSameSubject = finding.subjects.some((subject) => mine.finding.subjects.includes(subject));
    const isOfItsKind = mine.finding.subjects.some((subject) => general[subject]?.includes(finding.category));
    const isDated = finding.years.length > 0 && mine.finding.years.length > 0;
    const isOfOneYear = !isDated || finding.years.some((year) => mine.finding.years.includes(year));
    return origin !== mine.origin && (isSameSubject || isOfItsKind) && isOfOneYear;
  });
  const origins = [...new Set(witnesses.map(({ origin }) => origin))];
  const names = origins.map(
    (origin) =>
      witnesses
        .filter((one) => one.origin === origin)
        .map((one) => one.source)
        .sort()[0],
  );
  return { count: origins.length, by: names.sort().slice(0, 5) };
}
