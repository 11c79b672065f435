import type { AuditEvent } from "../domain/audit.ts";
import { AppError } from "../domain/error.ts";
import type { Call, CallOrigin, CallRules, KnownKey, Reply, Store } from "../store/store.ts";
import type { Live } from "./live.ts";

/** A turn serves at most this many calls, so that no transaction blocks the event loop for long. */
const maxCallsPerTurn = 256;

export type Calls = {
  /** Serves one call; the reply comes after its transaction is committed. Throws `AppError` when nothing can be read. */
  readonly serve: (call: Call) => Promise<Reply>;
};

/** What a turn tells the audit trail beside its transaction. */
type Trail = {
  readonly takeWaiting: () => AuditEvent[];
  readonly putBack: (events: readonly AuditEvent[]) => void;
  readonly wait: (events: readonly AuditEvent[]) => void;
  readonly denied: (from: CallOrigin, outcome: string, who: KnownKey | "unknown") => void;
};

/** The calls of one transaction, and their replies in the same order. */
type Turn = { readonly calls: Call[]; readonly replies: PromiseWithResolvers<readonly Reply[]> };

export type CallTools = {
  readonly store: Pick<Store, "handleCalls" | "readCalls">;
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
  const turns: Turn[] = [];
  // Windows go by the clock of the start and monotonic time from there: a clock that is set does not open or close one.
  const startedAt = now().getTime() - steadyNow();

  let isServing = false;

  /** One turn after the other: events that wait for the database must be written before those of later calls. */
  async function serveTurns(): Promise<void> {
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
      await serveTurn(turn);
      // Other work gets its turn.
      if (turns.length > 0) await new Promise((resolve) => setImmediate(resolve));
    }
    isServing = false;
  }

  async function serveTurn({ calls, replies }: Turn): Promise<void> {
    try {
      const { lifetimes, limits, maxQueue, fingerprintOf } = live();
      const rules = { now: now(), steadyNow: new Date(startedAt + steadyNow()), lifetimes, limits, maxQueue };
      const served = await handle(calls, { ...rules, fingerprintOf, outcomeOf });
      replies.resolve(served);
      let [isAccepted, uncountedCount] = [false, 0];
      for (const [index, reply] of served.entries()) {
        if (reply.kind === "accepted") isAccepted = true;
        if (reply.isUncounted === true) uncountedCount += 1;
        const call = calls[index];
        if (call !== undefined && reply.kind === "refused" && reply.denied !== undefined) {
          trail.denied(call.from, outcomeOf(reply), reply.denied);
        }
      }
      if (uncountedCount > 0) onFailOpen(uncountedCount);
      if (isAccepted) onMiss();
    } catch (error) {
      replies.reject(error);
    }
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

  return {
    async serve(call) {
      let turn = turns.at(-1);
      if (turn === undefined || turn.calls.length === maxCallsPerTurn) {
        turn = { calls: [], replies: Promise.withResolvers() };
        turns.push(turn);
      }
      const index = turn.calls.push(call) - 1;
      if (!isServing) {
        isServing = true;
        setImmediate(serveTurns);
      }
      const reply = (await turn.replies.promise)[index];
      if (reply === undefined) throw new Error("a call was left without a reply");
      return reply;
    },
  };
}
