import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redactNamed, redactText, redactUrl } from "../../src/domain/redact.ts";
import { anyText } from "../helpers/any-text.ts";

const asked = "jane.doe@example.com";
const hash = "5f4dcc3b5aa765d61d8327deb882cf99";

describe("in text, another address becomes …", () => {
  test.each([
    ["Mail of john.roe@example.org was read", "Mail of … was read"],
    ["john.roe@example.org", "…"],
    ["<John.Roe+x@Mail.Example.ORG>", "<…>"],
    ["mailto:john.roe@example.org?subject=x", "mailto:…?subject=x"],
    ["john.roe%40example.org and john.roe%2540example.org", "… and …"],
    ["john.roe＠example.org", "…"],
    ["john.roe\u200b@\u00adexample.org", "…"],
    ["jürgen@bücher.example", "…"],
    ["root@[192.0.2.1]", "…"],
    ["a@example.org;b@example.org,c@example.org", "…;…,…"],
    // Begins or ends like the asked address, but is another address.
    ["notjane.doe@example.com", "…"],
    ["jane.doe@example.com.evil.example", "…"],
    ["jane.doe+x@example.com", "…"],
  ])("%j -> %j", (text, shown) => {
    expect(redactText(text, asked)).toBe(shown);
  });
});

describe("in text, the asked address stays", () => {
  test.each([
    "Phishing to jane.doe@example.com, in May",
    "JANE.DOE@Example.COM",
    "'jane.doe@example.com'",
    '"jane.doe@example.com"',
    "user=jane.doe@example.com",
    "mailto:jane.doe@example.com",
    "jane.doe@example.com: see the report",
    "jane.doe@example.com.",
  ])("%j", (text) => {
    expect(redactText(text, asked)).toBe(text);
  });

  test("unless no address may stay", () => {
    expect(redactText("of jane.doe@example.com", null)).toBe("of …");
  });
});

