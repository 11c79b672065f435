import type { ScanStore } from "../port/scan.ts";
import type { answerTable } from "./answer.ts";
import type { bulkTable } from "./bulk.ts";
import type { scanTable } from "./scan.ts";
import type { scanClaims } from "./scan-claim.ts";
import type { scanSettler } from "./settle-scan.ts";
import type { sightingTable } from "./sighting.ts";
import type { sourceRunTable } from "./source-run.ts";
import type { sourceUsageTable } from "./source-usage.ts";
import type { Transactions } from "./transactions.ts";
import type { usageTable } from "./usage.ts";

type Tables = {
  readonly claims: ReturnType<typeof scanClaims>;
  readonly settler: ReturnType<typeof scanSettler>;
  readonly runs: Pick<ReturnType<typeof sourceRunTable>, "last">;
  readonly scans: Pick<ReturnType<typeof scanTable>, "removeBefore">;
  readonly bulks: Pick<ReturnType<typeof bulkTable>, "removeBefore">;
  readonly answers: Pick<ReturnType<typeof answerTable>, "removeBefore">;
  readonly sightings: Pick<ReturnType<typeof sightingTable>, "removeBefore">;
  readonly usage: Pick<ReturnType<typeof usageTable>, "removeBefore">;
  readonly sourceUsage: Pick<ReturnType<typeof sourceUsageTable>, "removeBefore">;
};

export function scanStore({ read, write, writeTogether }: Transactions, tables: Tables): ScanStore {
  const { claims, settler, runs, scans, bulks, answers, sightings, usage, sourceUsage } = tables;
  return {
    claimScans: (request) => writeTogether(() => claims.claim(request)),
    extendLeases: (...args) => write(() => claims.extendLeases(...args)),
    saveRuns: (claim, ended, nextState) =>
      writeTogether(() => {
        const held = claims.held(claim);
        if (held !== undefined) settler.saveRuns(held, ended, nextState);
        return held !== undefined;
      }),
    recordSightings: (claim, seen, ledgerBefore) =>
      writeTogether(() => {
        const held = claims.held(claim);
        return held === undefined ? null : settler.recordSightings(held, seen, ledgerBefore);
      }),
    settleScan: (settlement) =>
      writeTogether(() => {
        const held = claims.held(settlement.claim);
        if (held !== undefined) settler.settle(held, settlement);
        return held !== undefined;
      }),
    requeueScans: (which, { isCounted, now }) => write(() => claims.requeue(which, isCounted, now)),
    removeExpired: (limits, maxRows) =>
      write(() => {
        // The removed totals are not part of the returned number: they are few and never need another round at once.
        sourceUsage.removeBefore(limits.scansFinishedBefore, maxRows);
        usage.removeBefore(limits.usageBefore, maxRows);
        let left = maxRows;
        left -= scans.removeBefore(limits.scansFinishedBefore, left);
        left -= bulks.removeBefore(limits.scansFinishedBefore);
        left -= answers.removeBefore(limits.answersBefore, left);
        left -= sightings.removeBefore(limits.sightingsBefore, left);
        return maxRows - left;
      }),
    lastSourceRuns: () => read(() => runs.last()),
  };
}
