import type { Reach } from "../wire/case.ts";
import { type Admission, type Admissions, type ChargedBudget, costOf, type Who } from "./admit-call.ts";
import type { AuditAction, AuditEvent } from "./audit.ts";
import { type Charge, refund } from "./budget.ts";
import { type BulkId, type BulkItem, bulkItems, decideBulk } from "./bulk.ts";
import type {
  BudgetsLeft,
  BulkCall,
  BulkPollCall,
  Call,
  CallRules,
  CaseReply,
  CompletedReply,
  EnrichCall,
  HistoryCall,
  PollCall,
  Reply,
  ReplyBody,
  WatchCall,
  WhoamiCall,
} from "./call.ts";
import type { CaseFacts } from "./case.ts";
import type { ComparedScan } from "./changes.ts";
import { demandOf } from "./enrich-options.ts";
import { type CacheMember, envelopeText } from "./envelope.ts";
import { AppError } from "./error.ts";
import { asksAsMuch, type Decision, type Demand, freshSince, isRetained } from "./freshness.ts";
import type { Indicator } from "./indicator.ts";
import type { PastScan } from "./past-scan.ts";
import {
  type ClaimedScan,
  isFinished,
  type NewScan,
  type ScanId,
  type ScanState,
  type SourceRunRecord,
} from "./scan.ts";
import type { WorkspaceId } from "./workspace.ts";

/** The stored result of a completed scan. */
export type StoredResult = {
  readonly envelopeTail: string;
  readonly digest: string;
  readonly isPartial: boolean;
  /** Findings that the envelope leaves out. */
  readonly omittedCount: number;
  /** Sources that failed, by name. */
  readonly failedSources: readonly string[];
};

/** Facts about an indicator that an enrich call needs, see `asksForScans`. */
export type IndicatorFacts = {
  /** The result of `decide` for the scans of this indicator in the workspace. */
  readonly decision: Decision;
  /** The reply of a hit; null when the decision is another. */
  readonly hit: Hit | null;
};

export type Hit = (CompletedReply | CaseReply) & Pick<Reply, "isInside">;

/** Facts about the scan of a poll. Of the last four members, only those that the view shows are filled. */
export type PollFacts = {
  readonly state: ScanState;
  readonly indicatorHash: string;
  readonly finishedAt: Date | null;
  /** True when this key has already received a final answer of the scan. */
  readonly wasPolled: boolean;
  readonly runs: readonly SourceRunRecord[];
  readonly evidence: string;
  readonly result: StoredResult | null;
  /** The data of a finished scan. */
  readonly caseFacts: CaseFacts | null;
  readonly indicator: Indicator;
  readonly reach: Reach;
  readonly compared: ComparedScan | null;
  /** The scan to compare with; null when there is no earlier one, and for another view. */
  readonly since: ComparedScan | null;
  /** True when the call names a scan to compare with that is not one of this workspace and indicator. */
  readonly isSinceUnknown: boolean;
};

/** A page of the finished scans of an indicator, newest first. */
export type HistoryFacts = { readonly scans: readonly PastScan[]; readonly nextCursor: string | null };

/** The facts about the list of a poll. */
export type BulkPollFacts = { readonly createdAt: Date; readonly rowCount: number; readonly hasPending: boolean };

export type ScanFactsOfCalls = {
  /** By index of the call. */
  readonly indicators: ReadonlyMap<number, IndicatorFacts>;
  /** By index of the call; a poll without an entry found no scan in its workspace. */
  readonly polls: ReadonlyMap<number, PollFacts>;
  /** By index of the call. Null when the cursor is not valid. */
  readonly histories: ReadonlyMap<number, HistoryFacts | null>;
  /** The decisions of `decide` for each distinct indicator of a list, by index of the call. */
  readonly bulks: ReadonlyMap<number, readonly Decision[]>;
  /** By index of the call; a poll without an entry found no list in its workspace. */
  readonly bulkPolls: ReadonlyMap<number, BulkPollFacts>;
  /** Earlier answers about the indicators of calls with a runner, by index of the call. */
  readonly answers: ReadonlyMap<number, Pick<ClaimedScan, "answers" | "failedSources">>;
  /** Number of unfinished scans of all workspaces. Only used when a call may start a scan, see `mayStart`. */
  readonly unfinishedCount: number;
};

