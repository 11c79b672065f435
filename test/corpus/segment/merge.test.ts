import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseMerge, maxLiveSegments } from "../../../src/corpus/choose-merge.ts";
import { liveSegments } from "../../../src/corpus/merge-corpora.ts";
import { removeOrphans } from "../../../src/corpus/remove-orphans.ts";
import { mergeSegments } from "../../../src/corpus/segment/merge.ts";
import { verifyCorpora } from "../../../src/corpus/verify.ts";
import { keys, openDesk } from "../../helpers/corpus-desk.ts";

const jane = "jane.doe@example.com";

test("merging changes no answer, for any imports, removals and forgotten addresses before and between", async () => {
  const addresses = Array.from({ length: 12 }, (_, index) => `u${index}@example.com`);
  const anyAddress = fc.constantFrom(...addresses);
  const anyStep = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("import" as const),
        name: fc.constantFrom("a", "b", "c"),
        lines: fc.array(fc.tuple(anyAddress, fc.constantFrom("s1.example", "s2.example", "s3.example", "")), {
          minLength: 1,
          maxLength: 12,
        }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), name: fc.constantFrom("a", "b", "c") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget" as const), address: anyAddress }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("merge" as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 25 }), async (steps) => {
      const desk = openDesk();
      /** Corpus -> address -> titles, as plain maps. */
      const oracle = new Map<string, Map<string, Set<string>>>();
      const forgotten = new Set<string>();
      let fileCount = 0;
      for (const step of steps) {
        if (step.kind === "import") {
          // A comment line makes each file different.
          const text = step.lines.map(([address, site]) => `https://${site || "192.0.2.1"}/:${address}:pw`).join("\n");
          const known = step.lines.some(([address]) => !forgotten.has(address));
          const work = desk.importText(
            `${text}\nno address ${fileCount}\n`,
            { name: step.name, format: "ulp" },
            `f${fileCount++}`,
          );
          if (!known) {
            await expect(work).rejects.toThrow("can be used");
            continue;
          }
          await work;
          const corpus = oracle.get(step.name) ?? new Map<string, Set<string>>();
          oracle.set(step.name, corpus);
          for (const [address, site] of step.lines) {
            const title = site === "" ? `Credentials in ${step.name}` : `Credentials for ${site} in ${step.name}`;
            if (!forgotten.has(address)) corpus.set(address, (corpus.get(address) ?? new Set()).add(title));
          }
        } else if (step.kind === "remove") {
          expect(await desk.remove(step.name)).toBe(oracle.delete(step.name));
        } else if (step.kind === "forget") {
          await desk.forget(step.address);
          forgotten.add(step.address);
          for (const corpus of oracle.values()) corpus.delete(step.address);
        } else {
          await desk.merge();
          desk.library.closeUnlisted([...desk.corpora.values()]);
          await removeOrphans(desk.corporaDir, new Set((await liveSegments(desk.store)).map(({ file }) => file)));
        }
      }
      for (const name of ["a", "b", "c"]) {
        for (const address of addresses) {
          const titles = (await desk.lookup(address, name)).map(({ title }) => title);
          expect(titles).toEqual([...(oracle.get(name)?.get(address) ?? [])].sort());
        }
      }
      const checks = await verifyCorpora(await desk.store.listCorpora(), desk.corporaDir, keys);
      expect(checks.filter(({ fault }) => fault !== null)).toEqual([]);
      await desk.library.close();
    }),
    { numRuns: 40 },
  );
}, 120_000);

async function fill(desk: ReturnType<typeof openDesk>, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await desk.importText(
      `${jane}:x\nu${index}@example.com:x\n`,
      { name: index % 2 === 0 ? "even" : "odd" },
      `f${index}`,
    );
  }
}

test("removed and forgotten records are gone from the bytes after the merge", async () => {
  const desk = openDesk();
  await fill(desk, 4);
  await desk.forget("u1@example.com");
  await desk.remove("even");
  await fill(desk, 0);
  for (const index of [5, 7]) {
    await desk.importText(`u${index}@example.com:x\n`, { name: "odd" }, `f${index}`);
  }
  expect(await desk.merge()).toBe(4);
  const [segment, ...others] = await liveSegments(desk.store);
  expect(others).toEqual([]);
  // jane, u3, u5 and u7 of `odd`; jane stands in two files.
  expect(segment).toMatchObject({ addressCount: 4, recordCount: 5, templateCount: 4 });
});

