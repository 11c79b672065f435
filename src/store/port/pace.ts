import type { Pace, Turns } from "../../domain/pace.ts";

/** Turns at the sources. */
export interface PaceStore {
  /** Reserves the next turn of a source (`pace` null: it only obeys pauses); null when no turn is free before `notAfter`. */
  takeSlot(source: string, pace: Pace | null, notAfter: Date, now: Date): Promise<Date | null>;
  /** Nobody asks the source before `until`. Never shortens a longer pause. */
  pauseSource(source: string, until: Date): Promise<void>;
  /** The turns of every source that has a pace or was paused, by name. */
  listTurns(): Promise<ReadonlyMap<string, Turns>>;
}
