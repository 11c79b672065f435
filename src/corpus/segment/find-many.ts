import { type Key, pageSize } from "./page.ts";

/** The pages of an open segment. `idsIn` and `check` throw what `Segment.find` throws. */
export type SegmentPages = {
  /** Upper half of the first key of each page, ascending. */
  readonly index: Uint32Array;
  /** Fills `bytes` with whole pages from `first` on if that needs no waiting; else false. */
  readonly readNow: (bytes: Buffer, first: number) => boolean;
  readonly read: (first: number, count: number) => Promise<Buffer>;
  readonly check: (page: Buffer, number: number) => void;
  readonly idsIn: (page: Buffer, number: number, key: Key) => number[];
};

/** Pages that are read at once: 1 MiB. */
const windowPages = 256;
/** Reading over a gap of this many pages costs less than a further read. */
const maxGapPages = 8;

/**
 * The template ids of many keys, in the order of the keys, which ascend by their upper half. Null for a key with more than
 * `maxCount` ids: `Segment.find` reads such a key in bounded memory. Pages are read in the order of the file and checked
 * once; a page at the border of two windows may be read and checked in both. Throws what `Segment.find` throws.
 */
export async function findMany(
  pages: SegmentPages,
  keys: readonly Key[],
  maxCount: number,
): Promise<(readonly number[] | null)[]> {
  if (pages.index.length === 0) return keys.map(() => []);
  const spans = planSpans(pages.index, keys);
  const window = Buffer.allocUnsafeSlow(pageSize * Math.min(windowPages, sumOf(spans)));
  const found: (readonly number[] | null)[] = keys.map(() => null);
  for (let start = 0; start < spans.length; ) {
    const group = spans.slice(start, start + countThatFits(spans, start));
    let offset = 0;
    const reads = group.map((span) => {
      const place = window.subarray(offset, offset + span.count * pageSize);
      offset += place.length;
      return pages.readNow(place, span.first) ? place : pages.read(span.first, span.count);
    });
    // Without a disk to wait for there is nothing to give way to.
    const read = reads.every((bytes) => bytes instanceof Buffer) ? reads : await Promise.all(reads);
    for (const [at, span] of group.entries()) searchSpan(pages, keys, span, read[at] as Buffer, { found, maxCount });
    start += group.length;
  }
  return found;
}

/** Neighbouring pages that are read in one go, and the keys that are searched in them. */
type Span = {
  readonly first: number;
  count: number;
  readonly asked: { readonly key: number; readonly first: number; readonly last: number }[];
};

function planSpans(index: Uint32Array, keys: readonly Key[]): Span[] {
  const spans: Span[] = [];
  let span: Span | undefined;
  for (const [key, { high }] of keys.entries()) {
    const first = Math.max(0, lowerBound(index, high) - 1);
    const last = Math.max(first, lowerBound(index, high + 1) - 1);
    // All these pages hold a single key, which has more ids than any caller here takes.
    if (last - first >= windowPages) continue;
    const fits =
      span !== undefined && first - span.first - span.count <= maxGapPages && last - span.first < windowPages;
    if (span === undefined || !fits) {
      span = { first, count: 0, asked: [] };
      spans.push(span);
    }
    span.count = Math.max(span.count, last - span.first + 1);
    span.asked.push({ key, first, last });
  }
  return spans;
}

function sumOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { count }) => sum + count, 0);
}

/** How many spans from `start` on fit into the window. */
function countThatFits(spans: readonly Span[], start: number): number {
  let [count, pageCount] = [0, 0];
  for (let span = spans[start]; span !== undefined; span = spans[start + count]) {
    pageCount += span.count;
    if (count > 0 && pageCount > windowPages) break;
    count += 1;
  }
  return count;
}

type Findings = { readonly found: (readonly number[] | null)[]; readonly maxCount: number };

function searchSpan(
  { check, idsIn }: SegmentPages,
  keys: readonly Key[],
  span: Span,
  bytes: Buffer,
  { found, maxCount }: Findings,
): void {
  let checkedUpTo = -1;
  for (const { key, first, last } of span.asked) {
    const wanted = keys[key] as Key;
    let ids: number[] = [];
    for (let number = first; number <= last; number++) {
      const at = (number - span.first) * pageSize;
      const page = bytes.subarray(at, at + pageSize);
      if (number > checkedUpTo) {
        check(page, number);
        checkedUpTo = number;
      }
      const inPage = idsIn(page, number, wanted);
      ids = ids.length === 0 ? inPage : ids.concat(inPage);
      if (ids.length > maxCount) break;
    }
    found[key] = ids.length > maxCount ? null : ids;
  }
}

/** The number of values below `value` in an ascending list. */
export function lowerBound(values: Uint32Array, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
