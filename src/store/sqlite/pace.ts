import { nextTurn, type Pace } from "../../domain/pace.ts";
import type { PaceStore } from "../port/pace.ts";
import type { Connection } from "./driver.ts";
import type { Transactions } from "./transactions.ts";

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
    takeSlot(source: string, pace: Pace | null, notAfter: Date, now: Date): Date | null {
      const row = find.get(source);
      const pausedUntil = row === undefined || row.paused_until > now.getTime() + longestPauseMs ? 0 : row.paused_until;
      const latestSensible = Math.max(notAfter.getTime(), now.getTime() + (pace?.windowMs ?? 0));
      const slots = (JSON.parse(row?.slots ?? "[]") as number[]).filter(
        // A turn far ahead was taken before the clock moved back; it would block the source for as long.
        (slot) => slot > now.getTime() - (pace?.windowMs ?? 0) && slot <= latestSensible,
      );
      const slot = nextTurn(slots, pace, pausedUntil, now.getTime());
      if (slot > notAfter.getTime()) return null;
      if (pace !== null) save.run(source, JSON.stringify([...slots, slot].sort((a, b) => a - b)), pausedUntil);
      // A pause that is not believed must go, or the next one would be taken for the shorter of two.
      else if (row !== undefined && row.paused_until !== pausedUntil) save.run(source, row.slots, pausedUntil);
      return new Date(slot);
    },

    pause(source: string, until: Date): void {
      const row = find.get(source);
      save.run(source, row?.slots ?? "[]", Math.max(row?.paused_until ?? 0, until.getTime()));
    },
  };
}

export function paceStore({ write, writeTogether }: Transactions, pace: () => ReturnType<typeof paceTable>): PaceStore {
  return {
    takeSlot: (...args) => writeTogether(() => pace().takeSlot(...args)),
    pauseSource: (...args) => write(() => pace().pause(...args)),
  };
}
