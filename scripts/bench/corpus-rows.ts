import { join } from "node:path";
import { onAnyCore } from "./pinning.ts";
import type { Rounds } from "./rounds.ts";

/** Rows 10 to 15, measured by `scripts/bench/corpus.ts` with its arguments; it prints one JSON document per row. */
export async function corpusRows(rounds: Rounds, args: readonly string[]): Promise<void> {
  const child = Bun.spawn(onAnyCore([process.execPath, join(import.meta.dir, "corpus.ts"), ...args]), {
    stdout: "pipe",
    stderr: "inherit",
  });
  const stdout = await child.stdout.text();
  // Exit code 1 means that a bar was missed.
  if ((await child.exited) > 1) throw new Error("the corpus benchmark failed");
  for (const line of stdout.split("\n").filter((line) => line.startsWith("{"))) {
    const { row, what, value } = JSON.parse(line) as { row: number; what: string; value: number };
    rounds.note(what, { value });
    rounds.add(row, value);
  }
}
