import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { unreadable } from "../../../src/corpus/input/disk-file.ts";
import { openInput } from "../../../src/corpus/input/open-input.ts";
import { readFolder } from "../../../src/corpus/input/read-folder.ts";
import { fileOf, folderOf, readInput, sha256Of } from "../../helpers/input-reader.ts";
import { tarOf } from "../../helpers/tar-file.ts";
import { zipOf } from "../../helpers/zip-file.ts";

const jane = "jane.doe@example.com:pw1\n";
const john = "john.roe@example.org:pw2\n";

function damaged(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8((copy[at] ?? 0) ^ 1, at);
  return copy;
}

describe("a folder", () => {
  test("is read in byte order of the names, folder by folder", async () => {
    const root = folderOf({
      "b/x": jane,
      "a.txt": jane,
      "a/z": jane,
      "a/b/c": jane,
      B: jane,
      é: jane,
      ".hidden": jane,
      "-dash": jane,
    });
    mkdirSync(join(root, "empty"));
    const read = await readInput(root);
    expect(read.entries.map(({ name }) => name)).toEqual([
      "-dash",
      ".hidden",
      "B",
      "a/b/c",
      "a/z",
      "a.txt",
      "b/x",
      "é",
    ]);
    expect(read.leftOut).toEqual({});
    expect(read).toMatchObject({ hasEntries: true, bytesTotal: 8 * jane.length, bytesRead: 8 * jane.length });
    expect(read.contentSha256).toBe(sha256Of(jane.repeat(8)));
  });

  test("with names that are not UTF-8, or of 240 bytes, is read", async () => {
    const root = folderOf({ [`${"Пароли".repeat(19)}.txt`]: jane });
    writeFileSync(
      Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xcf, 0xe0, 0xf0, 0x2e, 0x74, 0x78, 0x74])]),
      john,
    );
    mkdirSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]) as unknown as string);
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe]), Buffer.from("/a")]), jane);
    const { entries } = await readInput(root);
    expect(entries.map(({ text }) => text)).toEqual([john, jane, jane]);
    expect(entries.map(({ name }) => name)).toEqual([
      "\ufffd\ufffd\ufffd.txt",
      `${"Пароли".repeat(19)}.txt`,
      "\ufffd\ufffd/a",
    ]);
  });

  test("follows no loop, opens no device, and reports both as left out", async () => {
    const root = folderOf({
      "a.txt": jane,
      "empty.txt": "",
      "shot.png": Buffer.from("89504e470d0a1a0a", "hex"),
      "tom.elm@example.com.7z": Buffer.from("377abcaf271c", "hex"),
    });
    symlinkSync(root, join(root, "loop"));
    symlinkSync("nowhere", join(root, "dead"));
    symlinkSync("a.txt", join(root, "link.txt"));
    execFileSync("mkfifo", [join(root, "fifo")]);
    const read = await readInput(root);
    expect(read.texts).toEqual({ "a.txt": jane });
    expect(read.leftOut).toEqual({
      dead: "a symbolic link",
      "empty.txt": "empty",
      fifo: "a FIFO",
      "link.txt": "a symbolic link",
      loop: "a symbolic link",
      "shot.png": "binary; import wants text",
      "…@example.com.7z": "a .7z archive: 7z x -so FILE | xpose corpus import - --name NAME",
    });
  });

  test("leaves out files without permission or with disk errors", () => {
    const error = (code: string) => Object.assign(new Error(code), { code });
    expect(unreadable(error("EACCES"))).toMatchObject({ kind: "refused", reason: "not readable: permission denied" });
    expect(unreadable(error("EIO"))).toMatchObject({ kind: "refused", reason: "not readable (EIO)" });
    expect(unreadable(error("ENOENT"))).toMatchObject({ kind: "not_found" });
  });

  test("leaves out a file that vanished after it was listed", async () => {
    const root = folderOf({ "a.txt": jane, "b.txt": jane });
    const input = await openInput({ path: root }, new AbortController().signal);
    for await (const { chunks } of input.entries) {
      for await (const _ of chunks);
      rmSync(join(root, "b.txt"), { force: true });
    }
    await input.close();
    expect(input.leftOut()).toEqual([{ file: "b.txt", reason: "gone since it was listed" }]);
  });

  test("is read with its archives, and leaves out unreadable ones", async () => {
    const zip = zipOf({ "a.txt": jane });
    const encrypted = Buffer.from(zip);
    encrypted.writeUInt16LE(1, encrypted.indexOf(Buffer.from("504b0102", "hex")) + 8);
    const read = await readInput(
      folderOf({
        "a.zip": zip,
        "b.tar": tarOf([{ name: "b.txt", content: john }]),
        "c.txt.gz": gzipSync(jane),
        "cut.zip": zip.subarray(0, 60),
        "cut.gz": gzipSync(jane).subarray(0, 30),
        "cut.tar": tarOf([{ name: "b.txt", content: john }]).subarray(0, 530),
        "encrypted.zip": encrypted,
        "wrong.zip": damaged(zip, 40),
      }),
    );
    expect(read.texts).toEqual({ "a.zip/a.txt": jane, "b.tar/b.txt": john, "c.txt.gz": jane });
    expect(read.leftOut).toMatchObject({
      "cut.zip": "a .zip archive that cannot be read: it is cut short or one of several parts",
      "cut.gz": "damaged or cut short (gzip data)",
      "cut.tar": "cut short (tar archive)",
      "encrypted.zip": expect.stringContaining("an encrypted .zip archive"),
      "wrong.zip/a.txt": expect.stringContaining("a file in it is damaged"),
    });
    expect(read.bytesRead).toBe(read.bytesTotal);
  });

  test("with a file found damaged after part of it was handed out is refused with the file's name", async () => {
    const long = Array.from({ length: 60_000 }, (_, index) => `user${index}@example.com:pw\n`).join("");
    const packed = gzipSync(long);
    const cases = {
      "tom.elm@example.com.gz": packed.subarray(0, packed.length - 100),
      "late.tar": tarOf([
        { name: "b.txt", content: john },
        { name: "c.txt", content: long },
      ]).subarray(0, 600_000),
    };
    for (const [name, bytes] of Object.entries(cases)) {
      const failure = readInput(folderOf({ "a.txt": jane, [name]: bytes }));
      await expect(failure).rejects.toMatchObject({ kind: "refused" });
      await expect(failure).rejects.toThrow(name.replace("tom.elm", "…"));
    }
  });

  test("without a text lists the files left out and why", async () => {
    await expect(
      readInput(
        folderOf({ "a.png": Buffer.from("89504e470d0a1a0a", "hex"), "b.7z": Buffer.from("377abcaf271c", "hex") }),
      ),
    ).rejects.toThrow(
      "it holds no file with text: a.png is binary; import wants text; b.7z is a .7z archive: 7z x -so FILE | xpose corpus import - --name NAME",
    );
    await expect(readInput(folderOf())).rejects.toThrow("the folder holds no files");
  });

  test("deeper than 64 levels is left out below", async () => {
    const root = folderOf({ "a.txt": jane, [`${"d/".repeat(70)}b.txt`]: jane });
    const read = await readInput(root);
    expect(Object.keys(read.texts)).toEqual(["a.txt"]);
    expect(Object.values(read.leftOut)).toEqual(["a folder more than 64 levels deep"]);
  });

  test("changes its hash with a name, a size or a byte, and its content hash not with names", async () => {
    const first = await readInput(folderOf({ "a.txt": jane, "b.txt": john }));
    const renamed = await readInput(folderOf({ "a.txt": jane, "c.txt": john }));
    const changed = await readInput(folderOf({ "a.txt": jane, "b.txt": john.replace("2", "3") }));
    expect(new Set([first.sha256, renamed.sha256, changed.sha256]).size).toBe(3);
    expect(renamed.contentSha256).toBe(first.contentSha256);
    expect(changed.contentSha256).not.toBe(first.contentSha256);
  });

  test("of more than 10,000 files is read without counting first and without all names in memory", async () => {
    const root = folderOf();
    for (let folder = 0; folder < 101; folder++) {
      mkdirSync(join(root, `${folder}`));
      for (let file = 0; file < 100; file++) writeFileSync(join(root, `${folder}`, `${file}.txt`), jane);
    }
    const input = await openInput({ path: root }, new AbortController().signal);
    expect(input.bytesTotal).toBeNull();
    let count = 0;
    const startedAt = performance.now();
    for await (const { chunks } of input.entries) for await (const _ of chunks) count++;
    expect(count).toBe(10_100);
    // 25 us each, plus other work on the machine.
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(input.bytesRead()).toBe(10_100 * jane.length);
    await input.close();
  }, 60_000);
});

