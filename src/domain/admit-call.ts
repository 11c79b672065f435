import { admit, invalidApiKey, type KeyRights, planRequired, rateLimited, type WantedScope } from "./admission.ts";
import type { ApiKey } from "./api-key.ts";
import {
  type Budget,
  type BudgetKind,
  budgetLeft,
  type Charge,
  type Cost,
  chargeBudget,
  limitOf,
  oneCall,
} from "./budget.ts";
import type { BudgetsLeft, Call, CallRules, KnownKey, Reply } from "./call.ts";
import { AppError } from "./error.ts";
import type { DataVersion } from "./freshness.ts";
import { mayScan } from "./key-scope.ts";
import { hasApiAccess, type Workspace, type WorkspaceId } from "./workspace.ts";

export type WorkspaceFacts = Workspace & { readonly corporaRevision: string };

export type KeyFacts = Pick<ApiKey, "id" | "name" | "lastUsedAt"> & KeyRights & { readonly workspace: WorkspaceFacts };

/** The budgets of a key, by kind; null for a kind that was never charged. */
export type BudgetFacts = Readonly<Record<BudgetKind, Budget | null>>;

/** The keys and workspaces that make the calls of a batch, read in one transaction. */
export type CallerFacts = {
  /** By hash of the token; null when no key has this hash. */
  readonly keys: ReadonlyMap<string, KeyFacts | null>;
  /** Workspaces that operators and commands act in, by id; null when there is no workspace with this id. */
  readonly workspaces: ReadonlyMap<WorkspaceId, WorkspaceFacts | null>;
  /** By key id, see `keysToCharge`. A key with unreadable counters is left out: its calls pass (docs/contract.md 8.6). */
  readonly budgets: ReadonlyMap<string, BudgetFacts>;
};

/** The caller of an admitted call. Shared by the calls of one caller. */
export type Who = {
  readonly workspace: WorkspaceFacts;
  /** The data that the workspace sees now. */
  readonly data: DataVersion;
  /** Null for an operator and the command line. */
  readonly key: KnownKey | null;
  readonly actor: string;
  /** False for a key that may only read results. Such a key starts no scan and joins none. */
  readonly mayScan: boolean;
};

export type Admission =
  | {
      readonly kind: "admitted";
      readonly who: Who;
      readonly charge: Charge | null;
      /** Set for a call that asks for the budgets: their state after the calls before it. */
      readonly budgets?: BudgetsLeft;
    }
  /** `who` is set when the audit trail records the refusal. */
  | { readonly kind: "refused"; readonly reply: Reply; readonly who: Who | null };

export type Admissions = {
  /** In the order of the calls. */
  readonly admissions: readonly Admission[];
  /** Ids of admitted keys whose `last_used_at` must be written again. */
  readonly usedKeyIds: readonly string[];
  /** Changed budgets, with their state after the calls. */
  readonly budgets: readonly ChargedBudget[];
};

export type ChargedBudget = { readonly keyId: string; readonly kind: BudgetKind; readonly budget: Budget };

/** `last_used_at` is exact to this many milliseconds, to spare a write per call (docs/contract.md 9.2). */
const lastUsedStepMs = 60_000;

/** The state of a key, shared by the calls of one batch. */
type Holder = {
  readonly id: string;
  readonly known: KnownKey;
  readonly who: Who;
  /** Null when the calls of this key are not counted. */
  readonly budgets: Record<BudgetKind, Budget | null> | null;
};

/** The budget that a call is charged to: `request` for a POST, `poll` for a GET. Null when it is free or already charged. */
function budgetFor(call: Call): BudgetKind | null {
  if (call.kind === "enrich" || call.kind === "bulk") return "request";
  if (call.kind === "history") return "poll";
  return call.kind === "whoami" || call.isCharged ? null : "poll";
}

/** A list pays for each indicator (docs/pipeline.md 19.2). One that cannot be read costs nothing, and is not told so for free. */
export function costOf(call: Call): Cost {
  if (call.kind !== "bulk") return oneCall;
  if (call.fault !== null) return { count: 0, needed: 1 };
  const { length: count } = call.list.distinct;
  return { count, needed: count };
}

function scopeFor(call: Call): WantedScope {
  if (call.kind === "watch") return "watch";
  return call.kind === "whoami" ? "any" : "read";
}

/** The ids of the keys whose budgets `admitCalls` needs. */
export function keysToCharge(
  calls: readonly Call[],
  keys: CallerFacts["keys"],
  { now, limits }: Pick<CallRules, "now" | "limits">,
): Set<string> {
  const ids = new Set<string>();
  for (const call of calls) {
    const { caller } = call;
    const key = "keyHash" in caller && caller.keyHash !== null ? keys.get(caller.keyHash) : null;
    // The call whoami reads both budgets and is charged to none.
    const kind = call.kind === "whoami" ? "poll" : budgetFor(call);
    if (key == null || kind === null || ids.has(key.id)) continue;
    if (limitOf(limits, key.workspace.plan, kind) === 0) continue;
    const wish = { scope: scopeFor(call), ip: call.from.ip, now };
    if (admit(key, key.workspace, wish) === null) ids.add(key.id);
  }
  return ids;
}

