import { SortedKeys } from "./key-sorter.ts";
import type { ImportInfo } from "./record.ts";
import type { LaneRuns } from "./record-lane.ts";
import { recordHeadSize, SortedRecords } from "./record-sorter.ts";
import type { SegmentSize } from "./segment.ts";
import { SegmentWriter } from "./segment-writer.ts";
import { TemplateTable } from "./template-table.ts";

export type ImportSegment = {
  readonly path: string;
  readonly id: string;
  readonly info: ImportInfo;
  /** What all lanes of the import have left. */
  readonly runs: readonly LaneRuns[];
  /** See `keyCheck`. */
  readonly check: Uint8Array;
};

export type WrittenSegment = SegmentSize & { readonly sizeBytes: number };

/** Told now and then while a segment is written: how many records are in it. */
export type OnWritten = (recordCount: number) => void;
const tellEvery = 2 ** 20;

/**
 * Merges what the lanes of an import have sorted and writes its segment to a new file, synced to disk. It blocks its
 * thread. When it throws, the file may exist in part: the caller removes it.
 */
export function writeImport({ path, id, info, runs, check }: ImportSegment, onWritten: OnWritten): WrittenSegment {
  const writer = new SegmentWriter(path);
  try {
    const templates = new TemplateTable(writer);
    const hasEntries = info.entries.length > 0;
    const keys = new SortedKeys(runs.flatMap((lane) => lane.keys));
    const records = new SortedRecords(runs.flatMap((lane) => lane.records));
    let ids = new Uint32Array(64);
    let hasKey = keys.next();
    let hasRecord = records.next();
    let toldAt = tellEvery;
    while (hasKey || hasRecord) {
      const isKeyFirst = hasKey && (!hasRecord || !isAbove(keys, records));
      const { high, low } = isKeyFirst ? keys : records;
      let count = 0;
      if (isKeyFirst) {
        ids[count++] = templates.plainId();
        hasKey = keys.next();
      }
      for (; hasRecord && records.high === high && records.low === low; hasRecord = records.next()) {
        if (count === ids.length) ids = grown(ids);
        const fields = records.bytes.subarray(recordHeadSize, recordHeadSize + records.fieldsSize);
        ids[count++] = templates.idOf(fields, hasEntries ? records.entry : null);
      }
      writer.addKey(high, low, ids, count);
      if (writer.recordCount >= toldAt) {
        onWritten(writer.recordCount);
        toldAt += tellEvery;
      }
    }
    return writer.finish([{ ...info, id, firstTemplate: 0, templateCount: writer.templateCount }], check);
  } finally {
    writer.close();
  }
}

type At = { readonly high: number; readonly low: number };

function isAbove(a: At, b: At): boolean {
  return a.high > b.high || (a.high === b.high && a.low > b.low);
}

function grown(ids: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(ids.length * 2);
  larger.set(ids);
  return larger;
}
