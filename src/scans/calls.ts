import { AppError } from "../domain/error.ts";
import type { Call, CallRules, Reply, Store } from "../store/store.ts";
import type { Live } from "./live.ts";

/** A turn serves at most this many calls, so that no transaction blocks the event loop for long. */
const maxCallsPerTurn = 256;

export type Calls = {
  /** Serves one call; the reply comes after its transaction is committed. Throws `AppError` when nothing can be read. */
  readonly serve: (call: Call) => Promise<Reply>;
};

/**
 * Collects the calls of one event-loop turn and serves them in one transaction: it is durable, and cheaper than one
 * transaction per call. `onMiss` is told when a scan may have been added.
 */
export function openCalls(
  store: Pick<Store, "handleCalls" | "readCalls">,
  live: () => Live,
  now: () => Date,
  onMiss: () => void,
): Calls {
  type Waiting = { call: Call; resolve: (reply: Reply) => void; reject: (error: unknown) => void };
  const waiting: Waiting[] = [];

  async function serveTurn(): Promise<void> {
    const turn = waiting.splice(0, maxCallsPerTurn);
    if (waiting.length > 0) setImmediate(serveTurn);
    try {
      const { lifetimes, maxQueue, fingerprintOf } = live();
      const replies = await handle(
        turn.map(({ call }) => call),
        { now: now(), lifetimes, maxQueue, fingerprintOf },
      );
      for (const [index, { resolve, reject }] of turn.entries()) {
        const reply = replies[index];
        if (reply === undefined) reject(new Error("a call was left without a reply"));
        else resolve(reply);
      }
      if (replies.some((reply) => reply.kind === "accepted")) onMiss();
    } catch (error) {
      for (const { reject } of turn) reject(error);
    }
  }

  /** When the commit fails, what needs no write is still served; authentication and isolation never fail open. */
  async function handle(calls: readonly Call[], rules: CallRules): Promise<Reply[]> {
    try {
      return await store.handleCalls(calls, rules);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return await store.readCalls(calls, rules, error);
    }
  }

  return {
    serve(call) {
      const { promise, resolve, reject } = Promise.withResolvers<Reply>();
      waiting.push({ call, resolve, reject });
      if (waiting.length === 1) setImmediate(serveTurn);
      return promise;
    },
  };
}
