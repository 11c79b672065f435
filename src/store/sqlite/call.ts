import {
  type Admission,
  admitCalls,
  type BudgetFacts,
  type CallerFacts,
  type KeyFacts,
  keysToCharge,
  uncharge,
  type Who,
  type WorkspaceFacts,
} from "../../domain/admit-call.ts";
import type { AuditEvent } from "../../domain/audit.ts";
import {
  type Call,
  type CallRules,
  type EnrichCall,
  replyLength as lengthOf,
  maxReplyLength,
  type PollCall,
  type Reply,
} from "../../domain/call.ts";
import type { CaseFacts } from "../../domain/case.ts";
import type { ComparedScan } from "../../domain/changes.ts";
import { demandOf } from "../../domain/enrich-options.ts";
import type { AppError } from "../../domain/error.ts";
import { type Decision, type Demand, decide, isRetained, type ScanFacts } from "../../domain/freshness.ts";
import { isFinished, type ScanId } from "../../domain/scan.ts";
import {
  asksForScans,
  type BulkPollFacts,
  type CallWrites,
  completedReply,
  type HistoryFacts,
  type Hit,
  type IndicatorFacts,
  mayStart,
  type PollFacts,
  pollOf,
  type ScanFactsOfCalls,
  type StoredResult,
  serveCalls,
} from "../../domain/serve-call.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { CallStore } from "../port/call.ts";
import type { answerTable } from "./answer.ts";
import type { auditTable } from "./audit.ts";
import type { budgetTable } from "./budget.ts";
import type { bulkTable } from "./bulk.ts";
import type { callerReader } from "./caller.ts";
import { type Connection, isOfStatement } from "./driver.ts";
import type { evidenceTable } from "./evidence.ts";
import type { polledTable } from "./polled.ts";
import { type readyResultTable, type View, viewOf } from "./ready-result.ts";
import { type FinishedRow, type scanTable, toReach } from "./scan.ts";
import type { scanClaims } from "./scan-claim.ts";
import type { sourceRunTable } from "./source-run.ts";
import { toDate } from "./time.ts";
import type { Transactions } from "./transactions.ts";
import type { usageTable } from "./usage.ts";

type Tables = {
  readonly callers: ReturnType<typeof callerReader>;
  readonly scans: Omit<ReturnType<typeof scanTable>, "setState" | "finish" | "forget" | "removeBefore">;
  readonly bulks: Pick<ReturnType<typeof bulkTable>, "factsOf" | "insert">;
  readonly claims: Pick<ReturnType<typeof scanClaims>, "insertClaimed">;
  readonly runs: Pick<ReturnType<typeof sourceRunTable>, "ofScan">;
  readonly answers: Pick<ReturnType<typeof answerTable>, "of">;
  readonly evidence: Pick<ReturnType<typeof evidenceTable>, "of">;
  readonly ready: Pick<ReturnType<typeof readyResultTable>, "find">;
  readonly polled: ReturnType<typeof polledTable>;
  readonly budgets: Pick<ReturnType<typeof budgetTable>, "ofKey" | "save">;
  readonly usage: Pick<ReturnType<typeof usageTable>, "add">;
  readonly audit: Pick<ReturnType<typeof auditTable>, "append">;
};

/**
 * Serves a batch of calls in one transaction: reads the callers and the scans that they ask for, and writes the result
 * of `serveCalls` in the domain.
 */
