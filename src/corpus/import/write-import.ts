import type { ImportInfo } from "../record.ts";
import type { SegmentSize } from "../segment/segment.ts";
import { SegmentWriter } from "../segment/segment-writer.ts";
import { TemplateTable } from "../segment/template-table.ts";
import { GroupTemplates } from "./group-templates.ts";
import { SortedIds } from "./id-sorter.ts";
import { SortedKeys } from "./key-sorter.ts";
import type { LaneRuns } from "./record-lane.ts";
import { SortedRecords } from "./record-sorter.ts";

export type ImportSegment = {
  readonly path: string;
  readonly id: string;
  readonly info: ImportInfo;
  /** The sorted records of all lanes of the import. */
  readonly runs: readonly LaneRuns[];
  /** See `keyCheck`. */
  readonly check: Uint8Array;
};

export type WrittenSegment = SegmentSize & { readonly sizeBytes: number };

/** Called now and then while a segment is written, with the number of records written so far. */
export type OnWritten = (recordCount: number) => void;
const tellEvery = 2 ** 20;

/**
 * Merges the sorted records of all lanes into a new segment file, synced to disk. Blocks its thread. When it throws, a
 * partial file may remain: the caller removes it.
 */
export function writeImport({ path, id, info, runs, check }: ImportSegment, onWritten: OnWritten): WrittenSegment {
  const writer = new SegmentWriter(path);
  try {
    const keys = new SortedKeys(runs.flatMap((lane) => lane.keys));
    const ids = new SortedIds(runs.map((lane) => lane.ids));
    const records = new SortedRecords(runs.flatMap((lane) => lane.records));
    const templates = new GroupTemplates({
      templates: new TemplateTable(writer),
      lists: runs.map((lane) => lane.fields),
      hasEntries: info.entries.length > 0,
    });
    let hasKey = keys.next();
    let hasIds = ids.next();
    let hasRecord = records.next();
    let toldAt = tellEvery;
    while (hasKey || hasIds || hasRecord) {
      let first: At | null = hasKey ? keys : null;
      if (hasIds && (first === null || isAbove(first, ids))) first = ids;
      if (hasRecord && (first === null || isAbove(first, records))) first = records;
      const { high, low } = first ?? keys;
      if (hasKey && keys.high === high && keys.low === low) {
        templates.addPlain();
        hasKey = keys.next();
      }
      if (hasIds && ids.high === high && ids.low === low) {
        templates.addIds(ids);
        hasIds = ids.next();
      }
      for (; hasRecord && records.high === high && records.low === low; hasRecord = records.next()) {
        templates.addRecord(records);
      }
      const count = templates.finish();
      writer.addKey(high, low, templates.ids, count);
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
