import { describe, expect, test } from "vitest";
import { ByteReader, type Pull } from "../../../src/corpus/input/bytes.ts";
import { Damaged, Unread } from "../../../src/corpus/input/unread.ts";
import { openZipStream } from "../../../src/corpus/input/zip-stream.ts";
import { zipOf } from "../../helpers/zip-file.ts";
import { type StreamedMember, streamedZipOf } from "../../helpers/zip-stream-file.ts";

const jane = "jane.doe@example.com:pw1\n";
const long = Array.from({ length: 60_000 }, (_, index) => `user${(index * 7919) % 60_000}@example.com:pw\n`).join("");

function inPieces(bytes: Buffer, size: number): Pull {
  const shared = Buffer.alloc(size);
  let at = 0;
  return async () => {
    if (at >= bytes.length) return null;
    const count = bytes.copy(shared, 0, at, at + size);
    at += count;
    return shared.subarray(0, count);
  };
}

/** All files of an archive read in pieces; skipped files are not read. */
async function readStream(
  bytes: Buffer,
  size = 1000,
  skipped: readonly string[] = [],
): Promise<Record<string, string>> {
  const container = openZipStream(new ByteReader(inPieces(bytes, size)));
  const texts: Record<string, string> = {};
  for (let member = await container.next(); member !== null; member = await container.next()) {
    if (skipped.includes(member.path)) continue;
    const { reader } = member.open();
    const parts: Buffer[] = [];
    for (let piece = await reader.pull(); piece !== null; piece = await reader.pull()) parts.push(Buffer.from(piece));
    texts[member.path] = Buffer.concat(parts).toString();
  }
  return texts;
}

const members: readonly StreamedMember[] = [
  { name: "folder/", content: "", method: 0 },
  { name: "a.txt", content: jane },
  { name: "stored.txt", content: jane, method: 0 },
  { name: "long.txt", content: long },
  { name: "stored-long.txt", content: long, method: 0 },
  { name: "tricky.bin", content: "PK\x07\x08 is no end PK\x07\x08", method: 0 },
  { name: "empty.txt", content: "", method: 0 },
];
const texts = Object.fromEntries(
  members.filter(({ name }) => !name.endsWith("/")).map(({ name, content }) => [name, String(content)]),
);
const known = zipOf({ "folder/": "", "a.txt": jane, "long.txt": long });

describe("a .zip archive read as a stream", () => {
  test.each([3, 1000, 1 << 20])(
    "is read file by file, in pieces of %i",
    async (size) => {
      expect(await readStream(streamedZipOf(members), size)).toEqual(texts);
      expect(await readStream(streamedZipOf(members, { isWide: true }), size)).toEqual(texts);
      expect(await readStream(known, size)).toEqual({ "a.txt": jane, "long.txt": long });
    },
    30_000,
  );

  test("without descriptor signatures is read if the compression marks the end", async () => {
    const packed = members.filter(({ method }) => method !== 0);
    expect(await readStream(streamedZipOf(packed, { hasSignature: false }))).toEqual({
      "a.txt": jane,
      "long.txt": long,
    });
  });

  test("is read after skipped files", async () => {
    expect(
      Object.keys(await readStream(streamedZipOf(members), 1000, ["long.txt", "stored-long.txt", "a.txt"])),
    ).toEqual(["stored.txt", "tricky.bin", "empty.txt"]);
    expect(await readStream(known, 1000, ["long.txt"])).toEqual({ "a.txt": jane });
  });

  test("truncated anywhere is refused", async () => {
    const short = members.filter(({ content }) => content.length < 1000);
    for (const bytes of [streamedZipOf(short), zipOf({ "a.txt": jane, "b.txt": jane }), zipOf({ "a.txt": jane }, 0)]) {
      for (let length = 4; length < bytes.length; length++) {
        await expect(readStream(bytes.subarray(0, length), 50), `cut at ${length}`).rejects.toThrow(Damaged);
      }
    }
  });

  const small = zipOf({ "a.txt": jane, "b.txt": jane });
  const secondLocal = small.indexOf("b.txt") - 30;
  const changed = (changes: (copy: Buffer) => void) => {
    const copy = Buffer.from(small);
    changes(copy);
    return copy;
  };
  test.each([
    { what: "encrypted", bytes: changed((copy) => copy.writeUInt16LE(1, secondLocal + 6)), says: "encrypted" },
    { what: "packed by LZMA", bytes: changed((copy) => copy.writeUInt16LE(14, secondLocal + 8)), says: "method 14" },
    { what: "damaged", bytes: changed((copy) => copy.writeUInt32LE(7, secondLocal + 14)), says: "damaged" },
    {
      what: "outside the archive",
      bytes: changed((copy) => copy.write("../b/", secondLocal + 30)),
      says: "leaves the archive",
    },
    {
      what: "missing in the directory",
      bytes: Buffer.concat([small.subarray(0, secondLocal), small]),
      says: "names other files",
    },
    {
      what: "followed by garbage",
      bytes: Buffer.concat([small, Buffer.alloc(200_000, 1)]),
      says: "data follows its end",
    },
  ])("with a file that is $what is refused", async ({ bytes, says }) => {
    await expect(readStream(bytes)).rejects.toThrow(Unread);
    await expect(readStream(bytes)).rejects.toThrow(says);
  });

  test("with a decompression bomb is refused while reading", async () => {
    const bomb = { name: "a.txt", content: Buffer.alloc(128 << 20, `${"x".repeat(1023)}\n`) };
    await expect(readStream(streamedZipOf([bomb]), 1 << 16, ["a.txt"])).rejects.toThrow("expands more than 200 times");
  }, 30_000);
});
