import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DataDirectory } from "./data-directory.ts";
import { median } from "./percentile.ts";
import { onServerCore } from "./pinning.ts";
import type { Rounds } from "./rounds.ts";
import { type StartedServer, startServer } from "./started-server.ts";

type Options = {
  readonly data: DataDirectory;
  readonly floor: string;
  readonly rounds: Rounds;
  readonly roundCount: number;
  readonly startsPerRound: number;
};

/** Row 8: from process start to the first 200, for a service with a filled data directory. */
export async function startRow({ data, floor, rounds, roundCount, startsPerRound }: Options): Promise<void> {
  const answer = join(data.folder, "answer.json");
  writeFileSync(answer, "{}");
  const bare = () => startServer(onServerCore([floor, answer]), join(data.folder, "floor.log"));
  for (let round = 0; round < roundCount; round++) {
    const below: number[] = [];
    const own: number[] = [];
    for (let index = 0; index < startsPerRound; index++) {
      below.push(await firstAnswerMs(bare));
      own.push(await firstAnswerMs(data.serve));
    }
    rounds.note("start to first 200", { floorMs: median(below), xposeMs: median(own) });
    rounds.add(8, median(own) / median(below));
  }
}

async function firstAnswerMs(start: () => Promise<StartedServer>): Promise<number> {
  const startedAt = performance.now();
  await using server = await start();
  const response = await fetch(`${server.url}/healthz`);
  await response.text();
  if (response.status !== 200) throw new Error(`/healthz answered ${response.status}`);
  return performance.now() - startedAt;
}