describe("the names of a folder", () => {
  test("all come in byte order, however few are held at once", () => {
    const names = [
      "a",
      "a!",
      "a\u0001",
      "aa",
      "b",
      "-",
      ".x",
      "é",
      "ü",
      ...Array.from({ length: 40 }, (_, index) => `f${index}`),
    ];
    const root = folderOf(Object.fromEntries(names.map((name) => [name, ""])));
    mkdirSync(join(root, "sub"));
    const expected = [...names, "sub"].map((name) => Buffer.from(name).toString("latin1")).sort();
    for (const heldCount of [1, 2, 3, 7, 1000]) {
      const found = [...readFolder(Buffer.from(root), heldCount)];
      expect(found.map(({ name }) => name)).toEqual(expected);
      expect(found.filter(({ kind }) => kind === "folder").map(({ name }) => name)).toEqual(["sub"]);
    }
  });

  test("cannot be read of something that is not a folder", () => {
    expect(() => [...readFolder(Buffer.from(fileOf("a", "")))]).toThrow();
  });
});

test("an import of a folder ends when it is aborted, also between small files", async () => {
  const root = folderOf(
    Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`${index}.png`, "\0\u0001\u0002\u0003\u0004"])),
  );
  const abort = new AbortController();
  const input = await openInput({ path: root }, abort.signal);
  setImmediate(() => abort.abort(new Error("interrupted")));
  const reading = async () => {
    for await (const _ of input.entries);
  };
  await expect(reading()).rejects.toThrow("interrupted");
  await input.close();
});
