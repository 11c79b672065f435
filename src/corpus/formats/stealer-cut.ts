import { isLineEnd, lineEnd } from "./line-scanner.ts";
import type { BlockRules } from "./stealer-blocks.ts";
import { LabelReader } from "./stealer-labels.ts";
import type { LabelKind } from "./stealer-words.ts";
import { isBlankRange, isRow, nextLine } from "./text-lines.ts";

const carriageReturn = 0x0d;
/** Blocks are small, so a boundary is usually this near to the end. */
const firstWindow = 4 << 10;

const labels = new LabelReader();

/**
 * Cuts after the last separator; without separators, before the last label that begins a block. Text before such a
 * place does not affect the text after it. Without such a place, cuts after the last line.
 */
export function cutBetweenBlocks(bytes: Buffer, start: number, end: number, rules: BlockRules): number {
  for (let size = firstWindow; ; size *= 8) {
    const from = end - size <= start ? start : lineStart(bytes, start, end - size);
    const cut = lastBoundary(bytes, from, end, rules);
    if (cut > from) return cut;
    if (from === start) return lineStart(bytes, start, end - 1);
  }
}

/** The last block boundary in a range that begins at a line; the start of the range when there is none. */
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
      // A value beyond `end` belongs to another text. The second of two labels of a kind may belong to the same block.
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

/** The start of a non-blank line at or before an offset. It is a line start wherever reading began. */
function lineStart(bytes: Buffer, least: number, from: number): number {
  for (let at = from; at > least; at--) {
    const isEnd = isLineEnd(bytes[at - 1] ?? 0);
    if (isEnd && !isLineEnd(bytes[at] ?? 0)) return at;
  }
  return least;
}
