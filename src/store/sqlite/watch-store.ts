import { auditEvent } from "../../domain/audit.ts";
import { AppError } from "../../domain/error.ts";
import { severities } from "../../domain/finding.ts";
import { checkedEvent } from "../../domain/watch-event.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { EventStore } from "../port/event.ts";
import type { WatchAuthor, WatchStore } from "../port/watch.ts";
import type { auditTable } from "./audit.ts";
import type { Connection } from "./driver.ts";
import { eventTable } from "./event.ts";
import type { evidenceTable } from "./evidence.ts";
import { lazily } from "./lazily.ts";
import { checkRecorder } from "./record-check.ts";
import type { scanTable } from "./scan.ts";
import type { sightingTable } from "./sighting.ts";
import type { sourceRunTable } from "./source-run.ts";
import { hourOf } from "./time.ts";
import type { Transactions } from "./transactions.ts";
import { watchRoundTable } from "./watch-round.ts";
import { watchSourceTable } from "./watch-source.ts";
import { watchStateTable } from "./watch-state.ts";
import { watchedTable } from "./watched.ts";
import { watchedFindingTable } from "./watched-finding.ts";

type Tables = {
  readonly scans: Pick<ReturnType<typeof scanTable>, "find" | "insert" | "waiting">;
  readonly runs: Pick<ReturnType<typeof sourceRunTable>, "ofScan">;
  readonly evidence: Pick<ReturnType<typeof evidenceTable>, "of">;
  readonly sightings: Pick<ReturnType<typeof sightingTable>, "record">;
  readonly audit: Pick<ReturnType<typeof auditTable>, "append">;
};

/** Watch lists and their events. `forget` erases an indicator from all of them. */
export function watchStore(
  connection: Connection,
  { read, write }: Transactions,
  { scans, runs, evidence, sightings, audit }: Tables,
): WatchStore & EventStore & { readonly forget: (indicatorHash: string) => void } {
  const watched = lazily(() => watchedTable(connection));
  const held = lazily(() => watchedFindingTable(connection));
  const state = lazily(() => watchStateTable(connection));
  const rounds = lazily(() => watchRoundTable(connection));
  const events = lazily(() => eventTable(connection));
  const recorder = lazily(() =>
    checkRecorder({
      watched: watched(),
      held: held(),
      state: state(),
      rounds: rounds(),
      failing: watchSourceTable(connection),
      events: events(),
      sightings,
    }),
  );
  const noteHour = lazily(() =>
    connection.prepare(
      `INSERT INTO event_reader (key_id, hour) VALUES (?, ?)
       ON CONFLICT DO UPDATE SET hour = excluded.hour WHERE hour <> excluded.hour`,
    ),
  );

  function auditChange(workspaceId: WorkspaceId, { author, key }: WatchAuthor, word: string, count: number): void {
    const about = { workspaceId, keyId: key?.keyId ?? null, keyName: key?.keyName ?? null };
    audit.append([auditEvent(author, "watch.changed", { ...about, count, detail: word })]);
  }

  return {
    addWatched: ({ workspaceId, entries, label, max }, by) =>
      write(() => {
        const before = watched().total(workspaceId);
        // A list that begins has nothing to catch up with: its addresses get their first check.
        if (before === 0) {
          state().setCorpora(workspaceId, state().visible(workspaceId));
          rounds().remove(workspaceId, "corpus");
        }
        let added = 0;
        for (const { indicatorHash, sealed } of entries) {
          if (watched().add(workspaceId, indicatorHash, sealed, label, by.author.at)) added += 1;
        }
        if (before + added > max)
          throw new AppError("too_many", "The watch list would hold more than watch.max addresses");
        if (entries.length > 0) auditChange(workspaceId, by, "added", added);
        return { added, already: entries.length - added, total: before + added };
      }),
    removeWatched: (workspaceId, hashes, by) =>
      write(() => {
        const removed = hashes.filter((hash) => watched().remove(workspaceId, hash)).length;
        if (hashes.length > 0) auditChange(workspaceId, by, "removed", removed);
        return { removed, total: watched().total(workspaceId) };
      }),
    listWatched: (workspaceId, page) =>
      read(() =>
        watched()
          .list(workspaceId, page)
          .map((row) => {
            const counts = held().bySeverity(row.id);
            const known = severities.flatMap((one) => (counts[one] === undefined ? [] : [[one, counts[one]] as const]));
            return { ...row, bySeverity: Object.fromEntries(known) };
          }),
      ),
    watchStates: () =>
      read(() =>
        state()
          .watching()
          .map((one) => ({
            ...one,
            current: state().visible(one.workspace.id),
            rounds: rounds().of(one.workspace.id),
          })),
      ),
    readWatched: (workspaceId, { afterId, limit, isUnchecked }) =>
      read(() => watched().read(workspaceId, afterId, limit, isUnchecked)),
    beginRound: (round) => write(() => rounds().begin(round)),
    recordChecks: (checks) => write(() => recorder().record(checks)),
    endRound: ({ workspaceId, trigger }, sealing) =>
      write(() => {
        const round = rounds().find(workspaceId, trigger);
        if (round === null) return;
        const { changed, corpora, counts } = round;
        if (trigger === "corpus") state().setCorpora(workspaceId, corpora);
        rounds().remove(workspaceId, trigger);
        if (counts.checked + counts.failed === 0) return;
        recorder().append(workspaceId, checkedEvent(sealing.at, trigger, changed, counts), sealing);
      }),
    scheduleScans: (now, intervalMs, limit) => write(() => watched().schedule(now, intervalMs, limit) === limit),
    dueForScan: (...args) => read(() => watched().due(...args)),
    queueWatchScan: (watchedId, scan) =>
      write(() => {
        const waiting = scans.waiting(scan.indicatorHash, scan.workspaceId);
        // Behind the scans of single calls, as those of lists are.
        if (watched().setScan(watchedId, waiting ?? scan.id) && waiting === null) scans.insert(scan, "queued", true);
      }),
    endedWatchScans: (limit) =>
      read(() =>
        watched()
          .ended(limit)
          .map((row) => {
            const scan = scans.find(row.scanId, row.workspaceId);
            return {
              ...row,
              state: scan?.state ?? null,
              runs: scan === undefined ? [] : runs.ofScan(row.scanId),
              evidence: scan?.state === "completed" ? evidence.of(row.scanId) : "",
            };
          }),
      ),
    countWatchScans: () => read(() => watched().countInScan()),

    readEvents: (workspaceId, page) =>
      read(() => ({
        events: events().after(workspaceId, page),
        lastNumber: state().lastEventNumber(workspaceId),
      })),
    noteEventRead: (keyId, event) =>
      write(() => {
        if (noteHour().run(keyId, hourOf(event.at)).changes === 1) audit.append([event]);
      }),
    removeEvents: (...args) => write(() => events().removeBefore(...args)),

    forget(indicatorHash) {
      watched().forget(indicatorHash);
      events().forget(indicatorHash);
    },
  };
}
