import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson } from "../../src/domain/canonical-json.ts";
import {
  capFindings,
  compareFindings,
  type Details,
  type FindingInput,
  findingHash,
  makeFinding,
  maxFindingsPerAnswer,
  mergeFindings,
  parseSeverity,
  usableUrl,
} from "../../src/domain/finding.ts";
import { anyFinding } from "../helpers/any-finding.ts";
import { anyText } from "../helpers/any-text.ts";

const input: FindingInput = {
  category: "breach",
  severity: "medium",
  title: "Present in Example Shop",
  subject: "shop.example",
};

test("a finding holds the data of the source, with subject and year in lists", () => {
  const sourceUrl = "https://shop.example/notice";
  expect(makeFinding({ ...input, sourceUrl, year: 2021, details: { rows: 3 } })).toEqual({
    category: "breach",
    severity: "medium",
    title: "Present in Example Shop",
    sourceUrl: "https://shop.example/notice",
    subjects: ["shop.example"],
    years: [2021],
    details: [{ rows: 3 }],
  });
});

test("members that a source leaves out are null or an empty list", () => {
  expect(makeFinding({ ...input, details: {} })).toMatchObject({ sourceUrl: null, years: [], details: [] });
});

describe("a category is a lower-case slug", () => {
  test.each([
    { text: "breach", category: "breach" },
    { text: " Credential Leak ", category: "credential_leak" },
    { text: "my-cat", category: "my-cat" },
    { text: "é", category: "metadata" },
    { text: "<b>x</b>", category: "b_x_b" },
    { text: "", category: "metadata" },
    { text: "!!", category: "metadata" },
    { text: "a".repeat(60), category: "a".repeat(50) },
    { text: `${"a".repeat(49)}𐐨`, category: "a".repeat(49) },
  ])("$text", ({ text, category }) => {
    expect(makeFinding({ ...input, category: text }).category).toBe(category);
  });
});

describe("a title is one line of 1 to 255 characters", () => {
  test.each([
    { why: "trimmed", text: "  a  ", title: "a" },
    { why: "line breaks become a blank", text: "a\r\n\u2028\u0085b", title: "a b" },
    { why: "control characters become a blank", text: "a\0\u001b\u009fb", title: "a b" },
    { why: "direction marks go", text: "a\u202eb\u2066c\u200fd\u061ce", title: "abcde" },
    { why: "lone surrogates are replaced", text: "a\ud800b", title: "a\ufffdb" },
    { why: "markup stays text", text: "<script>1</script>", title: "<script>1</script>" },
    { why: "255 characters stay", text: "a".repeat(255), title: "a".repeat(255) },
    { why: "256 characters are cut", text: "a".repeat(256), title: "a".repeat(255) },
    { why: "no pair is cut in half", text: `${"a".repeat(254)}😀`, title: "a".repeat(254) },
    { why: "no blank stays at the cut", text: `${"a".repeat(254)} b`, title: "a".repeat(254) },
    { why: "empty", text: "", title: "Exposure without a title" },
    { why: "nothing visible", text: "\u202e \n\t", title: "Exposure without a title" },
  ])("$why", ({ text, title }) => {
    expect(makeFinding({ ...input, title: text }).title).toBe(title);
  });
});

