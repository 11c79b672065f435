import type { Attempt, Delivery, WebhookState, WebhookStore } from "../port/webhook.ts";
import type { Connection } from "./driver.ts";
import { toEvent } from "./event.ts";
import { toDate } from "./time.ts";
import type { Transactions } from "./transactions.ts";

type StateRow = {
  name: string;
  place: number;
  is_off: number;
  delivered_at: number | null;
  failed_at: number | null;
  fault: string | null;
};
type EventRow = Parameters<typeof toEvent>[0];

const columns = "event.place, workspace_id, workspace.name, number, type, at, sealed";

/** How far each webhook is, and the attempts that wait. */
export function webhookTable(connection: Connection) {
  const all = connection.prepare<[], StateRow>(
    "SELECT name, place, is_off, delivered_at, failed_at, fault FROM webhook ORDER BY name",
  );
  const isOff = connection.prepare<[string], number>("SELECT is_off FROM webhook WHERE name = ?").pluck();
  // The sequence also counts events that are removed.
  const add = connection.prepare(
    `INSERT INTO webhook (name, place, is_off)
     VALUES (?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0), 0) ON CONFLICT DO NOTHING`,
  );
  const remove = connection.prepare("DELETE FROM webhook WHERE name = ?");
  const dueRetry = connection.prepare<[string, number], EventRow & { attempt: number }>(
    `SELECT ${columns}, attempt FROM webhook_retry JOIN event ON event.place = webhook_retry.place
     JOIN workspace ON workspace.id = workspace_id
     WHERE webhook_retry.name = ? AND next_at <= ? ORDER BY next_at, event.place LIMIT 1`,
  );
  const nextNew = connection.prepare<[string], EventRow>(
    `SELECT ${columns} FROM event JOIN workspace ON workspace.id = workspace_id
     WHERE event.place > (SELECT place FROM webhook WHERE name = ?) ORDER BY event.place LIMIT 1`,
  );
  const waiting = connection.prepare<[{ name: string; place: number }], { count: number; oldest: number | null }>(
    `SELECT count(*) AS count, min(at) AS oldest FROM event
     WHERE place > @place OR place IN (SELECT place FROM webhook_retry WHERE name = @name)`,
  );
  const pass = connection.prepare("UPDATE webhook SET place = max(place, ?) WHERE name = ?");
  const setDelivered = connection.prepare("UPDATE webhook SET delivered_at = ?, fault = NULL WHERE name = ?");
  const setFailed = connection.prepare("UPDATE webhook SET failed_at = ?, fault = ? WHERE name = ?");
  const setOff = connection.prepare("UPDATE webhook SET is_off = ? WHERE name = ?");
  const retry = connection.prepare(
    `INSERT INTO webhook_retry (name, place, attempt, next_at) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET attempt = excluded.attempt, next_at = excluded.next_at`,
  );
  const endRetry = connection.prepare("DELETE FROM webhook_retry WHERE name = ? AND place = ?");
  const isThere = connection.prepare<[number], number>("SELECT 1 FROM event WHERE place = ?").pluck();

  return {
    sync(names: readonly string[]): void {
      for (const { name } of all.all()) if (!names.includes(name)) remove.run(name);
      for (const name of names) add.run(name);
    },
    list: (): WebhookState[] =>
      all.all().map(({ name, place, is_off, delivered_at, failed_at, fault }) => {
        const { count = 0, oldest = null } = waiting.get({ name, place }) ?? {};
        return {
          name,
          isOff: is_off === 1,
          waitingCount: count,
          oldestAt: toDate(oldest),
          deliveredAt: toDate(delivered_at),
          failedAt: toDate(failed_at),
          fault,
        };
      }),
    next(name: string, now: Date): Delivery | null {
      if (isOff.get(name) !== 0) return null;
      const due = dueRetry.get(name, now.getTime());
      if (due !== undefined) return { event: toEvent(due), attempt: due.attempt };
      const row = nextNew.get(name);
      return row === undefined ? null : { event: toEvent(row), attempt: 1 };
    },
    note(name: string, { place, attempt, at, outcome }: Attempt): void {
      pass.run(place, name);
      if (outcome.kind === "failed" && outcome.nextAt !== null && isThere.get(place) !== undefined) {
        retry.run(name, place, attempt + 1, outcome.nextAt.getTime());
      } else endRetry.run(name, place);
      if (outcome.kind === "delivered") setDelivered.run(at.getTime(), name);
      if (outcome.kind === "failed" || outcome.kind === "gone") setFailed.run(at.getTime(), outcome.fault, name);
      if (outcome.kind === "gone") setOff.run(1, name);
    },
    switchOn(names: readonly string[]): void {
      for (const name of names) setOff.run(0, name);
    },
  };
}

export function webhookStore(
  { read, write }: Transactions,
  webhooks: () => ReturnType<typeof webhookTable>,
): WebhookStore {
  return {
    syncWebhooks: (names) => write(() => webhooks().sync(names)),
    listWebhooks: () => read(() => webhooks().list()),
    nextDelivery: (...args) => read(() => webhooks().next(...args)),
    noteAttempt: (...args) => write(() => webhooks().note(...args)),
    switchOn: (names) => write(() => webhooks().switchOn(names)),
  };
}
