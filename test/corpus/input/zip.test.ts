import { execFileSync } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { fileOf, folderOf, hasProgram, piped, readInput, sha256Of } from "../../helpers/input-reader.ts";
import { tarOf } from "../../helpers/tar-file.ts";
import { zipOf } from "../../helpers/zip-file.ts";

const jane = "jane.doe@example.com:pw1\n";
const john = "john.roe@example.org:pw2\n";
/** More than one call unpacks at once, even when packed. */
const long = Array.from({ length: 60_000 }, (_, index) => `user${(index * 7919) % 60_000}@example.com:pw\n`).join("");
const png = Buffer.from("89504e470d0a1a0a", "hex");
const central = Buffer.from("504b0102", "hex");

function changed(bytes: Buffer, changes: (copy: Buffer, directoryAt: number) => void): Buffer {
  const copy = Buffer.from(bytes);
  changes(copy, copy.indexOf(central));
  return copy;
}

describe("a .zip archive", () => {
  test.each([8, 0])("packed by method %i is read in the order of a folder", async (method) => {
    const bytes = zipOf({ "b.txt": john, "a/z.txt": jane, "a.txt": long, "a/": "" }, method);
    const read = await readInput(fileOf("leak.zip", bytes));
    expect(read.entries.map(({ name }) => name)).toEqual(["a/z.txt", "a.txt", "b.txt"]);
    expect(read.entries[1]?.text === long).toBe(true);
    expect(read).toMatchObject({
      hasEntries: true,
      sha256: sha256Of(bytes),
      contentSha256: sha256Of(jane + long + john),
    });
    expect(read.bytesRead).toBe(bytes.length);
    expect(read.bytesTotal).toBe(bytes.length);
  });

  test("has the content hash of its folder", async () => {
    const files = { "b.txt": john, "a/z.txt": jane, "a.txt": long };
    const { contentSha256 } = await readInput(folderOf(files));
    expect((await readInput(fileOf("x.zip", zipOf(files)))).contentSha256).toBe(contentSha256);
  });

  test("inside another, two levels deep and with other archives, is read", async () => {
    const inner = zipOf({ "a.txt": jane });
    const bytes = zipOf({
      "1.zip": zipOf({ "2.zip": inner, "b.txt": john }, 0),
      "c.tar": tarOf([{ name: "c.txt", content: jane }]),
      "d.txt.gz": gzipSync(john),
    });
    for (const source of [fileOf("x.zip", bytes), piped(bytes, 1000)]) {
      expect((await readInput(source)).texts).toEqual({
        "1.zip/2.zip/a.txt": jane,
        "1.zip/b.txt": john,
        "c.tar/c.txt": jane,
        "d.txt.gz": john,
      });
    }
  });

  test("with Windows paths, names in code page 437, and names in the Unicode field is read", async () => {
    const unicode = Buffer.alloc(9 + Buffer.byteLength("Größe.txt"));
    const bytes = withExtra(zipOf({ "x.txt": jane, "m1\\Passwords.txt": jane }), unicode);
    expect(Object.keys((await readInput(fileOf("x.zip", bytes))).texts)).toEqual(["m1/Passwords.txt", "Größe.txt"]);
    const old = zipOf({ "Gr__e.txt": jane });
    for (let at = old.indexOf("Gr__e"); at >= 0; at = old.indexOf("Gr__e", at))
      Buffer.from([0x94, 0xe1]).copy(old, at + 2);
    expect(Object.keys((await readInput(fileOf("x.zip", old))).texts)).toEqual(["Größe.txt"]);
  });

  test("lists its links, pictures and empty files as left out, without addresses in the names", async () => {
    const bytes = changed(
      zipOf({ link: "a.txt", "a.txt": jane, "b.png": png, "tom.elm@example.com": "" }),
      (copy, at) => {
        copy[at + 5] = 3;
        copy.writeUInt32LE(0xa1ff0000, at + 38);
      },
    );
    const read = await readInput(fileOf("x.zip", bytes));
    expect(read.texts).toEqual({ "a.txt": jane });
    expect(read.leftOut).toMatchObject({ link: "a symbolic link", "…@example.com": "empty" });
  });

  const small = zipOf({ "a.txt": jane, "b.txt": john });
  const refusals = [
    {
      what: "encrypted in part",
      bytes: changed(small, (copy, at) => copy.writeUInt16LE(1, at + 8)),
      says: "encrypted .zip",
    },
    {
      what: "encrypted by AES",
      bytes: changed(small, (copy, at) => copy.writeUInt16LE(99, at + 10)),
      says: "with its password: 7z x -so FILE |",
    },
    {
      what: "packed by LZMA",
      bytes: changed(small, (copy, at) => copy.writeUInt16LE(14, at + 10)),
      says: "method 14 (LZMA), which is not supported: 7z x -so FILE |",
    },
    {
      what: "packed by method 77",
      bytes: changed(small, (copy, at) => copy.writeUInt16LE(77, at + 10)),
      says: "method 77",
    },
    {
      what: "the last of several parts",
      bytes: changed(small, (copy) => copy.writeUInt16LE(1, copy.length - 18)),
      says: "cat FILE.z?? FILE.zip |",
    },
    { what: "of more than a million files", bytes: wide(small, 1_000_001), says: "more than 1000000 files" },
    {
      what: "with overlapping files",
      bytes: changed(small, (copy) => copy.writeUInt32LE(0, copy.lastIndexOf(central) + 42)),
      says: "share their bytes",
    },
    {
      what: "with a wrong checksum",
      bytes: changed(small, (copy, at) => copy.writeUInt32LE(1, at + 16)),
      says: "a.txt: the file is a .zip archive that cannot be read: a file in it is damaged",
    },
    {
      what: "with a wrong size",
      bytes: changed(small, (copy, at) => copy.writeUInt32LE(1, at + 24)),
      says: "a file in it is damaged",
    },
    {
      what: "with a damaged directory",
      bytes: changed(small, (copy, at) => copy.write("xx", at)),
      says: "directory is damaged",
    },
    { what: "empty", bytes: zipOf({}), says: "the archive holds no files" },
    { what: "of folders only", bytes: zipOf({ "a/": "" }), says: "the archive holds no files" },
    {
      what: "of pictures only",
      bytes: zipOf({ "a.png": png, "b@example.com": "" }),
      says: "no file with text: a.png is",
    },
  ];
  test.each(refusals)("$what is refused", async ({ bytes, says }) => {
    await expect(readInput(fileOf("x.zip", bytes))).rejects.toThrow(says);
    await expect(readInput(piped(bytes, 1000))).rejects.toThrow(says);
  });

  test("with only its last part is refused with the command that joins the parts", async () => {
    const last = changed(small, (copy) => copy.writeUInt16LE(1, copy.length - 18)).subarray(40);
    await expect(readInput(fileOf("x.zip", last))).rejects.toThrow(
      "cat FILE.z?? FILE.zip | xpose corpus import - --name NAME",
    );
  });

  test("in the 64-bit form is read", async () => {
    expect((await readInput(fileOf("x.zip", wide(small, 2)))).texts).toEqual({ "a.txt": jane, "b.txt": john });
  });

  test.runIf(hasProgram("zip"))("as zip writes it is read, also into a pipe and in parts joined again", async () => {
    const root = folderOf({ "in/a.txt": jane, "in/sub/b.txt": john, "in/c.txt": long });
    symlinkSync("a.txt", join(root, "in", "link"));
    const zip = (...options: string[]) =>
      execFileSync("zip", ["-q", "-r", "-y", ...options], { cwd: join(root, "in") });
    zip("../a.zip", ".");
    zip("-0", "../b.zip", ".");
    zip("-s", "64k", "../c.zip", ".");
    execFileSync("sh", ["-c", "cat c.z?? c.zip > d.zip; cd in; zip -q -r - . | cat > ../e.zip"], { cwd: root });
    for (const name of ["a.zip", "b.zip", "d.zip", "e.zip"]) {
      for (const source of [join(root, name), piped(readFileSync(join(root, name)), 5000)]) {
        const read = await readInput(source);
        expect(Object.keys(read.texts), name).toEqual(expect.arrayContaining(["a.txt", "c.txt", "sub/b.txt"]));
        expect(read.texts["c.txt"] === long, name).toBe(true);
        expect(read.texts["sub/b.txt"]).toBe(john);
      }
    }
    expect((await readInput(join(root, "a.zip"))).leftOut).toEqual({ link: "a symbolic link" });
    for (const name of ["c.z01", "c.zip"])
      await expect(readInput(join(root, name))).rejects.toThrow(
        "cat FILE.z?? FILE.zip | xpose corpus import - --name NAME",
      );
  });

  test.runIf(hasProgram("zip"))("that zip encrypts is refused", async () => {
    const root = folderOf({ "a.txt": jane });
    execFileSync("zip", ["-q", "-P", "secret", "a.zip", "a.txt"], { cwd: root });
    await expect(readInput(join(root, "a.zip"))).rejects.toThrow("encrypted");
    await expect(readInput(piped(readFileSync(join(root, "a.zip"))))).rejects.toThrow("encrypted");
  });
});

