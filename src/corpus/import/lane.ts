import type { Block } from "./block.ts";
import type { LaneOptions, LaneRuns, Tally } from "./record-lane.ts";
import type { ImportSegment, OnWritten, WrittenSegment } from "./write-import.ts";

/** Reads the records of an import and writes its segment, usually in a worker. */
export type Lane = {
  /**
   * Reads the pieces of a block. Resolves with a free buffer of the same length. Rejects when the file is refused.
   * Blocks are read in the order they are handed over.
   */
  readonly addBlock: (bytes: Buffer<ArrayBuffer>, block: Block) => Promise<Buffer<ArrayBuffer>>;
  readonly finish: () => Promise<LaneRuns>;
  readonly write: (segment: ImportSegment, onWritten: OnWritten) => Promise<WrittenSegment>;
  /** The counts so far. */
  readonly tally: () => Tally;
  /** Stops the current work and frees the disk space. */
  readonly close: () => Promise<void>;
};

export type OpenLane = (options: LaneOptions) => Lane;
