import type { Block } from "./block.ts";
import { type LaneOptions, type LaneRuns, RecordLane, type Tally } from "./record-lane.ts";
import { type ImportSegment, type OnWritten, type WrittenSegment, writeImport } from "./write-import.ts";

/** A place where the records of an import are read and its segment is written: this thread, or a worker. */
export type Lane = {
  /**
   * Reads the pieces of a block. Resolves with a buffer of the same length to use next, when they have been read;
   * rejects with what is wrong with the file. Blocks are read in the order in which they are handed over.
   */
  readonly addBlock: (bytes: Buffer<ArrayBuffer>, block: Block) => Promise<Buffer<ArrayBuffer>>;
  readonly finish: () => Promise<LaneRuns>;
  readonly write: (segment: ImportSegment, onWritten: OnWritten) => Promise<WrittenSegment>;
  /** As of what was read last. */
  readonly tally: () => Tally;
  /** Ends whatever it does and frees its disk space. */
  readonly close: () => Promise<void>;
};

export type OpenLane = (options: LaneOptions) => Lane;

/** A lane in this thread. */
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