/** The extra field 0x7075 for the first file: a name that replaces `x.txt`. */
function withExtra(bytes: Buffer, field: Buffer): Buffer {
  field.writeUInt16LE(0x7075, 0);
  field.writeUInt16LE(field.length - 4, 2);
  field[4] = 1;
  field.writeUInt32LE(Bun.hash.crc32("x.txt"), 5);
  field.write("Größe.txt", 9);
  const at = bytes.indexOf(central);
  const nameEnd = at + 46 + 5;
  const out = Buffer.concat([bytes.subarray(0, nameEnd), field, bytes.subarray(nameEnd)]);
  out.writeUInt16LE(field.length, at + 30);
  out.writeUInt32LE(out.readUInt32LE(out.length - 10) + field.length, out.length - 10);
  return out;
}

/** The same archive with a 64-bit end record. */
function wide(bytes: Buffer, count: number): Buffer {
  const end = Buffer.from(bytes.subarray(bytes.length - 22));
  const wideEnd = Buffer.alloc(56);
  wideEnd.write("PK\x06\x06", 0, "latin1");
  wideEnd.writeBigUInt64LE(44n, 4);
  wideEnd.writeBigUInt64LE(BigInt(count), 24);
  wideEnd.writeBigUInt64LE(BigInt(count), 32);
  wideEnd.writeBigUInt64LE(BigInt(end.readUInt32LE(12)), 40);
  wideEnd.writeBigUInt64LE(BigInt(end.readUInt32LE(16)), 48);
  const locator = Buffer.alloc(20);
  locator.write("PK\x06\x07", 0, "latin1");
  locator.writeBigUInt64LE(BigInt(bytes.length - 22), 8);
  locator.writeUInt32LE(1, 16);
  end.writeUInt16LE(0xffff, 8);
  end.writeUInt16LE(0xffff, 10);
  end.writeUInt32LE(0xffffffff, 12);
  end.writeUInt32LE(0xffffffff, 16);
  return Buffer.concat([bytes.subarray(0, bytes.length - 22), wideEnd, locator, end]);
}
