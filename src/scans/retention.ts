import type { Author } from "../domain/audit.ts";
import type { AuditStore } from "../store/port/audit.ts";
import type { EventStore } from "../store/port/event.ts";
import type { ScanStore } from "../store/port/scan.ts";
import type { Live } from "./live.ts";

/** Small, so that no transaction delays calls. */
const rowsPerStep = 500;

export type Retention = {
  readonly live: () => Live;
  /** `audit.retention`, milliseconds. */
  readonly auditRetentionMs: number;
  readonly now: () => Date;
  /** Stops the work between two steps. */
  readonly signal: AbortSignal;
};

/** Deletes expired rows (docs/contract.md 5.11) step by step; returns the number of deleted rows. */
export async function removeExpired(
  store: Pick<ScanStore, "removeExpired">,
  { live, auditRetentionMs, now, signal }: Retention,
): Promise<number> {
  let total = 0;
  while (!signal.aborted) {
    const { lifetimes, ledgerRetentionMs } = live();
    const before = (lifetimeMs: number) => new Date(now().getTime() - lifetimeMs);
    const count = await store.removeExpired(
      {
        scansFinishedBefore: before(lifetimes.retentionMs),
        answersBefore: before(lifetimes.retentionMs),
        sightingsBefore: before(ledgerRetentionMs),
        usageBefore: before(auditRetentionMs),
      },
      rowsPerStep,
    );
    total += count;
    if (count < rowsPerStep) return total;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return total;
}

/**
 * Removes expired events of the audit trail step by step; returns the number of removed events. Never removes events
 * after the kept head, so that the trail always continues from it. Does nothing without a kept head (`keptRow` null).
 */
export async function removeOldEvents(
  store: Pick<AuditStore, "removeOldEvents">,
  keptRow: () => number | null,
  by: () => Author,
  { auditRetentionMs, now, signal }: Omit<Retention, "live">,
): Promise<number> {
  let total = 0;
  while (!signal.aborted) {
    const row = keptRow();
    if (row === null) break;
    const before = new Date(now().getTime() - auditRetentionMs);
    const count = await store.removeOldEvents({ before, now: now(), keptRow: row }, by());
    if (count === 0) break;
    total += count;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return total;
}

/** Removes events of watch lists that are past `watch.event_retention`, step by step; returns how many. */
export async function removeOldWatchEvents(
  store: Pick<EventStore, "removeEvents">,
  { live, now, signal }: Omit<Retention, "auditRetentionMs">,
): Promise<number> {
  let total = 0;
  while (!signal.aborted) {
    const before = new Date(now().getTime() - live().watch.eventRetentionMs);
    const count = await store.removeEvents(before, rowsPerStep);
    total += count;
    if (count < rowsPerStep) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return total;
}
