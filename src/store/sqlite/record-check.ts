import { timestamp } from "../../domain/time.ts";
import {
  compareCheck,
  type FoundFinding,
  nextFailing,
  noCounts,
  type RoundCounts,
  sealContext,
} from "../../domain/watch.ts";
import { eventId, exposureEvent, type NewWatchEvent, sourceEvent } from "../../domain/watch-event.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { RecordedCheck, RecordedChecks, Sealing } from "../port/watch.ts";
import type { eventTable } from "./event.ts";
import type { sightingTable } from "./sighting.ts";
import type { watchRoundTable } from "./watch-round.ts";
import type { watchSourceTable } from "./watch-source.ts";
import type { watchStateTable } from "./watch-state.ts";
import type { watchedTable } from "./watched.ts";
import type { watchedFindingTable } from "./watched-finding.ts";

type Tables = {
  readonly watched: Pick<ReturnType<typeof watchedTable>, "standing" | "setChecked" | "endScan">;
  readonly held: Pick<ReturnType<typeof watchedFindingTable>, "of" | "put" | "remove">;
  readonly state: Pick<ReturnType<typeof watchStateTable>, "takeEventNumber">;
  readonly rounds: Pick<ReturnType<typeof watchRoundTable>, "advance" | "find">;
  readonly failing: ReturnType<typeof watchSourceTable>;
  readonly events: Pick<ReturnType<typeof eventTable>, "insert">;
  readonly sightings: Pick<ReturnType<typeof sightingTable>, "record">;
};

/** What checks bring, in all tables that hold a part of it. */
export function checkRecorder({ watched, held, state, rounds, failing, events, sightings }: Tables) {
  function append(workspaceId: WorkspaceId, event: NewWatchEvent, { at, seal }: Sealing): void {
    const { type, indicatorHash } = event;
    const number = state.takeEventNumber(workspaceId);
    const text = JSON.stringify(event.body(eventId(workspaceId, number)));
    const sealed = seal(text, sealContext(workspaceId, `event ${number}`));
    events.insert(workspaceId, { number, type, at, indicatorHash, sealed });
  }

  /** New findings with the times of the ledger, which they enter. */
  function dated(fresh: readonly FoundFinding[], check: RecordedCheck, checks: RecordedChecks): FoundFinding["atom"][] {
    const undated = fresh.filter(({ atom }) => atom.last_seen === null);
    const seen = undated.map(({ hash }) => ({ hash, at: checks.at }));
    const known = sightings.record(check.indicatorHash, checks.workspaceId, seen, checks.ledgerBefore);
    return fresh.map(({ hash, atom }) => {
      const sighting = known.get(hash);
      if (sighting === undefined) return atom;
      return { ...atom, first_seen: timestamp(sighting.firstSeenAt), last_seen: timestamp(sighting.lastSeenAt) };
    });
  }

  /** Null when the address is not watched any more; else whether it has a new finding. */
  function record(check: RecordedCheck, checks: RecordedChecks): { readonly hasNew: boolean } | null {
    const { id, indicator, indicatorHash, requestId, answered, nextScanAt } = check;
    const { workspaceId, at } = checks;
    const standing = watched.standing(id, workspaceId);
    if (standing === undefined) return null;
    const { fresh, changed, gone } = compareCheck(held.of(id), check);
    for (const finding of gone) held.remove(id, finding);
    for (const finding of [...fresh, ...changed]) held.put(id, finding);
    if (answered.size > 0) watched.setChecked(id, at);
    if (nextScanAt !== null) watched.endScan(id, nextScanAt);
    if (fresh.length === 0) return { hasNew: false };
    const about = { indicator, indicatorHash, label: standing.label };
    const isFirst = standing.last_checked_at === null;
    append(
      workspaceId,
      exposureEvent(at, about, { isFirst, requestId, findings: dated(fresh, check, checks) }),
      checks,
    );
    return { hasNew: true };
  }

  return {
    append,

    record(checks: RecordedChecks): { counts: RoundCounts; eventCount: number } {
      const { workspaceId, trigger, afterId, at } = checks;
      const counts = { ...noCounts };
      let eventCount = 0;
      const changed = trigger === "corpus" ? new Set(rounds.find(workspaceId, trigger)?.changed) : null;
      for (const check of checks.checks) {
        const recorded = record(check, checks);
        if (recorded === null) continue;
        if (check.hasFailed) counts.failed += 1;
        else counts.checked += 1;
        if (check.found.some(({ source }) => changed?.has(source) ?? true)) counts.matched += 1;
        if (!recorded.hasNew) continue;
        counts.new += 1;
        eventCount += 1;
      }
      for (const { source, error } of checks.asked) {
        const { failing: next, event } = nextFailing(failing.find(workspaceId, source), error !== null, at);
        failing.save(workspaceId, source, next);
        if (event === null) continue;
        append(workspaceId, sourceEvent(at, event, source, error), checks);
        eventCount += 1;
      }
      if (trigger !== null) rounds.advance(workspaceId, trigger, afterId, counts);
      return { counts, eventCount };
    },
  };
}
