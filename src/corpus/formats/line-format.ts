import { isLineEnd, type LineScanner, lineEnd } from "../line-scanner.ts";
import type { ReadRecord, RecordReader, RecordSink } from "./format.ts";
import { isBlank, maxLineSize } from "./lines.ts";

/** How a format with one record per line reads a line. */
export type LineRules = {
  readonly readLine: (line: string) => ReadRecord;
  /** Reads lines of the usual form much faster, from their bytes; null when the format has no such form. */
  readonly scanLine: ScanLine | null;
};

/**
 * Reads the line that starts at an offset. Returns the offset of its end, with the address and the site in `line`; or
 * -1 for any line that is not of the usual form: then `readLine` decides. Both read the same from what both can read.
 */
export type ScanLine = (line: LineScanner, bytes: Uint8Array, start: number) => number;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Behind the last line end. CR LF is not cut in half. */
export const cutAtLineEnd = (bytes: Uint8Array, start: number, end: number): number => {
  const feed = bytes.lastIndexOf(lineFeed, end - 1);
  if (feed >= start) return feed + 1;
  // A CR at the very end may be half of a CR LF.
  const ending = bytes.lastIndexOf(carriageReturn, end - 2);
  return ending >= start ? ending + 1 : start;
};

/** Reads each line by itself. */
export function lineReader({ readLine, scanLine }: LineRules, sink: RecordSink): RecordReader {
  return {
    read(bytes, from, to) {
      for (let start = from; start < to; ) {
        if (isLineEnd(bytes[start] ?? 0)) {
          start++;
          continue;
        }
        let end = scanLine === null ? -1 : scanLine(sink.scanner, bytes, start);
        const isScanned = end >= 0;
        if (!isScanned) end = lineEnd(bytes, start);
        if (end - start > maxLineSize) sink.add("too_long");
        else if (isScanned) sink.addScanned();
        else {
          const line = bytes.toString("utf8", start, end);
          if (!isBlank(line)) sink.add(readLine(line));
        }
        start = end + 1;
      }
    },
    end: () => undefined,
  };
}
