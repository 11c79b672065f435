import type { Pace } from "../store.ts";
import type { Connection } from "./driver.ts";

type PaceRow = { slots: string; paused_until: number };

/** No pause is longer; one that is was set before the clock moved back. */
const longestPauseMs = 24 * 60 * 60 * 1000;

export function paceTable(connection: Connection) {
  const find = connection.prepare<[string], PaceRow>("SELECT slots, paused_until FROM source_pace WHERE source = ?");
  const save = connection.prepare(
    `INSERT INTO source_pace (source, slots, paused_until) VALUES (?, ?, ?)
     ON CONFLICT (source) DO UPDATE SET slots = excluded.slots, paused_until = excluded.paused_until`,
  );

  return {
    /** The earliest turn such that no window holds more than `pace.count` of them and no pause is broken. */
    takeSlot(source: string, pace: Pace | null, notAfter: Date, now: Date): Date | null {
      const row = find.get(source);
      const pausedUntil = row === undefined || row.paused_until > now.getTime() + longestPauseMs ? 0 : row.paused_until;
      if (pace === null) return pausedUntil > notAfter.getTime() ? null : new Date(Math.max(now.getTime(), pausedUntil));
      const latestSensible = Math.max(notAfter.getTime(), now.getTime() + pace.windowMs);
      const slots = (JSON.parse(row?.slots ?? "[]") as number[]).filter(
        // A turn far ahead was taken before the clock moved back; it would block the source for as long.
        (slot) => slot > now.getTime() - pace.windowMs && slot <= latestSensible,
      );
      const windowOpens = (slots.at(-pace.count) ?? Number.NEGATIVE_INFINITY) + pace.windowMs;
      const slot = Math.max(now.getTime(), pausedUntil, windowOpens);
      if (slot > notAfter.getTime()) return null;
      save.run(source, JSON.stringify([...slots, slot].sort((a, b) => a - b)), pausedUntil);
      return new Date(slot);
    },

    pause(source: string, until: Date): void {
      const row = find.get(source);
      save.run(source, row?.slots ?? "[]", Math.max(row?.paused_until ?? 0, until.getTime()));
    },
  };
}