/** Admits or refuses each call and charges its budget. Charges of one batch add up. */
export function admitCalls(calls: readonly Call[], facts: CallerFacts, rules: CallRules): Admissions {
  const holders = new Map<string, Holder>();
  const used = new Map<string, KeyFacts>();
  const charged = new Map<string, ChargedBudget>();

  function holderOf(hash: string, key: KeyFacts): Holder {
    const shared = holders.get(hash);
    if (shared !== undefined) return shared;
    const known = { workspaceId: key.workspace.id, keyId: key.id, keyName: key.name };
    const budgets = facts.budgets.get(key.id);
    const holder: Holder = {
      id: key.id,
      known,
      who: whoIs(key.workspace, known, `key:${key.id}`, mayScan(key.scopes), rules),
      budgets: budgets === undefined ? null : { ...budgets },
    };
    holders.set(hash, holder);
    return holder;
  }

  /** Charges a call. Null when the plan has no limit or the calls of the key are not counted. */
  function charge({ id, who, budgets }: Holder, kind: BudgetKind, cost: Cost) {
    const limit = limitOf(rules.limits, who.workspace.plan, kind);
    if (limit === 0 || budgets === null) return null;
    const before = budgets[kind];
    const result = chargeBudget(before, limit, rules.limits.windowMs, rules.steadyNow, cost);
    // A refused call is not counted. But if the clock went back and the window was restarted, that must be saved.
    const isMoved = result.budget.windowStartedAt.getTime() !== before?.windowStartedAt.getTime();
    if (result.isAllowed || isMoved) {
      budgets[kind] = result.budget;
      charged.set(`${kind} ${id}`, { keyId: id, kind, budget: result.budget });
    }
    return result;
  }

  /** Null where the plan has no limit. */
  function left({ who, budgets }: Holder, kind: BudgetKind) {
    const limit = limitOf(rules.limits, who.workspace.plan, kind);
    if (limit === 0) return null;
    if (budgets === null) return { limit, remaining: null, resetInMs: null };
    return budgetLeft(budgets[kind], limit, rules.limits.windowMs, rules.steadyNow);
  }

  function admitKey(call: Call, keyHash: string | null): Admission {
    const key = keyHash === null ? null : (facts.keys.get(keyHash) ?? null);
    if (key === null || keyHash === null) return denied(invalidApiKey(), "unknown");
    const holder = holderOf(keyHash, key);
    const { known, who } = holder;
    // Each call by itself: the calls of one key may come from many addresses.
    const refusal = admit(key, key.workspace, { scope: scopeFor(call), ip: call.from.ip, now: rules.now });
    if (refusal !== null) return denied(refusal, known);
    used.set(key.id, key);
    if (call.kind === "whoami") {
      const budgets = { request: left(holder, "request"), poll: left(holder, "poll") };
      return { kind: "admitted", who, charge: null, budgets };
    }
    const kind = budgetFor(call);
    const cost = costOf(call);
    const limit = kind === null ? 0 : limitOf(rules.limits, who.workspace.plan, kind);
    if (limit !== 0 && cost.needed > limit) {
      const message = `The list has more distinct indicators than the plan allows in one window: ${limit}`;
      return { kind: "refused", reply: { kind: "refused", error: new AppError("invalid_request", message) }, who };
    }
    const result = kind === null ? null : charge(holder, kind, cost);
    if (result === null || result.isAllowed) return { kind: "admitted", who, charge: result?.charge ?? null };
    const reply = { kind: "refused", error: rateLimited(), charge: result.charge } as const;
    return { kind: "refused", reply, who: kind === "request" ? who : null };
  }

  function admitWorkspace(id: WorkspaceId, actor: string): Admission {
    const workspace = facts.workspaces.get(id) ?? null;
    if (workspace === null) return refused(new AppError("not_found", "There is no such workspace"));
    if (workspace.disabledAt !== null) return refused(new AppError("conflict", "The workspace is disabled"));
    if (!hasApiAccess(workspace.plan)) return refused(planRequired());
    return { kind: "admitted", who: whoIs(workspace, null, actor, true, rules), charge: null };
  }

  const admissions = calls.map((call) => {
    const { caller } = call;
    return "keyHash" in caller ? admitKey(call, caller.keyHash) : admitWorkspace(caller.workspaceId, caller.actor);
  });
  const isDue = ({ lastUsedAt }: KeyFacts) =>
    Math.abs(rules.now.getTime() - (lastUsedAt?.getTime() ?? 0)) >= lastUsedStepMs;
  return {
    admissions,
    usedKeyIds: [...used.values()].filter(isDue).map(({ id }) => id),
    budgets: [...charged.values()],
  };
}

function refused(error: AppError): Admission {
  return { kind: "refused", reply: { kind: "refused", error }, who: null };
}

function denied(error: AppError, who: KnownKey | "unknown"): Admission {
  return { kind: "refused", reply: { kind: "refused", error, denied: who }, who: null };
}

function whoIs(
  workspace: WorkspaceFacts,
  key: KnownKey | null,
  actor: string,
  isScanning: boolean,
  rules: CallRules,
): Who {
  const { id, name, corporaRevision } = workspace;
  const data = { settingsFingerprint: rules.fingerprintOf({ id, name }), corporaRevision };
  return { workspace, data, key, actor, mayScan: isScanning };
}

/**
 * Removes the charge from replies to keys whose counters could not be written (docs/contract.md 8.6). Refusals stay,
 * also those for a limit that was already reached.
 */
export function uncharge(
  replies: readonly Reply[],
  calls: readonly Call[],
  keys: CallerFacts["keys"],
  uncountedKeyIds: ReadonlySet<string>,
): Reply[] {
  return replies.map((reply, index) => {
    const caller = calls[index]?.caller;
    const key =
      caller !== undefined && "keyHash" in caller && caller.keyHash !== null ? keys.get(caller.keyHash) : null;
    if (key == null || !uncountedKeyIds.has(key.id) || reply.kind === "whoami") return reply;
    const isLimit = reply.kind === "refused" && (reply.denied !== undefined || reply.error.code === "rate_limited");
    if (isLimit) return reply;
    const { charge: _charge, ...rest } = reply;
    return { ...rest, isUncounted: true };
  });
}
