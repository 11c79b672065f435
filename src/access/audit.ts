import { type AuditEvent, type Author, auditEvent, headText } from "../domain/audit.ts";
import type { CallOrigin, KnownKey } from "../domain/call.ts";
import { repeat } from "../event-loop/repeat.ts";
import type { AuditStore } from "../store/port/audit.ts";
import { type HeadState, headProblem, keepHead } from "./audit-head.ts";

/**
 * Events queued in memory while the database cannot be written (docs/contract.md 9.8). Further events are only counted.
 */
const maxWaiting = 10_000;
/** How often queued events are written and the head is copied. */
const flushEveryMs = 1000;
/** Denials of unknown keys are combined to one row per address in this window. */
const denialWindowMs = 60_000;
/** Addresses counted separately in a window; all others share one row. */
const maxAddresses = 10_000;
const headLoggedEveryMs = 60_000;
/** On stop, retries for one second to write the queue: the service must end within 10 seconds. */
const [lastTries, lastPauseMs] = [20, 50];

export type AuditTrail = {
  /** Queues events whose transaction failed. */
  readonly wait: (events: readonly AuditEvent[]) => void;
  /**
   * Takes all queued events, with an `audit.gap` first if events were dropped. Events that cannot be written go back
   * with `putBack`.
   */
  readonly takeWaiting: () => AuditEvent[];
  readonly putBack: (events: readonly AuditEvent[]) => void;
  /** Records a denied call or request. `who` is the key or operator if the credentials named one. */
  readonly denied: (from: CallOrigin, outcome: string, who: DeniedPrincipal) => void;
  readonly droppedCount: () => number;
  readonly waitingCount: () => number;
  /** Whether the head of the trail is kept; null during the first second. */
  readonly headState: () => HeadState | null;
  /** Writes the queue, then copies and logs the head. */
  readonly stop: () => Promise<void>;
};

export type DeniedPrincipal =
  | KnownKey
  | { readonly operator: string; readonly workspaceId: KnownKey["workspaceId"] }
  | "unknown";

type TrailTools = {
  readonly store: Pick<AuditStore, "appendEvents" | "auditHead" | "readChain">;
  readonly now: () => Date;
  readonly steadyNow: () => number;
  readonly headFile: string;
  readonly log: {
    readonly info: (fields: object, message: string) => void;
    readonly error: (fields: object, message: string) => void;
  };
};

type Denials = { since: number; count: number; correlationId: string | null; outcome: string };

