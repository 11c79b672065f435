import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openLibrary } from "../../src/corpus/library.ts";
import { verifyCorpora } from "../../src/corpus/verify.ts";
import { SourceError } from "../../src/domain/error.ts";
import { deriveKeys } from "../../src/domain/keyed-hash.ts";
import { keys, openDesk } from "../helpers/corpus-desk.ts";

const jane = "jane.doe@example.com";
const indicator = { type: "email", value: jane } as const;

test("a segment that is missing, damaged or of another secret fails the source and never gives an empty answer", async () => {
  const desk = openDesk();
  await desk.importText(`email\n${jane}\n`);
  const [file] = readdirSync(desk.corporaDir);
  const path = join(desk.corporaDir, file ?? "");
  const bytes = readFileSync(path);

  const foreign = openLibrary(desk.corporaDir, { keys: deriveKeys(Buffer.alloc(32, 9)), store: desk.store });
  const corpus = desk.corpora.get("shop") ?? { name: "shop", imports: [], segments: [] };
  await expect(foreign.lookup(corpus, indicator, desk.context.signal)).rejects.toMatchObject({
    reason: "internal",
    message: expect.stringContaining("another server secret"),
  });
  await foreign.close();

  rmSync(path);
  await expect(desk.lookup(jane)).rejects.toThrow(SourceError);
  writeFileSync(path, bytes.subarray(0, 5000));
  await expect(desk.lookup(jane)).rejects.toMatchObject({ reason: "internal" });
  const damaged = Buffer.from(bytes);
  damaged.writeUInt8(0xff, 4096 + 20);
  writeFileSync(path, damaged);
  await expect(desk.lookup(jane)).rejects.toMatchObject({
    message: expect.stringContaining("bad checksum in page 0"),
  });
});

test("a segment that was restored is read without a restart", async () => {
  const desk = openDesk();
  await desk.importText(`email\n${jane}\n`);
  const path = join(desk.corporaDir, readdirSync(desk.corporaDir)[0] ?? "");
  const bytes = readFileSync(path);
  rmSync(path);
  await expect(desk.lookup(jane)).rejects.toThrow(SourceError);
  writeFileSync(path, bytes);
  expect(await desk.lookup(jane)).toHaveLength(1);
});

test("an unlisted segment is closed after the look-ups that use it", async () => {
  const desk = openDesk();
  await desk.importText(Array.from({ length: 5000 }, (_, index) => `https://s${index}.example/:${jane}:x`).join("\n"));
  const openFiles = () =>
    readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return readFileSync(`/proc/self/fdinfo/${fd}`) && linkOf(fd).startsWith(desk.corporaDir);
      } catch {
        return false;
      }
    });
  await desk.lookup(jane);
  expect(openFiles()).toHaveLength(1);
  const running = desk.lookup(jane);
  desk.library.closeUnlisted([]);
  const found = await running;
  expect(found).toHaveLength(1000);
  await desk.library.close();
  expect(openFiles()).toEqual([]);
});

function linkOf(fd: string): string {
  return readlinkSync(`/proc/self/fd/${fd}`);
}

test("the first 1000 findings are returned, and the rest is counted", async () => {
  const desk = openDesk();
  const count = 2345;
  const sites = Array.from({ length: count }, (_, index) => `s${index}.example`);
  await desk.importText(sites.map((site) => `https://${site}/:${jane}:x`).join("\n"));
  const found = await desk.lookup(jane);
  expect(found.map(({ title }) => title)).toEqual(
    sites
      .map((site) => `Credentials for ${site} in shop`)
      .sort()
      .slice(0, 1000),
  );
  expect(found[0]?.details).toContainEqual({ omitted_findings: count - 1000 });
});

test("an address with too many records has the number of omitted ones", async () => {
  const desk = openDesk();
  const lines = Array.from({ length: 21_000 }, (_, index) => `https://s${index}.example/:${jane}:x`);
  await desk.importText(lines.join("\n"));
  const found = await desk.lookup(jane);
  expect(found).toHaveLength(1000);
  expect(found[0]?.details).toContainEqual({ omitted_records: 1000 });
});

