import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { fileOf, folderOf, hasProgram, piped, readInput, sha256Of } from "../../helpers/input-reader.ts";
import { tarOf } from "../../helpers/tar-file.ts";

const jane = "jane.doe@example.com:pw1\n";
const john = "john.roe@example.org:pw2\n";
const long = jane.repeat(40_000);
const plain = tarOf([
  { name: "sub/", type: "5" },
  { name: "sub/a.txt", content: jane },
  { name: "b.txt", content: long },
  { name: "c.txt", content: john },
]);
const texts = { "sub/a.txt": jane, "b.txt": long, "c.txt": john };

describe("a tar archive", () => {
  test.each([
    { packing: "as it is", bytes: plain },
    { packing: "in gzip", bytes: gzipSync(plain) },
    { packing: "in zstd", bytes: zstdCompressSync(plain) },
    { packing: "in a tar archive", bytes: tarOf([{ name: "in.tar", content: plain }]), within: "in.tar/" },
    {
      packing: "in gzip in a tar archive",
      bytes: tarOf([{ name: "in.tgz", content: gzipSync(plain) }]),
      within: "in.tgz/",
    },
  ])("$packing is read file by file, from a file and a pipe", async ({ bytes, within = "" }) => {
    const expected = Object.fromEntries(Object.entries(texts).map(([name, text]) => [within + name, text]));
    for (const source of [fileOf("leak", bytes), piped(bytes, 1000)]) {
      const read = await readInput(source);
      expect(read.hasEntries).toBe(true);
      expect(read.texts).toEqual(expected);
      expect(read.contentSha256).toBe(sha256Of(jane + long + john));
      expect(read.sha256).toBe(sha256Of(bytes));
      expect(read.entries.map(({ innerName }) => innerName)).toEqual(["a.txt", "b.txt", "c.txt"]);
    }
  });

  test("of an old, a POSIX and a GNU form is read, with long names and names that are not UTF-8", async () => {
    const name = `${"long/".repeat(40)}a.txt`;
    const prefix = "p".repeat(100);
    const read = await readInput(
      fileOf(
        "a",
        tarOf([
          { name: "old.txt", content: jane, type: "\0" },
          { name: "short", content: jane, pax: { path: name } },
          { name: "././@LongLink", content: `${name}2\0`, type: "L" },
          { name: "short", content: jane },
          { name: "c.txt", content: jane, prefix },
          { name: Buffer.from([0x47, 0x72, 0x94, 0xe1, 0x65]), content: jane },
          {
            name: "binary-size.txt",
            content: jane,
            size: Buffer.concat([Buffer.from("80000000", "hex"), wide(jane.length)]),
          },
          { name: "global", content: "20 comment=whatever\n", type: "g" },
          { name: "./d.txt", content: jane, pax: { size: String(jane.length) } },
        ]),
      ),
    );
    expect(Object.keys(read.texts)).toEqual([
      "old.txt",
      name,
      `${name}2`,
      `${prefix}/c.txt`,
      "Größe",
      "binary-size.txt",
      "d.txt",
    ]);
  });

  test("after another archive is read, too", async () => {
    const bytes = Buffer.concat([tarOf([{ name: "a.txt", content: jane }]), tarOf([{ name: "b.txt", content: john }])]);
    expect((await readInput(fileOf("a", bytes))).texts).toEqual({ "a.txt": jane, "b.txt": john });
  });

  test("lists its links, devices, pictures and empty files as left out", async () => {
    const members = [
      { name: "a.txt", content: jane },
      { name: "hard", type: "1", size: Buffer.from("00000000031\0") },
      { name: "soft", type: "2" },
      { name: "device", type: "3" },
      { name: "fifo", type: "6" },
      { name: "sparse", type: "S" },
      { name: "sparse2", content: jane, pax: { "GNU.sparse.major": "1" } },
      { name: "empty.txt" },
      { name: "shot.png", content: Buffer.from("89504e470d0a1a0a", "hex") },
      { name: "tom.elm@example.com.7z", content: Buffer.from("377abcaf271c", "hex") },
    ];
    const read = await readInput(fileOf("a", tarOf(members)));
    expect(read.texts).toEqual({ "a.txt": jane });
    expect(read.leftOut).toEqual({
      hard: "a link",
      soft: "a symbolic link",
      device: "a device",
      fifo: "a FIFO",
      sparse: "sparse (tar)",
      sparse2: "sparse (tar)",
      "empty.txt": "empty",
      "shot.png": "binary; import wants text",
      "…@example.com.7z": "a .7z archive: 7z x -so FILE | xpose corpus import - --name NAME",
    });
  });

  test("truncated anywhere is refused, from a file and a pipe", async () => {
    const bytes = tarOf([
      { name: "a.txt", content: jane.repeat(30) },
      { name: "b.txt", content: john },
    ]);
    // A missing second block of zeros at the end is accepted.
    for (let length = 513; length <= bytes.length - 1024; length += 61) {
      for (const source of [fileOf("a", bytes.subarray(0, length)), piped(bytes.subarray(0, length), 200)]) {
        await expect(readInput(source), `cut at ${length}`).rejects.toThrow("cut short (tar archive)");
      }
    }
  });

  const header = (changes: (block: Buffer) => void) => {
    const bytes = tarOf([
      { name: "a.txt", content: jane },
      { name: "b.txt", content: john },
    ]);
    changes(bytes.subarray(1024, 1536));
    return bytes;
  };
  test.each([
    { what: "a damaged header", bytes: header((block) => block.write("x")), says: "damaged (tar archive)" },
    { what: "a name with ..", bytes: tarOf([{ name: "a/../../b", content: jane }]), says: "leaves the archive" },
    { what: "an absolute name", bytes: tarOf([{ name: "/etc/a", content: jane }]), says: "leaves the archive" },
    {
      what: "a name of 2 MiB",
      bytes: tarOf([{ name: "x", type: "L", content: Buffer.alloc(2 << 20, 0x61) }]),
      says: "over 1 MiB",
    },
    {
      what: "invalid pax records",
      bytes: tarOf([{ name: "x", type: "x", content: "99 path=a\n" }]),
      says: "damaged",
    },
    {
      what: "an invalid size",
      bytes: tarOf([{ name: "x", content: jane, pax: { size: "1e99" } }]),
      says: "damaged",
    },
    { what: "a part of another volume", bytes: tarOf([{ name: "x", type: "M" }]), says: "several volumes" },
    {
      what: "trailing garbage",
      bytes: Buffer.concat([plain, Buffer.alloc(512, 0x61)]),
      says: "damaged (tar archive)",
    },
    { what: "no files", bytes: tarOf([{ name: "a/", type: "5" }]), says: "the archive holds no files" },
  ])("with $what is refused", async ({ bytes, says }) => {
    await expect(readInput(fileOf("a", bytes))).rejects.toThrow(says);
    await expect(readInput(piped(bytes, 512))).rejects.toThrow(says);
  });

  test("five archives deep is left out below the third", async () => {
    let bytes: Buffer = Buffer.from(jane);
    for (const name of ["a.txt", "1.tar", "2.tar", "3.tar", "4.tar"])
      bytes = tarOf([
        { name, content: bytes },
        { name: "b.txt", content: john },
      ]);
    const read = await readInput(fileOf("a", bytes));
    expect(Object.keys(read.texts)).toEqual(["4.tar/3.tar/b.txt", "4.tar/b.txt", "b.txt"]);
    expect(Object.keys(read.leftOut)).toEqual(["4.tar/3.tar/2.tar"]);
  });

  test.runIf(hasProgram("tar")).each(["gnu", "pax", "ustar", "v7", "oldgnu"])(
    "as tar writes it (%s) is read",
    async (format) => {
      const root = folderOf({ "in/a.txt": jane, "in/sub/b.txt": john });
      mkdirSync(join(root, "in", "empty"));
      symlinkSync("a.txt", join(root, "in", "link"));
      if (format !== "v7" && format !== "ustar") writeFileSync(join(root, "in", `${"ö".repeat(110)}.txt`), jane);
      execFileSync("tar", [`--format=${format}`, "-cf", join(root, "a.tar"), "-C", join(root, "in"), "."]);
      const read = await readInput(join(root, "a.tar"));
      expect(read.texts).toMatchObject({ "a.txt": jane, "sub/b.txt": john });
      expect(read.leftOut).toEqual({ link: "a symbolic link" });
      expect(read.bytesRead).toBe(readFileSync(join(root, "a.tar")).length);
    },
  );
});

function wide(size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(size));
  return bytes;
}
