import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseSteps, envelopeText, type Sighting } from "../../src/domain/envelope.ts";
import { type Finding, findingHash, makeFinding, mergeFindings } from "../../src/domain/finding.ts";
import type { Indicator } from "../../src/domain/indicator.ts";
import type { Answer, ScanId } from "../../src/domain/scan.ts";
import { atOnce } from "../../src/domain/steps.ts";
import { anyFinding } from "../helpers/any-finding.ts";
import { anyText } from "../helpers/any-text.ts";
import { answerSha256, project } from "../helpers/project.ts";

/** The published example of a cache hit. */
const golden = JSON.parse(readFileSync(new URL("../fixtures/golden/envelope-hit.json", import.meta.url), "utf8"));

const scanId = "8f14e45f-ceea-467d-9a3f-2b4c1d0e7a12" as ScanId;
const jane: Indicator = { type: "email", value: "jane.doe@acme.com" };

const confidences: Record<string, number> = { hibp: 0.95, emailrep: 0.85, holehe: 0.7 };

function answer(source: string, findings: readonly Finding[], about: Partial<Answer> = {}): Answer {
  return {
    source,
    fingerprint: "f",
    confidence: confidences[source] ?? 0.75,
    origin: source,
    answeredAt: new Date("2026-06-28T22:41:00Z"),
    missing: [],
    sha256: answerSha256(findings),
    findings,
    ...about,
  };
}

const linkedIn = makeFinding({
  category: "breach",
  severity: "high",
  title: "Present in the LinkedIn 2021 breach",
  subject: "linkedin.com",
  year: 2021,
  details: { breach_date: "2021-04-08" },
});
const profile = makeFinding({
  category: "account",
  severity: "low",
  title: "Account reported on linkedin",
  subject: "linkedin",
});
const account = makeFinding({
  category: "account",
  severity: "low",
  title: "Account registered on linkedin.com",
  sourceUrl: "https://linkedin.com",
  subject: "linkedin.com",
});
const published = [answer("hibp", [linkedIn]), answer("emailrep", [profile]), answer("holehe", [account])];

const seen: Sighting = {
  firstSeenAt: new Date("2026-05-02T09:14:00.999Z"),
  lastSeenAt: new Date("2026-06-28T22:41:00Z"),
};

function sightingsOf(answers: readonly Answer[], sighting = seen): Map<string, Sighting> {
  return new Map(
    answers.flatMap(({ source, findings }) =>
      findings.map((finding) => [findingHash(source, finding), sighting] as const),
    ),
  );
}

function envelopeOf(answers: readonly Answer[], sightings = sightingsOf(answers)): string {
  return envelopeText(scanId, "hit", project(scanId, jane, answers, sightings).envelopeTail);
}

describe("the published example", () => {
  test("three sources give exactly its atom, including the order of keys", () => {
    const [atom] = JSON.parse(envelopeOf(published)).exposure.findings;
    expect(JSON.stringify(atom)).toBe(JSON.stringify(golden.exposure.findings[0]));
  });

  test("the envelope of this atom alone equals the example, apart from the corroboration", () => {
    const expected = structuredClone(golden);
    Object.assign(expected.exposure.findings[0], { corroboration_count: 0, corroborated_by: [] });
    expect(envelopeOf([answer("hibp", [linkedIn])])).toBe(JSON.stringify(expected));
  });

  test("three atoms are in the order of 7.6 and counted by severity", () => {
    const { exposure } = JSON.parse(envelopeOf([...published].reverse()));
    expect(exposure.findings.map((atom: { source: string }) => atom.source)).toEqual(["hibp", "emailrep", "holehe"]);
    expect(JSON.stringify({ total: exposure.total, by_severity: exposure.by_severity })).toBe(
      '{"total":3,"by_severity":{"high":1,"low":2}}',
    );
  });
});

