import type { BudgetKind, BudgetLeft, Charge, Limits } from "./budget.ts";
import type { BulkId, BulkList } from "./bulk.ts";
import type { CaseFacts } from "./case.ts";
import type { ComparedScan } from "./changes.ts";
import type { EnrichOptions } from "./enrich-options.ts";
import type { AppError } from "./error.ts";
import type { Lifetimes } from "./freshness.ts";
import type { Indicator } from "./indicator.ts";
import type { OnPending } from "./on-pending.ts";
import type { PastScan } from "./past-scan.ts";
import type { ClaimedScan, ScanId, ScanState, SourceRunRecord, UnfinishedState } from "./scan.ts";
import type { Tlp } from "./tlp.ts";
import type { Workspace, WorkspaceId } from "./workspace.ts";

/** The caller: the holder of a key, or an operator or command that acts for a workspace. */
export type Caller =
  | { readonly keyHash: string | null }
  | { readonly workspaceId: WorkspaceId; readonly actor: string };

/** The origin of a call, for the audit trail. */
export type CallOrigin = { readonly ip: string | null; readonly correlationId: string | null };

/** One request to the exposure API, in the form that the store takes. */
export type Call = EnrichCall | PollCall | HistoryCall | WhoamiCall | WatchCall | BulkCall | BulkPollCall;

export type EnrichCall = {
  readonly kind: "enrich";
  readonly caller: Caller;
  readonly from: CallOrigin;
  /** An error in the request. It is answered only after the checks that come first (docs/contract.md 2). */
  readonly fault: AppError | null;
  readonly indicator: Indicator | null;
  readonly indicatorHash: string;
  /** The id of the scan, if one must be started. */
  readonly newScanId: ScanId;
  readonly options: EnrichOptions;
  /** With `case`, a hit is answered with all that is known about the scan. */
  readonly view?: "envelope" | "case";
  readonly onPending?: OnPending | undefined;
  /** Set when the caller runs the scan itself: always a new scan (`isRefresh`), or a new scan only on a miss. */
  readonly runner: { readonly owner: string; readonly leaseUntil: Date; readonly isRefresh: boolean } | null;
};

export type PollCall = {
  readonly kind: "poll";
  readonly caller: Caller;
  readonly from: CallOrigin;
  /** Null when the path holds no valid id. */
  readonly scanId: ScanId | null;
  /** `export` reads the same data as `case`, but is audited as an export. */
  readonly view: "envelope" | "sources" | "evidence" | "case" | "export" | "changes";
  /** For the view `changes`: the scan to compare with, null for an id that is not valid. Absent: the newest one before. */
  readonly sinceId?: ScanId | null | undefined;
  readonly onPending?: OnPending | undefined;
  /** An error in the request. It is answered only after the checks that come first (docs/contract.md 2). */
  readonly fault?: AppError | null;
  /** True for the second half of a request that is already charged: a POST that waited for its scan. */
  readonly isCharged: boolean;
};

/** Asks for the finished scans of an indicator (docs/pipeline.md 17.3). Charged as a poll. */
export type HistoryCall = {
  readonly kind: "history";
  readonly caller: Caller;
  readonly from: CallOrigin;
  /** An error in the request. It is answered only after the checks that come first (docs/contract.md 2). */
  readonly fault: AppError | null;
  readonly indicator: Indicator | null;
  readonly indicatorHash: string;
  readonly limit: number;
  /** The `nextCursor` of the page before; null for the first page. */
  readonly cursor: string | null;
};

/** A list of indicators in one call (docs/pipeline.md 19): all of it is charged and started, or nothing. */
export type BulkCall = {
  readonly kind: "bulk";
  readonly caller: Caller;
  readonly from: CallOrigin;
  /** The fault of the request; reported only after the checks that go first (docs/contract.md 2). */
  readonly fault: AppError | null;
  readonly bulkId: BulkId;
  readonly list: BulkList;
  /** Of every indicator of the list. */
  readonly options: EnrichOptions;
};

export type BulkPollCall = {
  readonly kind: "bulk_poll";
  readonly caller: Caller;
  readonly from: CallOrigin;
  /** Null when the path held no id. */
  readonly bulkId: BulkId | null;
  readonly fault: AppError | null;
  /** True when the answer holds what was found, and is written down as an export. */
  readonly isExport: boolean;
  /** True for the further looks of a request that waits. */
  readonly isCharged: boolean;
};

/** The holder of a key asks what it may do. Nothing is charged for the answer. */
export type WhoamiCall = {
  readonly kind: "whoami";
  readonly caller: { readonly keyHash: string };
  readonly from: CallOrigin;
};

/** The holder of a key manages a watch list or reads events. The work itself comes after the admission. */
export type WatchCall = {
  readonly kind: "watch";
  readonly caller: { readonly keyHash: string };
  readonly from: CallOrigin;
  /** True for the second half of a request that waited for an event. */
  readonly isCharged: boolean;
};