test("a merge that is aborted, fails or is too late keeps the old segments and leaves no file", async () => {
  const desk = openDesk();
  await fill(desk, 4);
  const before = readdirSync(desk.corporaDir).sort();
  const run = async () => {
    throw new Error("no space");
  };
  await expect(desk.merge("idle", { run })).rejects.toThrow("no space");
  const late = async (job: Parameters<typeof mergeSegments>[0]) => {
    const written = await mergeSegments(job);
    await desk.remove("even");
    return written;
  };
  expect(await desk.merge("idle", { run: late })).toBe(0);
  expect(readdirSync(desk.corporaDir).sort()).toEqual(before);
  expect(await desk.lookup(jane, "odd")).toHaveLength(1);
  const abort = new AbortController();
  const aborting = async (job: Parameters<typeof mergeSegments>[0]) => {
    abort.abort(new Error("the service stops"));
    return mergeSegments(job);
  };
  await fill(desk, 4);
  const filled = readdirSync(desk.corporaDir).sort();
  await expect(desk.merge("idle", { run: aborting, signal: abort.signal })).rejects.toThrow("the service stops");
  expect(readdirSync(desk.corporaDir).sort()).toEqual(filled);
});

test("a damaged segment stops the merge", async () => {
  const desk = openDesk();
  await fill(desk, 4);
  const path = join(desk.corporaDir, (await liveSegments(desk.store))[0]?.file ?? "");
  const bytes = readFileSync(path);
  bytes.writeUInt8((bytes[4096 + 30] ?? 0) ^ 1, 4096 + 30);
  writeFileSync(path, bytes);
  await expect(desk.merge()).rejects.toThrow("bad checksum in page 0");
});

test("a look-up with a listing from before a merge finds the same", async () => {
  const desk = openDesk();
  await fill(desk, 4);
  const listed = desk.corpora.get("even") ?? { name: "even", imports: [], segments: [] };
  await desk.merge();
  await removeOrphans(desk.corporaDir, new Set((await liveSegments(desk.store)).map(({ file }) => file)));
  const found = await desk.library.lookup(listed, { type: "email", value: jane }, desk.context.signal);
  expect(found).toMatchObject([{ title: "Present in even", details: [{ file: "f0" }, { file: "f2" }] }]);
});

describe("which segments are merged", () => {
  const segmentsOf = (sizes: readonly number[]) =>
    sizes.map((mebibytes, index) => ({
      file: `${index}`,
      addressCount: 1,
      recordCount: 1,
      templateCount: 1,
      sizeBytes: mebibytes * 2 ** 20,
    }));
  const chosen = (sizes: readonly number[], urgency: "crowded" | "idle") =>
    chooseMerge(segmentsOf(sizes), urgency)?.map(({ sizeBytes }) => sizeBytes / 2 ** 20) ?? null;

  test("when idle four of similar size, never a large one for a few small ones", () => {
    expect(chosen([1000, 2, 1, 2], "idle")).toBeNull();
    expect(chosen([1000, 2, 1, 2, 3], "idle")).toEqual([1, 2, 2, 3]);
    expect(chosen([1000, 2, 1, 2, 3], "crowded")).toBeNull();
    expect(chosen([0.01, 0.02, 0.5, 0.9, 500], "idle")).toEqual([0.01, 0.02, 0.5, 0.9]);
  });

  test("as many as needed when there are too many", () => {
    expect(chosen([1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7], "crowded")).toBeNull();
    expect(chosen([1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8], "crowded")).toEqual([1, 10]);
    expect(chosen(Array(20).fill(5), "crowded")).toHaveLength(20);
  });

  test("after all needed merges at most eight remain", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { maxLength: 40 }), (sizes) => {
        let live = sizes;
        for (let merged = chosen(live, "crowded"); merged !== null; merged = chosen(live, "crowded")) {
          const rest = [...live];
          for (const size of merged) rest.splice(rest.indexOf(size), 1);
          live = [...rest, merged.reduce((sum, size) => sum + size, 0)];
        }
        expect(live.length).toBeLessThanOrEqual(maxLiveSegments);
      }),
    );
  });
});
