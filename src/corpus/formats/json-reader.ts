import { addressTextsIn } from "./addresses-in.ts";
import type { RecordReader, RecordSink } from "./format.ts";
import { JsonRecords, type JsonRules } from "./json-records.ts";
import type { JsonScanner } from "./json-scanner.ts";
import { JsonStream } from "./json-stream.ts";
import { parseJson } from "./json-value.ts";
import { isLineEnd, lineEnd } from "./line-scanner.ts";
import { isBlank } from "./lines.ts";

/**
 * The layout of a JSON text. `lines`: one value per line, each a record. `values`: several values, each a record.
 * `document`: one value that holds records.
 */
export type JsonLayout = "lines" | "values" | "document";

/** Longer lines are skipped. Lines are read from a block, which is not much longer. */
const maxJsonLineSize = 1_000_000;

const openBrace = 0x7b;
/** The part of a faulty text that is searched for addresses. */
const maxFaultySize = 1 << 16;

/** Reads lines of JSON. */
export function jsonLineReader(sink: RecordSink, rules: JsonRules, scanner: JsonScanner | null): RecordReader {
  const records = new JsonRecords(sink, rules);
  return {
    read(bytes, from, to) {
      for (let start = from; start < to; ) {
        const byte = bytes[start] ?? 0;
        if (isLineEnd(byte) || byte === 0x20) {
          start++;
          continue;
        }
        const scanned = scanner !== null && byte === openBrace ? scanner.scan(bytes, start, to) : -1;
        if (scanned > 0 && isLineEnd(bytes[scanned] ?? 0) && scanned - start <= maxJsonLineSize) {
          scanner?.add();
          start = scanned + 1;
          continue;
        }
        const end = lineEnd(bytes, start);
        if (end - start > maxJsonLineSize)
          fault(sink, "too_long", bytes.toString("utf8", start, start + maxFaultySize));
        else readLine(bytes.toString("utf8", start, end), records, sink);
        start = end + 1;
      }
    },
    end: () => undefined,
  };
}

function readLine(text: string, records: JsonRecords, sink: RecordSink): void {
  if (isBlank(text)) return;
  const value = parseJson(text);
  // A comma at the end of a line: the lines are elements of an array.
  const mended = value === undefined && /,\s*$/.test(text) ? parseJson(text.replace(/,\s*$/, "")) : value;
  if (mended === undefined) fault(sink, "malformed", text);
  else records.record(mended);
}

/** Reads a sequence of values, or one value that holds records, of any size. */
export function jsonStreamReader(
  sink: RecordSink,
  rules: JsonRules,
  { layout, scanner }: { readonly layout: "values" | "document"; readonly scanner: JsonScanner | null },
): RecordReader {
  const records = new JsonRecords(sink, rules);
  const stream = new JsonStream({
    root: (value) => (layout === "values" ? records.record(value) : records.root(value)),
    enter: (isArray, name) => records.enter(isArray, name),
    member: (name, value) => records.member(name, value),
    element: (value) => records.element(value),
    leave: () => records.leave(),
    fault: (reason, text) => fault(sink, reason, text),
    scanElement(bytes, start, end) {
      const stop = scanner === null || records.isSecret() ? -1 : scanner.scan(bytes, start, end);
      if (stop > 0) {
        scanner?.add();
        records.noteRecord();
      }
      return stop;
    },
  });
  return { read: (bytes, start, end) => stream.push(bytes.subarray(start, end)), end: () => stream.end() };
}

function fault(sink: RecordSink, reason: "malformed" | "too_long", text: string): void {
  sink.noteFurtherAddresses(addressTextsIn(text).length);
  sink.add(reason);
}
