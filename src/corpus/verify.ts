import { join } from "node:path";
import type { Corpus } from "../domain/corpus.ts";
import type { DerivedKeys } from "../domain/keyed-hash.ts";
import { CorruptSegment, openSegment } from "./segment/segment.ts";

/** The check of one segment. `fault` is null when the segment is intact. */
export type SegmentCheck = {
  readonly file: string;
  /** Names of the corpora with records in the segment. */
  readonly corpora: readonly string[];
  readonly recordCount: number;
  readonly fault: string | null;
};

/**
 * Reads all segments in full and checks checksums, order, counts, and that they hold the listed imports. Reports faults
 * and does not throw them. Calls `onProgress` with the number of records read so far.
 */
export async function verifyCorpora(
  corpora: readonly Pick<Corpus, "name" | "imports" | "segments">[],
  corporaDir: string,
  keys: Pick<DerivedKeys, "corpus">,
  onProgress: (recordCount: number) => void = () => undefined,
): Promise<SegmentCheck[]> {
  const segments = new Map(corpora.flatMap((corpus) => corpus.segments.map((segment) => [segment.file, segment])));
  const checks: SegmentCheck[] = [];
  const seen = new Set<string>();
  let readCount = 0;
  for (const { file, recordCount } of segments.values()) {
    const held = corpora.filter((corpus) => corpus.segments.some((segment) => segment.file === file));
    const fault = await faultOf(join(corporaDir, file), recordCount, keys, seen, (count) => {
      readCount += count;
      onProgress(readCount);
    });
    checks.push({ file, corpora: held.map(({ name }) => name), recordCount, fault });
  }
  if (checks.some(({ fault }) => fault !== null)) return checks;
  // A corpus whose addresses are all forgotten has no segment.
  const missing = corpora.filter(
    ({ imports, segments: listed }) => listed.length > 0 && !imports.some(({ id }) => seen.has(id)),
  );
  return checks.map((check) => {
    const lost = check.corpora.filter((name) => missing.some((corpus) => corpus.name === name));
    return lost.length === 0 ? check : { ...check, fault: `it has no records of ${lost.join(", ")}` };
  });
}

async function faultOf(
  path: string,
  recordCount: number,
  keys: Pick<DerivedKeys, "corpus">,
  seen: Set<string>,
  onRead: (count: number) => void,
): Promise<string | null> {
  try {
    const segment = await openSegment(path, keys);
    try {
      await segment.verify(onRead);
      for (const { id } of segment.imports) seen.add(id);
      return segment.recordCount === recordCount ? null : `${segment.recordCount} records instead of ${recordCount}`;
    } finally {
      segment.close();
    }
  } catch (error) {
    if (error instanceof CorruptSegment) return error.message;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    return code === "ENOENT" ? "the file is missing" : `the file cannot be read (${code})`;
  }
}
