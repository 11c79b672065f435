import type { AuditEvent } from "../domain/audit.ts";
import { type Call, type CallOrigin, type CallRules, type KnownKey, type Reply, replyLength } from "../domain/call.ts";
import { AppError } from "../domain/error.ts";
import { collectTurns } from "../event-loop/turns.ts";
import type { CallStore } from "../store/port/call.ts";
import { fairOrder } from "./fair-order.ts";
import type { Live } from "./live.ts";

/** A batch holds at most this many calls, so that no transaction blocks the event loop for long. */
const maxCallsPerBatch = 256;

/** A longer reply costs as much as many short ones: its caller is served after callers of short replies. In UTF-16 units. */
const heavyLength = 65_536;
/** Bound of the callers that are remembered for their long replies. */
const maxHeavyCallers = 10_000;

export type Calls = {
  /** Serves one call; the reply comes after its transaction is committed. Throws `AppError` when nothing can be read. */
  readonly serve: (call: Call) => Promise<Reply>;
};

/** The functions of the audit trail that a batch uses besides its transaction. */
type Trail = {
  readonly takeWaiting: () => AuditEvent[];
  readonly putBack: (events: readonly AuditEvent[]) => void;
  readonly wait: (events: readonly AuditEvent[]) => void;
  readonly denied: (from: CallOrigin, outcome: string, who: KnownKey | "unknown") => void;
};

/** A call that waits for its reply. */
type Waiting = { readonly call: Call } & Pick<PromiseWithResolvers<Reply>, "resolve" | "reject">;
/** The calls of one transaction. */
type Batch = readonly Waiting[];

export type CallTools = {
  readonly store: CallStore;
  readonly live: () => Live;
  readonly now: () => Date;
  readonly steadyNow: () => number;
  readonly outcomeOf: CallRules["outcomeOf"];
  readonly trail: Trail;
  /** Told when a scan may have been added. */
  readonly onMiss: () => void;
  /** Told how many calls passed without their budget being charged. */
  readonly onFailOpen: (count: number) => void;
};

/**
 * Collects the calls of one event-loop turn and serves them in one transaction: it is durable, and cheaper than one
 * transaction per call.
 */
export function openCalls(tools: CallTools): Calls {
  const { store, live, now, steadyNow, outcomeOf, trail, onMiss, onFailOpen } = tools;
  // Windows go by the clock of the start and monotonic time from there: a clock that is set does not open or close one.
  const startedAt = now().getTime() - steadyNow();

  /** Callers whose last reply was a long one. */
  const heavyCallers = new Set<string>();

  /** A list is as much work as a thousand calls: it has a transaction and a turn of its own. */
  async function serveBatch(arrived: Batch): Promise<void> {
    const lists = arrived.length === 1 ? [] : arrived.filter(({ call }) => call.kind === "bulk");
    if (lists.length === 0) return await serveTogether(arrived);
    const others = arrived.filter(({ call }) => call.kind !== "bulk");
    for (const batch of [others, ...lists.map((list) => [list])]) {
      if (batch.length === 0) continue;
      await serveTogether(batch);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async function serveTogether(arrived: Batch): Promise<void> {
    const batch = inFairOrder(arrived);
    try {
      const calls = batch.map(({ call }) => call);
      const { lifetimes, limits, maxQueue, maxTlpOutside, fingerprintOf } = live();
      const rules = {
        now: now(),
        steadyNow: new Date(startedAt + steadyNow()),
        lifetimes,
        limits,
        maxQueue,
        maxTlpOutside,
      };
      const served = await handle(calls, { ...rules, fingerprintOf, outcomeOf });
      let [isAccepted, uncountedCount] = [false, 0];
      for (const [index, { call, resolve }] of batch.entries()) {
        const reply = served[index];
        if (reply === undefined) break;
        resolve(reply);
        noteWeight(callerOf(call), replyLength(reply) > heavyLength);
        if (reply.kind === "accepted" || (reply.kind === "bulk" && reply.hasPending)) isAccepted = true;
        if (reply.isUncounted === true) uncountedCount += 1;
        if (reply.kind === "refused" && reply.denied !== undefined) {
          trail.denied(call.from, outcomeOf(reply), reply.denied);
        }
      }
      if (uncountedCount > 0) onFailOpen(uncountedCount);
      if (isAccepted) onMiss();
      if (served.length === 0) throw new Error("calls were left without a reply");
      // Long replies filled this batch: the rest goes into a later one.
      for (const waiting of batch.slice(served.length)) push(waiting);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  function inFairOrder(batch: Batch): Batch {
    if (heavyCallers.size === 0 || batch.length === 1) return batch;
    return fairOrder(batch, ({ call }) => callerOf(call), heavyCallers);
  }

  function noteWeight(caller: string, isHeavy: boolean): void {
    if (isHeavy && heavyCallers.size < maxHeavyCallers) heavyCallers.add(caller);
    else if (!isHeavy && heavyCallers.size > 0) heavyCallers.delete(caller);
  }

  /**
   * When the commit fails, what needs no write is still served, uncounted, and its audit rows wait. Authentication and
   * isolation never fail open (docs/contract.md 8.6, 9.8).
   */
  async function handle(calls: readonly Call[], rules: CallRules): Promise<Reply[]> {
    const earlier = trail.takeWaiting();
    try {
      return await store.handleCalls(calls, rules, earlier);
    } catch (error) {
      trail.putBack(earlier);
      if (!(error instanceof AppError)) throw error;
      const { replies, events } = await store.readCalls(calls, rules, error);
      trail.wait(events);
      onFailOpen(replies.filter((reply) => reply.kind !== "refused" || reply.denied === undefined).length);
      return replies;
    }
  }

  // One batch after the other: events that wait for the database must be written before those of later calls.
  const push = collectTurns(maxCallsPerBatch, serveBatch);

  return {
    serve(call) {
      const { promise, resolve, reject } = Promise.withResolvers<Reply>();
      push({ call, resolve, reject });
      return promise;
    },
  };
}

function callerOf({ caller }: Call): string {
  return "keyHash" in caller ? (caller.keyHash ?? "") : caller.workspaceId;
}
