import { describe, expect, test } from "vitest";
import { kindOf } from "../../../src/corpus/input/kinds.ts";
import { Unread } from "../../../src/corpus/input/unread.ts";
import { tarOf } from "../../helpers/tar-file.ts";

const hex = (text: string) => Buffer.from(text, "hex");
const text = Buffer.from("jane.doe@example.com:pw\n");

describe("the first bytes decide how a file is read", () => {
  test.each([
    { kind: "gzip", head: hex("1f8b0800"), name: "a" },
    { kind: "zstd", head: hex("28b52ffd"), name: "a.txt" },
    { kind: "zstd", head: hex("5e2a4d1804000000"), name: null },
    { kind: "xz", head: hex("fd377a585a000004"), name: "a.csv" },
    { kind: "zip", head: hex("504b0304"), name: "a" },
    { kind: "zip", head: hex("504b05060000"), name: "a" },
    { kind: "zip", head: hex("504b0708504b0304"), name: "joined.zip" },
    { kind: "tar", head: tarOf([{ name: "a.txt", content: "x" }]), name: "a" },
    { kind: "text", head: text, name: "a.txt" },
    { kind: "text", head: text, name: "a.pdf" },
    { kind: "text", head: text, name: "combo.001" },
    { kind: "text", head: text, name: null },
    { kind: "text", head: Buffer.from("ID3,email\n1,jane.doe@example.com\n"), name: "a.csv" },
  ])("$kind ($name)", ({ kind, head, name }) => {
    expect(kindOf(head, name)).toBe(kind);
  });

  const into = "| xpose corpus import - --name NAME";
  test.each([
    { what: "7z", head: hex("377abcaf271c0004"), name: "a", says: `a .7z archive: 7z x -so FILE ${into}` },
    { what: "a 7z part", head: hex("377abcaf271c"), name: "a.7z.001", says: `7z x -so FILE.7z.001 ${into}` },
    { what: "rar", head: hex("526172211a070100"), name: "a", says: `unrar p -inul FILE ${into}` },
    { what: "a rar part", head: hex("526172211a070100"), name: "a.part1.rar", says: "unrar p -inul FILE.part1.rar |" },
    { what: "an old rar part", head: hex("526172211a070000"), name: "a.r00", says: "unrar p -inul FILE.rar |" },
    { what: "a zip part", head: hex("504b0708504b0304"), name: "a.z01", says: "cat FILE.z?? FILE.zip |" },
    { what: "the first part of a gz", head: hex("1f8b0800"), name: "a.gz.001", says: `cat FILE.* ${into}` },
    { what: "the first part of a zip", head: hex("504b0304"), name: "a.zip.001", says: `cat FILE.* ${into}` },
    { what: "the first part of a split", head: hex("28b52ffd"), name: "xab.zst.aa", says: `cat FILE.* ${into}` },
    { what: "bzip2", head: hex("425a6839314159265359"), name: "a", says: `bzip2 -dc FILE ${into}` },
    { what: "lzma", head: hex("5d00008000ffff"), name: "a", says: `xz --format=lzma -dc FILE ${into}` },
    { what: "brotli", head: hex("8b0f80"), name: "a.BR", says: `brotli -dc FILE ${into}` },
    { what: "lz4", head: hex("04224d18"), name: "a", says: `lz4 -dc FILE ${into}` },
    { what: "gpg", head: hex("8c0d0407"), name: "a.gpg", says: `gpg -d FILE ${into}` },
    { what: "armoured gpg", head: Buffer.from("-----BEGIN PGP MESSAGE-----\n"), name: "a", says: "gpg -d FILE" },
    { what: "age", head: Buffer.from("age-encryption.org/v1\n"), name: "a", says: `age -d FILE ${into}` },
    { what: "openssl", head: Buffer.from("Salted__xxxxxxxx"), name: "a", says: "openssl enc -d" },
    { what: "pdf", head: Buffer.from("%PDF-1.7\n"), name: "a.txt", says: `pdftotext FILE - ${into}` },
    { what: "an old workbook", head: hex("d0cf11e0a1b11ae1"), name: "a.xls", says: "soffice --headless --cat FILE" },
    { what: "SQLite", head: Buffer.from("SQLite format 3\0"), name: "a", says: `sqlite3 FILE .dump ${into}` },
    { what: "a picture", head: hex("89504e470d0a1a0a"), name: "a.png", says: "binary" },
    { what: "a program", head: hex("7f454c46"), name: "a", says: "binary" },
    { what: "a damaged tar", head: damagedTar(), name: "a", says: `header is damaged: tar -xOf FILE ${into}` },
    { what: "text named .zip", head: text, name: "a.zip", says: `named .zip but does not hold such data` },
    { what: "text named .gz", head: text, name: "a.csv.gz", says: "named .gz but does not hold such data" },
    { what: "nothing", head: Buffer.alloc(0), name: "a", says: "empty" },
  ])("$what is refused with the command to use", ({ head, name, says }) => {
    expect(() => kindOf(head, name)).toThrow(Unread);
    expect(() => kindOf(head, name)).toThrow(says);
  });
});

function damagedTar(): Buffer {
  const head = tarOf([{ name: "a.txt", content: "x" }]);
  head[0] = 0x62;
  return head;
}
