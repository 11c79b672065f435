import type { ApiKey, KeyStatus } from "../domain/api-key.ts";
import type { AuditEvent, AuditHead, AuditRow, AuditState, Author } from "../domain/audit.ts";
import type { Budget, BudgetKind, Charge, Limits } from "../domain/budget.ts";
import type { CaseFacts } from "../domain/case.ts";
import type { Corpus, CorpusImport, CorpusSegment } from "../domain/corpus.ts";
import type { Projection, Sighting } from "../domain/envelope.ts";
import type { AppError, SourceErrorReason } from "../domain/error.ts";
import type { Lifetimes } from "../domain/freshness.ts";
import type { Indicator } from "../domain/indicator.ts";
import type { Operator, OperatorRole } from "../domain/operator.ts";
import type { Pace } from "../domain/pace.ts";
import type {
  Answer,
  Claim,
  ClaimedScan,
  Outcome,
  ScanId,
  ScanState,
  SourceRun,
  UnfinishedState,
} from "../domain/scan.ts";
import type { Plan, Workspace, WorkspaceId } from "../domain/workspace.ts";

/**
 * The port to the database. Every method is one transaction; none spans two calls. Rules are not written twice: a
 * method reads facts, calls a pure function of the domain, and writes what it says. Arguments and results are domain
 * values.
 *
 * Errors of every method: `AppError` `storage_full` when the disk is full, `unavailable` when the database cannot be
 * read or written.
 */
export interface Store {
  /**
   * Decides and serves a batch of calls; the replies are in the order of the calls. Nothing is replied before the
   * commit, which holds budgets, usage, new scans and audit rows too; `earlier` events are written before theirs.
   */
  handleCalls(calls: readonly Call[], rules: CallRules, earlier: readonly AuditEvent[]): Promise<Reply[]>;
  /**
   * The same for a store that cannot be written now: hits and polls are served uncounted, a miss is refused with
   * `fault`, and the events that tell of it are returned instead of written.
   */
  readCalls(
    calls: readonly Call[],
    rules: CallRules,
    fault: AppError,
  ): Promise<{ readonly replies: Reply[]; readonly events: AuditEvent[] }>;

  /**
   * Takes the next queued scans, at most `maxCount`, round robin: the oldest of the workspace that comes after
   * `afterWorkspaceId`, then that of the workspace after it.
   */
  claimScans(request: ClaimRequest): Promise<ClaimedScan[]>;
  /** Prolongs what is still held; returns the claims that are. */
  extendLeases(claims: readonly Claim[], until: Date): Promise<Claim[]>;
  /** Records sources that ended. False when the claim no longer holds: then nothing was written. */
  saveRuns(claim: Claim, runs: readonly SourceRun[], nextState: UnfinishedState): Promise<boolean>;
  /** Ends a scan: last source runs, stored answers, ledger and envelope. False when the claim no longer holds. */
  settleScan(settlement: Settlement): Promise<boolean>;
  /** Queues claimed scans again under the same id; with `isCounted` those out of claims become failed. Returns how many. */
  requeueScans(
    which: { owner: string } | { leaseOverAt: Date },
    options: { isCounted: boolean; now: Date },
  ): Promise<number>;
  /** Deletes at most `maxRows` rows that are past their retention; returns how many it deleted. */
  removeExpired(limits: RetentionLimits, maxRows: number): Promise<number>;

  // What changes rights or data takes its author: the change and its audit row are one transaction.

  insertKey(workspaceId: WorkspaceId, key: NewApiKey, by: Author): Promise<ApiKey>;
  /** Revokes a key and puts `next` in its place, with its name, expiry and budget. Null when there is no such key. */
  rotateKey(workspaceId: WorkspaceId, keyId: string, next: NextApiKey, by: Author): Promise<ApiKey | null>;
  /** Revokes a key, or leaves a revoked one as it is. Null when there is no such key. */
  revokeKey(workspaceId: WorkspaceId, keyId: string, by: Author): Promise<ApiKey | null>;
  /** Null when there is no such key. */
  findKey(workspaceId: WorkspaceId, keyId: string): Promise<ApiKey | null>;
  listKeys(workspaceId: WorkspaceId, page: KeyPage): Promise<Page<ApiKey>>;
  /** Adds a workspace and, for the first one, its operator. */
  insertWorkspace(workspace: Workspace, firstOperator: NewOperator | null, by: Author): Promise<void>;
  changeWorkspace(id: WorkspaceId, change: WorkspaceChange, by: Author): Promise<Workspace>;
  findWorkspace(idOrName: string): Promise<Workspace | null>;
  /** By name, ascending. */
  listWorkspaces(): Promise<Workspace[]>;

