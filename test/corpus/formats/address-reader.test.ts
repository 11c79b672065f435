import fc from "fast-check";
import { expect, test } from "vitest";
import { LineScanner } from "../../../src/corpus/formats/line-scanner.ts";
import { parseEmail } from "../../../src/domain/email.ts";
import { corpusPrefixSize } from "../../../src/domain/keyed-hash.ts";
import { anyText } from "../../helpers/any-text.ts";

const scanner = new LineScanner(new Uint8Array(corpusPrefixSize));

/** The address that fills the bytes, as read by the scanner, or null. */
function read(bytes: Buffer): string | null {
  const framed = Buffer.concat([Buffer.from("x@x.example,"), bytes, Buffer.from(",x\n")]);
  return scanner.readAddress(framed, 12, 12 + bytes.length) ? scanner.address() : null;
}

/** The result of `parseEmail` for the text of the bytes. It also trims blanks, which a range does not have. */
function parsed(bytes: Buffer): string | null {
  const text = bytes.toString("utf8");
  return /^[ \t\r\n]|[ \t\r\n]$/.test(text) ? null : parseEmail(text);
}

const letters =
  "aZ09._+-!#$%&'*/=?^`{|}~ @:;,\"<>\\ßÄöéñøŁłİıſKÅΑωςИйёЂ日本語한글ا̈́\u0301\u200b\u00ad\ufeff\u00a0\0．。：";
const piece = fc.oneof(
  fc.string({ unit: fc.constantFrom(...letters), maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(..."aZ09._+-"), maxLength: 70 }),
  fc.constantFrom(
    "xn--",
    "xn--bcher-kva",
    "xn--a",
    "--",
    ".example",
    ".com",
    "bücher",
    "почта.рф",
    "\ud800",
    "x".repeat(62),
  ),
);
const local = fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join(""));
const nearAddress = fc.tuple(local, local).map(([name, domain]) => Buffer.from(`${name}@${domain}`));
const plainDomain = fc.constantFrom("example.com", "EXAMPLE.org", "bücher.example", "a.b-c.d", "x.рф");
const plainAddress = fc.tuple(local, plainDomain).map(([name, domain]) => Buffer.from(`${name}@${domain}`));
/** The bytes of an address with one byte replaced. */
const spoiled = fc.tuple(plainAddress, fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
  const copy = Buffer.from(bytes);
  copy[at % copy.length] = byte;
  return copy;
});

test("reading any bytes gives the same address as parseEmail on their text", () => {
  const anyBytes = fc.oneof(
    nearAddress,
    plainAddress,
    spoiled,
    anyText().map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      expect(read(bytes)).toBe(parsed(bytes));
    }),
    { numRuns: 20_000 },
  );
});

test("every two-byte letter is read like in parseEmail, alone and before a mark", () => {
  for (let point = 0x80; point < 0x800; point++) {
    for (const name of [
      String.fromCharCode(point),
      `a${String.fromCharCode(point)}`,
      `${String.fromCharCode(point)}\u0301`,
    ]) {
      const bytes = Buffer.from(`${name}@example.com`);
      expect([name, read(bytes)]).toEqual([name, parsed(bytes)]);
    }
  }
});

test("sizes are counted in octets of the canonical form", () => {
  for (const size of [61, 62, 63, 64, 65, 66]) {
    for (const letter of ["a", "ä", "Ä", "й", "本", "ß"]) {
      for (const domain of ["example.com", "bücher.example", `${`${"x".repeat(60)}.`.repeat(3)}example`]) {
        const name = letter.repeat(Math.floor(size / Buffer.byteLength(letter)));
        for (const bytes of [`${name}@${domain}`, `x${name}@${domain}`].map((text) => Buffer.from(text))) {
          expect(read(bytes)).toBe(parsed(bytes));
        }
      }
    }
  }
});

test("the plain scan gives the same address or none", () => {
  fc.assert(
    fc.property(fc.oneof(nearAddress, plainAddress), (bytes) => {
      const framed = Buffer.concat([bytes, Buffer.from("\n")]);
      const end = scanner.scanAddress(framed, 0);
      if (end < 0) return;
      scanner.hashScanned();
      expect(scanner.address()).toBe(parsed(bytes.subarray(0, end)));
    }),
    { numRuns: 10_000 },
  );
});
