import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalDomain, parseEmail } from "../../src/domain/email.ts";
import { anyText } from "../helpers/any-text.ts";

const local64 = "a".repeat(64);
const label63 = "b".repeat(63);

describe("an address is accepted in its canonical form", () => {
  test.each([
    { rule: "4.1 blanks around it go", text: " \t\r\njane@example.com\r\n\t ", canonical: "jane@example.com" },
    { rule: "4.1 many blanks go", text: `${" ".repeat(2000)}jane@example.com`, canonical: "jane@example.com" },
    {
      rule: "4.2 every ASCII sign",
      text: "!#$%&'*+-/=?^_`{|}~@example.com",
      canonical: "!#$%&'*+-/=?^_`{|}~@example.com",
    },
    { rule: "4.2 dots inside", text: "a.b.c@example.com", canonical: "a.b.c@example.com" },
    { rule: "4.2 one character", text: "a@example.com", canonical: "a@example.com" },
    { rule: "4.2 64 octets", text: `${local64}@example.com`, canonical: `${local64}@example.com` },
    {
      rule: "4.2 64 octets of two-octet letters",
      text: `${"é".repeat(32)}@example.com`,
      canonical: `${"é".repeat(32)}@example.com`,
    },
    { rule: "4.2 letters of other scripts", text: "用户@example.com", canonical: "用户@example.com" },
    { rule: "4.2 digits of other scripts", text: "١٢٣@example.com", canonical: "١٢٣@example.com" },
    { rule: "4.2 marks are composed", text: "jane\u0301@example.com", canonical: "jan\u00e9@example.com" },
    { rule: "4.2 lower-cased without a locale", text: "İ@example.com", canonical: "i\u0307@example.com" },
    { rule: "4.2 sharp S", text: "STRAẞE@example.com", canonical: "straße@example.com" },
    { rule: "4.2 a ligature is no pair of letters", text: "\ufb01@example.com", canonical: "\ufb01@example.com" },
    { rule: "4.3 A-labels", text: "user@bücher.example", canonical: "user@xn--bcher-kva.example" },
    { rule: "4.3 A-labels as they are", text: "user@XN--BCHER-KVA.example", canonical: "user@xn--bcher-kva.example" },
    { rule: "4.3 non-transitional", text: "user@straße.example", canonical: "user@xn--strae-oqa.example" },
    { rule: "4.3 hyphens unchecked", text: "user@ab--c.example", canonical: "user@ab--c.example" },
    { rule: "4.3 ideographic full stop", text: "user@b。example", canonical: "user@b.example" },
    { rule: "4.3 full-width letters", text: "user@\uff41.example", canonical: "user@a.example" },
    { rule: "4.3 a digit in the last label", text: "user@a.c0m", canonical: "user@a.c0m" },
    { rule: "4.3 labels of 63", text: `user@${label63}.example`, canonical: `user@${label63}.example` },
    { rule: "4.3 254 octets", text: `${address(254)}`, canonical: address(254) },
    { rule: "4.4 case", text: "JANE.DOE@ACME.COM", canonical: "jane.doe@acme.com" },
    { rule: "4.5 sub-address stays", text: "jane+x@acme.com", canonical: "jane+x@acme.com" },
    { rule: "4.5 dots stay", text: "j.ane@gmail.com", canonical: "j.ane@gmail.com" },
  ])("$rule", ({ text, canonical }) => {
    expect(parseEmail(text)).toBe(canonical);
  });
});

