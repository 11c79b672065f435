import type { Lane } from "../../src/corpus/import/lane.ts";
import { type LaneOptions, RecordLane } from "../../src/corpus/import/record-lane.ts";
import { writeImport } from "../../src/corpus/import/write-import.ts";

/** Opens a lane that reads and writes in this thread instead of a worker. */
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