/** Runs the audit trail of a service: the queue, the denials, and the copies of its head. */
export function openAuditTrail({ store, now, steadyNow, headFile, log }: TrailTools): AuditTrail {
  let waiting: AuditEvent[] = [];
  // Written with the next flush, never with the next call: the time of a call must not reveal whether a denial was of a
  // known key.
  const denied: AuditEvent[] = [];
  let missed = 0;
  let droppedCount = 0;
  const denials = new Map<string | null, Denials>();
  let loggedAt = Number.NEGATIVE_INFINITY;
  let loggedRow = -1;
  let headState: HeadState | null = null;

  function wait(events: readonly AuditEvent[]): void {
    const room = Math.max(0, maxWaiting - waiting.length);
    waiting.push(...events.slice(0, room));
    drop(Math.max(0, events.length - room));
  }

  function drop(count: number): void {
    missed += count;
    droppedCount += count;
  }

  function deny(event: AuditEvent): void {
    if (waiting.length + denied.length < maxWaiting) denied.push(event);
    else drop(1);
  }

  function takeWaiting(): AuditEvent[] {
    if (waiting.length === 0 && missed === 0) return [];
    const gap = missed === 0 ? [] : [auditEvent(ownAuthor(now(), "failed"), "audit.gap", { count: missed })];
    const taken = [...gap, ...waiting];
    waiting = [];
    missed = 0;
    return taken;
  }

  function putBack(events: readonly AuditEvent[]): void {
    const gaps = events.filter(({ action }) => action === "audit.gap");
    missed += gaps.reduce((sum, { count }) => sum + (count ?? 0), 0);
    const later = waiting;
    waiting = events.filter(({ action }) => action !== "audit.gap");
    wait(later);
  }

  function noteDenial(from: CallOrigin, outcome: string, who: DeniedPrincipal): void {
    const { ip, correlationId } = from;
    const address = denials.has(ip) || denials.size < maxAddresses ? ip : null;
    const known = denials.get(address);
    // The event is built in any case and dropped if it is only counted, so that all denials take the same time.
    const event = denialEvent(from, outcome, who, now());
    if (who !== "unknown") {
      deny(event);
    } else if (known !== undefined) {
      known.count += 1;
    } else {
      // The first denial is written at once; those of the next minute are combined when it is over.
      denials.set(address, { since: steadyNow(), count: 0, correlationId, outcome });
      deny({ ...event, ip: address });
    }
  }

  function endDenials(isLast: boolean): void {
    for (const [ip, entry] of denials) {
      if (!isLast && steadyNow() - entry.since < denialWindowMs) continue;
      denials.delete(ip);
      if (entry.count === 0) continue;
      const { count, correlationId, outcome } = entry;
      const author = { at: now(), actor: "anonymous", ip, outcome, correlationId };
      deny(auditEvent(author, "auth.denied", { count }));
      if (!isLast) denials.set(ip, { ...entry, since: steadyNow(), count: 0 });
    }
  }

  async function flush(): Promise<void> {
    wait(denied.splice(0));
    const events = takeWaiting();
    try {
      if (events.length > 0) await store.appendEvents(events);
    } catch (error) {
      putBack(events);
      log.error({ err: error }, "audit rows could not be written, they wait");
    }
  }

  async function copyHead(isLast: boolean): Promise<void> {
    const head = await store.auditHead();
    const state = await keepHead(store, headFile);
    if (state.kind !== "kept" && state.kind !== headState?.kind) {
      const fields = { file: headFile, problem: headProblem(state), ...("error" in state ? { err: state.error } : {}) };
      log.error(fields, "the head of the audit trail is not kept, see xpose audit verify");
    }
    headState = state;
    if (head.row === loggedRow || (!isLast && steadyNow() - loggedAt < headLoggedEveryMs)) return;
    log.info({ head: headText(head) }, "audit head");
    [loggedAt, loggedRow] = [steadyNow(), head.row];
  }

  async function turn(isLast: boolean): Promise<void> {
    endDenials(isLast);
    await flush();
    await copyHead(isLast).catch((error: unknown) => log.error({ err: error }, "the audit trail could not be read"));
  }

  const turning = repeat(() => turn(false), {
    everyMs: flushEveryMs,
    onError: (error) => log.error({ err: error }, "the audit trail could not be written"),
  });

  return {
    wait,
    takeWaiting,
    putBack,
    denied: noteDenial,
    droppedCount: () => droppedCount,
    waitingCount: () => waiting.length + denied.length,
    headState: () => headState,
    async stop() {
      await turning.stop();
      await turn(true);
      // Another process may have held the database; this is the last chance to write.
      for (let tries = 0; waiting.length > 0 && tries < lastTries; tries += 1) {
        await Bun.sleep(lastPauseMs);
        await turn(true);
      }
    },
  };
}

function denialEvent(from: CallOrigin, outcome: string, who: DeniedPrincipal, at: Date): AuditEvent {
  const author = { at, ip: from.ip, outcome, correlationId: from.correlationId };
  if (who === "unknown") return auditEvent({ ...author, actor: "anonymous" }, "auth.denied", { count: 1 });
  const { workspaceId } = who;
  if ("operator" in who)
    return auditEvent({ ...author, actor: `operator:${who.operator}` }, "auth.denied", { workspaceId });
  const { keyId, keyName } = who;
  return auditEvent({ ...author, actor: `key:${keyId}` }, "auth.denied", { workspaceId, keyId, keyName });
}

/** The author of the service's own actions. */
export function ownAuthor(at: Date, outcome: "ok" | "failed"): Author {
  return { at, actor: "cli", ip: null, outcome, correlationId: null };
}
