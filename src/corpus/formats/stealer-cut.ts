import { isLineEnd, lineEnd } from "./line-scanner.ts";
import type { BlockRules } from "./stealer-blocks.ts";
import { LabelReader } from "./stealer-labels.ts";
import type { LabelKind } from "./stealer-words.ts";
import { isBlankRange, isRow, nextLine } from "./text-lines.ts";

const carriageReturn = 0x0d;
/** Blocks are small, so that one mostly ends this near to the end. */
const firstWindow = 4 << 10;

const labels = new LabelReader();

/**
 * Behind the last separator, or before the last label that blocks begin with where there are none. Nothing that was
 * read before such a place matters behind it. Without any such place, behind the last line.
 */
export function cutBetweenBlocks(bytes: Buffer, start: number, end: number, rules: BlockRules): number {
  for (let size = firstWindow; ; size *= 8) {
    const from = end - size <= start ? start : lineStart(bytes, start, end - size);
    const cut = lastBoundary(bytes, from, end, rules);
    if (cut > from) return cut;
    if (from === start) return lineStart(bytes, start, end - 1);
  }
}

/** The last boundary between blocks in a range that begins with a line; the beginning when there is none. */
function lastBoundary(bytes: Buffer, from: number, end: number, rules: BlockRules): number {
  const [starter] = rules.order;
  let cut = from;
  let blankCount = 0;
  let last: LabelKind | null = null;
  for (let start = from; start < end; ) {
    const stop = Math.min(lineEnd(bytes, start), end);
    const next = nextLine(bytes, stop);
    // A CR at the very end may be half of a CR LF.
    const isLast = next > end || (next === end && bytes[next - 1] === carriageReturn);
    const label = labels.read(bytes, start);
    if (label !== null) {
      blankCount = 0;
      // What stands behind `end` is of another text. Of two labels of a kind the second may belong to the same block.
      const isStart = labels.valueStart <= end && label.kind === starter && last !== null && last !== starter;
      if (isStart && !rules.hasSeparators && !rules.hasFields) cut = start;
      if (rules.order.some((kind) => kind === label.kind)) last = label.kind;
    } else if (isBlankRange(bytes, start, stop)) {
      blankCount++;
      if (rules.endingBlanks > 0 && blankCount >= rules.endingBlanks && !isLast) cut = next;
    } else {
      blankCount = 0;
      if (!isLast && isRow(bytes, start, stop)) cut = next;
    }
    start = next;
  }
  return cut;
}

/** The beginning of a line that is not blank, at or before an offset: surely one, wherever reading began. */
function lineStart(bytes: Buffer, least: number, from: number): number {
  for (let at = from; at > least; at--) {
    const isEnd = isLineEnd(bytes[at - 1] ?? 0);
    if (isEnd && !isLineEnd(bytes[at] ?? 0)) return at;
  }
  return least;
}
