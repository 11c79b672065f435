import { execFileSync } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { CorpusError } from "../../../src/corpus/error.ts";
import { openInput } from "../../../src/corpus/input/open-input.ts";
import { fileOf, folderOf, piped, readInput, sha256Of } from "../../helpers/input-reader.ts";
import { tarOf } from "../../helpers/tar-file.ts";
import { zipOf } from "../../helpers/zip-file.ts";

const jane = "jane.doe@example.com:pw1\n";
const long = Array.from({ length: 60_000 }, (_, index) => `user${index}@example.com:pw\n`).join("");
const never = new AbortController().signal;

describe("the same text has one content hash", () => {
  test.each([
    { what: "short", text: jane },
    { what: "long", text: long },
  ])("plain, packed, in an archive and in a folder, under any name ($what)", async ({ text }) => {
    const sources = [
      fileOf("a.txt", text),
      piped(Buffer.from(text), 10_000),
      fileOf("b.gz", gzipSync(text)),
      fileOf("c.zst", zstdCompressSync(text)),
      fileOf("d.zip", zipOf({ "x.txt": text })),
      fileOf("e.zip", zipOf({ "x.txt": text, "shot.png": Buffer.from("89504e470d0a1a0a", "hex") }, 0)),
      fileOf("f.tgz", gzipSync(tarOf([{ name: "sub/x.txt", content: text }]))),
      fileOf("g.zip", zipOf({ "in.zip": zipOf({ "x.txt.gz": gzipSync(text) }) })),
      piped(zipOf({ "x.txt": text }), 1000),
      folderOf({ "a/b/x.txt": text, "empty.txt": "" }),
    ];
    for (const source of sources) expect((await readInput(source)).contentSha256).toBe(sha256Of(text));
  });

  test("that does not include unread files", async () => {
    const files = { "a.txt": jane, "b.txt": long, "c.txt.gz": gzipSync(long), "d.txt": jane.toUpperCase() };
    for (const path of [
      folderOf(files),
      fileOf("x.zip", zipOf(files)),
      fileOf("x.tar", tarOf(Object.entries(files).map(([name, content]) => ({ name, content })))),
    ]) {
      const input = await openInput({ path }, never);
      for await (const { name, chunks, head } of input.entries) {
        expect(head.length).toBeGreaterThan(0);
        if (name === "b.txt" || name === "c.txt.gz") continue;
        for await (const _ of chunks);
      }
      expect(input.contentSha256()).toBe(sha256Of(jane + jane.toUpperCase()));
      expect(input.bytesRead()).toBe(input.bytesTotal);
      await input.close();
    }
  });
});

describe("a name that contains an address", () => {
  const name = "tom.elm@example.com";
  test("is stored without it for a file, a folder and an entry", async () => {
    expect((await readInput(fileOf(`${name}.txt`, jane))).fileName).toBe("…@example.com.txt");
    const root = folderOf({ [`${name}/${name}.zip`]: zipOf({ [`x/${name}`]: jane }) });
    const read = await readInput(join(root, name));
    expect(read.fileName).toBe("…@example.com");
    expect(Object.keys(read.texts)).toEqual(["…@example.com.zip/x/…@example.com"]);
    expect(read.entries[0]?.innerName).toBe(name);
  });

  test("is never in an error", async () => {
    const png = Buffer.from("89504e470d0a1a0a", "hex");
    const sources = [
      folderOf({ [`${name}.png`]: png }),
      fileOf("x.zip", zipOf({ [`${name}%40.png`]: png })),
      fileOf(`${name}.gz`, gzipSync(long).subarray(0, 90_000)),
      folderOf({ [`${name}.gz`]: gzipSync(long).subarray(0, 90_000) }),
      fileOf("x.tar", tarOf([{ name, content: jane }]).subarray(0, 700)),
    ];
    for (const source of sources) {
      const failure = readInput(source);
      await expect(failure).rejects.toThrow(CorpusError);
      await expect(failure).rejects.not.toThrow("tom.elm");
    }
  });
});

