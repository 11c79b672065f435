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
  maxReplyLength,
  type PollCall,
  type Reply,
} from "../../domain/call.ts";
import type { CaseFacts } from "../../domain/case.ts";
import type { AppError } from "../../domain/error.ts";
import { decide } from "../../domain/freshness.ts";
import { isFinished, type ScanId } from "../../domain/scan.ts";
import {
  asksForScans,
  type CallWrites,
  completedReply,
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
import type { callerReader } from "./caller.ts";
import { type Connection, isOfStatement } from "./driver.ts";
import type { evidenceTable } from "./evidence.ts";
import type { polledTable } from "./polled.ts";
import { type readyResultTable, type View, viewOf } from "./ready-result.ts";
import type { FinishedRow, scanTable } from "./scan.ts";
import type { scanClaims } from "./scan-claim.ts";
import type { sourceRunTable } from "./source-run.ts";
import { toDate } from "./time.ts";
import type { Transactions } from "./transactions.ts";
import type { usageTable } from "./usage.ts";

type Tables = {
  readonly callers: ReturnType<typeof callerReader>;
  readonly scans: Pick<ReturnType<typeof scanTable>, "factsOf" | "find" | "asked" | "countUnfinished" | "insert">;
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
 * Serves a batch of calls in one transaction: reads who calls, then the scans that they ask for, and writes what
 * `serveCalls` of the domain says.
 */
export function callHandler(
  connection: Connection,
  { callers, scans, claims, runs, answers, evidence, ready, polled, budgets, usage, audit }: Tables,
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

  /** Notes the keys whose counters cannot be read: only these are not counted, as long as the transaction can go on. */
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

  /** Does what may fail alone, such as on a broken table. Throws when the whole transaction failed. */
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
    const known = new Map<number, ReturnType<typeof answers.of>>();
    const views = new Map<Who, View>();
    let [isStarting, replyLength, servedCount] = [false, 0, 0];
    for (const [index, call] of calls.entries()) {
      if (replyLength > maxReplyLength) break;
      servedCount += 1;
      const admission = admissions[index];
      if (admission?.kind !== "admitted") continue;
      const { who } = admission;
      if (call.kind === "whoami") continue;
      if (call.kind === "poll") {
        const facts = call.scanId === null ? null : readPoll(call, call.scanId, who);
        if (facts === null) continue;
        polls.set(index, facts);
        const read = facts.caseFacts?.result ?? null;
        replyLength += facts.evidence.length + (facts.result?.envelopeTail.length ?? 0);
        replyLength += (read?.envelopeTail.length ?? 0) + (read?.evidence.length ?? 0);
        continue;
      }
      if (call.runner !== null) known.set(index, answers.of(call.indicatorHash, who.workspace.id));
      if (!asksForScans(call)) continue;
      const view = views.get(who) ?? viewOf(who.workspace.id, who.data);
      views.set(who, view);
      const facts = readIndicator(call, who, view, rules);
      indicators.set(index, facts);
      replyLength += facts.hit?.envelope.length ?? 0;
      isStarting ||= mayStart(call, who, facts);
    }
    const unfinishedCount = isStarting && fault === null ? scans.countUnfinished() : 0;
    return { facts: { indicators, polls, answers: known, unfinishedCount }, servedCount };
  }

  function readIndicator(
    { indicatorHash }: EnrichCall,
    { workspace, data }: Who,
    view: View,
    { lifetimes, now }: CallRules,
  ): IndicatorFacts {
    // The newest result decides, if it is of the current data. Only else all scans are looked at.
    const newest = ready.find(indicatorHash, view);
    if (newest !== null) {
      const decision = decide([newest.facts], data, lifetimes, now);
      if (decision.kind === "hit") return { decision, hit: newest.reply };
    }
    const decision = decide(scans.factsOf(indicatorHash, workspace.id), data, lifetimes, now);
    if (decision.kind !== "hit") return { decision, hit: null };
    const row = scans.find(decision.scanId, workspace.id);
    return { decision, hit: row === undefined ? null : completedReply(decision.scanId, "hit", toStored(row)) };
  }

  /** The workspace is part of the look-up, so a foreign id and an unknown one are the same work and the same answer. */
  function readPoll({ view }: PollCall, scanId: ScanId, { workspace, key }: Who): PollFacts | null {
    const row = scans.find(scanId, workspace.id);
    if (row === undefined) return null;
    const { state } = row;
    return {
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

  /** Null while the scan is not over. */
  function readCase(
    scanId: ScanId,
    { finished_at, envelope_tail: envelopeTail, digest }: FinishedRow,
  ): CaseFacts | null {
    const finishedAt = toDate(finished_at);
    if (finishedAt === null) return null;
    const result =
      envelopeTail === null || digest === null ? null : { envelopeTail, evidence: evidence.of(scanId), digest };
    // All sources that the workspace has are asked: there is no scan of less reach yet.
    return { scanId, ...scans.asked(scanId), finishedAt, reach: "full", runs: runs.ofScan(scanId), result };
  }

  /** Notes the keys that could not be counted. */
  function write(writes: CallWrites, keys: CallerFacts["keys"], now: Date, uncounted: Set<string>): void {
    for (const { claim, ...scan } of writes.scans) {
      if (claim === null) scans.insert(scan, "queued");
      else claims.insertClaimed(scan, claim.scan, claim.leaseUntil);
    }
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
    /** Drops repeated events of a final poll: while the database could not be written, each poll looked like the first. */
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
     * With `fault` nothing is written, and the events are for the caller to keep. Calls behind `maxReplyLength` of replies
     * are left untouched.
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
      // Calls that are left for a later batch must not be charged in this one.
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

function toStored(row: FinishedRow): StoredResult {
  return {
    envelopeTail: row.envelope_tail ?? "",
    digest: row.digest ?? "",
    isPartial: row.is_partial === 1,
    omittedCount: row.omitted_count,
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
