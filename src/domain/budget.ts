import type { Plan } from "./workspace.ts";

/** The number of calls that a key made in its current window (docs/contract.md 8). */
export type Budget = {
  /** Measured in steady time (see `CallRules.steadyNow`), so a clock that is set back does not matter. */
  readonly windowStartedAt: Date;
  readonly count: number;
};

/** `request` counts every POST, `poll` every GET of the exposure API. */
export type BudgetKind = "request" | "poll";

/** Calls per window by plan; 0 = unlimited. */
export type Limits = { readonly team: number; readonly enterprise: number; readonly windowMs: number };

/** The state of the charged budget, as the response headers report it (docs/contract.md 8.5). */
export type Charge = { readonly limit: number; readonly remaining: number; readonly resetInMs: number };

/** Polls have their own budget: the budget of requests times this factor (docs/contract.md 8.3). */
const pollsPerRequest = 20;

/** The same without a charge. What is not known, because no window is open or the counters cannot be read, is null. */
export type BudgetLeft = {
  readonly limit: number;
  readonly remaining: number | null;
  readonly resetInMs: number | null;
};

/** The limit of a plan with API access; 0 = unlimited. */
export function limitOf(limits: Limits, plan: Plan, kind: BudgetKind): number {
  const requests = plan === "enterprise" ? limits.enterprise : limits.team;
  return kind === "poll" ? requests * pollsPerRequest : requests;
}

/** How much a call takes from a budget: all of `count` or nothing. It passes if `needed` are left. */
export type Cost = { readonly count: number; readonly needed: number };

export const oneCall: Cost = { count: 1, needed: 1 };

/**
 * Charges a call to a budget. A window opens with its first counted call and admits exactly `limit` calls. A refused
 * call is not counted. `now` is steady time; `limit` is at least 1.
 */
export function chargeBudget(
  budget: Budget | null,
  limit: number,
  windowMs: number,
  now: Date,
  cost = oneCall,
): { readonly budget: Budget; readonly isAllowed: boolean; readonly charge: Charge } {
  const current = currentWindow(budget, windowMs, now);
  const isAllowed = current.count + cost.needed <= limit;
  const count = isAllowed ? current.count + cost.count : current.count;
  const resetInMs = current.windowStartedAt.getTime() + windowMs - now.getTime();
  return {
    budget: { windowStartedAt: current.windowStartedAt, count },
    isAllowed,
    charge: { limit, remaining: Math.max(0, limit - count), resetInMs },
  };
}

/** Gives back what a call took that was refused after all. */
export function refund(budget: Budget, count: number): Budget {
  return { ...budget, count: Math.max(0, budget.count - count) };
}

/** Reads a budget without charging it; `limit` is at least 1. After the end of a window the full limit remains. */
export function readBudget(budget: Budget | null, limit: number, windowMs: number, now: Date): Charge {
  const { windowStartedAt, count } = currentWindow(budget, windowMs, now);
  const resetInMs = windowStartedAt.getTime() + windowMs - now.getTime();
  return { limit, remaining: Math.max(0, limit - count), resetInMs };
}

/** The same for a caller who must know whether a window is open; `limit` is at least 1. */
export function budgetLeft(budget: Budget | null, limit: number, windowMs: number, now: Date): BudgetLeft {
  const isOpen = budget !== null && now.getTime() - budget.windowStartedAt.getTime() < windowMs;
  return isOpen ? readBudget(budget, limit, windowMs, now) : { limit, remaining: limit, resetInMs: null };
}

function currentWindow(budget: Budget | null, windowMs: number, now: Date): Budget {
  if (budget === null) return { windowStartedAt: now, count: 0 };
  const ageMs = now.getTime() - budget.windowStartedAt.getTime();
  if (ageMs >= windowMs) return { windowStartedAt: now, count: 0 };
  // The window starts in the future: the clock was set back while the service was down. Keep the count for one window.
  return ageMs < 0 ? { windowStartedAt: now, count: budget.count } : budget;
}
