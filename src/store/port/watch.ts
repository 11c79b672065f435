import type { Author } from "../../domain/audit.ts";
import type { KnownKey } from "../../domain/call.ts";
import type { SourceErrorReason } from "../../domain/error.ts";
import type { Indicator } from "../../domain/indicator.ts";
import type { NewScan, ScanId, ScanState, SourceRunRecord } from "../../domain/scan.ts";
import type { CheckedSources, CorpusRevisions, FoundFinding, RoundCounts, WatchTrigger } from "../../domain/watch.ts";
import type { Workspace, WorkspaceId } from "../../domain/workspace.ts";

/** Watch lists, and what checks of their addresses bring. Addresses are sealed: the store never sees one of a list. */
export interface WatchStore {
  /** Adds what is not on the list yet. Throws `too_many`, and then nothing is added. */
  addWatched(addition: WatchAddition, by: WatchAuthor): Promise<{ added: number; already: number; total: number }>;
  removeWatched(
    workspaceId: WorkspaceId,
    indicatorHashes: readonly string[],
    by: WatchAuthor,
  ): Promise<{ removed: number; total: number }>;
  /** In the order in which they were added, those after `afterId`. */
  listWatched(workspaceId: WorkspaceId, page: WatchPage): Promise<ListedWatched[]>;
  /** How each workspace with a list stands. */
  watchStates(): Promise<WatchState[]>;
  /** The rows after `afterId`, ascending; with `isUnchecked` only those that no source answered for. */
  readWatched(
    workspaceId: WorkspaceId,
    which: { readonly afterId: number; readonly limit: number; readonly isUnchecked: boolean },
  ): Promise<WatchedRow[]>;
  /** Begins a round unless one of this trigger is under way. */
  beginRound(round: NewRound): Promise<void>;
  /** Compares checks with what the ones before held. Events, what is held and the place of the round change together. */
  recordChecks(checks: RecordedChecks): Promise<{ counts: RoundCounts; eventCount: number }>;
  /** Ends a round with its event, and remembers the corpora that it looked at. */
  endRound(round: Pick<NewRound, "workspaceId" | "trigger">, sealing: Sealing): Promise<void>;
  /** Gives addresses without a time, or with one beyond `now` + `intervalMs`, their first scan; true when there may be more. */
  scheduleScans(now: Date, intervalMs: number, limit: number): Promise<boolean>;
  /** Addresses whose scan is due, the longest due first. */
  dueForScan(now: Date, limit: number): Promise<DueRow[]>;
  /** Queues the scan of an address behind those of single calls, or joins the one that waits. */
  queueWatchScan(watchedId: number, scan: NewScan): Promise<void>;
  /** Full scans of watched addresses that have ended; `state` is null when the scan is gone. */
  endedWatchScans(limit: number): Promise<EndedScan[]>;
  /** Full scans that wait or run. */
  countWatchScans(): Promise<number>;
}

/** Who changes a list; `key` is null for a command. */
export type WatchAuthor = { readonly author: Author; readonly key: KnownKey | null };

export type WatchAddition = {
  readonly workspaceId: WorkspaceId;
  readonly entries: readonly { readonly indicatorHash: string; readonly sealed: Uint8Array }[];
  readonly label: string | null;
  readonly max: number;
};

export type WatchPage = { readonly afterId: number; readonly limit: number; readonly label: string | null };

export type WatchedRow = {
  readonly id: number;
  readonly workspaceId: WorkspaceId;
  readonly indicatorHash: string;
  readonly sealed: Uint8Array;
};

export type DueRow = WatchedRow & { readonly workspace: Pick<Workspace, "id" | "name"> };

export type ListedWatched = WatchedRow & {
  readonly label: string | null;
  readonly addedAt: Date;
  readonly lastCheckedAt: Date | null;
  /** Held findings by severity. */
  readonly bySeverity: Readonly<Record<string, number>>;
};

export type WatchState = {
  readonly workspace: Pick<Workspace, "id" | "name">;
  /** The corpora that its list was last compared with; null before that. */
  readonly known: CorpusRevisions | null;
  readonly current: CorpusRevisions;
  readonly rounds: readonly WatchRound[];
};

export type NewRound = {
  readonly workspaceId: WorkspaceId;
  readonly trigger: WatchTrigger;
  readonly startedAt: Date;
  readonly changed: readonly string[];
  readonly corpora: CorpusRevisions;
};

export type WatchRound = NewRound & { readonly afterId: number; readonly counts: RoundCounts };

/** A check of one address. */
export type RecordedCheck = CheckedSources<FoundFinding> & {
  readonly id: number;
  readonly indicator: Indicator;
  readonly indicatorHash: string;
  readonly requestId: string | null;
  /** True when it was not looked up. */
  readonly hasFailed: boolean;
  /** The end of a full scan: when the next one is due. */
  readonly nextScanAt: Date | null;
};

/** What events are sealed with: see `Sealer`. */
export type Sealing = { readonly at: Date; readonly seal: (text: string, context: string) => Uint8Array };

export type RecordedChecks = Sealing & {
  readonly workspaceId: WorkspaceId;
  readonly checks: readonly RecordedCheck[];
  /** The trigger of the round that the checks belong to; null for first checks. */
  readonly trigger: WatchTrigger | null;
  /** The last row that the round has behind it; null when it has no order. */
  readonly afterId: number | null;
  /** Sources that were asked, and why they failed. */
  readonly asked: readonly { readonly source: string; readonly error: SourceErrorReason | null }[];
  /** A finding that was last seen before this counts as never seen. */
  readonly ledgerBefore: Date;
};

export type EndedScan = WatchedRow & {
  readonly scanId: ScanId;
  readonly state: ScanState | null;
  readonly dueAt: Date;
  readonly runs: readonly SourceRunRecord[];
  /** The body of its `/evidence`; empty when it failed. */
  readonly evidence: string;
};