export type CallCounts = { requests: number; hits: number; polls: number };

/** A new scan to store. With `claim`, the caller runs the scan itself. */
export type StartedScan = NewScan & {
  /** Scans of single calls go before those of lists (docs/pipeline.md 19.5). */
  readonly isBulk: boolean;
  readonly claim: { readonly scan: ClaimedScan; readonly leaseUntil: Date } | null;
};

/** All changes that a batch of calls makes. */
export type CallWrites = {
  readonly scans: readonly StartedScan[];
  /** Scans that have not started and must ask more than before: a later question was joined to them. */
  readonly tightened: readonly { readonly scanId: ScanId; readonly freshSince: Date }[];
  readonly bulks: readonly StoredBulk[];
  /** Scans that a single call waits for now. */
  readonly joined: readonly ScanId[];
  readonly polled: readonly { readonly scanId: ScanId; readonly keyId: string }[];
  readonly usage: ReadonlyMap<WorkspaceId, Readonly<CallCounts>>;
  readonly usedKeyIds: readonly string[];
  readonly budgets: readonly ChargedBudget[];
  readonly events: readonly AuditEvent[];
};

/** A list as it is stored. */
export type StoredBulk = {
  readonly id: BulkId;
  readonly workspaceId: WorkspaceId;
  readonly createdAt: Date;
  readonly items: readonly BulkItem[];
};

/** True when the call needs the scans of its indicator: not for a faulty request, nor for a forced new scan. */
export function asksForScans({ fault, indicator, runner }: EnrichCall): boolean {
  return fault === null && indicator !== null && runner?.isRefresh !== true;
}

/** True when the call may add a scan to the queue, so that the length of the queue matters. */
export function mayStart(
  { runner, options }: EnrichCall,
  { mayScan }: Pick<Who, "mayScan">,
  { decision }: IndicatorFacts,
): boolean {
  return runner === null && mayScan && !options.isCachedOnly && decision.kind === "start";
}

/**
 * Serves the admitted calls of a batch. Returns the replies, in the order of the calls, and everything to write.
 * `fault` is set when the database cannot be written: calls that need a write are refused with this error.
 */
