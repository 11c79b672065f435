import type { Pace, Turns } from "../../domain/pace.ts";

/** The pace of the sources. */
export interface PaceStore {
  /**
   * Reserves the next turn of a source. With `pace` null the source only obeys pauses. Null when no turn is free before
   * `notAfter`.
   */
  takeSlot(source: string, pace: Pace | null, notAfter: Date, now: Date): Promise<Date | null>;
  /** No call to the source starts before `until`. Never shortens a longer pause. */
  pauseSource(source: string, until: Date): Promise<void>;
  /** The used turns of every source that has a pace or was paused, by name. */
  listTurns(): Promise<ReadonlyMap<string, Turns>>;
}
