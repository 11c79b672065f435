import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { openInput } from "../../../src/corpus/input/open-input.ts";
import { fileOf, folderOf, hasProgram, piped, readInput, sha256Of } from "../../helpers/input-reader.ts";

const [first, second] = ["jane.doe@example.com:pw1\n", "john.roe@example.org:pw2\n"];
const long = Array.from({ length: 60_000 }, (_, index) => `user${index}@example.com:pw${index * 7919}\n`).join("");

/** The output of xz for `first`, for machines without xz. */
const firstInXz = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAYamFuZS5kb2VAZXhhbXBsZS5jb206cHcxCgAAAABQCu4NxGtkCQABMRlZGrCCH7bzfQEAAAAABFla",
  "base64",
);
/** The zstd command adds a checksum by default, the runtime only on request. */
const withChecksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

const packings = [
  { ending: "gz", pack: (text: string | Buffer) => gzipSync(text), isMade: true },
  { ending: "zst", pack: (text: string | Buffer) => zstdCompressSync(text, withChecksum), isMade: true },
  {
    ending: "xz",
    pack: (text: string | Buffer) => execFileSync("xz", ["-c", "-0"], { input: text, maxBuffer: 1 << 30 }),
    isMade: hasProgram("xz"),
  },
].filter(({ isMade }) => isMade);

describe.each(packings)("a .$ending file", ({ ending, pack }) => {
  test("is read under its inner name, with the hash of its text, from a file and a pipe", async () => {
    const file = await readInput(fileOf(`leak.csv.${ending.toUpperCase()}`, pack(long)));
    expect(file.entries).toMatchObject([{ name: null, innerName: "leak.csv", isWhole: false }]);
    expect(file.entries[0]?.text === long).toBe(true);
    expect(file.contentSha256).toBe(sha256Of(long));
    expect(file.sha256).toBe(sha256Of(pack(long)));
    expect(file.bytesRead).toBe(file.bytesTotal);
    const pipe = await readInput(piped(pack(long), 10_000));
    expect(pipe).toMatchObject({ fileName: "-", bytesTotal: null, contentSha256: sha256Of(long), sha256: file.sha256 });
    expect(pipe.entries[0]).toMatchObject({ name: null, innerName: null });
  });

  test("of several members is read to its end, and every truncation except between members is refused", async () => {
    const [start, end] = [pack(first), pack(second)];
    const whole = Buffer.concat([start, end]);
    expect((await readInput(fileOf("a", whole))).texts).toEqual({ "": first + second });
    for (let length = 1; length < whole.length; length++) {
      const cut = readInput(fileOf(`a.${ending}`, whole.subarray(0, length)));
      if (length === start.length) expect((await cut).texts).toEqual({ "": first });
      else await expect(cut, `cut at ${length}`).rejects.toMatchObject({ kind: "refused" });
    }
  });

  test("that is truncated far from its beginning is refused while reading", async () => {
    const packed = pack(long);
    const cut = readInput(fileOf(`a.${ending}`, packed.subarray(0, packed.length - 1000)));
    await expect(cut).rejects.toThrow("damaged or cut short");
  });

  test("with a flipped bit is refused", async () => {
    const packed = pack(long);
    for (const at of [packed.length - 6, packed.length >> 1]) {
      const damaged = Buffer.from(packed);
      damaged.writeUInt8((damaged[at] ?? 0) ^ 4, at);
      await expect(readInput(fileOf(`a.${ending}`, damaged))).rejects.toMatchObject({ kind: "refused" });
    }
  });

  test("with trailing garbage is refused", async () => {
    const bytes = Buffer.concat([pack(first), Buffer.from("rubbish!")]);
    await expect(readInput(fileOf("a", bytes))).rejects.toThrow("damaged or cut short");
  });

  test("packed twice is read, packed too often is refused", async () => {
    if (ending === "xz") {
      await expect(readInput(fileOf("a", timesOver(pack, first, 2)))).rejects.toThrow("xz data within xz data");
      return;
    }
    expect((await readInput(fileOf("a", timesOver(pack, first, 3)))).texts).toEqual({ "": first });
    await expect(readInput(fileOf("a", timesOver(pack, first, 4)))).rejects.toThrow("more than 3 times over");
  });
});

function timesOver(pack: (bytes: Buffer) => Uint8Array, text: string, times: number): Buffer {
  let bytes = Buffer.from(text);
  for (let time = 0; time < times; time++) bytes = Buffer.from(pack(bytes));
  return bytes;
}

