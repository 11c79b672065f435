import { type LaneOptions, type LaneRuns, RecordLane, type Tally } from "./record-lane.ts";
import { type ImportSegment, type OnWritten, type WrittenSegment, writeImport } from "./write-import.ts";

/** A place where the records of an import are read and its segment is written: this thread, or a worker. */
export type Lane = {
  /**
   * Reads the first `size` of `bytes`, whole lines. Resolves with a buffer of the same length to use next, when they
   * have been read; rejects with what is wrong with the file.
   */
  readonly addLines: (bytes: Buffer<ArrayBuffer>, size: number, entry: number) => Promise<Buffer<ArrayBuffer>>;
  readonly addTooLong: () => Promise<void>;
  readonly addStream: (chunks: AsyncIterable<Buffer>, fileName: string | null, entry: number) => Promise<void>;
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
    async addLines(bytes, size, entry) {
      lane.addLines(bytes.subarray(0, size), entry);
      return bytes;
    },
    addTooLong: async () => lane.addTooLong(),
    addStream: (chunks, fileName, entry) => lane.addStream(copied(chunks), fileName, entry),
    finish: async () => lane.finish(),
    write: async (segment, onWritten) => writeImport(segment, onWritten),
    tally: () => lane.tally,
    close: async () => lane.close(),
  };
}

/** Chunks may share one buffer; formats hold on to what they have not read yet. */
async function* copied(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}
