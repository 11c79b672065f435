import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodingOf } from "../../../src/corpus/input/encoding.ts";

function decode(bytes: Buffer, cuts: readonly number[] = []): string {
  const decoding = decodingOf(bytes.subarray(0, 64 << 10));
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b);
  const parts = places.slice(1).map((end, index) => Buffer.from(decoding.push(bytes.subarray(places[index], end))));
  return Buffer.concat([...parts, decoding.end()]).toString();
}

const mark = "\ufeff";
const jane = "jane.doe@example.com:pw1";
const john = "john.roe@example.org:pw2";
const little = (text: string) => Buffer.from(text, "utf16le");
const big = (text: string) => Buffer.from(text, "utf16le").swap16();

const texts: readonly { readonly rule: string; readonly bytes: Buffer; readonly text: string }[] = [
  { rule: "UTF-8 passes", bytes: Buffer.from("Größe\n"), text: "Größe\n" },
  { rule: "a mark at the start is removed", bytes: Buffer.from(`${mark}${jane}\n`), text: `${jane}\n` },
  {
    rule: "a mark at the start of a line is removed",
    bytes: Buffer.from(`${jane}\r\n${mark}${john}\n`),
    text: `${jane}\r\n${john}\n`,
  },
  {
    rule: "a mark after a file without a final line end becomes a line end",
    bytes: Buffer.from(`${jane}${mark}${john}\n`),
    text: `${jane}\n${john}\n`,
  },
  {
    rule: "a mark beside a separator stays",
    bytes: Buffer.from(`Email: ${mark}${jane}\n`),
    text: `Email: ${mark}${jane}\n`,
  },
  { rule: "a mark at the very end stays", bytes: Buffer.from(`${jane}${mark}`), text: `${jane}${mark}` },
  { rule: "a letter of three bytes like the mark's passes", bytes: Buffer.from("ﻼ｟\n"), text: "ﻼ｟\n" },
  {
    rule: "UTF-16 little endian with a mark",
    bytes: little(`${mark}${jane}\r\nПароль\r\n`),
    text: `${jane}\r\nПароль\r\n`,
  },
  { rule: "UTF-16 big endian with a mark", bytes: big(`${mark}${jane}\nПароль\n`), text: `${jane}\nПароль\n` },
  {
    rule: "UTF-16 little endian without a mark",
    bytes: little(`${jane}\r\n${john}\r\n`),
    text: `${jane}\r\n${john}\r\n`,
  },
  { rule: "UTF-16 big endian without a mark", bytes: big(`${jane}\n${john}\n`), text: `${jane}\n${john}\n` },
  {
    rule: "two concatenated files in UTF-16",
    bytes: little(`${mark}${jane}\r\n${mark}${john}\r\n`),
    text: `${jane}\r\n${john}\r\n`,
  },
  {
    rule: "a hole of zeros becomes a line end",
    bytes: Buffer.concat([Buffer.from(`${jane}\nxy`), Buffer.alloc(5000), Buffer.from(`z\n${john}\n`)]),
    text: `${jane}\nxy\nz\n${john}\n`,
  },
  {
    rule: "a hole at the start and one at the end",
    bytes: Buffer.concat([Buffer.alloc(5000), Buffer.from(`${jane}\n`), Buffer.alloc(5000)]),
    text: `\n${jane}\n\n`,
  },
  {
    rule: "a few zeros stay as noise",
    bytes: Buffer.from(`${jane}\0\0\n\0${john}\n`),
    text: `${jane}\0\0\n\0${john}\n`,
  },
  { rule: "zeros between records are line ends", bytes: Buffer.from(`${jane}\0${john}\0`), text: `${jane}\n${john}\n` },
  {
    rule: "UTF-16 with a hole",
    bytes: Buffer.concat([little(`${mark}${jane}\n`), Buffer.alloc(4000), little(`${john}\n`)]),
    text: `${jane}\n\n${john}\n`,
  },
];

describe("the bytes of a text become UTF-8", () => {
  test.each(texts)("$rule", ({ bytes, text }) => {
    expect(decode(bytes)).toBe(text);
  });

  test.each(texts)("$rule, wherever the pieces are cut", ({ bytes, text }) => {
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => {
        expect(decode(bytes, cuts)).toBe(text);
      }),
      { numRuns: 60 },
    );
  });

  test("any bytes come out the same for any pieces", () => {
    const dirty = fc.array(fc.constantFrom("a", "\n", ":", "\0", "\0".repeat(9), mark, "\xef", "é"), { maxLength: 60 });
    fc.assert(
      fc.property(dirty, fc.array(fc.nat(), { maxLength: 20 }), (parts, cuts) => {
        const bytes = Buffer.from(parts.join(""));
        expect(decode(bytes, cuts)).toBe(decode(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  test("a clean piece is passed on without a copy", () => {
    const piece = Buffer.from(`${jane}\n`.repeat(1000));
    expect(decodingOf(piece).push(piece)).toBe(piece);
  });

  test("zeros between a million records take linear time", () => {
    const bytes = Buffer.from(`${jane}\0`.repeat(400_000));
    const startedAt = performance.now();
    expect(decode(bytes)).toBe(`${jane}\n`.repeat(400_000));
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });
});