describe("zeros after packed data", () => {
  test("are padding, in any number of pieces", async () => {
    const bytes = Buffer.concat([gzipSync(first), Buffer.alloc(700_000)]);
    expect((await readInput(fileOf("a.gz", bytes))).texts).toEqual({ "": first });
    expect((await readInput(piped(bytes, 10_000))).texts).toEqual({ "": first });
  });

  test("do not hide a member that follows them", async () => {
    const bytes = Buffer.concat([gzipSync(first), Buffer.alloc(600), gzipSync(second), Buffer.alloc(3)]);
    for (const source of [fileOf("a.gz", bytes), piped(bytes), piped(bytes, 300)]) {
      expect((await readInput(source)).texts).toEqual({ "": first + second });
    }
  });

  test("do not hide garbage", async () => {
    const bytes = Buffer.concat([gzipSync(first), Buffer.alloc(600), Buffer.from("rubbish")]);
    await expect(readInput(fileOf("a.gz", bytes))).rejects.toThrow("damaged or cut short");
  });
});

describe("xz data", () => {
  test("is read", async () => {
    expect((await readInput(fileOf("a", firstInXz))).texts).toEqual({ "": first });
  });

  test.runIf(hasProgram("xz")).each([
    { what: "a dictionary of 1 GiB", options: ["--lzma2=dict=1GiB"] },
    { what: "a checksum by SHA-256", options: ["--check=sha256"] },
    { what: "a filter for programs", options: ["--x86", "--lzma2"] },
  ])("with $what is refused with the command to use", async ({ options }) => {
    const bytes = execFileSync("xz", ["-c", ...options], { input: first });
    await expect(readInput(fileOf("a.xz", bytes))).rejects.toThrow("of an unsupported kind: xz -dc FILE |");
  });
});

test.runIf(hasProgram("xz"))(
  "several .xz files are read one after the other, also where one of them is not",
  async () => {
    const packed = execFileSync("xz", ["-c", "-0"], { input: long, maxBuffer: 1 << 30 });
    const root = folderOf({ "a.xz": packed, "b.xz": packed, "c.xz": packed.subarray(0, 5000), "d.xz": packed });
    const input = await openInput({ path: root }, new AbortController().signal);
    const names: (string | null)[] = [];
    for await (const { name, chunks } of input.entries) {
      names.push(name);
      if (name !== "b.xz") for await (const _ of chunks);
      if (name === "b.xz") for await (const _ of chunks) break;
    }
    await input.close();
    expect(names).toEqual(["a.xz", "b.xz", "d.xz"]);
    await (await openInput({ path: join(root, "a.xz") }, new AbortController().signal)).close();
    expect((await readInput(join(root, "d.xz"))).contentSha256).toBe(sha256Of(long));
  },
);

describe("zstd data", () => {
  test.runIf(hasProgram("zstd"))(
    "with a window of 2 GiB is refused with the command to use; with 128 MiB it is read",
    async () => {
      const pack = (long: string) =>
        execFileSync("zstd", ["-q", "-c", `--long=${long}`], { input: first.repeat(10_000) });
      await expect(readInput(fileOf("a.zst", pack("31")))).rejects.toThrow(
        "a window of 2048 MiB, which takes that much memory: zstd -d --long=31 -c FILE | xpose corpus import - --name NAME",
      );
      const skipped = Buffer.concat([Buffer.from("502a4d180400000061626364", "hex"), pack("31")]);
      await expect(readInput(fileOf("a.zst", skipped))).rejects.toThrow("a window of 2048 MiB");
      expect((await readInput(fileOf("a.zst", pack("27")))).entries[0]?.text).toBe(first.repeat(10_000));
    },
  );

  test("with a single larger segment is refused", async () => {
    // Frame header with a content size of 8 bytes, a single segment, and 256 MiB.
    const header = Buffer.from("28b52ffde00000001000000000", "hex");
    await expect(readInput(fileOf("a.zst", Buffer.concat([header, Buffer.alloc(20, 1)])))).rejects.toThrow(
      "a window of 256 MiB",
    );
  });
});

test("data that unpacks to more than 2,000 times its size is refused, in bounded memory", async () => {
  const block = zstdCompressSync(Buffer.alloc(64 << 20, `${"x".repeat(1023)}\n`));
  const bomb = Buffer.concat(Array(20).fill(block));
  const input = await openInput({ path: fileOf("a.zst", zstdCompressSync(bomb)) }, new AbortController().signal);
  const before = process.memoryUsage().rss;
  const reading = async () => {
    for await (const { chunks } of input.entries) for await (const _ of chunks);
  };
  await expect(reading()).rejects.toThrow("unpacked to more than 2000 times its size");
  expect(process.memoryUsage().rss - before).toBeLessThan(150 << 20);
  await input.close();
}, 60_000);
