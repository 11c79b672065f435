import fc from "fast-check";
import { buildCase, type StoredRun } from "../../src/domain/case.ts";
import { disambiguation } from "../../src/domain/envelope.ts";
import { severities } from "../../src/domain/finding.ts";
import type { ScanId } from "../../src/domain/scan.ts";
import type { CompletedCase } from "../../src/wire/case.ts";
import type { Atom } from "../../src/wire/finding.ts";
import { anyText } from "./any-text.ts";
import { hostileTexts, hostileUrls } from "./hostile-texts.ts";

export const address = "jane.doe@acme.example";

export const linkedIn: Atom = {
  source: "hibp",
  source_url: "https://haveibeenpwned.com/Breach/LinkedIn",
  source_confidence: 0.95,
  source_tier: "high",
  corroboration_count: 2,
  corroborated_by: ["emailrep", "holehe"],
  category: "breach",
  severity: "high",
  title: "Present in the LinkedIn 2021 breach",
  indicator_type: "email",
  indicator_value: address,
  first_seen: "2026-05-02T09:14:00+00:00",
  last_seen: "2026-06-28T22:41:00+00:00",
};

export function run(source: string, about: Partial<StoredRun> = {}): StoredRun {
  return {
    source,
    outcome: "no_data",
    findingCount: 0,
    durationMs: 12,
    error: null,
    missing: [],
    answeredAt: null,
    isReused: false,
    omittedCount: 0,
    ...about,
  };
}

/** Failed for the given reason. */
export function failedRun(source: string, error: NonNullable<StoredRun["error"]> = "timeout"): StoredRun {
  return run(source, { outcome: "failed", error });
}

/** A completed case of these findings, in the given order. */
export function caseOf(findings: readonly Atom[], runs: readonly StoredRun[]): CompletedCase {
  const counts = severities.map((severity) => [severity, findings.filter((atom) => atom.severity === severity).length]);
  const by_severity = Object.fromEntries(counts.filter(([, count]) => count !== 0));
  const indicator = { type: "email", value: findings[0]?.indicator_value ?? address } as const;
  const exposure = { findings, total: findings.length, by_severity };
  const evidence = findings.map((atom) => ({
    ...atom,
    subject: null,
    details: {},
    answered_at: "2026-06-28T22:41:00+00:00",
    answer_sha256: "0".repeat(64),
  }));
  const facts = {
    scanId: "8f14e45f-ceea-467d-9a3f-2b4c1d0e7a12" as ScanId,
    indicator,
    askedAt: new Date("2026-06-28T22:40:58Z"),
    finishedAt: new Date("2026-06-28T22:41:00Z"),
    reach: "full",
    runs,
    result: {
      envelopeTail: JSON.stringify({ indicator, exposure, disambiguation }).slice(1),
      evidence: JSON.stringify({ request_id: "8f14e45f-ceea-467d-9a3f-2b4c1d0e7a12", findings: evidence }),
      digest: `sha256:${"5".repeat(64)}`,
    },
  } as const;
  const built = buildCase(facts, "0.1.0");
  if (built.status !== "completed") throw new Error("the case is not completed");
  return built;
}

/** One finding, one source that failed and one that was not asked. */
export const exampleCase = caseOf(
  [linkedIn],
  [failedRun("emailrep"), run("hibp", { outcome: "ok", findingCount: 1 }), run("misp", { outcome: "skipped" })],
);

/** Nothing found by two sources that answered. */
export const emptyCase = caseOf([], [run("emailrep"), run("hibp")]);

/** Text that tries to be markup, a formula or a further cell. Well-formed, because findings are. */
export function hostileText(): fc.Arbitrary<string> {
  const traps = fc.constantFrom(
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "a,b",
    'say "x"',
    "a\r\nb",
    "| a | b |",
    "`rm`",
    "![x](https://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "[a]: https://evil.example",
    "<script>alert(1)</script>",
    "https://evil.example",
    "www.evil.example",
    "*a* _b_ __c__ ~~d~~ \\| \\",
    "# heading",
    "- item",
    "&lt;b&gt; &amp;",
    "$x$",
  );
  return fc
    .oneof(traps, fc.constantFrom(...hostileTexts), anyText())
    .map((text) => text.toWellFormed())
    .filter((text) => text.trim() !== "");
}

function hostileUrl(): fc.Arbitrary<string | null> {
  const odd = fc.constantFrom(
    "https://shop.example/a",
    "https://shop.example/(a)_[b]|c`d",
    "https://shop.example/%zz?a=1&b=2#c#d",
    "https://[2001:db8::1]:8443/a[1]",
    "http://bücher.example/ü?q=<>",
  );
  const usable = hostileUrls.filter((url) => /^https?:\/\//.test(url) && !/[\p{Cc}\p{Z}\p{Bidi_Control}]/u.test(url));
  return fc.oneof(fc.constant(null), odd, fc.constantFrom(...usable.filter((url) => URL.canParse(url))));
}

const time = fc
  .integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2040, 0, 1) })
  .map((at) => `${new Date(at).toISOString().slice(0, 19)}+00:00`);

const name = fc.constantFrom("hibp", "emailrep", "holehe", "corpus", "a-b_c");

function anyAtom(indicator: string): fc.Arbitrary<Atom> {
  return fc.record({
    source: name,
    source_url: hostileUrl(),
    source_confidence: fc.double({ min: 0, max: 1, noNaN: true }),
    source_tier: fc.constantFrom("high", "medium", "low"),
    corroboration_count: fc.nat(9),
    corroborated_by: fc.uniqueArray(name, { maxLength: 5 }),
    category: fc.constantFrom("breach", "account", "threat_intel", "-own", "_a"),
    severity: fc.constantFrom(...severities),
    title: hostileText(),
    indicator_type: fc.constant("email"),
    indicator_value: fc.constant(indicator),
    first_seen: fc.option(time),
    last_seen: fc.option(time),
  });
}

const reasons = ["auth", "timeout", "http_5xx", "bad_answer"] as const;

/** Any completed case: hostile text, sources that failed or were skipped, odd addresses. */
export function anyCase(): fc.Arbitrary<CompletedCase> {
  const addresses = fc.constantFrom(address, "=1+1@acme.example", "a|b`c_d*@acme.example", "+x@acme.example");
  const sources = fc.uniqueArray(
    fc.record({
      source: name,
      outcome: fc.constantFrom("ok", "no_data", "failed", "skipped"),
      reason: fc.constantFrom(...reasons),
    }),
    { selector: ({ source }) => source, maxLength: 5 },
  );
  return addresses.chain((indicator) =>
    fc
      .record({
        sources,
        atoms: fc.uniqueArray(anyAtom(indicator), {
          selector: ({ source, category, title, source_url }) => JSON.stringify([source, category, title, source_url]),
          maxLength: 6,
        }),
        reach: fc.constantFrom("full", "inside"),
      })
      .map(({ sources: runs, atoms, reach }) => ({
        ...caseOf(
          atoms,
          runs.map(({ source, outcome, reason }) =>
            run(source, { outcome, error: outcome === "failed" ? reason : null } as Partial<StoredRun>),
          ),
        ),
        indicator: { type: "email" as const, value: indicator },
        reach: reach as CompletedCase["reach"],
      })),
  );
}