test("a corpus is not crowded out by others whose records share a merged segment with its own", async () => {
  const desk = openDesk();
  const names = Array.from({ length: 16 }, (_, index) => `leak-${index}`);
  const lines = Array.from({ length: 1_500 }, (_, index) => `https://s${index}.example/:${jane}:x`).join("\n");
  for (const name of names) await desk.importText(`${lines}\nhttps://${name}.example/:${jane}:x`, { name });
  while ((await desk.merge()) > 0);
  const files = new Set([...desk.corpora.values()].flatMap(({ segments }) => segments.map(({ file }) => file)));
  expect(files.size).toBeLessThan(names.length / 2);
  for (const name of names) expect(await desk.lookup(jane, name)).toHaveLength(1000);
});

test("a look-up that is aborted ends with the reason of the abort", async () => {
  const desk = openDesk();
  await desk.importText(`email\n${jane}\n`);
  const corpus = desk.corpora.get("shop") ?? { name: "shop", imports: [], segments: [] };
  const signal = AbortSignal.abort(new Error("time is up"));
  await expect(desk.library.lookup(corpus, indicator, signal)).rejects.toThrow("time is up");
});

test("concurrent look-ups give the same result as one", async () => {
  const desk = openDesk();
  const addresses = Array.from({ length: 3000 }, (_, index) => `u${index}@example.com`);
  for (const name of ["a.csv", "b.csv", "c.csv"]) {
    await desk.importText(
      `email,severity,title\n${addresses.map((address, index) => `${address},low,${name} ${index}`).join("\n")}`,
      {},
      name,
    );
  }
  const found = await Promise.all(addresses.map((address) => desk.lookup(address)));
  for (const [index, findings] of found.entries()) {
    expect(findings.map(({ title }) => title)).toEqual([`a.csv ${index}`, `b.csv ${index}`, `c.csv ${index}`]);
  }
});

test("a new library on the same folder finds what was imported before", async () => {
  const desk = openDesk();
  await desk.importText(`email\n${jane}\n`);
  const library = openLibrary(desk.corporaDir, { keys, store: desk.store });
  const corpus = desk.corpora.get("shop") ?? { name: "shop", imports: [], segments: [] };
  expect(await library.lookup(corpus, indicator, desk.context.signal)).toHaveLength(1);
  await library.close();
});

test("verify reads every record of every segment and names the fault", async () => {
  const desk = openDesk();
  const text = (prefix: string) =>
    Array.from({ length: 2000 }, (_, index) => `${prefix}${index}@example.com:x`).join("\n");
  for (const name of ["ok", "damaged", "gone", "foreign"]) await desk.importText(text(name), { name }, `${name}.txt`);
  const segmentOf = (name: string) => desk.corpora.get(name)?.segments[0]?.file ?? "";
  const pathOf = (name: string) => join(desk.corporaDir, segmentOf(name));

  const counts: number[] = [];
  const clean = await verifyCorpora([...desk.corpora.values()], desk.corporaDir, keys, (count) => counts.push(count));
  expect(new Map(clean.map(({ corpora, fault }) => [corpora.join(), fault]))).toEqual(
    new Map(["ok", "damaged", "gone", "foreign"].map((name) => [name, null])),
  );
  expect(counts.at(-1)).toBe(8000);

  const damaged = readFileSync(pathOf("damaged"));
  damaged.writeUInt8((damaged[3 * 4096 + 99] ?? 0) ^ 1, 3 * 4096 + 99);
  writeFileSync(pathOf("damaged"), damaged);
  rmSync(pathOf("gone"));
  writeFileSync(pathOf("foreign"), readFileSync(pathOf("ok")));
  const checks = await verifyCorpora([...desk.corpora.values()], desk.corporaDir, keys);
  const faults = new Map(checks.map(({ corpora, fault }) => [corpora.join(), fault]));
  expect(faults.get("ok")).toBeNull();
  expect(faults.get("damaged")).toBe("bad checksum in page 2");
  expect(faults.get("gone")).toBe("the file is missing");
  expect(checks).toContainEqual({ file: segmentOf("ok"), corpora: ["ok"], recordCount: 2000, fault: null });
  for (const name of ["damaged", "gone"]) await desk.remove(name);
  const rest = await verifyCorpora([...desk.corpora.values()], desk.corporaDir, keys);
  expect(rest.find(({ corpora }) => corpora.includes("foreign"))?.fault).toBe("it has no records of foreign");
});
