import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { archiveEnd, blockSize, paddingOf, parseTarHeader, spaceOf, tarHeader } from "../../src/backup/tar.ts";

const gibibyte = 1024 ** 3;
const modifiedAt = new Date("2026-06-01T12:00:00Z");

test("a header survives writing and reading, up to the largest sizes", () => {
  const member = fc.record({
    name: fc.stringMatching(/^[a-z0-9./-]{1,100}$/),
    size: fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 8 * gibibyte - 1, 8 * gibibyte, Number.MAX_SAFE_INTEGER)),
    modifiedAt: fc.integer({ min: 0, max: 8 ** 10 }).map((seconds) => new Date(seconds * 1000)),
  });
  fc.assert(
    fc.property(member, (one) => {
      expect(parseTarHeader(tarHeader(one))).toEqual(one);
    }),
  );
});

test("a header with any changed bit is refused", () => {
  for (const size of [1234, 9 * gibibyte]) {
    const header = tarHeader({ name: "corpora/one.seg", size, modifiedAt });
    for (let bit = 0; bit < header.length * 8; bit++) {
      const changed = Buffer.from(header);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(parseTarHeader(changed)).toBeNull();
    }
  }
  expect(parseTarHeader(Buffer.alloc(blockSize))).toBeNull();
  expect(parseTarHeader(Buffer.alloc(10))).toBeNull();
});

test("members fill whole blocks", () => {
  expect([0, 1, 511, 512, 513].map(paddingOf)).toEqual([0, 511, 1, 0, 511]);
  expect([0, 1, 512, 513].map(spaceOf)).toEqual([512, 1024, 1024, 1536]);
});

test("the system's tar lists the members, even one over 8 GiB", () => {
  const folder = mkdtempSync(join(tmpdir(), "xpose-tar-"));
  try {
    const path = join(folder, "sparse.tar");
    const members = [
      { name: "manifest.json", size: 3, modifiedAt },
      { name: "corpora/large.seg", size: 9 * gibibyte + 1, modifiedAt },
      { name: "corpora/small.seg", size: 600, modifiedAt },
    ];
    const file = openSync(path, "w");
    let at = 0;
    for (const member of members) {
      writeSync(file, tarHeader(member), 0, blockSize, at);
      at += spaceOf(member.size);
    }
    ftruncateSync(file, at + archiveEnd.length);
    closeSync(file);
    const expected = members.map(({ name, size }) => `${size} ${name}`);
    const { stdout } = Bun.spawnSync(["tar", "-tvf", path], { env: { TZ: "UTC", PATH: "/usr/bin:/bin" } });
    const lines = stdout.toString().trimEnd().split("\n");
    expect(lines.map((line) => line.split(/\s+/)).map(([mode, , size, , , name]) => `${mode} ${size} ${name}`)).toEqual(
      expected.map((line) => `-rw------- ${line}`),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
