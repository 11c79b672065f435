import { openSync } from "node:fs";
import { join } from "node:path";
import { caller } from "./caller.ts";
import type { DataDirectory } from "./data-directory.ts";
import { pace, warmUpSeconds } from "./pace-run.ts";
import { onAnyCore } from "./pinning.ts";
import type { Rounds } from "./rounds.ts";
import { cleanEnvironment } from "./started-server.ts";

type Options = {
  readonly data: DataDirectory;
  readonly rounds: Rounds;
  readonly roundCount: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly recordCount: number;
};

/**
 * Row 5: hits at a held rate while a file is imported, removed and imported again by commands on any core, as an
 * operator would run them. It goes into another workspace, because data visible to a hit would make it a miss.
 */
export async function importRow({ data, rounds, roundCount, seconds, perSecond, recordCount }: Options): Promise<void> {
  const file = join(data.folder, "combo.txt");
  const generator = join(import.meta.dir, "..", "corpus", "generate.ts");
  const generated = Bun.spawnSync([process.execPath, generator, "--records", String(recordCount)], {
    stdout: openSync(file, "w"),
    stderr: "inherit",
  });
  if (!generated.success) throw new Error("the breach file could not be generated");
  const asked = caller(data.keys.default, "scanned", data.scannedCount);
  await using xpose = await data.serve();
  await pace(xpose, asked, { perSecond, seconds: warmUpSeconds(seconds) });
  for (let round = 0; round < roundCount; round++) {
    const without = await pace(xpose, asked, { perSecond, seconds });
    let isOver = false;
    const ends: number[] = [];
    const importing = (async () => {
      while (!isOver) {
        const startedAt = performance.now();
        await command("corpus", "import", file, "--name", "meanwhile", "--scope", "importing");
        ends.push(performance.now() - startedAt);
        await command("corpus", "remove", "meanwhile");
      }
    })();
    const beside = await pace(xpose, asked, { perSecond, seconds });
    isOver = true;
    await importing;
    rounds.note("held rate, no import", without);
    rounds.note("held rate, importing", { ...beside, importMs: ends, records: recordCount });
    rounds.add(5, beside.p99Ms / without.p99Ms);
  }

  async function command(...args: readonly string[]): Promise<void> {
    const child = Bun.spawn(onAnyCore(data.command(...args, "--json")), {
      env: cleanEnvironment,
      stdout: "ignore",
      stderr: "pipe",
    });
    const stderr = await child.stderr.text();
    if ((await child.exited) !== 0) throw new Error(`xpose ${args.join(" ")}: ${stderr.slice(-500)}`);
  }
}
