import { SourceError } from "../domain/error.ts";
import { nextTurn, type Pace } from "../domain/pace.ts";
import type { WorkspaceId } from "../domain/workspace.ts";
import { retryAfterMs } from "../egress/answer.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../egress/client.ts";
import type { PaceStore } from "../store/port/pace.ts";

/** The properties of a source that matter for its pace. */
export type PacedSource = {
  readonly name: string;
  readonly pace: Pace | null;
  /** True for an answer that asks us to slow down, such as 429, or 503 with Retry-After. */
  readonly isThrottled: (response: HttpResponse) => boolean;
};

/** The pause when an upstream asks us to slow down without saying for how long. */
const pauseWithoutHintMs = 60_000;

type TurnStore = Pick<PaceStore, "takeSlot" | "pauseSource">;

type QueueTools = {
  readonly store: TurnStore;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
};

type Turn = { readonly workspaceId: WorkspaceId; readonly deadline: Date; readonly signal: AbortSignal };
type Waiter = Turn & { readonly grant: () => void; readonly refuse: (error: SourceError) => void };

/**
 * The queues for calls to sources (docs/contract.md 5.9). A call waits for its turn, so that the upstream need not
 * refuse it; workspaces take turns (round robin). A call whose turn would come after its deadline fails immediately, so
 * that nothing queues behind a slow source. Turns and pauses are in the store, so they hold across restarts and for
 * commands. The order of waiting calls is in memory.
 */
export function openTurns(store: TurnStore, now: () => Date, sleep: (ms: number) => Promise<void> = Bun.sleep) {
  const queues = new Map<string, SourceQueue>();

  function queueOf(source: PacedSource): SourceQueue {
    const queue = queues.get(source.name) ?? new SourceQueue(source, { store, now, sleep });
    queues.set(source.name, queue);
    return queue;
  }

  return {
    /**
     * A client for one scan's calls to one source. Retries once after an upstream 429, or a 503 with Retry-After, when
     * the pause fits into the remaining time.
     */
    clientFor(http: HttpClient, source: PacedSource, workspaceId: WorkspaceId, deadline: Date): HttpClient {
      const queue = queueOf(source);
      const ask = async (request: HttpRequest): Promise<HttpResponse> => {
        const turn = { workspaceId, deadline, signal: request.signal };
        // Names of sources never hold a slash. A part has its own pauses; its calls also take a turn at the source.
        const part =
          request.part === undefined
            ? null
            : queueOf({ ...source, name: `${source.name}/${request.part}`, pace: null });
        if (part !== null) await part.turn(turn);
        await queue.turn(turn);
        const response = await http.request(request);
        if (source.isThrottled(response)) {
          const pauseMs = retryAfterMs(response.headers, now()) ?? pauseWithoutHintMs;
          await (part ?? queue).pause(new Date(now().getTime() + pauseMs));
        }
        return response;
      };
      return {
        async request(request) {
          const response = await ask(request);
          if (!source.isThrottled(response)) return response;
          try {
            return await ask(request);
          } catch (error) {
            // Report that the service is down (503), not that our wait would take too long.
            if (response.status !== 429 && error instanceof SourceError && error.reason === "rate_limited") {
              return response;
            }
            throw error;
          }
        },
      };
    },
  };
}

export type Turns = ReturnType<typeof openTurns>;

class SourceQueue {
  readonly #source: PacedSource;
  readonly #tools: QueueTools;
  /** Waiting calls by workspace; the first workspace is served next. */
  readonly #waiting = new Map<WorkspaceId, Waiter[]>();
  /** Granted turns of the current window, ascending, for the forecast only. */
  #given: number[] = [];
  /** The turn that the call at the head of the queue waits for; all others come later. 0 = no call waits. */
  #headSlot = 0;
  #pausedUntil = 0;
  #isServing = false;

  constructor(source: PacedSource, tools: QueueTools) {
    this.#source = source;
    this.#tools = tools;
  }