  insertOperator(operator: NewOperator, by: Author): Promise<Operator>;
  /** Revokes an operator and ends its sessions, or leaves a revoked one as it is. Null when there is no such operator. */
  revokeOperator(workspaceId: WorkspaceId, id: string, by: Author): Promise<Operator | null>;
  /** By age, ascending, revoked ones included. */
  listOperators(workspaceId: WorkspaceId): Promise<Operator[]>;
  /** The operator whose token or unexpired session this is, unless it was revoked. */
  findOperator(credential: OperatorCredential, now: Date): Promise<Operator | null>;
  startSession(session: NewSession, by: Author): Promise<void>;
  /** False when there was no such session. */
  endSession(sessionHash: string, by: Author): Promise<boolean>;

  /** Writes events that belong to no other change, now or not at all: it does not wait for another process. */
  appendEvents(events: readonly AuditEvent[]): Promise<void>;
  /** Newest first. */
  listEvents(workspaceId: WorkspaceId, page: AuditPage): Promise<Page<AuditEvent>>;
  /** The rows after `afterRow` (-Infinity: from the first one on), oldest first, at most `limit`. */
  readChain(afterRow: number, limit: number): Promise<AuditRow[]>;
  auditHead(): Promise<AuditHead>;
  /** All that a check of the whole trail needs beside its rows, of one moment. */
  auditState(): Promise<AuditState>;
  /**
   * Removes the oldest events of the trail that are past their retention, some hundred at most, and writes the event
   * `audit.checkpoint`, which says where the trail begins now. Returns how many events were removed. Throws when they are not
   * as they were written: then nothing is removed.
   */
  removeOldEvents(retention: AuditRetention, by: Author): Promise<number>;
  /** Remembers the settings of the enabled sources, hashed, by name, and writes an event for each that differs from before. */
  noteSources(fingerprints: ReadonlyMap<string, string>, by: Author): Promise<void>;

  /** All corpora, by name, ascending. */
  listCorpora(): Promise<Corpus[]>;
  /** Makes an import visible, or says that the same bytes are there already. The commit is the publication. */
  publishImport(publication: Publication, by: Author): Promise<PublishOutcome>;
  /** False when there is no corpus of that name. Segments that hold nothing else are gone too. */
  removeCorpus(name: string, revision: string, by: Author): Promise<boolean>;
  /** Puts one segment in the place of several. False when one of them is gone: then nothing was changed. */
  replaceSegments(replacement: SegmentReplacement): Promise<boolean>;
  /**
   * From now on no corpus answers for an indicator; its scans (unfinished ones too), stored answers and ledger rows in
   * every workspace are gone (docs/contract.md 12.6a).
   */
  forget(forgetting: Forgetting, by: Author): Promise<void>;
  /** `corpusHash`: 16 hex digits. */
  isForgotten(corpusHash: string): Promise<boolean>;
  /** All forgotten keys, ascending. */
  listForgotten(): Promise<string[]>;

  /** Reserves the next turn of a source (`pace` null: it only obeys pauses); null when no turn is free before `notAfter`. */
  takeSlot(source: string, pace: Pace | null, notAfter: Date, now: Date): Promise<Date | null>;
  /** Nobody asks the source before `until`. Never shortens a longer pause. */
  pauseSource(source: string, until: Date): Promise<void>;
  /** The last run of each source that has one, by source. */
  lastSourceRuns(): Promise<SourceRunRecord[]>;

  /** What the dashboard shows of a workspace: its totals by hour since `since`, and the scans that are not finished. */
  overview(workspaceId: WorkspaceId, since: Date): Promise<Overview>;
  /** What the keys of a workspace that are not revoked have used, as it was written last; a window may be over. */
  listBudgets(workspaceId: WorkspaceId): Promise<KeyBudget[]>;

  /**
   * Copies the database as it is at one moment to a new file, which a data directory can hold in its place; others go on
   * writing meanwhile. `onProgress` is told bytes; what it throws ends the copy.
   */
  backup(file: string, onProgress: (done: number, total: number) => void): Promise<void>;
  /**
   * Of a database that was restored: all sessions end, scans that were running are queued again, uncounted, and the audit
   * trail says so with `detail`.
   */
  settleRestored(detail: string, by: Author): Promise<void>;

