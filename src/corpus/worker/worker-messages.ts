import type { CorpusErrorKind } from "../error.ts";
import type { Block } from "../import/block.ts";
import type { LaneOptions, LaneRuns, Tally } from "../import/record-lane.ts";
import type { ImportSegment, WrittenSegment } from "../import/write-import.ts";
import type { MergeJob } from "../segment/merge.ts";

/** Requests to a corpus worker. Each is answered once, in order; buffers are transferred. */
export type WorkerRequest = { readonly id: number } & (
  | { readonly kind: "open"; readonly options: LaneOptions }
  | { readonly kind: "block"; readonly buffer: ArrayBuffer; readonly block: Block }
  | { readonly kind: "finish" }
  | { readonly kind: "write"; readonly segment: ImportSegment }
  | { readonly kind: "merge"; readonly job: MergeJob }
  | { readonly kind: "close" }
);

/** Replies of a corpus worker. `progress` may come any number of times before the answer. */
export type WorkerReply = { readonly id: number } & (
  | { readonly kind: "done"; readonly tally: Tally }
  | { readonly kind: "block"; readonly tally: Tally; readonly buffer: ArrayBuffer }
  | { readonly kind: "finished"; readonly tally: Tally; readonly runs: LaneRuns }
  | { readonly kind: "progress"; readonly recordCount: number }
  | { readonly kind: "written"; readonly written: WrittenSegment }
  | { readonly kind: "merged"; readonly written: WrittenSegment }
  | { readonly kind: "failed"; readonly fault: WorkerFault }
);

/** An error sent from one thread to another. `kind` is that of a `CorpusError`; null for other errors. */
export type WorkerFault = {
  readonly kind: CorpusErrorKind | null;
  readonly message: string;
  /** The system error code, such as `ENOSPC`. */
  readonly code: string | null;
};