test("without findings the exposure is empty, and the rest of the envelope is complete", () => {
  const expected = { ...golden, exposure: { findings: [], total: 0, by_severity: {} } };
  expect(envelopeOf([])).toBe(JSON.stringify(expected));
  expect(envelopeOf([answer("hibp", [])])).toBe(JSON.stringify(expected));
});

test("the envelopes of POST and GET differ in the cache member only", () => {
  const { envelopeTail } = project(scanId, jane, published, sightingsOf(published));
  const get = envelopeText(scanId, "miss_scan_complete", envelopeTail);
  expect(get.replace('"cache":"miss_scan_complete"', '"cache":"hit"')).toBe(envelopeText(scanId, "hit", envelopeTail));
});

test("a finding that is not in the ledger has null times", () => {
  const [atom] = JSON.parse(envelopeOf([answer("hibp", [linkedIn])], new Map())).exposure.findings;
  expect(atom).toMatchObject({ first_seen: null, last_seen: null });
});

test.each([
  [1, "high"],
  [0.8, "high"],
  [0.799, "medium"],
  [0.6, "medium"],
  [0.599, "low"],
  [0, "low"],
])("a source of confidence %d has tier %s, and corroboration does not change it", (confidence, tier) => {
  const alone = [answer("corpus", [linkedIn], { confidence })];
  const agreed = [...alone, answer("emailrep", [profile], { confidence: 0 })];
  for (const answers of [alone, agreed]) {
    const [atom] = JSON.parse(envelopeOf(answers)).exposure.findings;
    expect(atom).toMatchObject({ source_confidence: confidence, source_tier: tier });
  }
});

test("atoms are ordered by severity, confidence, source, category, title and URL, null last (contract 7.6)", () => {
  const atom = (severity: Finding["severity"], category: string, title: string, sourceUrl: string | null = null) =>
    makeFinding({ category, severity, title, sourceUrl, subject: title });
  const answers = [
    answer("b", [atom("high", "breach", "1")], { confidence: 0.9 }),
    answer("a", [atom("high", "breach", "2"), atom("low", "account", "8")], { confidence: 0.5 }),
    answer("c", [atom("high", "account", "4"), atom("high", "breach", "3")], { confidence: 0.5 }),
    answer("d", [
      atom("medium", "breach", "5", "https://b.example"),
      atom("medium", "breach", "5"),
      atom("medium", "breach", "5", "https://a.example"),
      atom("medium", "breach", "B"),
    ]),
  ];
  const { findings } = JSON.parse(envelopeOf(answers)).exposure;
  expect(findings.map((one: Record<string, string>) => [one["source"], one["title"], one["source_url"]])).toEqual([
    ["b", "1", null],
    ["a", "2", null],
    ["c", "4", null],
    ["c", "3", null],
    ["d", "5", "https://a.example"],
    ["d", "5", "https://b.example"],
    ["d", "5", null],
    ["d", "B", null],
    ["a", "8", null],
  ]);
});

test("any order of answers and any order and grouping of their findings give the same bytes (contract 0.7)", () => {
  fc.assert(
    fc.property(answersInTwoOrders(), ({ answers, shuffled }) => {
      const one = project(scanId, jane, answers, sightingsOf(answers));
      const other = project(scanId, jane, shuffled, sightingsOf(shuffled));
      expect(other.envelopeTail).toBe(one.envelopeTail);
      expect(other.evidence).toBe(one.evidence);
      expect(other.digest).toBe(one.digest);
    }),
    { numRuns: 300 },
  );
});

