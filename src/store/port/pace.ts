import type { Pace } from "../../domain/pace.ts";

/** Turns at the sources. */
export interface PaceStore {
  /** Reserves the next turn of a source (`pace` null: it only obeys pauses); null when no turn is free before `notAfter`. */
  takeSlot(source: string, pace: Pace | null, notAfter: Date, now: Date): Promise<Date | null>;
  /** Nobody asks the source before `until`. Never shortens a longer pause. */
  pauseSource(source: string, until: Date): Promise<void>;
}
