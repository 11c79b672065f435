import fc from "fast-check";
import { parse } from "tldts";
import { describe, expect, test } from "vitest";
import { AddressFinder, fileEndings } from "../../../src/corpus/formats/address-finder.ts";
import { addressesIn } from "../../../src/corpus/formats/addresses-in.ts";
import { LineScanner } from "../../../src/corpus/formats/line-scanner.ts";
import { parseEmail } from "../../../src/domain/email.ts";
import { corpusPrefixSize } from "../../../src/domain/keyed-hash.ts";

test("no file ending is a top-level domain", () => {
  for (const ending of fileEndings) expect([ending, parse(`example.${ending}`).isIcann]).toEqual([ending, false]);
});

describe("addresses in a text", () => {
  test("have the correct range, in non-ASCII text as well", () => {
    const text = "Grüße 👋 an Jane <jane.doe@example.com>, jörg@bücher.example; und ИВАН@example.org。";
    const found = addressesIn(text);
    expect(found.map(({ start, end }) => text.slice(start, end))).toEqual([
      "jane.doe@example.com",
      "jörg@bücher.example",
      "ИВАН@example.org",
    ]);
    expect(found.map(({ address }) => address)).toEqual([
      "jane.doe@example.com",
      "jörg@xn--bcher-kva.example",
      "иван@example.org",
    ]);
  });

  test("are canonical, and the text in their range is the address, unless it has escaped quotes", () => {
    const part = fc.constantFrom(
      ..."aZ9._+-'\"<>@:;,|=/#~%&\\ \n",
      "ö",
      "日",
      "jane.doe",
      "@example.com",
      "@bücher.example",
      "--",
      "N'",
      "\u00a0",
      "：",
      "%3C",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(part, fc.string({ maxLength: 4 })), { maxLength: 10 }), (parts) => {
        const text = parts.join("");
        for (const { start, end, address } of addressesIn(text)) {
          expect(parseEmail(address)).toBe(address);
          if (!/\\'|''/.test(text)) expect(parseEmail(text.slice(start, end))).toBe(address);
        }
      }),
      { numRuns: 10_000 },
    );
  });
});

test("the cost of examining a sign is bounded by the text around it", () => {
  const scanner = new LineScanner(new Uint8Array(corpusPrefixSize));
  const finder = new AddressFinder(scanner, { hasEscapes: true });
  const size = 200_000;
  const startedAt = performance.now();
  for (const fill of [
    "@",
    "a@",
    "a@b",
    "a@b.c",
    "a.",
    "'@",
    "ö",
    "ö@",
    "-",
    "--@",
    "xn--",
    "xn--a--@",
    "=@",
    "a=b@",
    "://@",
    "%20@",
    "\\@",
    "&amp;@",
    "\xff@",
  ]) {
    const bytes = Buffer.from(fill.repeat(Math.floor(size / Buffer.byteLength(fill))));
    for (let sign = bytes.indexOf("@"); sign >= 0; sign = bytes.indexOf("@", sign + 1)) {
      finder.find(bytes, sign, 0, bytes.length);
    }
  }
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
