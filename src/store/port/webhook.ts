import type { StoredEvent } from "./event.ts";

/** How far each webhook is. */
export interface WebhookStore {
  /** Adds webhooks that are new, at the present end of the events, and drops those that are gone. */
  syncWebhooks(names: readonly string[]): Promise<void>;
  listWebhooks(): Promise<WebhookState[]>;
  /** The next thing to deliver: an attempt that is due, else the first event that was not taken. */
  nextDelivery(name: string, now: Date): Promise<Delivery | null>;
  /** What became of an attempt, or of an event that the webhook does not want. */
  noteAttempt(name: string, attempt: Attempt): Promise<void>;
  /** Webhooks that were switched off work again. */
  switchOn(names: readonly string[]): Promise<void>;
}

export type WebhookState = {
  readonly name: string;
  readonly isOff: boolean;
  /** Events after its place, and attempts that wait. */
  readonly waitingCount: number;
  /** The time of the oldest event that it has not delivered; null when there is none. */
  readonly oldestAt: Date | null;
  readonly deliveredAt: Date | null;
  readonly failedAt: Date | null;
  readonly fault: string | null;
};

/** `attempt` counts from 1. */
export type Delivery = { readonly event: StoredEvent; readonly attempt: number };

export type Attempt = {
  readonly place: number;
  readonly attempt: number;
  readonly at: Date;
  readonly outcome:
    | { readonly kind: "delivered" }
    | { readonly kind: "unwanted" }
    /** `nextAt` null: it was the last attempt. */
    | { readonly kind: "failed"; readonly fault: string; readonly nextAt: Date | null }
    /** The receiver wants no more events. */
    | { readonly kind: "gone"; readonly fault: string };
};