describe("for any findings", () => {
  const hostile = fc.tuple(fc.array(anyFinding(), { maxLength: 5 }), anyText()).map(([findings, text]) =>
    mergeFindings([
      ...findings,
      makeFinding({
        category: text,
        severity: "low",
        title: text,
        sourceUrl: text,
        subject: text,
        details: { verdict: text, candidates: [text] },
      }),
    ]),
  );

  test("the envelope has exactly the keys of the contract in their order, and no forbidden key", () => {
    fc.assert(
      fc.property(hostile, (findings) => {
        const envelope = JSON.parse(envelopeOf([answer("hibp", findings), answer("corpus", findings)]));
        expect(Object.keys(envelope)).toEqual(Object.keys(golden));
        expect(Object.keys(envelope.exposure)).toEqual(Object.keys(golden.exposure));
        for (const atom of envelope.exposure.findings) {
          expect(Object.keys(atom)).toEqual(Object.keys(golden.exposure.findings[0]));
        }
        const forbidden = ["candidates", "verdict", "score", "risk", "malicious", "identity", "person", "summary"];
        expect(keysIn(envelope).filter((key) => forbidden.includes(key))).toEqual([]);
        expect(envelope.disambiguation).toEqual(golden.disambiguation);
      }),
    );
  });

  test("total is the number of atoms and the sum over severities, and no severity has a count of zero", () => {
    fc.assert(
      fc.property(hostile, (findings) => {
        const { exposure } = JSON.parse(envelopeOf([answer("hibp", findings)]));
        const counts = Object.values<number>(exposure.by_severity);
        expect(exposure.total).toBe(exposure.findings.length);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(exposure.total);
        expect(counts).not.toContain(0);
        expect(["high", "medium", "low"].filter((severity) => severity in exposure.by_severity)).toEqual(
          Object.keys(exposure.by_severity),
        );
      }),
    );
  });
});

describe("the digest (contract 7.7)", () => {
  const digestOf = (answers: readonly Answer[], sighting = seen) =>
    project(scanId, jane, answers, sightingsOf(answers, sighting)).digest;

  test("is SHA-256 over the canonical form of the exposure without its times", () => {
    // Computed once with another implementation of RFC 8785, over the published atom alone with count 0.
    expect(digestOf([answer("hibp", [linkedIn])])).toBe(
      "sha256:96c399ed395a2f6a47f29da8a1264de2c4688551adfa5f8bc8f88953d2433d9e",
    );
  });

  test("ignores first_seen, last_seen, the time of the answer and the scan", () => {
    const later: Sighting = {
      firstSeenAt: new Date("2027-01-01T00:00:00Z"),
      lastSeenAt: new Date("2027-01-02T00:00:00Z"),
    };
    const reasked = published.map((one) => ({ ...one, answeredAt: later.lastSeenAt }));
    expect(digestOf(reasked, later)).toBe(digestOf(published));
    const otherScan = project("00000000-0000-4000-8000-000000000000" as ScanId, jane, published, new Map());
    expect(otherScan.digest).toBe(digestOf(published));
  });

  test.each([
    { what: "severity", finding: { ...linkedIn, severity: "low" as const } },
    { what: "title", finding: { ...linkedIn, title: "Present in the LinkedIn 2012 breach" } },
    { what: "source_url", finding: { ...linkedIn, sourceUrl: "https://linkedin.com/" } },
    { what: "corroboration", finding: { ...linkedIn, subjects: ["linkedin.example"] } },
  ])("changes with the $what", ({ finding }) => {
    expect(digestOf([answer("hibp", [finding]), ...published.slice(1)])).not.toBe(digestOf(published));
  });

  test("changes when a finding disappears", () => {
    expect(digestOf(published.slice(0, 2))).not.toBe(digestOf(published));
  });
});

describe("the evidence (contract 7.8)", () => {
  test("holds each atom in the order of the envelope, then subject, details, time and hash of the answer", () => {
    const projection = project(scanId, jane, published, sightingsOf(published));
    const [first] = JSON.parse(`{${projection.envelopeTail}`).exposure.findings;
    const evidence = JSON.parse(projection.evidence);
    expect(Object.keys(evidence)).toEqual(["request_id", "findings"]);
    expect(evidence.request_id).toBe(scanId);
    expect(evidence.findings).toHaveLength(3);
    expect(JSON.stringify(evidence.findings[0])).toBe(
      JSON.stringify({
        ...first,
        subject: "linkedin.com",
        details: { breach_date: "2021-04-08" },
        answered_at: "2026-06-28T22:41:00+00:00",
        answer_sha256: answerSha256([linkedIn]),
      }),
    );
  });

  test("lists the details of merged records, and has an empty object without details", () => {
    const [merged] = mergeFindings([
      { ...linkedIn, details: [{ row: 2 }] },
      { ...linkedIn, details: [{ row: 1 }] },
    ]);
    if (merged === undefined) expect.fail("nothing merged");
    const answers = [answer("hibp", [merged]), answer("emailrep", [profile])];
    const { findings } = JSON.parse(project(scanId, jane, answers, new Map()).evidence);
    expect(findings[0].details).toEqual({ records: [{ row: 1 }, { row: 2 }] });
    expect(findings[1].details).toEqual({});
  });
});