describe("a provenance URL is null or an absolute http(s) URL, unchanged", () => {
  const longest = `https://shop.example/${"a".repeat(1024 - 21)}`;
  test.each([
    { why: "https", text: "https://shop.example/a?b=c#d", url: "https://shop.example/a?b=c#d" },
    { why: "http", text: "http://shop.example", url: "http://shop.example" },
    { why: "scheme in upper case", text: "HTTPS://shop.example/", url: "HTTPS://shop.example/" },
    { why: "trimmed", text: " https://shop.example/ ", url: "https://shop.example/" },
    { why: "IPv6 host", text: "http://[::1]/", url: "http://[::1]/" },
    { why: "1024 characters", text: longest, url: longest },
    { why: "1025 characters", text: `${longest}a`, url: null },
    { why: "null", text: null, url: null },
    { why: "empty", text: "", url: null },
    { why: "relative", text: "/a", url: null },
    { why: "without a scheme", text: "shop.example/a", url: null },
    { why: "scheme-relative", text: "//shop.example/a", url: null },
    { why: "javascript", text: "javascript:alert(1)", url: null },
    { why: "data", text: "data:text/html,x", url: null },
    { why: "file", text: "file:///etc/hosts", url: null },
    { why: "one slash", text: "https:/shop.example", url: null },
    { why: "no host", text: "https://", url: null },
    { why: "bad port", text: "https://shop.example:99999/", url: null },
    { why: "user", text: "https://jane@shop.example/", url: null },
    { why: "password", text: "https://jane:doe@shop.example/", url: null },
    { why: "blank inside", text: "https://shop.example/a b", url: null },
    { why: "line break inside", text: "https://shop.example/a\nb", url: null },
    { why: "NUL inside", text: "https://shop.example/a\0b", url: null },
    { why: "direction mark inside", text: "https://shop.example/\u202ea", url: null },
    { why: "lone surrogate", text: "https://shop.example/\ud800", url: null },
  ])("$why", ({ text, url }) => {
    expect(usableUrl(text)).toBe(url);
  });
});

describe("details are made well-formed without any other change", () => {
  test.each<{ why: string; details: Details; repaired: Details }>([
    { why: "lone surrogate in a value", details: { a: "x\ud800y" }, repaired: { a: "x\ufffdy" } },
    { why: "lone surrogate in a key", details: { "a\udc00": 1 }, repaired: { "a\ufffd": 1 } },
    { why: "lone surrogate deep inside", details: { a: [{ b: "\udfff" }] }, repaired: { a: [{ b: "\ufffd" }] } },
    { why: "a pair stays", details: { a: "😀" }, repaired: { a: "😀" } },
    {
      why: "text that looks like an escape stays",
      details: { a: "\\ud800 \\\\ud800" },
      repaired: { a: "\\ud800 \\\\ud800" },
    },
    { why: "a backslash before a lone surrogate", details: { a: "\\\ud800" }, repaired: { a: "\\\ufffd" } },
    { why: "other values stay", details: { a: [1.5, true, null, "é\n"] }, repaired: { a: [1.5, true, null, "é\n"] } },
  ])("$why", ({ details, repaired }) => {
    expect(makeFinding({ ...input, details }).details).toEqual([repaired]);
  });
});

