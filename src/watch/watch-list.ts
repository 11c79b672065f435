import type { Author } from "../domain/audit.ts";
import type { KnownKey } from "../domain/call.ts";
import { AppError } from "../domain/error.ts";
import type { Indicator } from "../domain/indicator.ts";
import { type DerivedKeys, indicatorHash } from "../domain/keyed-hash.ts";
import { timestamp } from "../domain/time.ts";
import { sealContext, type WatchChange } from "../domain/watch.ts";
import type { WorkspaceId } from "../domain/workspace.ts";
import type { WatchStore } from "../store/port/watch.ts";
import type { WatchAdded, WatchedBody, WatchList, WatchRemoved } from "../wire/watch.ts";
import { openSealer } from "./seal.ts";

type Tools = {
  readonly store: Pick<WatchStore, "addWatched" | "removeWatched" | "listWatched">;
  readonly keys: DerivedKeys;
  readonly randomBytes: (count: number) => Uint8Array;
};
type ChangeTools = Tools & { readonly author: Author; readonly key: KnownKey | null };

/** Puts addresses on the list of a workspace (docs/pipeline.md 20.2). Throws `too_many`. */
export async function addToWatchList(
  workspaceId: WorkspaceId,
  { indicators, label, invalid, repeatedCount }: WatchChange,
  max: number,
  { store, keys, randomBytes, author, key }: ChangeTools,
): Promise<WatchAdded> {
  const { seal } = openSealer(keys, randomBytes);
  const entries = indicators.map((indicator) => {
    const hash = indicatorHash(keys, indicator);
    return { indicatorHash: hash, sealed: seal(JSON.stringify(indicator), sealContext(workspaceId, hash)) };
  });
  const { added, already, total } = await store.addWatched({ workspaceId, entries, label, max }, { author, key });
  const faults = invalid.map(({ valueIndex, error: { code, message } }) => ({
    value_index: valueIndex,
    error: { code, message },
  }));
  return { added, already: already + repeatedCount, invalid: faults, total };
}

/** Takes addresses off the list of a workspace. What is not on it is passed over. */
export async function removeFromWatchList(
  workspaceId: WorkspaceId,
  { indicators }: WatchChange,
  { store, keys, author, key }: Omit<ChangeTools, "randomBytes">,
): Promise<WatchRemoved> {
  const hashes = indicators.map((indicator) => indicatorHash(keys, indicator));
  return await store.removeWatched(workspaceId, hashes, { author, key });
}

type ListPage = { readonly limit: number; readonly cursor: string | null; readonly label: string | null };

/** A page of the list. Throws `invalid_request` for a cursor of elsewhere. */
export async function listWatchList(
  workspaceId: WorkspaceId,
  { limit, cursor, label }: ListPage,
  { store, keys, randomBytes }: Tools,
): Promise<WatchList> {
  const sealer = openSealer(keys, randomBytes);
  const context = sealContext(workspaceId, "cursor");
  const afterId = cursor === null ? 0 : idIn(cursor, (sealed) => sealer.open(sealed, context));
  const rows = await store.listWatched(workspaceId, { afterId, limit: limit + 1, label });
  const shown = rows.slice(0, limit);
  const watch = shown.map((row): WatchedBody => {
    const isChecked = row.lastCheckedAt !== null;
    const total = Object.values(row.bySeverity).reduce((sum, count) => sum + count, 0);
    return {
      indicator: openIndicator(row, sealer.open),
      label: row.label,
      added_at: timestamp(row.addedAt),
      last_checked_at: row.lastCheckedAt === null ? null : timestamp(row.lastCheckedAt),
      // Before the first check nothing is known: a 0 would read as clean.
      total: isChecked ? total : null,
      by_severity: isChecked ? row.bySeverity : null,
    };
  });
  const last = shown.at(-1);
  // Sealed, because row numbers count those of all workspaces.
  const next = rows.length <= limit || last === undefined ? null : sealer.seal(String(last.id), context);
  return { watch, next_cursor: next?.toString("base64url") ?? null };
}

function idIn(cursor: string, open: (sealed: Uint8Array) => string): number {
  try {
    return Number(open(Buffer.from(cursor, "base64url")));
  } catch {
    throw new AppError("invalid_request", "The cursor is not one of this list");
  }
}

type Sealed = { readonly workspaceId: WorkspaceId; readonly indicatorHash: string; readonly sealed: Uint8Array };

/** The address of a row. Throws when the row was not written with this secret. */
export function openIndicator(
  { workspaceId, indicatorHash: hash, sealed }: Sealed,
  open: (sealed: Uint8Array, context: string) => string,
): Indicator {
  return JSON.parse(open(sealed, sealContext(workspaceId, hash))) as Indicator;
}