export function serveCalls(
  calls: readonly Call[],
  { admissions, usedKeyIds, budgets }: Admissions,
  facts: ScanFactsOfCalls,
  rules: CallRules,
  fault: AppError | null,
): { readonly replies: Reply[]; readonly writes: CallWrites } {
  const scans: StartedScan[] = [];
  const tightened: { scanId: ScanId; freshSince: Date }[] = [];
  const bulks: StoredBulk[] = [];
  const joinedScans: ScanId[] = [];
  let budgetsAfter = budgets;
  const polled = new Map<string, { scanId: ScanId; keyId: string }>();
  const usage = new Map<WorkspaceId, CallCounts>();
  const events: AuditEvent[] = [];
  let unfinishedCount = facts.unfinishedCount;

  function countsOf({ workspace }: Who): CallCounts {
    const counts = usage.get(workspace.id) ?? { requests: 0, hits: 0, polls: 0 };
    usage.set(workspace.id, counts);
    return counts;
  }

  function record(action: AuditAction, who: Who, call: Call, reply: ReplyBody, about: About): void {
    const { from } = call;
    const onPending = "onPending" in call ? call.onPending : undefined;
    // Written out instead of `auditEvent`: this runs for every hit, and copying an object costs as much as making it.
    events.push({
      at: rules.now,
      workspaceId: who.workspace.id,
      actor: who.actor,
      action,
      keyId: who.key === null ? null : who.key.keyId,
      keyName: who.key === null ? null : who.key.keyName,
      requestId: about.scanId,
      indicatorHmac: about.hash,
      ip: from.ip,
      outcome: rules.outcomeOf(reply, onPending),
      correlationId: from.correlationId,
      count: about.count ?? null,
      detail: null,
      subjects: null,
    });
  }

  function enrich(call: EnrichCall, who: Who, index: number): Reply {
    if (call.fault !== null) return refused(call.fault);
    if (call.indicator === null) return refused(new AppError("invalid_request", "The request names no indicator"));
    const { runner, indicator, indicatorHash, newScanId: id } = call;
    const { decision, hit } = facts.indicators.get(index) ?? unasked;
    if (decision.kind === "hit") return hit ?? refused(notFound());
    // Nor is a scan joined that others started: the caller would be told to poll for it.
    if (!who.mayScan || call.options.isCachedOnly) return refused(notCached(who));
    const workspaceId = who.workspace.id;
    const demand = demandOf(call.options, rules.maxTlpOutside);
    const terms = { reach: demand.reach, freshSince: freshSince(demand, rules.now) };
    const inside = terms.reach === "inside" ? insideOnly : null;
    if (runner === null) {
      const joined = startedBefore(workspaceId, indicatorHash, demand) ?? (decision.kind === "join" ? decision : null);
      if (joined !== null) {
        if (joined.freshSince !== null && fault !== null) return refused(fault);
        if (joined.freshSince !== null) tightened.push({ scanId: joined.scanId, freshSince: joined.freshSince });
        joinedScans.push(joined.scanId);
        return { kind: "accepted", scanId: joined.scanId, indicator, ...inside };
      }
    }
    if (fault !== null) return refused(fault);
    const scan = { id, workspaceId, indicator, indicatorHash, requestedAt: rules.now, isBulk: false, ...terms };
    if (runner !== null) {
      const claimed: ClaimedScan = {
        claim: { scanId: id, owner: runner.owner, claimCount: 1 },
        workspace: { id: workspaceId, name: who.workspace.name },
        indicator,
        indicatorHash,
        ...who.data,
        ...terms,
        ...(facts.answers.get(index) ?? { answers: [], failedSources: [] }),
      };
      scans.push({ ...scan, claim: { scan: claimed, leaseUntil: runner.leaseUntil } });
      unfinishedCount += 1;
      return { kind: "claimed", scan: claimed, ...inside };
    }
    if (unfinishedCount >= rules.maxQueue) return refused(new AppError("overloaded", "Too many scans are waiting"));
    scans.push({ ...scan, claim: null });
    unfinishedCount += 1;
    return { kind: "accepted", scanId: id, indicator, ...inside };
  }

  /** A scan that an earlier call of this batch started: it is the newest and uses the current data. */
  function startedBefore(workspaceId: WorkspaceId, indicatorHash: string, demand: Demand): Joined | null {
    const started = scans.findLast(
      (scan) => scan.workspaceId === workspaceId && scan.indicatorHash === indicatorHash && canJoin(scan, demand),
    );
    return started === undefined ? null : joinOf(started, demand);
  }

  function canJoin(scan: StartedScan, demand: Demand): boolean {
    return scan.reach === demand.reach && (scan.claim === null || asksAsMuch(scan, demand));
  }

  function joinOf({ id, claim }: StartedScan, demand: Demand): Joined {
    return { scanId: id, freshSince: claim === null ? freshSince(demand, rules.now) : null };
  }

  function serveEnrich(call: EnrichCall, who: Who, index: number): Reply {
    const reply = enrich(call, who, index);
    const counts = countsOf(who);
    counts.requests += 1;
    if (reply.kind === "completed" || reply.kind === "case") counts.hits += 1;
    const hash = call.indicator === null ? null : call.indicatorHash;
    record("enrich.requested", who, call, reply, { scanId: scanOf(reply), hash });
    return reply;
  }

  function bulk(call: BulkCall, who: Who, index: number): ReplyBody {
    if (call.fault !== null) return refused(call.fault);
    const { bulkId, list } = call;
    const workspaceId = who.workspace.id;
    const demand = demandOf(call.options, rules.maxTlpOutside);
    const terms = { reach: demand.reach, freshSince: freshSince(demand, rules.now) };
    const started = new Map(
      scans
        .filter((scan) => scan.workspaceId === workspaceId && canJoin(scan, demand))
        .map((scan) => [scan.indicatorHash, joinOf(scan, demand)]),
    );
    const answers = decideBulk(list.distinct, facts.bulks.get(index) ?? [], {
      mayScan: who.mayScan && !call.options.isCachedOnly,
      startedEarlier: (hash) => started.get(hash) ?? null,
    });
    const startCount = answers.filter(({ kind }) => kind === "start").length;
    // The list itself is written, whatever it starts.
    if (fault !== null) return refused(fault);
    if (startCount > 0 && unfinishedCount + startCount > rules.maxQueue) {
      return refused(new AppError("overloaded", "Too many scans are waiting"));
    }
    for (const [at, { kind, scanId, freshSince: since }] of answers.entries()) {
      const asked = list.distinct[at];
      if (scanId !== null && since !== null) tightened.push({ scanId, freshSince: since });
      if (kind !== "start" || asked === undefined) continue;
      const { indicator, indicatorHash, newScanId: id } = asked;
      const scan = { id, workspaceId, indicator, indicatorHash, requestedAt: rules.now, ...terms };
      scans.push({ ...scan, isBulk: true, claim: null });
    }
    unfinishedCount += startCount;
    bulks.push({ id: bulkId, workspaceId, createdAt: rules.now, items: bulkItems(list, answers) });
    const counts = countsOf(who);
    counts.requests += list.distinct.length;
    counts.hits += answers.filter(({ kind }) => kind === "hit").length;
    const hasPending = answers.some(({ kind }) => kind === "start" || kind === "join");
    return { kind: "bulk", bulkId, workspaceId, rowCount: list.rows.length, hasPending };
  }

  function serveBulk(call: BulkCall, who: Who, index: number): ReplyBody {
    const reply = bulk(call, who, index);
    record("bulk.requested", who, call, reply, { scanId: bulkOf(reply), hash: null, count: call.list.rows.length });
    return reply;
  }

  function serveBulkPoll(call: BulkPollCall, who: Who, index: number): ReplyBody {
    const { bulkId } = call;
    const found = facts.bulkPolls.get(index);
    if (!call.isCharged) countsOf(who).polls += 1;
    if (call.fault !== null) return refused(call.fault);
    if (bulkId === null || found === undefined || !isRetained(found.createdAt, rules.lifetimes, rules.now)) {
      return refused(new AppError("not_found", "There is no list with this bulk_id"));
    }
    const { rowCount, hasPending } = found;
    const reply: ReplyBody = { kind: "bulk", bulkId, workspaceId: who.workspace.id, rowCount, hasPending };
    if (call.isExport) record("export.made", who, call, reply, { scanId: bulkId, hash: null, count: rowCount });
    return reply;
  }

  /** Gives back the charge of a list that is refused after its admission. Lists are served alone, so no later call used it. */
  function giveBack(call: Call, reply: ReplyBody, { key }: Who, charge: Charge | null): Charge | null {
    if (call.kind !== "bulk" || reply.kind !== "refused" || charge === null) return charge;
    const { count } = costOf(call);
    budgetsAfter = budgetsAfter.map((charged) =>
      charged.kind === "request" && charged.keyId === key?.keyId
        ? { ...charged, budget: refund(charged.budget, count) }
        : charged,
    );
    return { ...charge, remaining: charge.remaining + count };
  }

  function servePoll(call: PollCall, who: Who, index: number): Reply {
    const reply = pollOnce(call, who, index);
    const isInside = reply.kind !== "refused" && facts.polls.get(index)?.reach === "inside";
    return isInside ? { ...reply, ...insideOnly } : reply;
  }

  function pollOnce(call: PollCall, who: Who, index: number): ReplyBody {
    const { scanId } = call;
    const scan = facts.polls.get(index);
    if (!call.isCharged) countsOf(who).polls += 1;
    if (call.fault != null) return refused(call.fault);
    if (scanId === null || scan === undefined) return refused(notFound());
    const reply = poll(scanId, scan, call.view, rules);
    if (!isFinal(reply)) return reply;
    const about = { scanId, hash: scan.indicatorHash };
    // Each export is written down, unlike a poll: evidence leaves in a form that is made to be passed on.
    if (call.view === "export" && reply.kind === "case") record("export.made", who, call, reply, about);
    else if (isFirst(scanId, scan, who)) record("enrich.polled", who, call, reply, about);
    return reply;
  }

  /** The audit trail records the final answer of a scan once per key (docs/contract.md 9.8). */
  function isFirst(scanId: ScanId, { wasPolled }: PollFacts, { key }: Who): boolean {
    if (key === null || wasPolled) return false;
    // A poll cannot be remembered now. Duplicates are dropped when the events are written, see `pollOf`.
    if (fault !== null) return true;
    const name = `${scanId} ${key.keyId}`;
    if (polled.has(name)) return false;
    polled.set(name, { scanId, keyId: key.keyId });
    return true;
  }

  /** Read without a scan to name, so each is written down: it tells that an address was looked up. */
  function serveHistory(call: HistoryCall, who: Who, index: number): ReplyBody {
    countsOf(who).polls += 1;
    if (call.fault !== null) return refused(call.fault);
    if (call.indicator === null) return refused(new AppError("invalid_request", "The request names no indicator"));
    const page = facts.histories.get(index) ?? null;
    if (page === null) return refused(new AppError("invalid_request", "The cursor is not valid"));
    const reply: ReplyBody = { kind: "history", indicator: call.indicator, ...page };
    record("enrich.polled", who, call, reply, { scanId: null, hash: call.indicatorHash });
    return reply;
  }

  function serve(call: Call, admission: Admission, index: number): Reply {
    if (admission.kind === "refused") {
      const { reply, who } = admission;
      if (who === null) return reply;
      if (call.kind !== "bulk") record("enrich.requested", who, call, reply, { scanId: null, hash: null });
      else record("bulk.requested", who, call, reply, { scanId: null, hash: null, count: call.list.rows.length });
      return reply;
    }
    const { who, charge } = admission;
    if (call.kind === "whoami") return whoami(who, admission.budgets);
    if (call.kind === "watch") return { ...admitted(who), ...(charge === null ? {} : { charge }) };
    const reply = serveAdmitted(call, who, index);
    const paid = giveBack(call, reply, who, charge);
    return paid === null ? reply : { ...reply, charge: paid };
  }

  function serveAdmitted(call: Exclude<Call, WhoamiCall | WatchCall>, who: Who, index: number): Reply {
    switch (call.kind) {
      case "enrich":
        return serveEnrich(call, who, index);
      case "poll":
        return servePoll(call, who, index);
      case "history":
        return serveHistory(call, who, index);
      case "bulk":
        return serveBulk(call, who, index);
      case "bulk_poll":
        return serveBulkPoll(call, who, index);
    }
  }

  const replies = calls.map((call, index) => serve(call, admissions[index] ?? unadmitted(), index));
  const writes = {
    scans,
    tightened,
    bulks,
    joined: joinedScans,
    polled: [...polled.values()],
    usage,
    usedKeyIds,
    events,
  };
  return { replies, writes: { ...writes, budgets: budgetsAfter } };
}

