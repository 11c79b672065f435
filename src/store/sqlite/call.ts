import { admit, invalidApiKey, planRequired, rateLimited } from "../../domain/admission.ts";
import type { AuditAction, AuditEvent } from "../../domain/audit.ts";
import { type Budget, type BudgetKind, type Charge, chargeBudget, limitOf } from "../../domain/budget.ts";
import { AppError } from "../../domain/error.ts";
import { decide, isRetained } from "../../domain/freshness.ts";
import { isFinished, type ScanId } from "../../domain/scan.ts";
import { hasApiAccess, type Plan, type WorkspaceId } from "../../domain/workspace.ts";
import type { Call, CallRules, EnrichCall, KnownKey, PollCall, Reply, ReplyBody } from "../store.ts";
import type { auditTable } from "./audit.ts";
import { type Connection, isOfStatement } from "./driver.ts";
import { type readyResultTable, type View, viewOf } from "./ready-result.ts";
import { type FinishedRow, type scanTable, toCompleted } from "./scan.ts";
import { toDate } from "./workspace.ts";

type KeyRow = {
  id: string;
  name: string;
  hash: string;
  last_used_at: number | null;
  expires_at: number | null;
  revoked_at: number | null;
} & WorkspaceRow;
type WorkspaceRow = {
  workspace_id: WorkspaceId;
  workspace_name: string;
  plan: Plan;
  disabled_at: number | null;
  corpora_revision: string;
};
type BudgetRow = { kind: BudgetKind; window_started_at: number; count: number };

/** `last_used_at` is exact to this many milliseconds, so that a busy key is not written with every call (docs/contract.md 9.2). */
const lastUsedStepMs = 60_000;
const hourMs = 3_600_000;

/** A key as the calls of one batch share it: read once, written once at the end. */
type Holder = {
  readonly key: KeyRow;
  readonly known: KnownKey;
  readonly actor: string;
  /** What every call with this key is told, or null. */
  readonly refusal: AppError | null;
  /** The data that the workspace sees now. */
  readonly view: View;
  readonly budgets: Map<BudgetKind, { budget: Budget | null; isChanged: boolean }>;
  isUsed: boolean;
};

type Usage = { requests: number; hits: number; polls: number };

/** What the calls of one transaction share: facts are read once per batch, never kept longer. */
type Batch = {
  readonly rules: CallRules;
  /** Set when the database cannot be written: what needs a write is refused with it. */
  readonly fault: AppError | null;
  /** By key hash; null = no such key. */
  readonly holders: Map<string, Holder | null>;
  /** Hashes of keys whose calls cannot be counted; null while all can. */
  uncounted: Set<string> | null;
  readonly usage: Map<WorkspaceId, Usage>;
  readonly events: AuditEvent[];
  unfinishedCount: number | null;
};

/** Who may go on with a call, and what it was charged. */
type Admitted = {
  readonly workspace: WorkspaceRow;
  readonly view: View;
  /** Null for an operator and the command line. */
  readonly key: KnownKey | null;
  readonly actor: string;
  readonly charge: Charge | null;
};

/** Ends a call before anything was looked up. */
class Refusal extends Error {
  readonly reply: Reply;

  constructor(reply: Reply) {
    super("the call is refused");
    this.reply = reply;
  }
}

