import { changedCorpora, noCounts, type RoundCounts, type WatchTrigger } from "../domain/watch.ts";
import type { Workspace } from "../domain/workspace.ts";
import type { Source } from "../sources/source.ts";
import type { RecordedCheck, WatchedRow, WatchState } from "../store/port/watch.ts";
import { type AskedCorpora, lookUpRows } from "./look-up-rows.ts";
import type { Sealer } from "./seal.ts";
import type { WatchTools } from "./watch-tools.ts";

/** Looked up in one pass over each corpus: as many keys as a pass sorts. Their findings are held in memory. */
const rowsPerPass = 32_768;
/** Checks that are written in one transaction, which takes some milliseconds. */
const checksPerWrite = 200;

/** Begins or goes on with the round that a change of the corpora asks for. Returns its counts; null when nothing changed. */
export async function runCorpusRound(
  state: WatchState,
  sealer: Sealer,
  tools: WatchTools,
  signal: AbortSignal,
): Promise<RoundCounts | null> {
  const { store, now } = tools;
  const { workspace, known, current } = state;
  let round = state.rounds.find(({ trigger }) => trigger === "corpus");
  if (round === undefined) {
    const changed = changedCorpora(known ?? {}, current);
    if (changed.length === 0) return null;
    const begun = {
      workspaceId: workspace.id,
      trigger: "corpus",
      startedAt: now(),
      changed,
      corpora: current,
    } as const;
    await store.beginRound(begun);
    round = { ...begun, afterId: 0, counts: noCounts };
  }
  const about = { trigger: "corpus", afterId: round.afterId, isUnchecked: false } as const;
  const counts = await checkAll(workspace, about, sealer, tools, signal);
  await store.endRound({ workspaceId: workspace.id, trigger: "corpus" }, { at: now(), seal: sealer.seal });
  tools.onEvents();
  return addCounts(round.counts, counts);
}

/** Checks addresses that joined the list. False when some could not be looked up. */
export async function runFirstChecks(
  { workspace }: WatchState,
  sealer: Sealer,
  tools: WatchTools,
  signal: AbortSignal,
): Promise<boolean> {
  const { corpora } = await sourcesOf(workspace, tools);
  // Nothing was looked at, so it would be no check.
  if (corpora.length === 0) return true;
  const { failed } = await checkAll(workspace, { trigger: null, afterId: 0, isUnchecked: true }, sealer, tools, signal);
  return failed === 0;
}

/** Checks the whole list without a round of its own, for the command. The event tells all corpora of the workspace. */
export async function checkList(
  workspace: Pick<Workspace, "id" | "name">,
  sealer: Sealer,
  tools: WatchTools,
  signal: AbortSignal,
): Promise<RoundCounts> {
  return await checkAll(workspace, { trigger: null, afterId: 0, isUnchecked: false }, sealer, tools, signal);
}

type About = { readonly trigger: WatchTrigger | null; readonly afterId: number; readonly isUnchecked: boolean };

async function checkAll(
  workspace: Pick<Workspace, "id" | "name">,
  { trigger, afterId: first, isUnchecked }: About,
  sealer: Sealer,
  tools: WatchTools,
  signal: AbortSignal,
): Promise<RoundCounts> {
  const { store, now, live } = tools;
  let [total, afterId] = [noCounts, first];
  const { corpora, present } = await sourcesOf(workspace, tools);
  for (;;) {
    const rows = await store.readWatched(workspace.id, { afterId, limit: rowsPerPass, isUnchecked });
    const last = rows.at(-1);
    if (last === undefined) return total;
    const { maxFindings } = live();
    const question = { rows, corpora, present, at: now(), maxFindings, signal };
    const { checks, asked } = await lookUpRows(question, sealer.open);
    for (let start = 0; start < checks.length; start += checksPerWrite) {
      signal.throwIfAborted();
      const piece = checks.slice(start, start + checksPerWrite);
      const lastRow = rows[start + piece.length - 1] as WatchedRow;
      const place = { trigger, afterId: trigger === null ? null : lastRow.id, asked: start === 0 ? asked : new Map() };
      total = addCounts(total, await write(workspace, piece, place, sealer, tools));
    }
    afterId = last.id;
  }
}

type Place = { readonly trigger: WatchTrigger | null; readonly afterId: number | null; readonly asked: AskedCorpora };

async function write(
  workspace: Pick<Workspace, "id">,
  checks: readonly RecordedCheck[],
  { asked, ...place }: Place,
  sealer: Sealer,
  { store, now, live, onEvents }: WatchTools,
): Promise<RoundCounts> {
  const at = now();
  const { counts, eventCount } = await store.recordChecks({
    workspaceId: workspace.id,
    checks,
    ...place,
    asked: [...asked].map(([source, error]) => ({ source, error })),
    at,
    seal: sealer.seal,
    ledgerBefore: new Date(at.getTime() - live().ledgerRetentionMs),
  });
  if (eventCount > 0) onEvents();
  // Calls that came meanwhile are served before the next piece.
  await new Promise((resolve) => setImmediate(resolve));
  return counts;
}

/** The corpora that a workspace sees, and the names of all its sources. */
async function sourcesOf(
  workspace: Pick<Workspace, "id" | "name">,
  { store, live }: WatchTools,
): Promise<{ corpora: Source[]; present: ReadonlySet<string> }> {
  const sources = live().sourcesOf(workspace, await store.listCorpora());
  return {
    corpora: sources.filter(({ kind }) => kind === "corpus"),
    present: new Set(sources.map(({ name }) => name)),
  };
}

function addCounts(one: RoundCounts, other: RoundCounts): RoundCounts {
  return {
    checked: one.checked + other.checked,
    matched: one.matched + other.matched,
    new: one.new + other.new,
    failed: one.failed + other.failed,
  };
}