/** Writes no event and no count: a client may test its connection often. */
function whoami({ workspace, key }: Who, budgets: BudgetsLeft | undefined): ReplyBody {
  if (key === null || budgets === undefined) throw new Error("whoami was asked without a key");
  const { id, name, plan } = workspace;
  return { kind: "whoami", workspace: { id, name, plan }, keyId: key.keyId, budgets };
}

function admitted({ workspace, key }: Who): ReplyBody {
  if (key === null) throw new Error("a watch list was asked for without a key");
  return { kind: "admitted", workspace: { id: workspace.id, name: workspace.name }, key };
}

/** The scan or list and the indicator of an event. */
type About = { readonly scanId: ScanId | BulkId | null; readonly hash: string | null; readonly count?: number };

/** A scan that a call waits for, and from when on its answers must be if it has not started. */
type Joined = Pick<Extract<Decision, { kind: "join" }>, "scanId" | "freshSince">;

const insideOnly = { isInside: true } as const;

/** Stands in for facts that were not read, see `asksForScans`. */
const unasked: IndicatorFacts = { decision: { kind: "start" }, hit: null };

function unadmitted(): never {
  throw new Error("a call without its admission");
}

/** The whole body of a completed scan. */
export function completedReply(scanId: ScanId, cache: CacheMember, stored: StoredResult): CompletedReply {
  const { envelopeTail, ...rest } = stored;
  return { kind: "completed", scanId, envelope: envelopeText(scanId, cache, envelopeTail), ...rest };
}

