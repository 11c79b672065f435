import { expect, test } from "vitest";
import type { Plan } from "../../../src/corpus/formats/format.ts";
import { cutAtLineEnd } from "../../../src/corpus/formats/line-format.ts";
import { type Block, blockSize } from "../../../src/corpus/import/block.ts";
import { BlockFeeder } from "../../../src/corpus/import/block-feeder.ts";
import type { Lane } from "../../../src/corpus/import/lane.ts";

const plan: Plan = { format: "list", columns: [] };

/** A lane that records the pieces of each text and answers late, so that blocks queue up. */
function keepingLane() {
  const pieces: { entry: number; number: number; text: string; isFirst: boolean; isLast: boolean; isRest: boolean }[] =
    [];
  const counts = { waiting: 0, mostWaiting: 0 };
  const lane: Pick<Lane, "addBlock"> = {
    async addBlock(bytes: Buffer<ArrayBuffer>, block: Block) {
      counts.mostWaiting = Math.max(counts.mostWaiting, ++counts.waiting);
      for (const { start, end, ...piece } of block.pieces) {
        expect(bytes[end], "the byte behind a piece").toBe(0x0a);
        pieces.push({ ...piece, number: block.number, text: bytes.toString("latin1", start, end) });
      }
      await new Promise((resolve) => setImmediate(resolve));
      counts.waiting--;
      return bytes;
    },
  };
  return { pieces, counts, lane: lane as Lane };
}

async function feed(texts: readonly string[], pieceSize: number, cut: typeof cutAtLineEnd | null = cutAtLineEnd) {
  const lanes = [keepingLane(), keepingLane()];
  const feeder = new BlockFeeder(lanes.map(({ lane }) => lane));
  async function* pieces(text: string) {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += pieceSize) yield bytes.subarray(at, at + pieceSize);
  }
  for (const [entry, text] of texts.entries()) await feeder.feed({ chunks: pieces(text), entry, plan, cut });
  await feeder.settle();
  const all = lanes.flatMap(({ pieces: kept }) => kept).sort((a, b) => a.number - b.number);
  const textOf = (entry: number) => all.filter((piece) => piece.entry === entry);
  return { lanes, all, textOf, mostWaiting: Math.max(...lanes.map(({ counts }) => counts.mostWaiting)) };
}

const lines = Array.from({ length: 120_000 }, (_, index) => `u${index}@example.com:${"x".repeat(index % 40)}`);

test.each(["\n", "\r\n", "\r"])("lines that end with %j arrive whole and once, for any pieces", async (ending) => {
  for (const pieceSize of [1000, 65_537, 5 << 20]) {
    const { all, mostWaiting } = await feed([lines.join(ending)], pieceSize);
    expect(all.flatMap(({ text }) => text.split(/\r\n|\r|\n/).filter((line) => line !== ""))).toEqual(lines);
    expect(all.slice(0, -1).every(({ text }) => /[\r\n]$/.test(text))).toBe(true);
    expect(mostWaiting).toBeLessThanOrEqual(2);
  }
});

test("a text begins and ends once, and several texts share a block", async () => {
  const texts = ["a\nb", "c", lines.join("\n"), "d\n", "e"];
  const { all, textOf } = await feed(texts, 70_000);
  for (const [entry, text] of texts.entries()) {
    const pieces = textOf(entry);
    expect(pieces.map((piece) => piece.text).join("")).toBe(text);
    expect(pieces.map(({ isFirst }) => isFirst)).toEqual(pieces.map((_, index) => index === 0));
    expect(pieces.map(({ isLast }) => isLast)).toEqual(pieces.map((_, index) => index === pieces.length - 1));
  }
  expect(new Set(all.filter(({ entry }) => entry < 2).map(({ number }) => number)).size).toBe(1);
});

test("a line longer than a block arrives in marked parts, and the lines around it arrive whole", async () => {
  const long = "x".repeat(3 << 20);
  const { all } = await feed([`first\n${long}\nlast`], 70_000);
  expect(all.map(({ text }) => text).join("")).toBe(`first\n${long}\nlast`);
  const rest = all.filter(({ isRest }) => isRest);
  expect(rest.length).toBeGreaterThan(1);
  expect(all.filter(({ text }) => text.includes("first"))).toMatchObject([{ isRest: false }]);
  expect(rest.at(-1)?.text).toMatch(/^x*\nlast$/);
});

test("a text that cannot be cut is read in order by one lane, even if its last piece is empty", async () => {
  const exact = "y".repeat(blockSize - 1);
  const { lanes, textOf } = await feed(["a", exact + exact, lines.join("\n"), exact], 70_000, null);
  for (const entry of [1, 2, 3]) {
    const used = lanes.filter(({ pieces }) => pieces.some((piece) => piece.entry === entry));
    expect(used).toHaveLength(1);
    expect(textOf(entry).at(-1)?.isLast).toBe(true);
    expect(textOf(entry).filter(({ isLast }) => isLast)).toHaveLength(1);
  }
  expect(
    textOf(1)
      .map(({ text }) => text)
      .join(""),
  ).toBe(exact + exact);
});

test("an error of a lane ends the feeding", async () => {
  const lane = { addBlock: () => Promise.reject(new Error("the disk is full")) } as unknown as Lane;
  const feeder = new BlockFeeder([lane]);
  async function* endless() {
    for (;;) yield Buffer.from("line\n".repeat(100_000));
  }
  await expect(feeder.feed({ chunks: endless(), entry: 0, plan, cut: cutAtLineEnd })).rejects.toThrow(
    "the disk is full",
  );
});