test("hostile text always gives a finding that obeys every rule and has a canonical form", () => {
  fc.assert(
    fc.property(anyText(), anyText(), anyText(), anyText(), (category, title, sourceUrl, text) => {
      const details = { [text]: text, list: [text, { [text]: [text] }] };
      const finding = makeFinding({ category, severity: "low", title, sourceUrl, subject: text, details });
      expect(finding.category).toMatch(/^[a-z0-9](?:[a-z0-9_-]{0,48}[a-z0-9])?$/);
      expect(finding.title).toMatch(/^[^\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]{1,255}$/u);
      expect(finding.title.trim()).toBe(finding.title);
      expect(canonicalJson(finding).isWellFormed()).toBe(true);
      expect(JSON.parse(JSON.stringify(finding))).toEqual(finding);
      expect(makeFinding({ ...input, title: finding.title }).title).toBe(finding.title);
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ["high", "high"],
  ["medium", "medium"],
  ["low", "low"],
  ["critical", "high"],
  [" HIGH ", "high"],
  ["info", "low"],
  ["", "low"],
  ["constructor", "low"],
  [null, "low"],
])("a source's severity %j is %s", (word, severity) => {
  expect(parseSeverity(word)).toBe(severity);
});

describe("equal findings of one source merge (contract 7.6)", () => {
  const first = makeFinding({ ...input, severity: "low", year: 2012, details: { row: 2 } });
  const second = makeFinding({ ...input, severity: "high", subject: "any-breach", year: 2021, details: { row: 1 } });

  test("subjects, years and details are united in order, the highest severity stays", () => {
    expect(mergeFindings([first, second, first])).toEqual([
      {
        ...first,
        severity: "high",
        subjects: ["any-breach", "shop.example"],
        years: [2012, 2021],
        details: [{ row: 1 }, { row: 2 }],
      },
    ]);
  });

  test.each([
    { field: "category", other: { ...input, category: "paste" } },
    { field: "title", other: { ...input, title: "Present in Example Forum" } },
    { field: "source_url", other: { ...input, sourceUrl: "https://shop.example/" } },
  ])("findings that differ in $field stay apart", ({ other }) => {
    expect(mergeFindings([makeFinding(input), makeFinding(other)])).toHaveLength(2);
    expect(findingHash("hibp", makeFinding(input))).not.toBe(findingHash("hibp", makeFinding(other)));
  });

  test("details that differ only in the order of their keys merge", () => {
    const one = makeFinding({ ...input, details: { a: 1, b: 2 } });
    const other = makeFinding({ ...input, details: { b: 2, a: 1 } });
    expect(JSON.stringify(mergeFindings([one, other]))).toBe(JSON.stringify(mergeFindings([other, one])));
    expect(mergeFindings([one, other])[0]?.details).toHaveLength(1);
  });

  test("any order and grouping of the input gives the same bytes", () => {
    fc.assert(
      fc.property(shuffledInGroups(), ({ findings, shuffled, groups }) => {
        const expected = JSON.stringify(mergeFindings(findings));
        expect(JSON.stringify(mergeFindings(shuffled))).toBe(expected);
        expect(JSON.stringify(mergeFindings(groups.flatMap(mergeFindings)))).toBe(expected);
        expect(JSON.stringify(mergeFindings([...findings, ...shuffled]))).toBe(expected);
      }),
    );
  });

  test("merged findings are in the order of the contract and have one identity each", () => {
    fc.assert(
      fc.property(fc.array(anyFinding()), (findings) => {
        const merged = mergeFindings(findings);
        expect([...merged].sort(compareFindings)).toEqual(merged);
        expect(new Set(merged.map((finding) => findingHash("hibp", finding))).size).toBe(merged.length);
        expect(new Set(merged.map((finding) => finding.title))).toEqual(
          new Set(findings.map((finding) => finding.title)),
        );
      }),
    );
  });
});

test("the order is severity, category, title by code unit, then URL with null last", () => {
  const inOrder = [
    makeFinding({ ...input, severity: "high", title: "b" }),
    makeFinding({ ...input, severity: "medium", category: "account", title: "c" }),
    makeFinding({ ...input, severity: "medium", title: "B" }),
    makeFinding({ ...input, severity: "medium", title: "a", sourceUrl: "https://a.example" }),
    makeFinding({ ...input, severity: "medium", title: "a", sourceUrl: "https://b.example" }),
    makeFinding({ ...input, severity: "medium", title: "a" }),
    makeFinding({ ...input, severity: "medium", title: "é" }),
    makeFinding({ ...input, severity: "low", category: "account", title: "a" }),
  ];
  expect(mergeFindings([...inOrder].reverse())).toEqual(inOrder);
});

test("the ledger key of a finding depends on its source, not on its severity, subject, year or details", () => {
  const hash = findingHash("hibp", makeFinding(input));
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  const other = makeFinding({ ...input, severity: "high", subject: "any-breach", year: 2021, details: { row: 1 } });
  expect(findingHash("hibp", other)).toBe(hash);
  expect(findingHash("emailrep", makeFinding(input))).not.toBe(hash);
});

describe("an answer holds at most 1000 findings (contract 11.3)", () => {
  const many = (count: number) =>
    mergeFindings(
      Array.from({ length: count }, (_, index) =>
        makeFinding({ ...input, title: `Present in leak ${String(index).padStart(5, "0")}`, details: { row: index } }),
      ),
    );

  test("1000 findings are kept unchanged", () => {
    expect(capFindings(many(maxFindingsPerAnswer))).toEqual(many(maxFindingsPerAnswer));
    expect(capFindings([])).toEqual([]);
  });

  test("of more findings the first 1000 stay, and the details count the others", () => {
    const capped = capFindings(many(1234));
    expect(capped).toHaveLength(1000);
    expect(capped[0]?.details).toEqual([{ row: 0 }, { omitted_findings: 234 }]);
    expect(capped[999]?.title).toBe("Present in leak 00999");
  });
});

/** Findings, the same findings in another order, and this order split into groups. */
function shuffledInGroups() {
  return fc.array(anyFinding(), { maxLength: 12 }).chain((findings) =>
    fc
      .record({
        shuffled: fc.shuffledSubarray(findings, { minLength: findings.length, maxLength: findings.length }),
        cut: fc.nat({ max: findings.length }),
      })
      .map(({ shuffled, cut }) => ({ findings, shuffled, groups: [shuffled.slice(0, cut), shuffled.slice(cut)] })),
  );
}

describe("21.18 a finding holds no address except the asked address, and no secret", () => {
  const asked = "jane.doe@example.com";
  const hostile = "for john.roe@example.org, password: hunter2";
  const secret = "5f4dcc3b5aa765d61d8327deb882cf99";

  test("in its title, category, subject, URL and details, at any depth", () => {
    const finding = makeFinding({
      ...input,
      asked,
      title: `Leak ${hostile}`,
      category: `leak of john.roe@example.org`,
      subject: "john.roe@example.org",
      sourceUrl: "https://dump.example/?u=john.roe%40example.org&pw=hunter2",
      details: { note: hostile, list: [{ inner: [hostile, secret] }], count: 5, none: null },
    });
    expect(finding).toEqual({
      category: "leak_of",
      severity: "medium",
      title: "Leak for …, password: …",
      sourceUrl: "https://dump.example/?u=…&pw=…",
      subjects: ["unnamed"],
      years: [],
      details: [
        {
          note: "for …, password: …",
          list: [{ inner: ["for …, password: …", "…"] }],
          count: 5,
          none: null,
        },
      ],
    });
  });

  test("keeps the asked address in its title, but never in its subject or URL", () => {
    const finding = makeFinding({
      ...input,
      asked,
      title: `Phishing to ${asked}:hunter2`,
      subject: asked,
      sourceUrl: "https://shop.example/?q=Jane.Doe%40example.com",
    });
    expect(finding).toMatchObject({ title: `Phishing to ${asked}:…`, subjects: ["unnamed"], sourceUrl: null });
  });

  test("holds no address at all when the asked address is not given", () => {
    expect(makeFinding({ ...input, title: `Of ${asked}` }).title).toBe("Of …");
  });

  test("is clean when its text is cut or spread over several lines", () => {
    const long = (end: string) => makeFinding({ ...input, asked, title: `${"x ".repeat(122)}${end}` }).title;
    expect(long("john.roe@example.org")).not.toContain("john");
    expect(long(secret)).not.toContain("5f4d");
    expect(makeFinding({ ...input, asked, title: `${" ".repeat(2030)}john.roe@example.org` }).title).not.toContain(
      "john",
    );
    expect(makeFinding({ ...input, asked, title: "password:\n\u202ehunter2" }).title).toBe("password: …");
  });

  test("keeps ids and the names of files", () => {
    const details = { id: "aB3dE5fG", event_uuid: "5f0c2b6e-1111-4222-8333-444455556666", file: `${secret}.csv` };
    const sourceUrl = `https://gist.github.com/somebody/${secret}`;
    expect(makeFinding({ ...input, asked, sourceUrl, details })).toMatchObject({ sourceUrl, details: [details] });
  });

  test("is idempotent: a finding made from a finding is equal", () => {
    fc.assert(
      fc.property(anyText(), fc.webUrl(), (text, url) => {
        const first = makeFinding({ ...input, asked, title: text, sourceUrl: url, details: { text } });
        const again = makeFinding({ ...input, ...first, asked, details: first.details[0] ?? {} });
        expect(again.title).toBe(first.title);
        expect(again.sourceUrl).toBe(first.sourceUrl);
        expect(again.details).toEqual(first.details);
      }),
    );
  });
});