test("the hash of an answer does not depend on the order of keys", () => {
  expect(answerSha256([linkedIn])).toMatch(/^[0-9a-f]{64}$/);
  const reordered = Object.fromEntries(Object.entries(linkedIn).reverse());
  expect(answerSha256([{ ...reordered, ...linkedIn }])).toBe(answerSha256([linkedIn]));
  expect(answerSha256([])).not.toBe(answerSha256([linkedIn]));
});

/** Some answers, and the same answers in another order with findings merged in another order and grouping. */
function answersInTwoOrders() {
  const said = fc.record({ source: fc.constantFrom("hibp", "emailrep", "holehe", "corpus"), finding: anyFinding() });
  return fc.array(said, { maxLength: 20 }).chain((all) =>
    fc
      .record({ shuffled: fc.shuffledSubarray(all, { minLength: all.length }), cut: fc.nat(all.length) })
      .map(({ shuffled, cut }) => ({
        answers: answersOf(all, (findings) => mergeFindings(findings)),
        shuffled: answersOf(shuffled, (findings) =>
          mergeFindings([...mergeFindings(findings.slice(cut)), ...mergeFindings(findings.slice(0, cut))]),
        ),
      })),
  );
}

function answersOf(
  said: readonly { source: string; finding: Finding }[],
  merge: (findings: readonly Finding[]) => Finding[],
): Answer[] {
  return [...new Set(said.map(({ source }) => source))].map((source) =>
    answer(source, merge(said.filter((one) => one.source === source).map((one) => one.finding))),
  );
}

function keysIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => [...(Array.isArray(value) ? [] : [key]), ...keysIn(member)]);
}

describe("16.6 the cap of an envelope", () => {
  const titled = (source: string, count: number, severity: "high" | "low") =>
    Array.from({ length: count }, (_, index) =>
      makeFinding({ category: "breach", severity, title: `${source} ${index}`, subject: `${index}.example` }),
    );
  const many = [
    answer("hibp", titled("hibp", 3, "low")),
    answer("holehe", titled("holehe", 4, "high")),
    answer("emailrep", [...titled("emailrep", 2, "high"), ...titled("e", 2, "low")]),
  ];

  test("the first by the order of 7.6 stay, and what is left out is counted by source", () => {
    const { shown, omitted } = atOnce(chooseSteps(many, 7));
    expect(shown.map(({ answer: { source } }) => source)).toEqual([
      ...["emailrep", "emailrep", "holehe", "holehe", "holehe", "holehe"],
      "hibp",
    ]);
    expect([...omitted].sort()).toEqual([
      ["emailrep", 2],
      ["hibp", 2],
    ]);
  });

  test("what is left out still corroborates what is shown", () => {
    const [whole, cut] = [atOnce(chooseSteps(many, 100)), atOnce(chooseSteps(many, 2))];
    expect(cut.shown.map(({ corroboration }) => corroboration)).toEqual(
      whole.shown.slice(0, 2).map(({ corroboration }) => corroboration),
    );
    expect(cut.shown[0]?.corroboration.by).toEqual(["hibp", "holehe"]);
  });

  test("nothing is left out of an envelope that has room", () => {
    const { shown, omitted } = atOnce(chooseSteps(many, 11));
    expect([shown.length, omitted.size]).toEqual([11, 0]);
  });
});
