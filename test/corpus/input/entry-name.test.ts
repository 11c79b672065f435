import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { archiveName, diskName, lastPart, safeName } from "../../../src/corpus/input/entry-name.ts";

describe("a name that is stored or shown", () => {
  test.each([
    ["combo.txt", "combo.txt"],
    ["tom.elm@example.com.txt", "…@example.com.txt"],
    ["logs/tom.elm@example.com/Passwords.txt", "logs/…@example.com/Passwords.txt"],
    ["Tom Elm <tom.elm@example.com>.txt", "Tom Elm <…@example.com>.txt"],
    ["logs_of_tom.elm@example.com_2024.zip", "…@example.com_2024.zip"],
    ["tom.elm%40example.com", "…@example.com"],
    ["tom.elm%2540example.com", "…@example.com"],
    ["tom.elm%EF%BC%A0example.com", "…@example.com"],
    ["tom.elm\uff20example.com", "…@example.com"],
    ["tom.elm\ufe6bexample.com", "…@example.com"],
    ["jörg@bücher.example", "…@bücher.example"],
    ["a@b@example.com", "…@example.com"],
    ["tom.elm\n@example.com", "…@example.com"],
    ["tom.elm@\u200bexample.com", "…@example.com"],
    ["tom\u202e.elm@example.com", "…@example.com"],
    ["o'brien+x!#$&*@example.com", "…@example.com"],
    ["@ExampleCloud - RED LOGS", "@ExampleCloud - RED LOGS"],
    ["tom.elm@", "tom.elm@"],
    ["a\r\nb\tc", "a b c"],
    ["\u0000", "-"],
    ["", "-"],
    ["x".repeat(300), "x".repeat(255)],
    [`${"x".repeat(254)}😀`, "x".repeat(254)],
  ])("%j becomes %j", (name, safe) => {
    expect(safeName(name)).toBe(safe);
  });

  const sign = fc.constantFrom("@", "\uff20", "\ufe6b", "%40", "%2540", "%EF%BC%A0", "%ef%bc%a0");
  const word = fc.stringMatching(/^[a-z0-9.+_-]{3,20}$/);
  const dirt = fc.constantFrom("", "\u200b", "\u202e", "\ufeff", "\u0007", "\r\n");
  const around = fc.oneof(fc.constantFrom("", "logs/", "a b ", "<", "x:"), fc.string({ maxLength: 20 }));

  test("never contains the local part of an address, whatever the encoding of the sign", () => {
    fc.assert(
      fc.property(around, word, dirt, sign, dirt, word, around, (before, local, x, at, y, domain, after) => {
        const secret = `${local}.zq7marker`;
        expect(safeName(`${before}${secret}${x}${at}${y}d${domain}${after}`)).not.toContain("zq7marker");
      }),
      { numRuns: 2000 },
    );
  });

  test("is one line of at most 255 without control and direction characters, and making it safe is idempotent", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary", maxLength: 600 }), fc.string({ unit: "grapheme" })), (name) => {
        const safe = safeName(name);
        expect(safe.length).toBeGreaterThan(0);
        expect(safe.length).toBeLessThanOrEqual(255);
        expect(safe).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
        expect(safe.isWellFormed()).toBe(true);
        expect(safeName(safe)).toBe(safe);
      }),
      { numRuns: 2000 },
    );
  });

  test("is made quickly even of the longest name", () => {
    const startedAt = performance.now();
    safeName(`${"@a".repeat(1_000_000)}`);
    safeName(`${"a".repeat(1_000_000)}`);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});

test("a name on disk that is not UTF-8 has replacement characters", () => {
  expect(diskName(Buffer.from([0x61, 0xff, 0x2e, 0x74]))).toBe("a\ufffd.t");
});

test("a name in an archive is read as UTF-8 if valid, otherwise as code page 437", () => {
  expect(archiveName(Buffer.from("Größe.txt"))).toBe("Größe.txt");
  expect(archiveName(Buffer.from([0x47, 0x72, 0x94, 0xe1, 0x65]))).toBe("Größe");
});

test("the last part of a path", () => {
  expect(lastPart("a/b/c.txt")).toBe("c.txt");
  expect(lastPart("c.txt")).toBe("c.txt");
});
