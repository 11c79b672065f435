import { ownAuthor } from "../access/audit.ts";
import type { OpenStore } from "../data-directory/data-directory.ts";
import { type Repeated, repeat } from "../event-loop/repeat.ts";
import { type Retention, removeExpired, removeOldEvents, removeOldWatchEvents } from "../scans/retention.ts";
import type { Log } from "./log.ts";

/** Requests that waited for the start are answered before the first sweep. */
const firstMs = 1_000;
const everyMs = 60_000;

/**
 * Removes expired rows and audit events every minute. `keptRow` is the last row of the trail whose head is stored
 * outside the database, or null. Later events are not removed.
 */
export function keepRetention(
  { store }: Pick<OpenStore, "store">,
  settings: Omit<Retention, "signal">,
  keptRow: () => number | null,
  log: Log,
): Repeated {
  const author = () => ownAuthor(settings.now(), "ok");
  const sweep = async (signal: AbortSignal) => {
    const retention = { ...settings, signal };
    const rowCount = (await removeExpired(store, retention)) + (await removeOldWatchEvents(store, retention));
    if (rowCount > 0) log.info({ rows: rowCount }, "expired rows removed");
    const eventCount = await removeOldEvents(store, keptRow, author, retention);
    if (eventCount > 0) log.info({ events: eventCount }, "audit events past their retention removed");
  };
  return repeat(sweep, {
    firstMs,
    everyMs,
    onError: (error) => log.error({ err: error }, "expired rows could not be removed"),
  });
}
