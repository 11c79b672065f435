import { addressOf, ask, caller } from "./caller.ts";
import type { DataDirectory } from "./data-directory.ts";
import { pace, warmUpSeconds } from "./pace-run.ts";
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
  /** Delay of the source that the scans of row 4 wait for. */
  readonly slowDelayMs: number;
  /** The upstream of the five sources of row 16, and its delay. */
  readonly five: { readonly url: string; readonly delayMs: number };
};

/** Rows 4, 7 and 16: the cost of scans, and their effect on hits. */
export async function scanRows(options: Options): Promise<void> {
  const { data, wanted } = options;
  await using xpose = await data.serve();
  if (wanted.has(7)) await missRow(options, xpose);
  if (wanted.has(4)) await besideScans(options, xpose);
  // Last, because it leaves a queue behind.
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
  const { data, rounds, roundCount, seconds, perSecond, slowDelayMs } = options;
  const asked = caller(data.keys.default, "scanned", data.scannedCount);
  // At most 64 calls of a key wait at once (docs/contract.md 3.6): half of the callers use a second key.
  const second = data.run("keys", "create", "--name", "second", "--workspace", "online") as { key: string };
  const keys = [data.keys.online, second.key];
  let nextAddress = 0;
  await pace(xpose, asked, { perSecond, seconds: warmUpSeconds(seconds) });
  for (let round = 0; round < roundCount; round++) {
    const without = await pace(xpose, asked, { perSecond, seconds });
    let isOver = false;
    let scanned = 0;
    // When a scan ends the next starts, each about a new address. Starts are spread over the delay of the source: 100
    // callers in the same millisecond would be another measurement.
    const scanning = Array.from({ length: runningCount }, async (_, index) => {
      await Bun.sleep((index * slowDelayMs) / runningCount);
      while (!isOver) {
        const key = keys[index % keys.length] ?? data.keys.online;
        await ask(xpose.url, key, addressOf("slow", nextAddress++), { wait: 50, status: 200 });
        scanned++;
      }
    });
    await Bun.sleep(slowDelayMs);
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

/** Below `scan.max_queue`. */
const longestQueue = 9_000;

/** The queue fills while the upstream holds its answers; then the upstream answers, and its answers are counted. */
async function throughput({ data, rounds, roundCount, seconds, five }: Options, xpose: StartedServer): Promise<void> {
  const allowedPerSecond = (atOnce * 1000) / five.delayMs;
  const queued = Math.min(longestQueue, Math.ceil(seconds * 1500));
  const answered = async () => Number(await (await fetch(`${five.url}/answered`)).text());
  const setGate = async (state: string) => void (await fetch(`${five.url}/gate?${state}`, { method: "POST" }));
  let nextAddress = 0;
  for (let round = 0; round < roundCount; round++) {
    await setGate("held=1");
    const all = (await answered()) + queued * sourceCount;
    const last = nextAddress + queued;
    const startedAt = performance.now();
    const fill = async () => {
      while (nextAddress < last)
        await ask(xpose.url, data.keys.five, addressOf("five", nextAddress++), { status: 202 });
    };
    await Promise.all(Array.from({ length: 64 }, fill));
    const queuedInMs = performance.now() - startedAt;
    await setGate("held=0");
    // The first answers are not counted: they arrive in one burst.
    await Bun.sleep(2 * five.delayMs);
    const from = { count: await answered(), at: performance.now() };
    let to = from;
    // Neither is the end of the queue, where some slots are empty.
    while (to.count < all - 2 * atOnce * sourceCount && to.at - from.at < seconds * 1000) {
      await Bun.sleep(10);
      to = { count: await answered(), at: performance.now() };
    }
    const perSecond = ((to.count - from.count) / sourceCount / (to.at - from.at)) * 1000;
    rounds.note("scans of five sources", { perSecond, queued, queuedInMs, overSeconds: (to.at - from.at) / 1000 });
    rounds.add(16, perSecond / allowedPerSecond);
    // The next round begins with an empty queue.
    await setGate("held=0&hurry=1");
    while ((await answered()) < all) await Bun.sleep(100);
    await Bun.sleep(500);
  }
}