  /** Resolves at the caller's turn. Rejects with `rate_limited` once the turn would be too late, `timeout` on abort. */
  turn(turn: Turn): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#forecast(turn.workspaceId) > turn.deadline.getTime()) throw tooLate();
    const abort = () => waiter.refuse(new SourceError("timeout", "the time limit ended before this call's turn"));
    const leave = () => {
      turn.signal.removeEventListener("abort", abort);
      this.#remove(waiter);
    };
    const waiter: Waiter = {
      ...turn,
      grant() {
        leave();
        resolve();
      },
      refuse(error) {
        leave();
        reject(error);
      },
    };
    turn.signal.addEventListener("abort", abort, { once: true });
    this.#waiting.set(turn.workspaceId, [...(this.#waiting.get(turn.workspaceId) ?? []), waiter]);
    if (turn.signal.aborted) abort();
    if (!this.#isServing) void this.#serve();
    return promise;
  }

  async pause(until: Date): Promise<void> {
    this.#pausedUntil = Math.max(this.#pausedUntil, until.getTime());
    for (const waiter of [...this.#waiting.values()].flat()) {
      if (waiter.deadline.getTime() < this.#pausedUntil) waiter.refuse(tooLate());
    }
    await this.#tools.store.pauseSource(this.#source.name, until);
  }

  async #serve(): Promise<void> {
    const { store, now, sleep } = this.#tools;
    this.#isServing = true;
    for (let waiter = this.#next(); waiter !== undefined; waiter = this.#next()) {
      try {
        const slot = await store.takeSlot(this.#source.name, this.#source.pace, waiter.deadline, now());
        if (slot === null) {
          waiter.refuse(tooLate());
          continue;
        }
        // The store lacks a pause that it could not write.
        this.#headSlot = Math.max(slot.getTime(), this.#pausedUntil);
        const waitMs = this.#headSlot - now().getTime();
        if (waitMs > 0) await sleep(waitMs);
        this.#headSlot = 0;
        // A pause that began during the wait also holds for this call: take another turn.
        if (this.#pausedUntil > now().getTime()) continue;
        this.#given = [...this.#given, slot.getTime()].slice(-(this.#source.pace?.count ?? 1));
        this.#grant(waiter);
        // Without a pace turns are not counted, so all waiting calls share this one.
        if (this.#source.pace !== null) continue;
        for (let next = this.#next(); next !== undefined; next = this.#next()) this.#grant(next);
      } catch (cause) {
        waiter.refuse(new SourceError("internal", "the turn could not be stored", { cause }));
      }
    }
    this.#isServing = false;
  }

  #grant(waiter: Waiter): void {
    // The workspace moves to the end of the queue.
    const rest = this.#waiting.get(waiter.workspaceId) ?? [];
    this.#waiting.delete(waiter.workspaceId);
    this.#waiting.set(waiter.workspaceId, rest);
    waiter.grant();
  }

  #next(): Waiter | undefined {
    for (const waiters of this.#waiting.values()) if (waiters[0] !== undefined) return waiters[0];
    return undefined;
  }

  #remove(waiter: Waiter): void {
    const rest = (this.#waiting.get(waiter.workspaceId) ?? []).filter((other) => other !== waiter);
    if (rest.length === 0) this.#waiting.delete(waiter.workspaceId);
    else this.#waiting.set(waiter.workspaceId, rest);
  }

  /** The time of the turn of one more call of this workspace, in Unix milliseconds. */
  #forecast(workspaceId: WorkspaceId): number {
    const { pace } = this.#source;
    const now = this.#tools.now().getTime();
    const notBefore = Math.max(this.#pausedUntil, this.#headSlot);
    // Without a pace no call waits for the calls ahead of it.
    if (pace === null) return nextTurn([], pace, notBefore, now);
    const ownCount = this.#waiting.get(workspaceId)?.length ?? 0;
    let aheadCount = 0;
    for (const waiters of this.#waiting.values()) aheadCount += Math.min(waiters.length, ownCount + 1);
    // A turn in the future was granted before the clock was set back.
    const slots = this.#given.filter((slot) => slot <= now);
    for (let index = 0; index < aheadCount; index += 1) slots.push(nextTurn(slots, pace, notBefore, now));
    return nextTurn(slots, pace, notBefore, now);
  }
}

function tooLate(): SourceError {
  return new SourceError("rate_limited", "its turn at the source would come too late");
}