describe("an invalid address is refused", () => {
  test.each([
    { rule: "3.4 empty", text: "" },
    { rule: "3.4 blank", text: "  " },
    { rule: "4.1 inner space", text: "ja ne@example.com" },
    { rule: "4.1 space at the sign", text: "jane @example.com" },
    { rule: "4.1 inner line break", text: "jane@exam\nple.com" },
    { rule: "4.1 NUL at the end", text: "jane@example.com\0" },
    { rule: "4.1 vertical tab around it", text: "\vjane@example.com" },
    { rule: "4.1 no-break space around it", text: "\u00a0jane@example.com" },
    { rule: "4.1 DEL", text: "ja\u007fne@example.com" },
    { rule: "4.1 no sign", text: "jane.example.com" },
    { rule: "4.1 two signs", text: "jane@doe@example.com" },
    { rule: "4.1 full-width sign alone", text: "jane\uff20example.com" },
    { rule: "4.1 full-width sign beside the sign", text: "jane@doe\uff20example.com" },
    { rule: "4.2 empty local part", text: "@example.com" },
    { rule: "4.2 65 octets", text: `${local64}a@example.com` },
    { rule: "4.2 66 octets of two-octet letters", text: `${"é".repeat(33)}@example.com` },
    { rule: "4.2 leading dot", text: ".jane@example.com" },
    { rule: "4.2 trailing dot", text: "jane.@example.com" },
    { rule: "4.2 double dot", text: "jane..doe@example.com" },
    { rule: "4.2 quoted", text: '"jane doe"@example.com' },
    { rule: "4.2 comment", text: "jane(work)@example.com" },
    { rule: "4.2 display name", text: "Jane Doe <jane@example.com>" },
    { rule: "4.2 angle brackets", text: "<jane@example.com>" },
    { rule: "4.2 comma", text: "jane,doe@example.com" },
    { rule: "4.2 backslash", text: "jane\\doe@example.com" },
    { rule: "4.2 emoji", text: "😀@example.com" },
    { rule: "4.2 soft hyphen", text: "ja\u00adne@example.com" },
    { rule: "4.2 zero-width joiner", text: "ja\u200dne@example.com" },
    { rule: "4.2 zero-width space", text: "ja\u200bne@example.com" },
    { rule: "4.2 right-to-left override", text: "\u202ejane@example.com" },
    { rule: "4.2 lone surrogate", text: "ja\ud800ne@example.com" },
    { rule: "4.3 empty domain", text: "jane@" },
    { rule: "4.3 one label", text: "jane@localhost" },
    { rule: "4.3 underscore (STD3)", text: "jane@a_b.com" },
    { rule: "4.3 soft hyphen", text: "jane@exam\u00adple.com" },
    { rule: "4.3 zero-width joiner", text: "jane@exam\u200dple.com" },
    { rule: "4.3 zero-width non-joiner", text: "jane@exam\u200cple.com" },
    { rule: "4.3 variation selector", text: "jane@exam\ufe0fple.com" },
    { rule: "4.3 word joiner", text: "jane@exam\u2060ple.com" },
    { rule: "4.3 percent", text: "jane@%41.com" },
    { rule: "4.3 hexadecimal IPv4 number", text: "jane@0x7f.1" },
    { rule: "4.3 IPv4 address", text: "jane@127.0.0.1" },
    { rule: "4.3 last label all digits", text: "jane@example.123" },
    { rule: "4.3 last label all full-width digits", text: "jane@example.\uff11\uff12" },
    { rule: "4.3 address literal", text: "jane@[127.0.0.1]" },
    { rule: "4.3 IPv6 literal", text: "jane@[IPv6:::1]" },
    { rule: "4.3 trailing dot", text: "jane@example.com." },
    { rule: "4.3 leading dot", text: "jane@.example.com" },
    { rule: "4.3 double dot", text: "jane@example..com" },
    { rule: "4.3 port", text: "jane@example.com:25" },
    { rule: "4.3 path", text: "jane@example.com/x" },
    { rule: "4.3 leading hyphen", text: "jane@-example.com" },
    { rule: "4.3 trailing hyphen", text: "jane@example-.com" },
    { rule: "4.3 broken punycode", text: "jane@xn--a.com" },
    { rule: "4.3 punycode of a soft hyphen", text: "jane@xn--ad-5da.com" },
    { rule: "4.3 label of 64", text: `jane@${label63}b.com` },
    { rule: "4.3 domain of 254 octets", text: `a@${domain(254)}` },
    { rule: "4.3 255 octets", text: address(255) },
    { rule: "4.3 lone surrogate", text: "jane@exa\ud800mple.com" },
    { rule: "4.3 much too long", text: `${"a".repeat(100_000)}@example.com` },
    { rule: "4.3 long inner blanks", text: `a${" ".repeat(200_000)}b@example.com` },
  ])("$rule", ({ text }) => {
    expect(parseEmail(text)).toBeNull();
  });
});

test("4.5 sub-addresses and dots are not folded: four spellings are four indicators", () => {
  const texts = ["jane+x@acme.com", "jane@acme.com", "j.ane@gmail.com", "jane@gmail.com"];
  expect(new Set(texts.map(parseEmail)).size).toBe(4);
});

test("any text is an address or null, never an exception, and a canonical address parses to itself", () => {
  fc.assert(
    fc.property(anyText(), anyText(), (local, host) => {
      for (const text of [local, `${local}@example.com`, `jane@${host}.example`, `${local}@${host}`]) {
        const address = parseEmail(text);
        if (address === null) continue;
        expect(parseEmail(address)).toBe(address);
        expect(Buffer.byteLength(address)).toBeLessThanOrEqual(254);
        expect(address.isWellFormed()).toBe(true);
      }
    }),
    { numRuns: 2000 },
  );
});

test("letters of every script with case or compatibility forms give a canonical form that parses to itself", () => {
  const ranges = [
    [0, 0x33ff],
    [0xa640, 0xabff],
    [0xf900, 0xffff],
    [0x10400, 0x10cff],
    [0x1d400, 0x1d7ff],
    [0x1e900, 0x1e9ff],
  ] as const;
  for (const [first, last] of ranges) {
    for (let point = first; point <= last; point++) {
      const character = String.fromCodePoint(point);
      const address = parseEmail(`ΣI${character}\u0307@example.com`) ?? parseEmail(`a@b${character}c.example`);
      if (address !== null && parseEmail(address) !== address) expect.fail(`U+${point.toString(16)} in ${address}`);
    }
  }
});

test("a canonical domain has only letters, digits, hyphens and dots", () => {
  fc.assert(
    fc.property(anyText(), (text) => {
      const name = canonicalDomain(`${text}.example`);
      if (name === null) return;
      expect(name).toMatch(/^[a-z0-9.-]+$/);
      expect(canonicalDomain(name)).toBe(name);
    }),
    { numRuns: 2000 },
  );
});

/** A domain of exactly `length` octets. */
function domain(length: number): string {
  return `${`${label63}.`.repeat(4)}`
    .slice(0, length - 4)
    .replace(/\.$/, "b")
    .concat(".com");
}

/** An address of exactly `length` octets. */
function address(length: number): string {
  return `${local64}@${domain(length - 65)}`;
}
