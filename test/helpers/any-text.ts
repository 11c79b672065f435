import fc from "fast-check";

/** Any string a caller can send: random code units, including lone surrogates, mixed with text that breaks parsers. */
export function anyText(): fc.Arbitrary<string> {
  const codeUnits = fc.array(fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)));
  const codePoints = fc.array(fc.integer({ min: 0, max: 0x10ffff }).map((point) => String.fromCodePoint(point)));
  const traps = fc.array(
    fc.constantFrom(
      "a",
      "A",
      "b.example",
      "@",
      ".",
      "-",
      " ",
      "\t",
      "\n",
      "\0",
      "\\",
      '"',
      "%41",
      "xn--",
      "ß",
      "İ",
      "Σ",
      "\u0301",
      "\u0345",
      "\u00ad",
      "\u200d",
      "\u202e",
      "\ufb01",
      "\uff20",
      "\ud800",
      "\udc00",
      "\\ud800",
      "😀",
    ),
  );
  return fc.oneof(codeUnits, codePoints, traps).map((parts) => parts.join(""));
}
