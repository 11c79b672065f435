import type { DerivedKeys } from "../domain/keyed-hash.ts";
import type { RoundCounts, WatchTrigger } from "../domain/watch.ts";
import type { Live } from "../scans/live.ts";
import type { CorpusStore } from "../store/port/corpus.ts";
import type { PaceStore } from "../store/port/pace.ts";
import type { WatchStore } from "../store/port/watch.ts";

/** What the checks of watch lists use. */
export type WatchTools = {
  readonly store: WatchStore & Pick<CorpusStore, "listCorpora"> & Pick<PaceStore, "listTurns">;
  readonly keys: DerivedKeys;
  readonly live: () => Live;
  readonly now: () => Date;
  readonly newId: () => string;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Told when events were added. */
  readonly onEvents: () => void;
  /** Told when a scan was queued. */
  readonly onScan: () => void;
  /** Told when a round ends. */
  readonly onRound: (trigger: WatchTrigger, counts: RoundCounts, seconds: number) => void;
  readonly log: {
    readonly info: (fields: object, message: string) => void;
    readonly error: (fields: object, message: string) => void;
  };
};