describe("in text, everything that looks like a secret becomes …", () => {
  test.each([
    // Hashes: MD5, NTLM pairs, SHA-256, with salt, as a number.
    [`MD5 ${hash} of May`, "MD5 … of May"],
    [`${hash}:salt1`, "…"],
    [`0x${hash.toUpperCase()}`, "…"],
    ["a1".repeat(32), "…"],
    ["aad3b435b51404eeaad3b435b51404ee:31d6cfe0d16ae931b73c59d7e0c089c0", "…"],
    ["$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "…"],
    ["$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaasn", "…"],
    ["$6$rounds=5000$usesomesilly$D4IrlXatmP7rx3P3InaxBeoomnAihCKRVQAr", "…"],
    ["$P$B55D6LjfHDkINU5wF.v2BuuzO0/XPk/", "…"],
    ["pbkdf2_sha256$260000$salt$hashhashhash", "…"],
    ["{SSHA}RkTXOnRbGuhJzpXPyYrLcg==", "…"],
    // Log-ins.
    ["combo jane.doe@example.com:hunter2 and more", "combo jane.doe@example.com:… and more"],
    ["john.roe@example.org:hunter2", "…:…"],
    ["jane.doe@example.com|hunter2", "jane.doe@example.com|…"],
    ["jane.doe@example.com : hunter2", "jane.doe@example.com : …"],
    ["shop.example:jane.doe@example.com:hunter2", "shop.example:jane.doe@example.com:…"],
    // A word such as "password" before a value.
    ["password: hunter2", "password: …"],
    ["Password=hunter2 in a log", "Password=… in a log"],
    ['{"password":"hunter 2","x":1}', '{"password":…"x":1}'],
    ["db_password = hunter2", "db_password = …"],
    ["pass: hunter2", "pass: …"],
    ["pwd:hunter2", "pwd:…"],
    ["PIN: 1234", "PIN: …"],
    ["contraseña: hunter2", "contraseña: …"],
    ["пароль: hunter2", "пароль: …"],
    ["api_key=abc123", "api_key=…"],
    ["client secret: s3cr3t", "client secret: …"],
    ["Authorization: Bearer abc123def", "Authorization: Bearer …"],
    // Tokens with a known format.
    ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP", "…"],
    ["key AKIAIOSFODNN7EXAMPLE leaked", "key … leaked"],
    [`xpz_live_${"0".repeat(48)}`, "…"],
    [`ghp_${"a1".repeat(18)}`, "…"],
    ["xoxb-123456789012-abcdefghijkl", "…"],
    [`AIza${"Sy1".repeat(12)}`, "…"],
    ["-----BEGIN RSA PRIVATE KEY----- MIIE -----END RSA PRIVATE KEY----- end", "… end"],
    ["-----BEGIN PRIVATE KEY----- MIIE", "…"],
    ["postgres://app:hunter2@db.example/x", "postgres://…@db.example/x"],
    // An attacker who knows the mark cannot hide a secret behind it.
    ["password: …hunter2", "password: …"],
  ])("%j -> %j", (text, shown) => {
    expect(redactText(text, asked)).toBe(shown);
  });
});

describe("text that is not a secret stays", () => {
  test.each([
    "Present in the Collection #1 breach",
    "Present in the Example Shop 2021 breach (unverified)",
    'Listed as email-src in MISP event "Phishing: invoice fraud" (CERT-EX)',
    'misp-galaxy:mitre-attack-pattern="Spearphishing Attachment - T1566.001"',
    "tlp:amber+strict",
    "C@ke & P@ssword list",
    "Bypass: a new way in",
    "Compass: north",
    "Token: an overview",
    "Top secret: plans",
    "Passwords, names, and 12 million rows: what we know",
    "5f0c2b6e-1111-4222-8333-444455556666",
    "CVE-2026-12345 at 10:30",
    "Eyjafjallajokull.example",
    "deadbeef cafe 0xdeadbeef",
    "a".repeat(64),
    "0".repeat(32),
    "Follow @example on a site",
    "see https://pastebin.com/aB3dE5fG and https://haveibeenpwned.com/Breach/ExampleShop",
    `https://gist.github.com/somebody/${hash}`,
    "$100 or 5$ for it",
    "Ünïcödé … 例え 👩‍👩‍👧",
  ])("%s", (text) => {
    expect(redactText(text, asked)).toBe(text);
  });
});

describe("a URL", () => {
  test.each([
    ["http://dump.example/b.sql?user=john.roe@example.org&pw=hunter2", "http://dump.example/b.sql?user=…&pw=…"],
    ["https://x.example/john.roe%40example.org/a", "https://x.example/…/a"],
    ["https://x.example/a?q=john.roe%2540example.org#x", "https://x.example/a?q=…#x"],
    ["https://x.example/a?u=https%3A%2F%2Fy.example%2F%3Fe%3Djohn.roe%2540example.org", "https://x.example/a?u=…"],
    ["https://x.example/login:john.roe@example.org:hunter2", "https://x.example/…"],
    [
      "https://x.example/a?x=1&session_id=abc&access_token=def#token=ghi",
      "https://x.example/a?x=1&session_id=…&access_token=…#token=…",
    ],
    [`https://x.example/a?h=${hash}`, "https://x.example/a?h=…"],
    [`https://x.example/dump-of-${hash}`, "https://x.example/…"],
    ["https://somebody:hunter2@x.example/a", "https://…@x.example/a"],
    ["https://x.example/%ff%40?e=%ffjohn.roe%40example.org", "https://x.example/%ff%40?e=…"],
  ])("%s -> %s", (url, shown) => {
    expect(redactUrl(url, asked)).toBe(shown);
  });

  test.each([
    "https://pastebin.com/aB3dE5fG",
    "https://x.example/a/b/?page=2&q=a+b%20c#top",
    `https://reports.example/file/${hash}.json`,
    `https://x.example/?id=${hash}&paste_id=${hash}`,
    "https://x.example/p/5f0c2b6e-1111-4222-8333-444455556666",
    "https://x.example/%zz?",
    "https://x.example/?a=1;b=2&&c",
    `https://x.example/${asked}`,
  ])("%s stays unchanged", (url) => {
    expect(redactUrl(url, asked)).toBe(url);
  });
});

test("a value of hex digits is kept only under the name of an id or a file", () => {
  expect(redactNamed("id", hash, asked)).toBe(hash);
  expect(redactNamed("file", `${hash}.csv`, asked)).toBe(`${hash}.csv`);
  expect(redactNamed("organisation", hash, asked)).toBe("…");
  expect(redactNamed("id", `john.roe@example.org ${hash}`, asked)).toBe("… …");
});

/** Text built from the patterns of the rules, in any order. */
const pieces = fc
  .array(
    fc.constantFrom(
      ...["john.roe@example.org", asked, "@", ":", ";", "|", ",", "=", "…", " ", "  ", '"', "'", "/", "?", "&", "#"],
      ...["password", "pass: ", "token=", "pin:", "x1", "hunter2", "%40", "%2540", "%", "https://", "x.example"],
      ...[hash, "$2y$10$", "eyJhbGciOiJ9", ".", "AKIA", "(", ")", "-", "\u200b", "é", "bearer "],
    ),
  )
  .map((parts) => parts.join(""));

describe("for any text", () => {
  test("redaction is idempotent", () => {
    fc.assert(
      fc.property(fc.oneof(pieces, anyText()), fc.constantFrom(asked, null), (text, who) => {
        const once = redactText(text, who);
        expect(redactText(once, who)).toBe(once);
      }),
      { numRuns: 2000 },
    );
  });

  test("no other address is left, wherever it was", () => {
    const others = fc.constantFrom("john.roe@example.org", "xjane.doe@example.com", "jane.doe@example.community");
    fc.assert(
      fc.property(pieces, others, pieces, (before, other, after) => {
        const shown = redactText(`${before} ${other} ${after}`, asked).toLowerCase();
        expect(shown.replaceAll(asked, "")).not.toMatch(/[a-z0-9.]+@[a-z0-9]+\.[a-z]{2,}/);
      }),
      { numRuns: 2000 },
    );
  });

  test("a hash never survives outside a URL", () => {
    const outside = pieces.map((text) => text.replaceAll("://", ""));
    fc.assert(
      fc.property(outside, outside, (before, after) => {
        expect(redactText(before + hash + after, asked)).not.toContain(hash);
      }),
      { numRuns: 2000 },
    );
  });

  test("plain words come back unchanged, and so does everything that passes the quick test", () => {
    const words = fc.array(fc.stringMatching(/^[A-Za-z0-9 .,()#'!?-]{1,12}$/)).map((parts) => parts.join(" "));
    fc.assert(
      fc.property(words, (text) => {
        expect(redactText(text, asked)).toBe(text);
        // This character makes the quick test fall through to the full redaction.
        expect(redactText(`@ ${text}`, asked)).toBe(`@ ${text}`);
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.oneof(pieces, anyText()), (text) => {
        expect(redactText(`@ ${text}`, asked)).toBe(`@ ${redactText(text, asked)}`);
      }),
      { numRuns: 2000 },
    );
  });

  test("a long hostile text takes linear time", () => {
    const startedAt = performance.now();
    for (const text of [
      "a".repeat(20_000),
      "a.".repeat(10_000),
      "a@".repeat(10_000),
      `${"a".repeat(20_000)}@`,
      "a%40".repeat(5_000),
      "a@b.".repeat(5_000),
      ":".repeat(20_000),
      "%40".repeat(6_000),
      `password${" ".repeat(20_000)}x`,
    ]) {
      redactText(`@${text}`, asked);
      redactUrl(`https://x.example/?${text}`, asked);
    }
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });
});
