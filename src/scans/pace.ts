import { SourceError } from "../domain/error.ts";
import { nextTurn, type Pace } from "../domain/pace.ts";
import type { WorkspaceId } from "../domain/workspace.ts";
import { retryAfterMs } from "../egress/answer.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../egress/client.ts";
import type { PaceStore } from "../store/port/pace.ts";

/** A source as far as its pace is concerned. */
export type PacedSource = {
  readonly name: string;
  readonly pace: Pace | null;
  /** Tells an answer that asks to come back later from others of its status. */
  readonly isThrottled: (response: HttpResponse) => boolean;
};

/** For an upstream that says "slow down" without saying for how long. */
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
 * Turns at the sources (docs/contract.md 5.9): a call reserves its turn and waits for it, workspace by workspace, rather
 * than being refused upstream; when its turn lies beyond its deadline it fails at once, so that a queue never waits
 * behind a slow source. Turns taken and pauses are in the store, so they hold across restarts and for commands too;
 * the order of those who wait is in memory.
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
     * A client for one scan's calls to one source. It asks once more after an upstream 429, or a 503 with Retry-After,
     * that fits in the time left.
     */
    clientFor(http: HttpClient, source: PacedSource, workspaceId: WorkspaceId, deadline: Date): HttpClient {
      const queue = queueOf(source);
      const ask = async (request: HttpRequest): Promise<HttpResponse> => {
        const turn = { workspaceId, deadline, signal: request.signal };
        // No name of a source has a slash. A part has pauses of its own, and takes its turn like every call.
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
            // A service that is down for a while is what the caller wants to hear of, not that we wait for it.
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
  /** In the order in which workspaces are served next. */
  readonly #waiting = new Map<WorkspaceId, Waiter[]>();
  /** Turns given in the current window, ascending, for the forecast only. */
  #given: number[] = [];
  /** The turn of the call at the head while it waits for it: the others come later. 0 = none waits. */
  #headSlot = 0;
  #pausedUntil = 0;
  #isServing = false;

  constructor(source: PacedSource, tools: QueueTools) {
    this.#source = source;
    this.#tools = tools;
  }

  /** Resolves when it is the caller's turn. Throws `rate_limited` as soon as that cannot be in time, `timeout` on abort. */
  turn(turn: Turn): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#forecast(turn.workspaceId) > turn.deadline.getTime()) throw tooLate();
    const abort = () => waiter.refuse(new SourceError("timeout", "the time was over before it was this call's turn"));
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
        // The store does not know of a pause that could not be written.
        this.#headSlot = Math.max(slot.getTime(), this.#pausedUntil);
        const waitMs = this.#headSlot - now().getTime();
        if (waitMs > 0) await sleep(waitMs);
        this.#headSlot = 0;
        // A pause that came meanwhile holds for this turn as well: it is taken again.
        if (this.#pausedUntil > now().getTime()) continue;
        this.#given = [...this.#given, slot.getTime()].slice(-(this.#source.pace?.count ?? 1));
        this.#grant(waiter);
        // Without a pace a turn does not count: all that wait share this one.
        if (this.#source.pace !== null) continue;
        for (let next = this.#next(); next !== undefined; next = this.#next()) this.#grant(next);
      } catch (cause) {
        waiter.refuse(new SourceError("internal", "the turn could not be stored", { cause }));
      }
    }
    this.#isServing = false;
  }

  #grant(waiter: Waiter): void {
    // The workspace goes to the end of the line.
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

  /** When the turn of one more call of this workspace would come, Unix milliseconds. */
  #forecast(workspaceId: WorkspaceId): number {
    const { pace } = this.#source;
    const now = this.#tools.now().getTime();
    const notBefore = Math.max(this.#pausedUntil, this.#headSlot);
    // Without one nobody waits for those ahead.
    if (pace === null) return nextTurn([], pace, notBefore, now);
    const ownCount = this.#waiting.get(workspaceId)?.length ?? 0;
    let aheadCount = 0;
    for (const waiters of this.#waiting.values()) aheadCount += Math.min(waiters.length, ownCount + 1);
    // A turn that lies ahead was given before the clock moved back.
    const slots = this.#given.filter((slot) => slot <= now);
    for (let index = 0; index < aheadCount; index += 1) slots.push(nextTurn(slots, pace, notBefore, now));
    return nextTurn(slots, pace, notBefore, now);
  }
}

function tooLate(): SourceError {
  return new SourceError("rate_limited", "its turn at the source would come too late");
}
