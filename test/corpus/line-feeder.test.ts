import { expect, test } from "vitest";
import type { Lane } from "../../src/corpus/lane.ts";
import { LineFeeder } from "../../src/corpus/line-feeder.ts";

/** A lane that keeps the lines, and answers late, so that blocks wait. */
function keepingLane() {
  const lines: string[] = [];
  const counts = { tooLong: 0, waiting: 0, mostWaiting: 0 };
  const lane = {
    async addLines(bytes: Buffer<ArrayBuffer>, size: number) {
      counts.mostWaiting = Math.max(counts.mostWaiting, ++counts.waiting);
      const text = bytes.toString("utf8", 0, size);
      expect(text).toMatch(/[\r\n]$/);
      await new Promise((resolve) => setImmediate(resolve));
      lines.push(...text.split(/\r\n|\r|\n/).filter((line) => line !== ""));
      counts.waiting--;
      return bytes;
    },
    async addTooLong() {
      counts.tooLong++;
    },
  };
  return { lines, counts, lane: lane as unknown as Lane };
}

async function feed(text: string, pieceSize: number) {
  const lanes = [keepingLane(), keepingLane()];
  const feeder = new LineFeeder(lanes.map(({ lane }) => lane));
  const bytes = Buffer.from(text);
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceSize) yield bytes.subarray(at, at + pieceSize);
  }
  await feeder.feed(pieces(), 0);
  await feeder.settle();
  return {
    lines: lanes.flatMap(({ lines }) => lines).sort(),
    tooLong: lanes.reduce((sum, { counts }) => sum + counts.tooLong, 0),
    mostWaiting: Math.max(...lanes.map(({ counts }) => counts.mostWaiting)),
  };
}

test.each(["\n", "\r\n", "\r"])("lines that end with %j come whole, each once, whatever the pieces", async (ending) => {
  const lines = Array.from({ length: 120_000 }, (_, index) => `u${index}@example.com:${"x".repeat(index % 40)}`);
  for (const pieceSize of [1000, 65_537, 5 << 20]) {
    const fed = await feed(lines.join(ending), pieceSize);
    expect(fed.lines).toEqual([...lines].sort());
    expect(fed.tooLong).toBe(0);
    expect(fed.mostWaiting).toBeLessThanOrEqual(2);
  }
});

test("a line over a megabyte is counted once and not held, and the lines around it are read", async () => {
  const fed = await feed(`first\n${"x".repeat(3 << 20)}\nmiddle\r\n${"y".repeat(2 << 20)}`, 70_000);
  expect(fed).toMatchObject({ lines: ["first", "middle"], tooLong: 2 });
});

test("what a lane throws ends the feeding", async () => {
  const lane = { addLines: () => Promise.reject(new Error("the disk is full")) } as unknown as Lane;
  const feeder = new LineFeeder([lane]);
  async function* endless() {
    for (;;) yield Buffer.from("line\n".repeat(100_000));
  }
  await expect(feeder.feed(endless(), 0)).rejects.toThrow("the disk is full");
});
