import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { addressOf, ask, caller } from "./caller.ts";
import type { DataDirectory } from "./data-directory.ts";
import { pace, warmUpSeconds } from "./pace-run.ts";
import { median } from "./percentile.ts";
import { onServerCore } from "./pinning.ts";
import { residentBytes } from "./process-figures.ts";
import type { Rounds } from "./rounds.ts";
import { hasWrk, saturate } from "./saturate.ts";
import { startServer } from "./started-server.ts";

type Options = {
  readonly data: DataDirectory;
  readonly floor: string;
  readonly rounds: Rounds;
  readonly wanted: ReadonlySet<number>;
  readonly roundCount: number;
  readonly seconds: number;
};

/** Rows 1, 2, 3, 6 and 9: the path of a hit compared with the floor, in alternation. */
export async function hitRows({ data, floor, rounds, wanted, roundCount, seconds }: Options): Promise<void> {
  const asked = caller(data.keys.default, "scanned", data.scannedCount);
  await using xpose = await data.serve();
  const answer = join(data.folder, "answer.json");
  writeFileSync(answer, await ask(xpose.url, data.keys.default, addressOf("scanned", 0), { status: 200 }));
  await using bare = await startServer(onServerCore([floor, answer]), join(data.folder, "floor.log"));
  const folder = data.folder;

  if (hasWrk) {
    const saturated: number[] = [];
    for (const server of [bare, xpose]) await saturate(server, asked, { seconds: warmUpSeconds(seconds), folder });
    for (let round = 0; round < roundCount; round++) {
      const below = await saturate(bare, asked, { seconds, folder });
      const own = await saturate(xpose, asked, { seconds, folder });
      const memory = { floorMiB: residentBytes(bare.pid) / 2 ** 20, xposeMiB: residentBytes(xpose.pid) / 2 ** 20 };
      rounds.note("saturated, floor", below);
      rounds.note("saturated, xpose", { ...own, ...memory });
      rounds.add(1, own.perSecond / below.perSecond);
      rounds.add(2, own.cpuMicroseconds / below.cpuMicroseconds);
      rounds.add(9, memory.xposeMiB / memory.floorMiB);
      saturated.push(own.perSecond);
    }
    for (let round = 0; wanted.has(3) && round < roundCount; round++) {
      const perSecond = Math.floor(median(saturated) / 2);
      const below = await pace(bare, asked, { perSecond, seconds });
      const own = await pace(xpose, asked, { perSecond, seconds });
      rounds.note("half of the saturated rate, floor", below);
      rounds.note("half of the saturated rate, xpose", own);
      rounds.add(3, own.p99Ms / below.p99Ms);
    }
  } else for (const row of [1, 2, 3, 9]) rounds.skip(row, "wrk is not installed");

  for (let round = 0; wanted.has(6) && round < roundCount; round++) {
    const below = await pace(bare, asked, { perSecond: null, seconds: seconds / 3 });
    const own = await pace(xpose, asked, { perSecond: null, seconds: seconds / 3 });
    rounds.note("one client, floor", below);
    rounds.note("one client, xpose", own);
    rounds.add(6, own.p50Ms / below.p50Ms);
  }
}