export function callHandler(
  connection: Connection,
  scans: ReturnType<typeof scanTable>,
  ready: Pick<ReturnType<typeof readyResultTable>, "find">,
  audit: Pick<ReturnType<typeof auditTable>, "append">,
) {
  // The row of this hash, or of the next one, or of the last one: an unknown key costs the work of a known one, and the
  // comparison decides.
  const nearestKey = connection.prepare<[string], KeyRow>(
    `SELECT k.id, k.name, k.hash, k.last_used_at, k.expires_at, k.revoked_at,
       w.id AS workspace_id, w.name AS workspace_name, w.plan, w.disabled_at, w.corpora_revision
     FROM api_key k JOIN workspace w ON w.id = k.workspace_id
     WHERE k.hash = coalesce((SELECT hash FROM api_key WHERE hash >= ? ORDER BY hash LIMIT 1),
                             (SELECT max(hash) FROM api_key))`,
  );
  const workspaceById = connection.prepare<[string], WorkspaceRow>(
    "SELECT id AS workspace_id, name AS workspace_name, plan, disabled_at, corpora_revision FROM workspace WHERE id = ?",
  );
  const setLastUsed = connection.prepare("UPDATE api_key SET last_used_at = ? WHERE id = ?");
  const budgetsOf = connection.prepare<[string], BudgetRow>(
    "SELECT kind, window_started_at, count FROM budget WHERE key_id = ?",
  );
  const saveBudget = connection.prepare(
    `INSERT INTO budget (key_id, kind, window_started_at, count) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET window_started_at = excluded.window_started_at, count = excluded.count`,
  );
  const addUsage = connection.prepare(
    `INSERT INTO usage (workspace_id, hour, requests, hits, polls) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, hits = hits + excluded.hits,
       polls = polls + excluded.polls`,
  );
  const notePolled = connection.prepare("INSERT OR IGNORE INTO polled (scan_id, key_id) VALUES (?, ?)");
  // The scan may have gone while the event waited.
  const notePolledLate = connection.prepare(
    "INSERT OR IGNORE INTO polled (scan_id, key_id) SELECT id, ? FROM scan WHERE id = ?",
  );
  const wasPolled = connection.prepare<[string, string], { scan_id: string }>(
    "SELECT scan_id FROM polled WHERE scan_id = ? AND key_id = ?",
  );

  function findHolder(keyHash: string, batch: Batch): Holder | null {
    const known = batch.holders.get(keyHash);
    if (known !== undefined) return known;
    const row = nearestKey.get(keyHash);
    // Made of the neighbour's row too, and thrown away: the work must not tell an unknown key from a revoked one.
    const nearest = row === undefined ? null : holderOf(row, batch);
    const holder = nearest !== null && isEqual(nearest.key.hash, keyHash) ? nearest : null;
    batch.holders.set(keyHash, holder);
    return holder;
  }

  function holderOf(key: KeyRow, { rules }: Batch): Holder {
    const times = { revokedAt: toDate(key.revoked_at), expiresAt: toDate(key.expires_at) };
    return {
      key,
      known: { workspaceId: key.workspace_id, keyId: key.id, keyName: key.name },
      actor: `key:${key.id}`,
      refusal: admit(times, { plan: key.plan, disabledAt: toDate(key.disabled_at) }, rules.now),
      view: currentView(key, rules),
      budgets: new Map(),
      isUsed: false,
    };
  }

  /** The workspace that the caller may act in. Throws what the caller is told otherwise. */
  function admitted({ caller, from }: Call, kind: BudgetKind | null, batch: Batch): Admitted {
    if ("workspaceId" in caller) {
      const workspace = admittedWorkspace(caller.workspaceId);
      return { workspace, view: currentView(workspace, batch.rules), key: null, actor: caller.actor, charge: null };
    }
    const holder = caller.keyHash === null ? null : findHolder(caller.keyHash, batch);
    if (holder === null) throw new Refusal({ kind: "refused", error: invalidApiKey(), denied: "unknown" });
    const { key, known, actor, view, refusal } = holder;
    if (refusal !== null) throw new Refusal({ kind: "refused", error: refusal, denied: known });
    holder.isUsed = true;
    const charge = kind === null ? null : charged(holder, kind, batch);
    const who = { workspace: key, view, key: known, actor, charge: charge?.charge ?? null };
    if (charge === null || charge.isAllowed) return who;
    const reply = { kind: "refused", error: rateLimited(), charge: charge.charge } as const;
    if (kind === "request") record("enrich.requested", who, { from, reply, scanId: null, hash: null }, batch);
    throw new Refusal(reply);
  }

  /** Null when the plan has no limit, or when the count cannot be read or written: then the call passes uncounted (8.6). */
  function charged(holder: Holder, kind: BudgetKind, batch: Batch) {
    const { key, budgets } = holder;
    const { rules, fault } = batch;
    const limit = limitOf(rules.limits, key.plan, kind);
    if (limit === 0 || fault !== null) return null;
    if (budgets.size === 0) {
      try {
        readBudgets(holder);
      } catch (error) {
        passUncounted(error, [holder], batch);
        return null;
      }
    }
    const before = budgets.get(kind)?.budget ?? null;
    const result = chargeBudget(before, limit, rules.limits.windowMs, rules.steadyNow);
    // A refusal counts nothing, but a window that it moved, because the clock moved back, must end in one window.
    const isMoved = result.budget.windowStartedAt.getTime() !== before?.windowStartedAt.getTime();
    if (result.isAllowed || isMoved) budgets.set(kind, { budget: result.budget, isChanged: true });
    return result;
  }

  function readBudgets({ key, budgets }: Holder): void {
    const rows = budgetsOf.all(key.id);
    for (const kind of ["request", "poll"] as const) budgets.set(kind, { budget: null, isChanged: false });
    for (const { kind, window_started_at, count } of rows) {
      budgets.set(kind, { budget: { windowStartedAt: toDate(window_started_at), count }, isChanged: false });
    }
  }

  /** Lets the calls of the holders pass when only their counters are broken. Throws the error when the transaction is. */
  function passUncounted(error: unknown, holders: Iterable<Holder | null>, batch: Batch): void {
    if (!isOfStatement(connection, error)) throw error;
    batch.uncounted ??= new Set();
    for (const holder of holders) if (holder !== null) batch.uncounted.add(holder.key.hash);
  }

  function admittedWorkspace(id: WorkspaceId): WorkspaceRow {
    const workspace = workspaceById.get(id);
    if (workspace === undefined) throw new AppError("not_found", "There is no such workspace");
    if (workspace.disabled_at !== null) throw new AppError("conflict", "The workspace is disabled");
    if (!hasApiAccess(workspace.plan)) throw planRequired();
    return workspace;
  }

  function record(
    action: AuditAction,
    { actor, key, workspace }: Admitted,
    about: { from: Call["from"]; reply: ReplyBody; scanId: ScanId | null; hash: string | null },
    { rules, events }: Batch,
  ): void {
    // Written out: this is done for every hit, and copying an object costs as much as making it.
    events.push({
      at: rules.now,
      workspaceId: workspace.workspace_id,
      actor,
      action,
      keyId: key === null ? null : key.keyId,
      keyName: key === null ? null : key.keyName,
      requestId: about.scanId,
      indicatorHmac: about.hash,
      ip: about.from.ip,
      outcome: rules.outcomeOf(about.reply),
      correlationId: about.from.correlationId,
      count: null,
      detail: null,
      subjects: null,
    });
  }

  function usageOf(workspaceId: WorkspaceId, { usage }: Batch): Usage {
    const totals = usage.get(workspaceId) ?? { requests: 0, hits: 0, polls: 0 };
    usage.set(workspaceId, totals);
    return totals;
  }

  function serveEnrich(call: EnrichCall, batch: Batch): Reply {
    const who = admitted(call, "request", batch);
    const reply = orRefusal(() => enrich(call, who, batch));
    const usage = usageOf(who.workspace.workspace_id, batch);
    usage.requests += 1;
    if (reply.kind === "completed") usage.hits += 1;
    const hash = call.indicator === null ? null : call.indicatorHash;
    record("enrich.requested", who, { from: call.from, reply, scanId: scanOf(reply), hash }, batch);
    return who.charge === null ? reply : { ...reply, charge: who.charge };
  }

  function enrich(call: EnrichCall, { workspace, view }: Admitted, batch: Batch): ReplyBody {
    if (call.fault !== null) throw call.fault;
    if (call.indicator === null) throw new AppError("invalid_request", "The request names no indicator");
    const workspaceId = workspace.workspace_id;
    const { lifetimes, now } = batch.rules;
    if (call.runner?.isRefresh !== true) {
      // The newest result decides, if it is of the current data. Only else all scans are looked at.
      const newest = ready.find(call.indicatorHash, view);
      if (newest !== null && decide([newest.facts], view.data, lifetimes, now).kind === "hit") return newest.reply;
    }
    const facts = scans.factsOf(call.indicatorHash, workspaceId);
    const decision = decide(facts, view.data, lifetimes, now);
    if (decision.kind === "hit" && call.runner?.isRefresh !== true) return stored(decision.scanId, workspaceId);
    if (decision.kind === "join" && call.runner === null) {
      return { kind: "accepted", scanId: decision.scanId, indicator: call.indicator };
    }
    if (batch.fault !== null) throw batch.fault;
    batch.unfinishedCount ??= scans.countUnfinished();
    if (call.runner === null && batch.unfinishedCount >= batch.rules.maxQueue) {
      throw new AppError("overloaded", "Too many scans are waiting");
    }
    const { runner, indicator, indicatorHash } = call;
    const scan = { id: call.newScanId, workspaceId, indicator, indicatorHash, requestedAt: batch.rules.now };
    if (runner !== null) {
      const claimed = scans.insertClaimed(scan, runner.owner, runner.leaseUntil, batch.rules.fingerprintOf);
      return { kind: "claimed", scan: claimed };
    }
    scans.insert(scan);
    batch.unfinishedCount += 1;
    return { kind: "accepted", scanId: scan.id, indicator };
  }

  function stored(scanId: ScanId, workspaceId: WorkspaceId): ReplyBody {
    const row = scans.find(scanId, workspaceId);
    if (row === undefined) throw notFound();
    return toCompleted(scanId, row, "hit");
  }

  function servePoll(call: PollCall, batch: Batch): Reply {
    const { scanId, from, view } = call;
    const who = admitted(call, call.isCharged ? null : "poll", batch);
    const { workspace_id: workspaceId } = who.workspace;
    // The workspace is part of the look-up, so a foreign id and an unknown one are the same work and the same answer.
    const row = scanId === null ? undefined : scans.find(scanId, workspaceId);
    const fault = call.fault ?? (row === undefined ? notFound() : null);
    const reply =
      scanId === null || row === undefined || fault !== null
        ? refused(fault ?? notFound())
        : poll(scanId, row, view, batch);
    if (!call.isCharged) usageOf(workspaceId, batch).polls += 1;
    if (scanId !== null && row !== undefined && isFinal(reply)) {
      const about = { from, reply, scanId, hash: row.indicator_hash };
      // Each export is written down, unlike a poll: evidence leaves in a form that is made to be passed on.
      if (view === "export" && reply.kind === "case") record("export.made", who, about, batch);
      else if (isFirst(scanId, who.key, batch)) record("enrich.polled", who, about, batch);
    }
    return who.charge === null ? reply : { ...reply, charge: who.charge };
  }

  /** The audit trail names the final answer of a scan once per key (docs/contract.md 9.8). */
  function isFirst(scanId: ScanId, key: KnownKey | null, { fault }: Batch): boolean {
    if (key === null) return false;
    if (fault !== null) return wasPolled.get(scanId, key.keyId) === undefined;
    return notePolled.run(scanId, key.keyId).changes === 1;
  }

  function poll(scanId: ScanId, row: FinishedRow, view: PollCall["view"], { rules }: Batch): ReplyBody {
    if (!isRetained(toDate(row.finished_at), rules.lifetimes, rules.now)) return refused(notFound());
    if (view === "sources") return { kind: "sources", scanId, state: row.state, runs: scans.runs(scanId) };
    if (row.state === "failed") return view === "case" ? caseOf(scanId, row) : { kind: "failed", scanId };
    if (row.state !== "completed") return { kind: "unfinished", scanId, state: row.state };
    if (view === "case" || view === "export") return caseOf(scanId, row);
    return view === "evidence"
      ? { kind: "evidence", body: scans.evidence(scanId) }
      : toCompleted(scanId, row, "miss_scan_complete");
  }

  function caseOf(scanId: ScanId, row: FinishedRow): ReplyBody {
    const { envelope_tail: envelopeTail, digest } = row;
    const asked = scans.asked(scanId);
    const finishedAt = toDate(row.finished_at);
    if (asked === undefined || finishedAt === null) throw new Error("a finished scan has no end");
    return {
      kind: "case",
      scanId,
      indicator: { type: asked.indicator_type, value: asked.indicator_value },
      askedAt: toDate(asked.requested_at),
      finishedAt,
      reach: "full",
      runs: scans.runs(scanId),
      result:
        envelopeTail === null || digest === null ? null : { envelopeTail, evidence: scans.evidence(scanId), digest },
    };
  }

  function serve(call: Call, batch: Batch): Reply {
    try {
      return call.kind === "enrich" ? serveEnrich(call, batch) : servePoll(call, batch);
    } catch (error) {
      if (error instanceof Refusal) return error.reply;
      if (error instanceof AppError) return { kind: "refused", error };
      throw error;
    }
  }

  /** What the calls changed together: one write per key and workspace, however many calls there were. */
  function settle(batch: Batch): void {
    const { holders, usage, rules } = batch;
    const now = rules.now.getTime();
    for (const holder of holders.values()) {
      if (holder === null || !holder.isUsed) continue;
      const { key } = holder;
      if (Math.abs(now - (key.last_used_at ?? 0)) >= lastUsedStepMs) setLastUsed.run(now, key.id);
      try {
        saveBudgets(holder);
      } catch (error) {
        passUncounted(error, [holder], batch);
      }
    }
    for (const [workspaceId, { requests, hits, polls }] of usage) {
      try {
        addUsage.run(workspaceId, now - (now % hourMs), requests, hits, polls);
      } catch (error) {
        passUncounted(error, holders.values(), batch);
      }
    }
  }

  function saveBudgets({ key, budgets }: Holder): void {
    for (const [kind, { budget, isChanged }] of budgets) {
      if (isChanged && budget !== null) saveBudget.run(key.id, kind, budget.windowStartedAt.getTime(), budget.count);
    }
  }

  return {
    /** Without the polls that the audit trail names already: while it could not be written, each was taken for a first one. */
    onlyFirstPolls(events: readonly AuditEvent[]): AuditEvent[] {
      return events.filter(({ action, requestId, keyId }) => {
        if (action !== "enrich.polled" || requestId === null || keyId === null) return true;
        if (wasPolled.get(requestId, keyId) !== undefined) return false;
        notePolledLate.run(keyId, requestId);
        return true;
      });
    },

    /** With `fault` nothing is written, and the events are for the caller to keep. */
    handle(
      calls: readonly Call[],
      rules: CallRules,
      fault: AppError | null,
    ): { replies: Reply[]; events: AuditEvent[] } {
      const batch: Batch = {
        rules,
        fault,
        holders: new Map(),
        uncounted: null,
        usage: new Map(),
        events: [],
        unfinishedCount: null,
      };
      const replies = calls.map((call) => serve(call, batch));
      if (fault === null) {
        settle(batch);
        audit.append(batch.events);
      }
      const { uncounted, events } = batch;
      return { replies: uncounted === null ? replies : uncharge(replies, calls, uncounted), events };
    },
  };
}

