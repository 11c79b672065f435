import { describe, expect, test } from "vitest";
import { fileOf, piped, readInput } from "../../helpers/input-reader.ts";

const lines = "jane.doe@example.com:pw1\njohn.roe@example.org:pw2\n";
const long = lines.repeat(20_000);

/** Pseudo-random numbers, the same in each run. */
function noise(size: number): Buffer {
  let state = 1;
  return Buffer.from(
    Array.from({ length: size }, () => {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      return (state >>> 16) & 0xff;
    }),
  );
}

describe("a text", () => {
  test.each([
    { what: "short", text: lines, isWhole: true },
    { what: "of 64 KiB", text: "x".repeat(64 << 10), isWhole: true },
    { what: "of one byte more", text: "x".repeat((64 << 10) + 1), isWhole: false },
    { what: "long", text: long, isWhole: false },
  ])(
    "that is $what has a head of up to 64 KiB and is read in full, from a file and a pipe",
    async ({ text, isWhole }) => {
      for (const source of [fileOf("a.txt", text), piped(Buffer.from(text), 100_000), piped(Buffer.from(text), 1000)]) {
        const { entries } = await readInput(source);
        expect(entries).toHaveLength(1);
        expect(entries[0]?.head).toBe(text.slice(0, 64 << 10));
        expect(entries[0]?.isWhole).toBe(isWhole);
        expect(entries[0]?.text === text).toBe(true);
      }
    },
  );

  test.each([
    {
      what: "in Cyrillic of one byte",
      bytes: Buffer.from([0xcf, 0xe0, 0xf0, 0xee, 0xeb, 0xfc, 0x3a, ...Buffer.from(lines)]),
    },
    {
      what: "in two encodings",
      bytes: Buffer.concat([Buffer.from(lines), Buffer.from("Größe\n"), Buffer.from("Größe\n", "latin1")]),
    },
    { what: "with colours of a terminal", bytes: Buffer.from(lines.replaceAll("j", "\x1b[31mj\x1b[0m")) },
    {
      what: "separated by control characters",
      bytes: Buffer.from(lines.replaceAll(":", "\x01").replaceAll("@", "\x1f@")),
    },
    { what: "with a few zeros", bytes: Buffer.from(lines.replaceAll("\n", "\0\n\0")) },
    { what: "with form feeds", bytes: Buffer.from(lines.replaceAll("\n", "\n\f")) },
  ])("$what is not binary", async ({ bytes }) => {
    expect((await readInput(fileOf("a.txt", bytes))).entries).toHaveLength(1);
  });

  test.each([
    { what: "noise", bytes: noise(4000), says: "binary" },
    { what: "much noise", bytes: noise(300_000), says: "binary" },
    { what: "noise after a text", bytes: Buffer.concat([Buffer.from(lines), noise(60_000)]), says: "binary" },
    {
      what: "numbers of 32 bits",
      bytes: Buffer.from(Uint32Array.from({ length: 5000 }, (_, n) => n * 77).buffer),
      says: "binary",
    },
    {
      what: "small numbers of 16 bits",
      bytes: Buffer.from(Uint16Array.from({ length: 5000 }, (_, n) => n % 250).buffer),
      says: "binary",
    },
    { what: "zeros", bytes: Buffer.alloc(5000), says: "binary" },
    { what: "many zeros", bytes: Buffer.alloc(3 << 20), says: "binary" },
    { what: "blank lines", bytes: Buffer.from(" \r\n\n\t\n"), says: "empty" },
    { what: "a mark alone", bytes: Buffer.from("\ufeff"), says: "empty" },
    { what: "a later part of a split file", bytes: noise(4000), name: "leak.gz.002", says: "cat FILE.* |" },
    { what: "a later part of a .7z archive", bytes: noise(4000), name: "leak.7z.002", says: "7z x -so FILE.7z.001 |" },
  ])("is not $what", async ({ bytes, name, says }) => {
    await expect(readInput(fileOf(name ?? "a.txt", bytes))).rejects.toThrow(says);
    if (name === undefined) await expect(readInput(piped(bytes, 1000))).rejects.toThrow(says);
  });
});
