import { openBell } from "../event-loop/bell.ts";
import { runCorpusRound, runFirstChecks } from "./corpus-rounds.ts";
import { openIntervalScans } from "./interval-scans.ts";
import { openSealer } from "./seal.ts";
import type { WatchTools } from "./watch-tools.ts";

/** Imports of other processes are seen by the next look. */
const lookEveryMs = 1000;
/** Addresses that no corpus could be asked about are tried again this much later. */
const tryAgainMs = 60_000;

export type WatchKeeper = {
  /** Looks at once, such as for addresses that were just added. */
  readonly wake: () => void;
  readonly stop: () => Promise<void>;
};

/** Checks watch lists in the background until it is stopped (docs/pipeline.md 20.3). */
export function keepWatch(tools: WatchTools): WatchKeeper {
  const { store, now, log } = tools;
  const sealer = openSealer(tools.keys, tools.randomBytes);
  const lookAtScans = openIntervalScans(tools, sealer);
  const abort = new AbortController();
  const bell = openBell();
  const notBefore = new Map<string, number>();
  let isWoken = false;

  async function look(signal: AbortSignal): Promise<void> {
    const states = await store.watchStates();
    for (const state of states) {
      const { id } = state.workspace;
      const startedAt = now().getTime();
      const counts = await runCorpusRound(state, sealer, tools, signal);
      if (counts !== null) {
        const seconds = (now().getTime() - startedAt) / 1000;
        log.info({ workspace: id, ...counts, seconds }, "watch list checked after a change of the corpora");
        tools.onRound("corpus", counts, seconds);
      }
      if ((notBefore.get(id) ?? 0) > now().getTime()) continue;
      const isDone = await runFirstChecks(state, sealer, tools, signal);
      notBefore.set(id, isDone ? 0 : now().getTime() + tryAgainMs);
    }
    await lookAtScans(states, signal);
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      isWoken = false;
      try {
        await look(signal);
      } catch (error) {
        if (!signal.aborted) log.error({ err: error }, "watch lists could not be checked");
      }
      if (!isWoken) await bell.wait(lookEveryMs, signal);
    }
  }

  const running = run(abort.signal);
  return {
    wake() {
      isWoken = true;
      bell.ring();
    },
    async stop() {
      abort.abort(new Error("the service stops"));
      await running;
    },
  };
}