/**
 * `charge` is set when a budget was charged or refused the call. `isUncounted` is set when the call passed although its
 * counters cannot be read or written (docs/contract.md 8.6). `isInside` is set when the reply is about a scan of inside
 * reach (docs/pipeline.md 16.2).
 */
export type Reply = ReplyBody & { readonly charge?: Charge; readonly isUncounted?: true; readonly isInside?: true };

export type ReplyBody =
  /** `denied` is set when the key was not accepted. The store has written nothing: its caller records the denial. */
  | { readonly kind: "refused"; readonly error: AppError; readonly denied?: KnownKey | "unknown" }
  | { readonly kind: "accepted"; readonly scanId: ScanId; readonly indicator: Indicator }
  /** A scan that the caller now runs itself. */
  | { readonly kind: "claimed"; readonly scan: ClaimedScan }
  | {
      readonly kind: "unfinished";
      readonly scanId: ScanId;
      readonly state: UnfinishedState;
      readonly indicator: Indicator;
    }
  | { readonly kind: "failed"; readonly scanId: ScanId }
  | CompletedReply
  | { readonly kind: "evidence"; readonly body: string }
  | CaseReply
  /** Two scans to compare; `since` is null when there is no earlier one. */
  | { readonly kind: "changes"; readonly scan: ComparedScan; readonly since: ComparedScan | null }
  | {
      readonly kind: "history";
      readonly indicator: Indicator;
      readonly scans: readonly PastScan[];
      readonly nextCursor: string | null;
    }
  | {
      readonly kind: "sources";
      readonly scanId: ScanId;
      readonly state: ScanState;
      readonly runs: readonly SourceRunRecord[];
    }
  /** A list that is there. Its rows are read apart, some at a time: there may be very many. */
  | {
      readonly kind: "bulk";
      readonly bulkId: BulkId;
      readonly workspaceId: WorkspaceId;
      readonly rowCount: number;
      readonly hasPending: boolean;
    }
  | {
      readonly kind: "whoami";
      readonly workspace: Pick<Workspace, "id" | "name" | "plan">;
      readonly keyId: string;
      readonly budgets: BudgetsLeft;
    }
  | { readonly kind: "admitted"; readonly workspace: Pick<Workspace, "id" | "name">; readonly key: KnownKey };

/** The rest of each budget of a key; null where the plan sets no limit. */
export type BudgetsLeft = Readonly<Record<BudgetKind, BudgetLeft | null>>;

/** The key behind a denial: revoked, expired, of a disabled workspace, from another address, below the plan or without the scope. */
export type KnownKey = { readonly workspaceId: WorkspaceId; readonly keyId: string; readonly keyName: string };

/** Bound of the replies of one transaction, which the last reply may exceed: reading and sending them takes milliseconds. In UTF-16 units. */
export const maxReplyLength = 1 << 20;

/** Length of what a reply is made of, in UTF-16 units; 0 for the kinds that are always short. */
export function replyLength(reply: ReplyBody): number {
  if (reply.kind === "completed") return reply.envelope.length;
  if (reply.kind === "case") return (reply.result?.envelopeTail.length ?? 0) + (reply.result?.evidence.length ?? 0);
  if (reply.kind === "changes") {
    return (reply.scan.envelopeTail?.length ?? 0) + (reply.since?.envelopeTail?.length ?? 0);
  }
  return reply.kind === "evidence" ? reply.body.length : 0;
}

export type CaseReply = { readonly kind: "case" } & CaseFacts;

export type CompletedReply = {
  readonly kind: "completed";
  readonly scanId: ScanId;
  /** The whole body. Its `cache` is `hit` for a POST that found the result, `miss_scan_complete` for a poll. */
  readonly envelope: string;
  readonly digest: string;
  readonly isPartial: boolean;
  /** Findings that the envelope leaves out (docs/pipeline.md 16.6). */
  readonly omittedCount: number;
  /** Sources that failed, by name (docs/pipeline.md 31). */
  readonly failedSources: readonly string[];
};

export type CallRules = {
  readonly now: Date;
  /** Start of the process plus monotonic time. Budget windows are measured in it. */
  readonly steadyNow: Date;
  readonly limits: Limits;
  /** The outcome of a reply for the audit trail: an HTTP status, or `ok` or `failed`. */
  readonly outcomeOf: (reply: ReplyBody, onPending?: OnPending | undefined) => string;
  readonly lifetimes: Lifetimes;
  /** With this many unfinished scans, a miss is refused with `overloaded`. */
  readonly maxQueue: number;
  /** Above this mark, a question is only put to sources inside the perimeter (docs/pipeline.md 16.2). */
  readonly maxTlpOutside: Tlp;
  /** Hashes the settings of the sources that a workspace may ask. */
  readonly fingerprintOf: FingerprintOf;
};

export type FingerprintOf = (workspace: Pick<Workspace, "id" | "name">) => string;
