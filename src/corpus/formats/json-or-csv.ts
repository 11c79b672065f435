import { csvReader, type RowCells } from "./csv.ts";
import type { ReadRecord, RecordReader, RecordSink } from "./format.ts";
import { JsonCutter, type JsonPiece } from "./json-arrays.ts";

/** A reader for exports that come as JSON and as CSV: the first sign tells. */
export function jsonOrCsv(
  sink: RecordSink,
  readPiece: (piece: JsonPiece) => ReadRecord[],
  readRow: (cell: RowCells) => ReadRecord[],
  wanted?: readonly string[],
): RecordReader {
  let reader: RecordReader | null = null;
  return {
    read(bytes, start, end) {
      if (reader === null && bytes.toString("latin1", start, end).trim() === "") return;
      const isJson = /^\s*\{/.test(bytes.toString("latin1", start, Math.min(end, start + 1024)));
      reader ??= isJson ? jsonReader(sink, readPiece) : csvReader(sink, readRow, wanted);
      reader.read(bytes, start, end);
    },
    end: () => reader?.end(),
  };
}

function jsonReader(sink: RecordSink, readPiece: (piece: JsonPiece) => ReadRecord[]): RecordReader {
  const cutter = new JsonCutter();
  return {
    read(bytes, start, end) {
      for (const piece of cutter.push(bytes.subarray(start, end))) {
        for (const record of readPiece(piece)) sink.add(record);
      }
    },
    end: () => cutter.end(),
  };
}
