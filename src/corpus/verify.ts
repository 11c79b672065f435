import { join } from "node:path";
import type { Corpus } from "../domain/corpus.ts";
import type { DerivedKeys } from "../domain/keyed-hash.ts";
import { CorruptSegment, openSegment } from "./segment.ts";

/** One segment; `fault` is null when all of it is as it was written. */
export type SegmentCheck = {
  readonly corpus: string;
  readonly file: string;
  readonly segmentFile: string;
  readonly recordCount: number;
  readonly fault: string | null;
};

/**
 * Reads all segments in full: checksums, order, counts, and that they belong to the listed imports. A fault is
 * reported, not thrown. `onProgress` is told the number of records read so far.
 */
export async function verifyCorpora(
  corpora: readonly Pick<Corpus, "name" | "imports">[],
  corporaDir: string,
  keys: Pick<DerivedKeys, "corpus">,
  onProgress: (recordCount: number) => void = () => undefined,
): Promise<SegmentCheck[]> {
  const checks: SegmentCheck[] = [];
  let readCount = 0;
  for (const { name, imports } of corpora) {
    for (const { fileName, segmentFile, recordCount } of imports) {
      const fault = await faultOf(join(corporaDir, segmentFile), name, recordCount, keys, (count) => {
        readCount += count;
        onProgress(readCount);
      });
      checks.push({ corpus: name, file: fileName, segmentFile, recordCount, fault });
    }
  }
  return checks;
}

async function faultOf(
  path: string,
  corpus: string,
  recordCount: number,
  keys: Pick<DerivedKeys, "corpus">,
  onRead: (count: number) => void,
): Promise<string | null> {
  try {
    const segment = await openSegment(path, keys);
    try {
      if (segment.info.corpus !== corpus) return `it belongs to the corpus ${segment.info.corpus}`;
      for await (const records of segment.readAll()) onRead(records.length);
      return segment.recordCount === recordCount ? null : `${segment.recordCount} records instead of ${recordCount}`;
    } finally {
      await segment.close();
    }
  } catch (error) {
    if (error instanceof CorruptSegment) return error.message;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    return code === "ENOENT" ? "the file is missing" : `the file cannot be read (${code})`;
  }
}
