import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SourceError } from "../../src/domain/error.ts";
import type { Finding } from "../../src/domain/finding.ts";
import type { Indicator } from "../../src/domain/indicator.ts";
import { openDesk } from "../helpers/corpus-desk.ts";

type Desk = ReturnType<typeof openDesk>;

function indicatorOf(value: string): Indicator {
  return { type: "email", value };
}

/** The answer about each address, in the order of the addresses. */
async function lookUpMany(desk: Desk, addresses: readonly string[], name = "shop"): Promise<(readonly Finding[])[]> {
  const corpus = desk.corpora.get(name) ?? { name, imports: [], segments: [] };
  const found: (readonly Finding[])[] = addresses.map(() => []);
  for await (const piece of desk.library.lookUpMany(corpus, addresses.map(indicatorOf), desk.context.signal)) {
    for (const { at, result } of piece) {
      if (result instanceof SourceError) throw result;
      found[at] = result;
    }
  }
  return found;
}

const anyRecord = fc.record({
  person: fc.integer({ min: 0, max: 40 }),
  title: fc.constantFrom("", "One", "Two", "Three"),
  severity: fc.constantFrom("high", "medium", "low"),
});

test("any list in any order gets what single look-ups give, before and after a merge and a removal", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(anyRecord, { maxLength: 60 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 80 }),
      async (files, asked) => {
        const desk = openDesk();
        const addressOf = (person: number) => `p${person}@example.com`;
        for (const [index, records] of files.entries()) {
          const rows = records.map(({ person, title, severity }) => `${addressOf(person)},${severity},${title}`);
          const text = ["email,severity,title", "filler@example.org,low,F", ...rows].join("\n");
          await desk.importText(text, { name: index % 2 === 0 ? "shop" : "other" }, `file${index}.csv`);
        }
        const addresses = asked.map(addressOf);
        const compare = async () => {
          for (const name of ["shop", "other"]) {
            const single = await Promise.all(addresses.map((address) => desk.lookup(address, name)));
            expect(await lookUpMany(desk, addresses, name)).toEqual(single);
          }
        };
        await compare();
        await desk.merge();
        await compare();
        await desk.forget(addressOf(3));
        await compare();
        await desk.remove("other");
        await compare();
        await desk.library.close();
      },
    ),
    { numRuns: 25 },
  );
});

test("more addresses than one pass sorts, each with its own record, are all answered", async () => {
  const desk = openDesk();
  const count = 70_000;
  const present = Array.from({ length: count }, (_, index) => `u${index}@example.com`);
  await desk.importText(
    `email,severity,title\n${present.map((address, index) => `${address},low,Title ${index}`).join("\n")}`,
  );
  const asked = present.flatMap((address) => [address, `absent-${address}`]);
  const found = await lookUpMany(desk, asked);
  const wrong = found.filter((findings, at) => {
    const titles = findings.map(({ title }) => title).join();
    return titles !== (at % 2 === 0 ? `Title ${at / 2}` : "");
  });
  expect(wrong).toHaveLength(0);
});

test("an address with very many records gets the same answer as by itself", async () => {
  const desk = openDesk();
  const lines = Array.from({ length: 21_000 }, (_, index) => `https://s${index}.example/:heavy@example.com:x`);
  await desk.importText([...lines, "https://one.example/:light@example.com:x"].join("\n"));
  const addresses = ["light@example.com", "heavy@example.com", "absent@example.com"];
  expect(await lookUpMany(desk, addresses)).toEqual(await Promise.all(addresses.map((one) => desk.lookup(one))));
});

test("a damaged page fails the addresses that it holds, and no others", async () => {
  const desk = openDesk();
  const addresses = Array.from({ length: 5000 }, (_, index) => `u${index}@example.com`);
  await desk.importText(addresses.join("\n"));
  const path = join(desk.corporaDir, readdirSync(desk.corporaDir)[0] ?? "");
  const damaged = readFileSync(path);
  damaged.writeUInt8((damaged[3 * 4096 + 99] ?? 0) ^ 1, 3 * 4096 + 99);
  writeFileSync(path, damaged);
  const corpus = desk.corpora.get("shop") ?? { name: "shop", imports: [], segments: [] };
  const known = [];
  const many = desk.library.lookUpMany(corpus, addresses.map(indicatorOf), desk.context.signal);
  for await (const piece of many) known.push(...piece);
  const failed = known.filter(({ result }) => result instanceof SourceError);
  expect(failed.length).toBeGreaterThan(100);
  expect(failed.length).toBeLessThan(2000);
  expect(known).toHaveLength(addresses.length);
  for (const { at, result } of failed.slice(0, 3)) {
    await expect(desk.lookup(addresses[at] ?? "")).rejects.toThrow((result as SourceError).message);
  }
});

test("a segment that was merged away after the listing is no error", async () => {
  const desk = openDesk();
  for (const name of ["a", "b", "c", "d"]) await desk.importText(`email\n${name}@example.com\n`, {}, `${name}.csv`);
  const before = desk.corpora.get("shop");
  if (before === undefined) throw new Error("no corpus");
  expect(await desk.merge()).toBeGreaterThan(1);
  desk.library.closeUnlisted([...desk.corpora.values()]);
  const many = desk.library.lookUpMany(before, [indicatorOf("b@example.com")], desk.context.signal);
  expect(await Array.fromAsync(many)).toMatchObject([[{ at: 0, result: [{ category: "breach" }] }]]);
});

test("a pass that is aborted ends with the reason of the abort", async () => {
  const desk = openDesk();
  await desk.importText("email\njane.doe@example.com\n");
  const corpus = desk.corpora.get("shop") ?? { name: "shop", imports: [], segments: [] };
  const signal = AbortSignal.abort(new Error("time is up"));
  const many = desk.library.lookUpMany(corpus, [indicatorOf("jane.doe@example.com")], signal);
  await expect(Array.fromAsync(many)).rejects.toThrow("time is up");
});

test("the event loop is given away every few milliseconds", async () => {
  const desk = openDesk();
  const addresses = Array.from({ length: 60_000 }, (_, index) => `u${index}@example.com`);
  await desk.importText(
    `email,severity,title\n${addresses.map((address, index) => `${address},low,T${index % 50}`).join("\n")}`,
  );
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await lookUpMany(desk, addresses);
  isOver = true;
  // At the least between every two pieces of 1024.
  expect(turns).toBeGreaterThan(30);
});
