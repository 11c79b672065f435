import fc from "fast-check";
import { expect, test } from "vitest";
import { addressOf, domainOf } from "../../src/corpus/address.ts";
import { canonicalDomain, parseEmail } from "../../src/domain/email.ts";
import { anyText } from "../helpers/any-text.ts";

/** Texts that look almost like ordinary addresses. */
const nearAddress = fc
  .tuple(
    fc.string({ unit: fc.constantFrom(..."aZ09_+-.Kß".split("")), maxLength: 70 }),
    fc.string({ unit: fc.constantFrom(..."aZ09-.K".split(""), "xn--", ".example"), maxLength: 70 }),
  )
  .map(([local, domain]) => `${local}@${domain}`);

test("the fast path agrees with parseEmail for any text without quotes and brackets", () => {
  const bare = fc
    .oneof(nearAddress, anyText())
    .filter((text) => !/^[\s"'`<[(]|^mailto:/i.test(text.trim()) && !/^[\0\u200b]|[\0\u200b]$/.test(text));
  fc.assert(
    fc.property(bare, (text) => {
      expect(addressOf(text)).toBe(parseEmail(text));
    }),
    { numRuns: 3000 },
  );
});

test("the fast path agrees with canonicalDomain", () => {
  fc.assert(
    fc.property(nearAddress, (text) => {
      const domain = text.slice(text.indexOf("@") + 1);
      expect(domainOf(domain)).toBe(canonicalDomain(domain));
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['"jane.doe@example.com"', "jane.doe@example.com"],
  ["'jane.doe@example.com'", "jane.doe@example.com"],
  ["<Jane.Doe@Example.com>", "jane.doe@example.com"],
  ["mailto:jane.doe@example.com", "jane.doe@example.com"],
  ['"<mailto:jane.doe@example.com>"', "jane.doe@example.com"],
  ["  jane.doe@example.com\t", "jane.doe@example.com"],
  ["JANE@BÜCHER.example", "jane@xn--bcher-kva.example"],
  ["\u00a0jane.doe@example.com\u200b", "jane.doe@example.com"],
  ["\ufeff<jane.doe@example.com\0>\0", "jane.doe@example.com"],
])("the token %s is unwrapped", (token, address) => {
  expect(addressOf(token)).toBe(address);
});

test.each([
  "jane.doe@example.com.",
  "jane.doe @example.com",
  "Jane Doe <jane.doe@example.com>",
  "jane.doe@example",
  "jane.doe@@example.com",
  "jane.doe\0@example.com",
  "jane.doe\ufffd@example.com\ufffd",
  "<jane.doe@example.com",
  "",
  '""',
])("the token %j is not repaired into an address", (token) => {
  expect(addressOf(token)).toBeNull();
});
