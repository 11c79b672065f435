import type { DerivedKeys } from "../domain/keyed-hash.ts";
import { nextAttemptAt, wantsEvent } from "../domain/webhook.ts";
import type { Bell } from "../event-loop/bell.ts";
import type { Attempt, Delivery, WebhookState, WebhookStore } from "../store/port/webhook.ts";
import { openEvent } from "../watch/event-list.ts";
import { openSealer } from "../watch/seal.ts";
import { sendEvent, type Webhook } from "./send.ts";

/** Attempts fall due, and commands add events, without a word to this process. */
const lookEveryMs = 1000;

export type DeliveryTools = {
  readonly store: WebhookStore;
  readonly keys: DerivedKeys;
  /** Those that are enabled, as the configuration has them now. */
  readonly webhooks: () => readonly Webhook[];
  /** Rung when an event was added. */
  readonly bell: Bell;
  readonly now: () => Date;
  readonly random: () => number;
  readonly onAttempt: (name: string, outcome: "delivered" | "failed" | "gone") => void;
  readonly onLook: (states: readonly WebhookState[], now: Date) => void;
  readonly log: {
    readonly warn: (fields: object, message: string) => void;
    readonly error: (fields: object, message: string) => void;
  };
};

export type Deliverer = {
  /** After a reload: webhooks that the receiver switched off work again. */
  readonly reloaded: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

/**
 * Delivers events to webhooks until it is stopped (docs/pipeline.md 20.6). Each webhook is served on its own, one event after
 * the other; what became of an attempt is stored before the next, so a crash repeats at most one event.
 */
export function keepDelivering(tools: DeliveryTools): Deliverer {
  const { store, webhooks, bell, now, log, onLook } = tools;
  const abort = new AbortController();
  const busy = new Map<string, Promise<void>>();

  async function look(): Promise<void> {
    const present = webhooks();
    await store.syncWebhooks(present.map(({ name }) => name));
    onLook(await store.listWebhooks(), now());
    for (const webhook of present) {
      if (!webhook.isAllowed || busy.has(webhook.name)) continue;
      const serving = serve(webhook)
        .catch((error: unknown) => {
          if (!abort.signal.aborted) log.error({ webhook: webhook.name, err: error }, "a webhook could not be served");
        })
        .finally(() => busy.delete(webhook.name));
      busy.set(webhook.name, serving);
    }
  }

  /** Delivers what is due. Settings that a reload replaces count from the next look on. */
  async function serve(webhook: Webhook): Promise<void> {
    while (!abort.signal.aborted && webhooks().includes(webhook)) {
      const delivery = await store.nextDelivery(webhook.name, now());
      if (delivery === null) return;
      const outcome = await deliver(webhook, delivery, tools, abort.signal);
      const { event, attempt } = delivery;
      await store.noteAttempt(webhook.name, { place: event.place, attempt, at: now(), outcome });
      if (outcome.kind !== "unwanted") tools.onAttempt(webhook.name, outcome.kind);
      tell(webhook.name, attempt, outcome);
    }
  }

  function tell(name: string, attempt: number, outcome: Attempt["outcome"]): void {
    if (outcome.kind === "gone") log.warn({ webhook: name }, "webhook switched off: the receiver answered 410");
    if (outcome.kind !== "failed") return;
    const { fault, nextAt } = outcome;
    if (nextAt === null) log.error({ webhook: name, fault, attempt }, "event given up, its last attempt failed");
    else log.warn({ webhook: name, fault, attempt, next_at: nextAt }, "webhook failed, it is tried again");
  }

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      await look().catch((error: unknown) => log.error({ err: error }, "webhooks could not be looked at"));
      await bell.wait(lookEveryMs, abort.signal);
    }
  }

  const running = run();
  return {
    async reloaded() {
      await store.switchOn(webhooks().map(({ name }) => name));
      bell.ring();
    },
    async stop() {
      abort.abort(new Error("the service stops"));
      await Promise.all([running, ...busy.values()]);
    },
  };
}

async function deliver(
  webhook: Webhook,
  { event, attempt }: Delivery,
  { keys, now, random }: DeliveryTools,
  signal: AbortSignal,
): Promise<Attempt["outcome"]> {
  if (!wantsEvent(webhook, event.workspace, event.type)) return { kind: "unwanted" };
  const { open } = openSealer(keys, unused);
  const { status, fault } = await sendEvent(webhook, openEvent(event, open), now(), signal);
  if (fault === null) return { kind: "delivered" };
  if (status === 410) return { kind: "gone", fault };
  return { kind: "failed", fault, nextAt: nextAttemptAt(attempt, now(), random()) };
}

function unused(): never {
  throw new Error("reading needs no random bytes");
}