  /** Names each part of the schema that is not as xpose makes it, such as a trigger of somebody else. */
  schemaFaults(): Promise<string[]>;

  close(): void;
}

/** Who calls: the holder of a key, or an operator or the command line in the name of a workspace. */
export type Caller =
  | { readonly keyHash: string | null }
  | { readonly workspaceId: WorkspaceId; readonly actor: string };

/** Where a call comes from, for the audit trail. */
export type CallOrigin = { readonly ip: string | null; readonly correlationId: string | null };

/** One request to the exposure API as the store sees it. */
export type Call = EnrichCall | PollCall;

export type EnrichCall = {
  readonly kind: "enrich";
  readonly caller: Caller;
  readonly from: CallOrigin;
  /** What was wrong with the request; answered only after the checks that go first (docs/contract.md 2). */
  readonly fault: AppError | null;
  readonly indicator: Indicator | null;
  readonly indicatorHash: string;
  /** The id of the scan, if one must be started. */
  readonly newScanId: ScanId;
  /** The caller runs the scan itself and always wants a new one (`isRefresh`) or one on a miss. */
  readonly runner: { readonly owner: string; readonly leaseUntil: Date; readonly isRefresh: boolean } | null;
};

export type PollCall = {
  readonly kind: "poll";
  readonly caller: Caller;
  readonly from: CallOrigin;
  /** Null when the path held no id. */
  readonly scanId: ScanId | null;
  /** `export` reads the case too, and is written down as one. */
  readonly view: "envelope" | "sources" | "evidence" | "case" | "export";
  /** What was wrong with the request; answered only after the checks that go first (docs/contract.md 2). */
  readonly fault?: AppError | null;
  /** True when it is the second half of a request that was charged before: a POST that waited for its scan. */
  readonly isCharged: boolean;
};

/**
 * `charge` is there when a budget was charged, or refused the call; `isUncounted` when the counters cannot be read or
 * written, and the call passed all the same (docs/contract.md 8.6).
 */
export type Reply = ReplyBody & { readonly charge?: Charge; readonly isUncounted?: true };

export type ReplyBody =
  /** `denied` is set when the key does not admit the call. Nothing was written: the caller of the store records it. */
  | { readonly kind: "refused"; readonly error: AppError; readonly denied?: KnownKey | "unknown" }
  | { readonly kind: "accepted"; readonly scanId: ScanId; readonly indicator: Indicator }
  /** A scan that the caller now runs itself. */
  | { readonly kind: "claimed"; readonly scan: ClaimedScan }
  | { readonly kind: "unfinished"; readonly scanId: ScanId; readonly state: UnfinishedState }
  | { readonly kind: "failed"; readonly scanId: ScanId }
  | CompletedReply
  | { readonly kind: "evidence"; readonly body: string }
  | ({ readonly kind: "case" } & CaseFacts)
  | {
      readonly kind: "sources";
      readonly scanId: ScanId;
      readonly state: ScanState;
      readonly runs: readonly SourceRunRecord[];
    };

/** The key behind a denial: revoked, expired, of a disabled workspace or below the plan. */
export type KnownKey = { readonly workspaceId: WorkspaceId; readonly keyId: string; readonly keyName: string };

export type CompletedReply = {
  readonly kind: "completed";
  readonly scanId: ScanId;
  /** The whole body: `cache` is `hit` for a call that found the result, `miss_scan_complete` for a poll. */
  readonly envelope: string;
  readonly digest: string;
  readonly isPartial: boolean;
};

export type CallRules = {
  readonly now: Date;
  /** Start of the process plus monotonic time: windows go by it. */
  readonly steadyNow: Date;
  readonly limits: Limits;
  /** What the audit trail says of a reply: an HTTP status, or `ok` or `failed`. */
  readonly outcomeOf: (reply: ReplyBody) => string;
  readonly lifetimes: Lifetimes;
  /** More unfinished scans than this, and a miss is refused with `overloaded`. */
  readonly maxQueue: number;
  /** The settings of the sources that a workspace may ask, hashed. */
  readonly fingerprintOf: FingerprintOf;
};

export type FingerprintOf = (workspace: Pick<Workspace, "id" | "name">) => string;

export type ClaimRequest = {
  readonly owner: string;
  readonly leaseUntil: Date;
  /** Turns go round robin over workspaces: the one served last, or null. */
  readonly afterWorkspaceId: WorkspaceId | null;
  readonly maxCount: number;
  readonly fingerprintOf: FingerprintOf;
};