describe("a path", () => {
  test("to a FIFO, a device or a process substitution is refused with the command to use", async () => {
    const fifo = join(folderOf(), "fifo");
    execFileSync("mkfifo", [fifo]);
    for (const path of [fifo, "/dev/zero"]) {
      await expect(openInput({ path }, never)).rejects.toThrow(
        "not a regular file; - reads standard input: COMMAND | xpose corpus import - --name NAME",
      );
    }
  });

  test("to nothing is not found", async () => {
    const file = fileOf("a.txt", jane);
    for (const path of [join(file, "x"), `${file}x`]) {
      await expect(openInput({ path }, never)).rejects.toMatchObject({ kind: "not_found" });
    }
    await expect(openInput({ path: `${file}\ufffd` }, never)).rejects.toThrow("NAME < FILE");
  });

  test("that is a link is followed; a loop is refused", async () => {
    const root = folderOf({ "a/x.txt": jane });
    symlinkSync("a", join(root, "link"));
    symlinkSync("a/x.txt", join(root, "file"));
    symlinkSync("loop", join(root, "loop"));
    expect((await readInput(join(root, "link"))).texts).toEqual({ "x.txt": jane });
    expect((await readInput(join(root, "file"))).texts).toEqual({ "": jane });
    await expect(openInput({ path: join(root, "loop") }, never)).rejects.toMatchObject({ kind: "refused" });
  });

  test("leaves no file open after any end of its import", async () => {
    const openFiles = () =>
      readFileSync("/proc/self/limits").length &&
      execFileSync("ls", [`/proc/${process.pid}/fd`])
        .toString()
        .split("\n").length;
    const files = { "a.txt": long, "b.zip": zipOf({ "c.txt": long, "d.txt": jane }), "e.gz": gzipSync(long) };
    const root = folderOf(files);
    await readInput(root);
    const before = openFiles();
    for (let time = 0; time < 10; time++) {
      await readInput(root);
      const input = await openInput({ path: root }, never);
      for await (const { chunks } of input.entries) for await (const _ of chunks) break;
      await input.close();
      const left = await openInput({ path: join(root, "b.zip") }, never);
      await left.entries[Symbol.asyncIterator]().next();
      await left.close();
      await (await openInput({ path: join(root, "e.gz") }, never)).close();
      await expect(readInput(fileOf("x.zip", files["b.zip"].subarray(0, 1000)))).rejects.toThrow();
    }
    expect(openFiles()).toBeLessThanOrEqual(before + 1);
  });
});

describe("an abort", () => {
  test("ends waiting for a pipe, at its beginning and later", async () => {
    for (const start of [
      "",
      jane.repeat(10_000),
      gzipSync(long).subarray(0, 50_000),
      zipOf({ "a.txt": long }).subarray(0, 50_000),
    ]) {
      const abort = new AbortController();
      async function* stdin() {
        yield Buffer.from(start);
        setTimeout(() => abort.abort(new Error("interrupted")));
        await new Promise(() => undefined);
      }
      await expect(readInput({ stdin: stdin() }, abort.signal)).rejects.toThrow("interrupted");
    }
  });

  test("ends the reading of a file", async () => {
    const abort = new AbortController();
    const input = await openInput({ path: fileOf("a.txt", long.repeat(5)) }, abort.signal);
    const reading = async () => {
      for await (const { chunks } of input.entries) for await (const _ of chunks) abort.abort(new Error("interrupted"));
    };
    await expect(reading()).rejects.toThrow("interrupted");
    await input.close();
  });
});

test("concurrent inputs do not affect each other", async () => {
  const root = folderOf({
    "a.txt": long,
    "b.zip": zipOf({ "c.txt": long }),
    "e.gz": gzipSync(long),
    "f.tar": tarOf([{ name: "x", content: long }]),
  });
  const reads = await Promise.all(Array.from({ length: 6 }, () => readInput(root)));
  for (const { contentSha256 } of reads) expect(contentSha256).toBe(sha256Of(long.repeat(4)));
});
