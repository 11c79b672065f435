import type { Sighting } from "../../domain/envelope.ts";
import {
  asOf,
  failedSourcesOf,
  finalState,
  isPartial,
  type SourceRun,
  type UnfinishedState,
} from "../../domain/scan.ts";
import type { Seen, Settlement } from "../port/scan.ts";
import type { answerTable } from "./answer.ts";
import type { evidenceTable } from "./evidence.ts";
import { type readyResultTable, viewOf } from "./ready-result.ts";
import type { scanTable } from "./scan.ts";
import type { HeldScan } from "./scan-claim.ts";
import type { sightingTable } from "./sighting.ts";
import type { sourceRunTable } from "./source-run.ts";
import type { sourceUsageTable } from "./source-usage.ts";

type Tables = {
  readonly scans: Pick<ReturnType<typeof scanTable>, "finish" | "setState">;
  readonly runs: Pick<ReturnType<typeof sourceRunTable>, "save" | "setKept" | "setOmitted" | "sources">;
  readonly answers: Pick<ReturnType<typeof answerTable>, "save" | "markFailed">;
  readonly sightings: Pick<ReturnType<typeof sightingTable>, "record">;
  readonly evidence: Pick<ReturnType<typeof evidenceTable>, "insert">;
  readonly ready: Pick<ReturnType<typeof readyResultTable>, "save">;
  readonly sourceUsage: Pick<ReturnType<typeof sourceUsageTable>, "add">;
};

/** Stores the result of a scan in all tables that hold a part of it. */
export function scanSettler({ scans, runs, answers, sightings, evidence, ready, sourceUsage }: Tables) {
  function save(held: HeldScan, run: SourceRun): void {
    const { workspace_id: workspaceId, indicator_hash: indicatorHash } = held;
    runs.save(held.id, run);
    if (!run.isReused) sourceUsage.add(workspaceId, run);
    if (run.outcome === "failed") answers.markFailed(indicatorHash, workspaceId, run.source);
    if (run.answer !== null && !run.isReused) answers.save(indicatorHash, workspaceId, run.answer);
  }

  return {
    saveRuns(held: HeldScan, ended: readonly SourceRun[], nextState: UnfinishedState): void {
      for (const run of ended) save(held, run);
      if (held.state !== nextState) scans.setState(held.id, nextState);
    },

    recordSightings(held: HeldScan, seen: readonly Seen[], ledgerBefore: Date): Map<string, Sighting> {
      return sightings.record(held.indicator_hash, held.workspace_id, seen, ledgerBefore);
    },

    settle(held: HeldScan, { runs: all, finishedAt, projection, omitted, kept }: Settlement): void {
      const { id, workspace_id: workspaceId, indicator_hash: indicatorHash } = held;
      // Each answer is saved once: another scan of this address may have received a newer answer since.
      const saved = runs.sources(id);
      for (const run of all) if (!saved.has(run.source)) save(held, run);
      for (const [source, count] of omitted) runs.setOmitted(id, source, count);
      for (const [source, { answeredAt }] of kept) runs.setKept(id, source, answeredAt);
      if (projection !== null) evidence.insert(id, projection.evidence);
      const state = finalState(all);
      const facts = { finishedAt, asOf: asOf(all, finishedAt), isPartial: isPartial(all) };
      scans.finish(id, { ...facts, state, projection });
      const { settings_fingerprint: settingsFingerprint, corpora_revision: corporaRevision } = held;
      if (projection === null || settingsFingerprint === null || corporaRevision === null) return;
      // Only results of full reach are kept ready: the row of an indicator must not change between two reaches.
      if (held.is_inside === 1) return;
      const view = viewOf(workspaceId, { settingsFingerprint, corporaRevision });
      const omittedCount = [...omitted.values()].reduce((sum, count) => sum + count, 0);
      const failedSources = failedSourcesOf(all);
      ready.save(indicatorHash, view, { ...facts, scanId: id, omittedCount, failedSources, ...projection });
    },
  };
}
