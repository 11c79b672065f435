import { addressOf, ask, caller } from "./caller.ts";
import type { DataDirectory } from "./data-directory.ts";
import { pace } from "./pace-run.ts";
import { median } from "./percentile.ts";
import type { Rounds } from "./rounds.ts";
import type { StartedServer } from "./started-server.ts";

type Options = {
  readonly data: DataDirectory;
  readonly rounds: Rounds;
  readonly wanted: ReadonlySet<number>;
  readonly roundCount: number;
  readonly seconds: number;
  /** Hits per second of row 4. */
  readonly perSecond: number;
  /** The upstream of the five sources of row 16, and its delay. */
  readonly five: { readonly url: string; readonly delayMs: number };
};

/** Rows 4, 7 and 16: what scans cost, and what they do to hits. */
export async function scanRows(options: Options): Promise<void> {
  const { data, wanted } = options;
  await using xpose = await data.serve();
  if (wanted.has(7)) await missRow(options, xpose);
  if (wanted.has(4)) await besideScans(options, xpose);
  // The last one: it leaves a queue behind.
  if (wanted.has(16)) await throughput(options, xpose);
}

async function missRow({ data, rounds, roundCount }: Options, xpose: StartedServer): Promise<void> {
  const perRound = Math.floor(data.unseenCount / roundCount);
  for (let round = 0; round < roundCount; round++) {
    const milliseconds: number[] = [];
    for (let index = round * perRound; index < (round + 1) * perRound; index++) {
      const startedAt = performance.now();
      await ask(xpose.url, data.keys.default, addressOf("unseen", index), { wait: 10, status: 200 });
      milliseconds.push(performance.now() - startedAt);
    }
    rounds.add(7, median(milliseconds));
  }
}

const runningCount = 100;

async function besideScans(options: Options, xpose: StartedServer): Promise<void> {
  const { data, rounds, roundCount, seconds, perSecond } = options;
  const asked = caller(data.keys.default, "scanned", data.scannedCount);
  let nextAddress = 0;
  for (let round = 0; round < roundCount; round++) {
    const without = await pace(xpose, asked, { perSecond, seconds });
    let isOver = false;
    let scanned = 0;
    // Whenever one ends the next one starts, each about an address that was never asked about.
    const scanning = Array.from({ length: runningCount }, async () => {
      while (!isOver) {
        await ask(xpose.url, data.keys.online, addressOf("slow", nextAddress++), { wait: 50, status: 200 });
        scanned++;
      }
    });
    const beside = await pace(xpose, asked, { perSecond, seconds });
    isOver = true;
    await Promise.all(scanning);
    rounds.note("held rate, no scans", without);
    rounds.note(`held rate, ${runningCount} scans`, { ...beside, scanned });
    rounds.add(4, beside.p99Ms / without.p99Ms);
  }
}

/** `scan.concurrency` of the data directory. */
const atOnce = 400;
const sourceCount = 5;

/** A queue is filled while the upstream holds its answers; then it answers, and its answers are counted. */
async function throughput({ data, rounds, roundCount, seconds, five }: Options, xpose: StartedServer): Promise<void> {
  const queued = Math.min(9_000, Math.ceil((seconds * atOnce * 1000) / five.delayMs));
  const answered = async () => Number(await (await fetch(`${five.url}/answered`)).text());
  let nextAddress = 0;
  for (let round = 0; round < roundCount; round++) {
    await fetch(`${five.url}/gate?held=1`, { method: "POST" });
    const last = nextAddress + queued;
    const startedAt = performance.now();
    const fill = async () => {
      while (nextAddress < last)
        await ask(xpose.url, data.keys.five, addressOf("five", nextAddress++), { status: 202 });
    };
    await Promise.all(Array.from({ length: 64 }, fill));
    const queuedInMs = performance.now() - startedAt;
    const base = await answered();
    await fetch(`${five.url}/gate?held=0`, { method: "POST" });
    const openedAt = performance.now();
    const all = base + queued * sourceCount;
    // The first answers are not counted: they come in one crowd.
    await Bun.sleep(500);
    const from = { count: await answered(), at: performance.now() };
    let to = from;
    // The end of the queue is not counted either: there fewer than all slots are taken.
    while (to.count < all - 2 * atOnce * sourceCount && performance.now() - openedAt < seconds * 1000) {
      await Bun.sleep(50);
      to = { count: await answered(), at: performance.now() };
    }
    const perSecond = ((to.count - from.count) / sourceCount / (to.at - from.at)) * 1000;
    rounds.note("scans of five sources", { perSecond, queued, queuedInMs });
    rounds.add(16, perSecond / ((atOnce * 1000) / five.delayMs));
    // So that the next round begins with an empty queue.
    while ((await answered()) < all) await Bun.sleep(100);
    await Bun.sleep(500);
  }
}