export type Settlement = {
  readonly claim: Claim;
  /** All runs of the scan, saved before or not. */
  readonly runs: readonly SourceRun[];
  /** Answers that make up the envelope: those of the runs, and last answers kept for sources that failed. */
  readonly answers: readonly Answer[];
  readonly finishedAt: Date;
  /** A finding that was last seen before this counts as never seen: its row is past its retention. */
  readonly ledgerBefore: Date;
  /** Pure; gets the ledger as it stands after this scan. */
  readonly project: (sightings: ReadonlyMap<string, Sighting>) => Projection;
};

/** Rows older than these go (docs/contract.md 5.11). */
export type RetentionLimits = {
  readonly scansFinishedBefore: Date;
  readonly answersBefore: Date;
  readonly sightingsBefore: Date;
  /** Hourly totals of use. */
  readonly usageBefore: Date;
};

export type AuditRetention = {
  /** Events older than this may go. */
  readonly before: Date;
  readonly now: Date;
  /** The row of the head that is kept beside the secret. It stays, and so does all behind it. */
  readonly keptRow: number;
};

export type Overview = {
  readonly queuedCount: number;
  readonly runningCount: number;
  /** One row per hour with calls, ascending; `hour` is its start. */
  readonly usage: readonly {
    readonly hour: Date;
    readonly requests: number;
    readonly hits: number;
    readonly polls: number;
  }[];
  /** How each source that was asked fared, by source, hour and outcome, ascending. */
  readonly sources: readonly SourceHour[];
};

export type SourceHour = {
  readonly source: string;
  readonly hour: Date;
  readonly outcome: Outcome;
  readonly runCount: number;
  /** Of all these runs together. */
  readonly durationMs: number;
  readonly lastEndedAt: Date;
  readonly lastError: SourceErrorReason | null;
  readonly lastQuotaLeft: number | null;
};

export type KeyBudget = { readonly keyId: string; readonly kind: BudgetKind; readonly budget: Budget };

/** One row of `/sources`. */
export type SourceRunRecord = {
  readonly source: string;
  readonly outcome: Outcome;
  readonly findingCount: number;
  readonly durationMs: number;
  readonly endedAt: Date;
  readonly error: SourceErrorReason | null;
  readonly missing: readonly string[];
  readonly quotaLeft: number | null;
};

export type NewApiKey = {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly hash: string;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly expiresAt: Date | null;
};

/** What a rotation brings; name and expiry stay. */
export type NextApiKey = Pick<NewApiKey, "id" | "prefix" | "hash" | "createdAt" | "createdBy">;

export type KeyPage = {
  readonly limit: number;
  readonly cursor: string | null;
  readonly status: KeyStatus | null;
  readonly now: Date;
};
export type Page<Item> = { readonly items: Item[]; readonly nextCursor: string | null };

export type WorkspaceChange = { readonly plan: Plan } | { readonly disabledAt: Date | null };

export type NewOperator = {
  readonly id: string;
  readonly workspaceId: WorkspaceId;
  readonly name: string;
  readonly role: OperatorRole;
  readonly tokenHash: string;
  readonly createdAt: Date;
};

export type OperatorCredential = { readonly tokenHash: string } | { readonly sessionHash: string };

export type NewSession = {
  readonly hash: string;
  readonly operator: Operator;
  readonly expiresAt: Date;
};

export type AuditPage = { readonly limit: number; readonly cursor: string | null; readonly keyId: string | null };

export type Publication = {
  readonly name: string;
  readonly scope: WorkspaceId | null;
  /** Used when the name is new; `isGiven` says that the operator asked for it, and then it replaces an older one. */
  readonly confidence: { readonly value: number; readonly isGiven: boolean };
  readonly origin: { readonly value: string; readonly isGiven: boolean };
  readonly revision: string;
  readonly import: CorpusImport;
  readonly segment: CorpusSegment;
};

/** `sameAs`: another corpus that holds the same content. */
export type PublishOutcome = {
  readonly outcome: "published" | "already_imported";
  readonly sameAs: string | null;
};

export type SegmentReplacement = {
  readonly files: readonly string[];
  /** Null when nothing of them is left. */
  readonly merged: CorpusSegment | null;
  /** Imports whose records are in `merged`; those that were removed meanwhile do not count. */
  readonly importIds: readonly string[];
};

export type Forgetting = { readonly indicatorHash: string; readonly corpusHash: string };

export type { Corpus, CorpusImport, CorpusSegment } from "../domain/corpus.ts";
export type { Pace } from "../domain/pace.ts";