export function callHandler(
  connection: Connection,
  { callers, scans, bulks, claims, runs, answers, evidence, ready, polled, budgets, usage, audit }: Tables,
) {
  function readCallers(calls: readonly Call[]): Pick<CallerFacts, "keys" | "workspaces"> {
    const keys = new Map<string, KeyFacts | null>();
    const workspaces = new Map<WorkspaceId, WorkspaceFacts | null>();
    for (const { caller } of calls) {
      if ("workspaceId" in caller) {
        const id = caller.workspaceId;
        if (!workspaces.has(id)) workspaces.set(id, callers.workspace(id));
      } else if (caller.keyHash !== null && !keys.has(caller.keyHash)) {
        keys.set(caller.keyHash, callers.key(caller.keyHash));
      }
    }
    return { keys, workspaces };
  }

  /**
   * Collects the keys whose counters cannot be read. Only these are not counted, as long as the transaction can
   * continue.
   */
  function readBudgets(keyIds: Iterable<string>, uncounted: Set<string>): Map<string, BudgetFacts> {
    const known = new Map<string, BudgetFacts>();
    for (const id of keyIds) {
      attempt(
        () => known.set(id, { request: null, poll: null, ...Object.fromEntries(budgets.ofKey(id)) }),
        () => uncounted.add(id),
      );
    }
    return known;
  }

  /** Runs a step that may fail by itself, for example on a broken table. Throws when the whole transaction failed. */
  function attempt(work: () => void, onFailure: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isOfStatement(connection, error)) throw error;
      onFailure();
    }
  }

  function readScans(
    calls: readonly Call[],
    admissions: readonly Admission[],
    rules: CallRules,
    fault: AppError | null,
  ): { readonly facts: ScanFactsOfCalls; readonly servedCount: number } {
    const indicators = new Map<number, IndicatorFacts>();
    const polls = new Map<number, PollFacts>();
    const histories = new Map<number, HistoryFacts | null>();
    const known = new Map<number, ReturnType<typeof answers.of>>();
    const decisions = new Map<number, readonly Decision[]>();
    const bulkPolls = new Map<number, BulkPollFacts>();
    const views = new Map<Who, View>();
    let [isStarting, replyLength, servedCount] = [false, 0, 0];
    for (const [index, call] of calls.entries()) {
      if (replyLength > maxReplyLength) break;
      servedCount += 1;
      const admission = admissions[index];
      if (admission?.kind !== "admitted") continue;
      const { who } = admission;
      if (call.kind === "whoami" || call.kind === "watch") continue;
      if (call.kind === "bulk_poll") {
        const facts = call.bulkId === null ? null : bulks.factsOf(call.bulkId, who.workspace.id);
        if (facts !== null) bulkPolls.set(index, facts);
        continue;
      }
      if (call.kind === "bulk") {
        if (call.fault !== null) continue;
        // Not by the ready results: a thousand of them may be a gigabyte.
        const hashes = call.list.distinct.map(({ indicatorHash }) => indicatorHash);
        const demand = demandOf(call.options, rules.maxTlpOutside);
        const knownHashes = scans.knownAmong(hashes, who.workspace.id);
        const ofList = hashes.map((hash) => {
          const earlier = knownHashes.has(hash) ? scansFor(demand, hash, who.workspace.id) : [];
          return decide(earlier, who.data, rules.lifetimes, rules.now, demand);
        });
        decisions.set(index, ofList);
        isStarting ||= ofList.some(({ kind }) => kind === "start");
        continue;
      }
      if (call.kind === "poll") {
        const facts = call.scanId === null ? null : readPoll(call, call.scanId, who, rules);
        if (facts === null) continue;
        polls.set(index, facts);
        const read = facts.caseFacts?.result ?? null;
        replyLength += facts.evidence.length + (facts.result?.envelopeTail.length ?? 0);
        replyLength += (read?.envelopeTail.length ?? 0) + (read?.evidence.length ?? 0);
        replyLength += (facts.compared?.envelopeTail?.length ?? 0) + (facts.since?.envelopeTail?.length ?? 0);
        continue;
      }
      if (call.kind === "history") {
        const since = new Date(rules.now.getTime() - rules.lifetimes.retentionMs);
        const { indicatorHash, limit, cursor } = call;
        if (call.fault === null)
          histories.set(index, scans.past(indicatorHash, who.workspace.id, { limit, cursor, since }));
        continue;
      }
      if (call.runner !== null) known.set(index, answers.of(call.indicatorHash, who.workspace.id));
      if (!asksForScans(call)) continue;
      const view = viewIn(views, who);
      const facts = readIndicator(call, who, view, rules);
      indicators.set(index, facts);
      replyLength += facts.hit === null ? 0 : lengthOf(facts.hit);
      isStarting ||= mayStart(call, who, facts);
    }
    const unfinishedCount = isStarting && fault === null ? scans.countUnfinished() : 0;
    const read = { indicators, polls, histories, bulks: decisions, bulkPolls, answers: known, unfinishedCount };
    return { facts: read, servedCount };
  }

  function readIndicator(
    { indicatorHash, options, view: wanted }: EnrichCall,
    { workspace, data }: Who,
    view: View,
    { lifetimes, maxTlpOutside, now }: CallRules,
  ): IndicatorFacts {
    const demand = demandOf(options, maxTlpOutside);
    // The newest result decides if it is based on the current data. Otherwise all scans are examined. Results of inside reach
    // and the ages of answers are not kept ready.
    const isPlain = demand.reach === "full" && demand.maxAgeMs === null && wanted !== "case";
    const newest = isPlain ? ready.find(indicatorHash, view) : null;
    if (newest !== null) {
      const decision = decide([newest.facts], data, lifetimes, now);
      if (decision.kind === "hit") return { decision, hit: newest.reply };
    }
    const decision = decide(scansFor(demand, indicatorHash, workspace.id), data, lifetimes, now, demand);
    return { decision, hit: decision.kind === "hit" ? readHit(decision.scanId, workspace.id, wanted) : null };
  }

  function scansFor(demand: Demand, indicatorHash: string, workspaceId: WorkspaceId): ScanFacts[] {
    const all = scans.factsOf(indicatorHash, workspaceId, demand.reach);
    if (demand.maxAgeMs === null) return all;
    return all.map((scan) =>
      scan.state === "completed" ? { ...scan, oldestAnswerAt: scans.oldestAnswerAt(scan.id) } : scan,
    );
  }

  function readHit(scanId: ScanId, workspaceId: WorkspaceId, view: EnrichCall["view"]): Hit | null {
    const row = scans.find(scanId, workspaceId);
    if (row === undefined) return null;
    const facts = view === "case" ? readCase(scanId, row) : null;
    const reply = facts === null ? completedReply(scanId, "hit", toStored(row)) : ({ kind: "case", ...facts } as const);
    return row.is_inside === 1 ? { ...reply, isInside: true } : reply;
  }

  /**
   * The workspace is part of the look-up, so a foreign id and an unknown id take the same work and get the same answer.
   */
  function readPoll(call: PollCall, scanId: ScanId, { workspace, key }: Who, rules: CallRules): PollFacts | null {
    const { view } = call;
    const row = scans.find(scanId, workspace.id);
    if (row === undefined) return null;
    const { state } = row;
    return {
      indicator: { type: row.indicator_type, value: row.indicator_value },
      reach: toReach(row.is_inside),
      compared: view === "changes" ? readCompared(scanId, row) : null,
      ...readSince(call, scanId, row, workspace.id, rules),
      state,
      indicatorHash: row.indicator_hash,
      finishedAt: toDate(row.finished_at),
      wasPolled: key !== null && isFinished(state) && polled.has(scanId, key.keyId),
      runs: view === "sources" ? runs.ofScan(scanId) : [],
      evidence: view === "evidence" && state === "completed" ? evidence.of(scanId) : "",
      result: view === "envelope" && state === "completed" ? toStored(row) : null,
      caseFacts: view === "case" || view === "export" ? readCase(scanId, row) : null,
    };
  }

  /** Null while the scan is unfinished. */
  function readCase(scanId: ScanId, row: FinishedRow): CaseFacts | null {
    const { envelope_tail: envelopeTail, digest } = row;
    const finishedAt = toDate(row.finished_at);
    if (finishedAt === null) return null;
    return {
      scanId,
      indicator: { type: row.indicator_type, value: row.indicator_value },
      askedAt: toDate(row.requested_at),
      finishedAt,
      reach: toReach(row.is_inside),
      runs: runs.ofScan(scanId),
      result: envelopeTail === null || digest === null ? null : { envelopeTail, evidence: evidence.of(scanId), digest },
    };
  }

  /** Null while the scan is not over. */
  function readCompared(
    scanId: ScanId,
    { finished_at, envelope_tail: envelopeTail }: FinishedRow,
  ): ComparedScan | null {
    return finished_at === null ? null : { scanId, runs: runs.ofScan(scanId), envelopeTail };
  }

  /** The scan that the view `changes` compares with. */
  function readSince(
    { view, sinceId }: PollCall,
    scanId: ScanId,
    { indicator_hash }: FinishedRow,
    workspaceId: WorkspaceId,
    { lifetimes, now }: CallRules,
  ): Pick<PollFacts, "since" | "isSinceUnknown"> {
    if (view !== "changes") return { since: null, isSinceUnknown: false };
    const id = sinceId === undefined ? scans.completedBefore(scanId) : sinceId;
    const row = id === null ? undefined : scans.find(id, workspaceId);
    const isUsable =
      row !== undefined && row.indicator_hash === indicator_hash && isRetained(toDate(row.finished_at), lifetimes, now);
    const since = id !== null && isUsable ? readCompared(id, row) : null;
    return { since, isSinceUnknown: since === null && sinceId !== undefined };
  }

  /** Collects the keys that could not be counted. */
  function write(writes: CallWrites, keys: CallerFacts["keys"], now: Date, uncounted: Set<string>): void {
    for (const { claim, isBulk, ...scan } of writes.scans) {
      if (claim === null) scans.insert(scan, "queued", isBulk);
      else claims.insertClaimed(scan, claim.scan, claim.leaseUntil);
    }
    for (const { scanId, freshSince } of writes.tightened) scans.tighten(scanId, freshSince);
    for (const bulk of writes.bulks) bulks.insert(bulk);
    for (const scanId of writes.joined) scans.advance(scanId);
    for (const { scanId, keyId } of writes.polled) polled.note(scanId, keyId);
    for (const keyId of writes.usedKeyIds) callers.setLastUsed(keyId, now);
    for (const { keyId, kind, budget } of writes.budgets) {
      attempt(
        () => budgets.save(keyId, kind, budget),
        () => uncounted.add(keyId),
      );
    }
    for (const [workspaceId, counts] of writes.usage) {
      attempt(
        () => usage.add(workspaceId, counts, now),
        () => {
          for (const key of keys.values()) if (key !== null) uncounted.add(key.id);
        },
      );
    }
    audit.append(writes.events);
  }

  return {
    /**
     * Drops repeated events of a final poll: while the database could not be written, each poll looked like the first.
     */
    onlyFirstPolls(events: readonly AuditEvent[]): AuditEvent[] {
      return events.filter((event) => {
        const poll = pollOf(event);
        if (poll === null) return true;
        if (polled.has(poll.scanId, poll.keyId)) return false;
        polled.noteLate(poll.scanId, poll.keyId);
        return true;
      });
    },

    /**
     * With `fault` nothing is written, and the caller keeps the events. Calls after `maxReplyLength` of replies are
     * untouched.
     */
    handle(
      calls: readonly Call[],
      rules: CallRules,
      fault: AppError | null,
    ): { replies: Reply[]; events: AuditEvent[] } {
      const uncounted = new Set<string>();
      const { keys, workspaces } = readCallers(calls);
      const charged = fault === null ? readBudgets(keysToCharge(calls, keys, rules), uncounted) : new Map();
      const callers = { keys, workspaces, budgets: charged };
      const all = admitCalls(calls, callers, rules);
      const { facts, servedCount } = readScans(calls, all.admissions, rules, fault);
      const served = calls.slice(0, servedCount);
      // Calls that are left for a later batch must not be charged in this batch.
      const admitted = servedCount === calls.length ? all : admitCalls(served, callers, rules);
      const { replies, writes } = serveCalls(served, admitted, facts, rules, fault);
      if (fault === null) write(writes, keys, rules.now, uncounted);
      return {
        replies: uncounted.size === 0 ? replies : uncharge(replies, served, keys, uncounted),
        events: [...writes.events],
      };
    },
  };
}

function viewIn(views: Map<Who, View>, who: Who): View {
  const view = views.get(who) ?? viewOf(who.workspace.id, who.data);
  views.set(who, view);
  return view;
}

function toStored(row: FinishedRow): StoredResult {
  return {
    envelopeTail: row.envelope_tail ?? "",
    digest: row.digest ?? "",
    isPartial: row.is_partial === 1,
    omittedCount: row.omitted_count,
    failedSources: row.failed_sources?.split(",") ?? [],
  };
}

export function callStore(
  { readCalls, writeCalls }: Transactions,
  calls: ReturnType<typeof callHandler>,
  audit: Pick<ReturnType<typeof auditTable>, "append">,
): CallStore {
  return {
    handleCalls: (batch, rules, earlier) =>
      writeCalls(() => {
        audit.append(calls.onlyFirstPolls(earlier));
        return calls.handle(batch, rules, null).replies;
      }),
    readCalls: (...args) => readCalls(() => calls.handle(...args)),
  };
}
