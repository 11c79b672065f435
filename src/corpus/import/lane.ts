import type { Block } from "./block.ts";
import { type LaneOptions, type LaneRuns, RecordLane, type Tally } from "./record-lane.ts";
import { type ImportSegment, type OnWritten, type WrittenSegment, writeImport } from "./write-import.ts";

/** Reads the records of an import and writes its segment, in this thread or in a worker. */
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

/** Opens a lane in this thread. */
export function openInlineLane(options: LaneOptions): Lane {
  const lane = new RecordLane(options);
  return {
    async addBlock(bytes, block) {
      lane.addBlock(bytes, block);
      return bytes;
    },
    finish: async () => lane.finish(),
    write: async (segment, onWritten) => writeImport(segment, onWritten),
    tally: () => lane.tally,
    close: async () => lane.close(),
  };
}