/** Replies without what was charged to keys that cannot be counted. A limit that was reached before stays one. */
function uncharge(replies: readonly Reply[], calls: readonly Call[], uncounted: ReadonlySet<string>): Reply[] {
  return replies.map((reply, index) => {
    const caller = calls[index]?.caller;
    const isCounted = caller === undefined || !("keyHash" in caller) || !uncounted.has(caller.keyHash ?? "");
    if (
      isCounted ||
      (reply.kind === "refused" && (reply.denied !== undefined || reply.error.code === "rate_limited"))
    ) {
      return reply;
    }
    const { charge: _charge, ...rest } = reply;
    return { ...rest, isUncounted: true };
  });
}

/** Takes the same time wherever the two differ. */
function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && crypto.timingSafeEqual(a, b);
}

function refused(error: AppError): ReplyBody {
  return { kind: "refused", error };
}

function currentView(workspace: WorkspaceRow, rules: CallRules): View {
  const { workspace_id: id, workspace_name: name, corpora_revision: corporaRevision } = workspace;
  return viewOf(id, { settingsFingerprint: rules.fingerprintOf({ id, name }), corporaRevision });
}

function orRefusal(work: () => ReplyBody): ReplyBody {
  try {
    return work();
  } catch (error) {
    if (error instanceof AppError) return refused(error);
    throw error;
  }
}

/** True for an answer about a scan that is over. */
function isFinal(reply: ReplyBody): boolean {
  if (reply.kind === "sources") return isFinished(reply.state);
  return ["completed", "failed", "evidence", "case"].includes(reply.kind);
}

function scanOf(reply: ReplyBody): ScanId | null {
  if (reply.kind === "claimed") return reply.scan.claim.scanId;
  return reply.kind === "accepted" || reply.kind === "completed" ? reply.scanId : null;
}

function notFound(): AppError {
  return new AppError("not_found", "There is no scan with this request_id");
}
