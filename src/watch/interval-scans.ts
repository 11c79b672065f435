import type { Pace, Turns } from "../domain/pace.ts";
import type { ScanId } from "../domain/scan.ts";
import type { Source } from "../sources/source.ts";
import type { EndedScan, WatchState } from "../store/port/watch.ts";
import { checkFromScan } from "./scan-check.ts";
import type { Sealer } from "./seal.ts";
import { openIndicator } from "./watch-list.ts";
import type { WatchTools } from "./watch-tools.ts";

const scheduledPerStep = 500;
const endedPerStep = 50;
/** Full scans at once where no source has a rate. */
const maxAtOnce = 4;

/** Full scans of watched addresses, spread over `watch.interval` (docs/pipeline.md 20.3). */
export function openIntervalScans(tools: WatchTools, sealer: Sealer) {
  const { store, now, live, newId } = tools;
  const budget = openHalfRates();

  async function takeEnded(): Promise<void> {
    for (;;) {
      const ended = await store.endedWatchScans(endedPerStep);
      for (const one of ended) await take(one);
      if (ended.length < endedPerStep) return;
    }
  }

  async function take(ended: EndedScan): Promise<void> {
    const at = now();
    const { watch, ledgerRetentionMs } = live();
    const asked = ended.runs.flatMap(({ source, outcome, error, isReused }) =>
      outcome === "skipped" || (isReused && outcome !== "failed") ? [] : [{ source, error }],
    );
    budget.noteCost(await store.listTurns());
    const { eventCount } = await store.recordChecks({
      workspaceId: ended.workspaceId,
      checks: [checkFromScan(ended, at, watch.intervalMs, sealer.open)],
      trigger: "interval",
      afterId: null,
      asked,
      at,
      seal: sealer.seal,
      ledgerBefore: new Date(at.getTime() - ledgerRetentionMs),
    });
    if (eventCount > 0) tools.onEvents();
  }

  /** A round of an interval is the interval: it ends when its time is over. */
  async function turnRounds(states: readonly WatchState[], intervalMs: number): Promise<void> {
    for (const { workspace, rounds } of states) {
      const round = rounds.find(({ trigger }) => trigger === "interval");
      const id = { workspaceId: workspace.id, trigger: "interval" } as const;
      if (round === undefined) await store.beginRound({ ...id, startedAt: now(), changed: [], corpora: {} });
      else if (now().getTime() - round.startedAt.getTime() >= intervalMs) {
        await store.endRound(id, { at: now(), seal: sealer.seal });
        await store.beginRound({ ...id, startedAt: now(), changed: [], corpora: {} });
        tools.onRound("interval", round.counts, (now().getTime() - round.startedAt.getTime()) / 1000);
        tools.onEvents();
      }
    }
  }

  async function start(): Promise<void> {
    const running = await store.countWatchScans();
    const due = await store.dueForScan(now(), maxAtOnce);
    if (due.length === 0 || running >= maxAtOnce) return;
    const [corpora, turns] = await Promise.all([store.listCorpora(), store.listTurns()]);
    let count = running;
    for (const row of due) {
      const sources = pacedOf(live().sourcesOf(row.workspace, corpora));
      if (count >= (sources.length > 0 ? 1 : maxAtOnce)) return;
      if (!budget.allows(sources, turns, now())) return;
      const { id, workspaceId, indicatorHash } = row;
      const indicator = openIndicator(row, sealer.open);
      const terms = { reach: "full", freshSince: null } as const;
      const scan = { id: newId() as ScanId, workspaceId, indicator, indicatorHash, requestedAt: now(), ...terms };
      await store.queueWatchScan(id, scan);
      budget.take(sources, now());
      count += 1;
      tools.onScan();
    }
  }

  return async function lookAtScans(states: readonly WatchState[], signal: AbortSignal): Promise<void> {
    await takeEnded();
    const { intervalMs } = live().watch;
    if (intervalMs === 0) return;
    while (await store.scheduleScans(now(), intervalMs, scheduledPerStep)) signal.throwIfAborted();
    await turnRounds(states, intervalMs);
    await start();
  };
}

type PacedSource = { readonly name: string; readonly pace: Pace };

function pacedOf(sources: readonly Source[]): PacedSource[] {
  return sources.flatMap(({ name, pace, isAllowed }) => (pace === null || !isAllowed ? [] : [{ name, pace }]));
}

/**
 * Keeps full scans of watched addresses to half of each source's rate, and lets calls go first: while these use more than
 * half of a window, no scan starts. A scan may call a source several times; how often it did is remembered.
 */
export function openHalfRates() {
  const costs = new Map<string, number>();
  let started: { readonly at: Date; readonly sources: readonly PacedSource[] } | null = null;
  const lastAt = new Map<string, number>();

  const costOf = ({ name, pace }: PacedSource) => Math.min(costs.get(name) ?? 1, pace.count);

  return {
    allows(sources: readonly PacedSource[], turns: ReadonlyMap<string, Turns>, now: Date): boolean {
      return sources.every((source) => {
        const { name, pace } = source;
        const opened = now.getTime() - pace.windowMs;
        const usedCount = (turns.get(name)?.slots ?? []).filter((slot) => slot > opened).length;
        const isBusy = usedCount > 0 && usedCount + costOf(source) > pace.count / 2;
        const pauseMs = (2 * pace.windowMs * costOf(source)) / pace.count;
        return !isBusy && now.getTime() - (lastAt.get(name) ?? Number.NEGATIVE_INFINITY) >= pauseMs;
      });
    },
    take(sources: readonly PacedSource[], now: Date): void {
      started = { at: now, sources };
      for (const { name } of sources) lastAt.set(name, now.getTime());
    },
    /** How many turns the last scan took at each source. Calls beside it are counted too, which errs on the safe side. */
    noteCost(turns: ReadonlyMap<string, Turns>): void {
      const since = started?.at.getTime() ?? Number.POSITIVE_INFINITY;
      for (const { name } of started?.sources ?? []) {
        const count = (turns.get(name)?.slots ?? []).filter((slot) => slot >= since).length;
        costs.set(name, Math.max(1, count));
      }
      started = null;
    },
  };
}