/** Key and scan of an `enrich.polled` event, which the trail records once per pair; null for other events. */
export function pollOf({ action, requestId, keyId }: AuditEvent): { scanId: string; keyId: string } | null {
  return action === "enrich.polled" && requestId !== null && keyId !== null ? { scanId: requestId, keyId } : null;
}

function poll(scanId: ScanId, scan: PollFacts, view: PollCall["view"], rules: CallRules): ReplyBody {
  const { state, finishedAt, runs, evidence, result, caseFacts } = scan;
  if (!isRetained(finishedAt, rules.lifetimes, rules.now)) return refused(notFound());
  if (scan.isSinceUnknown) return refused(notFound());
  if (view === "sources") return { kind: "sources", scanId, state, runs };
  if (scan.compared !== null && state === "completed") {
    return { kind: "changes", scan: scan.compared, since: scan.since };
  }
  if (caseFacts !== null && (state === "completed" || view === "case")) return { kind: "case", ...caseFacts };
  if (state === "failed") return { kind: "failed", scanId };
  if (state !== "completed") return { kind: "unfinished", scanId, state, indicator: scan.indicator };
  if (view === "evidence") return { kind: "evidence", body: evidence };
  return result === null ? refused(notFound()) : completedReply(scanId, "miss_scan_complete", result);
}

function refused(error: AppError): ReplyBody {
  return { kind: "refused", error };
}

/** True for a reply about a finished scan. */
function isFinal(reply: ReplyBody): boolean {
  if (reply.kind === "sources") return isFinished(reply.state);
  return ["completed", "failed", "evidence", "case", "changes"].includes(reply.kind);
}

function bulkOf(reply: ReplyBody): BulkId | null {
  return reply.kind === "bulk" ? reply.bulkId : null;
}

function scanOf(reply: ReplyBody): ScanId | null {
  if (reply.kind === "claimed") return reply.scan.claim.scanId;
  return reply.kind === "accepted" || reply.kind === "completed" || reply.kind === "case" ? reply.scanId : null;
}

/** docs/pipeline.md 14.4, 16.1. */
function notCached({ mayScan }: Who): AppError {
  const reason = mayScan ? "the call wants no scan" : "this API key starts no scans";
  return new AppError("not_cached", `There is no fresh result for this indicator, and ${reason}`);
}

function notFound(): AppError {
  return new AppError("not_found", "There is no scan with this request_id");
}
