import { type Pace, pauseTurns, type Turns, takeTurn } from "../../domain/pace.ts";
import type { PaceStore } from "../port/pace.ts";
import type { Connection } from "./driver.ts";
import { lazily } from "./lazily.ts";
import type { Transactions } from "./transactions.ts";

type PaceRow = { slots: string; paused_until: number };

export function paceTable(connection: Connection) {
  const find = connection.prepare<[string], PaceRow>("SELECT slots, paused_until FROM source_pace WHERE source = ?");
  const save = connection.prepare(
    `INSERT INTO source_pace (source, slots, paused_until) VALUES (?, ?, ?)
     ON CONFLICT (source) DO UPDATE SET slots = excluded.slots, paused_until = excluded.paused_until`,
  );

  const list = lazily(() =>
    connection.prepare<[], PaceRow & { source: string }>("SELECT source, slots, paused_until FROM source_pace"),
  );

  function turnsOf(source: string): Turns | null {
    const row = find.get(source);
    return row === undefined ? null : toTurns(row);
  }

  function saveTurns(source: string, { slots, pausedUntil }: Turns): void {
    save.run(source, JSON.stringify(slots), pausedUntil);
  }

  return {
    takeSlot(source: string, pace: Pace | null, notAfter: Date, now: Date): Date | null {
      const { slot, turns } = takeTurn(turnsOf(source), pace, notAfter, now);
      if (turns !== null) saveTurns(source, turns);
      return slot;
    },

    list: (): Map<string, Turns> =>
      new Map(
        list()
          .all()
          .map((row) => [row.source, toTurns(row)]),
      ),

    pause(source: string, until: Date): void {
      saveTurns(source, pauseTurns(turnsOf(source), until));
    },
  };
}

function toTurns({ slots, paused_until }: PaceRow): Turns {
  return { slots: JSON.parse(slots) as number[], pausedUntil: paused_until };
}

export function paceStore(
  { read, write, writeTogether }: Transactions,
  pace: () => ReturnType<typeof paceTable>,
): PaceStore {
  return {
    takeSlot: (...args) => writeTogether(() => pace().takeSlot(...args)),
    pauseSource: (...args) => write(() => pace().pause(...args)),
    listTurns: () => read(() => pace().list()),
  };
}
