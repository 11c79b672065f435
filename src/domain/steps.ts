/**
 * Long work in steps of about a millisecond. Between two steps the caller may give way to other work. The generator
 * returns the result.
 */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** Does all steps at once, for a caller that need not give way. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

const sortedAtOnce = 250;

/** The first `maxCount` of the items in the order of `compare`. */
export function* firstInOrder<Item>(
  items: readonly Item[],
  maxCount: number,
  compare: (a: Item, b: Item) => number,
): Steps<Item[]> {
  let first: Item[] = [];
  for (let start = 0; start < items.length; start += sortedAtOnce) {
    const piece = items.slice(start, start + sortedAtOnce).sort(compare);
    first = mergeSorted(first, piece, maxCount, compare);
    yield;
  }
  return first;
}

function mergeSorted<Item>(
  one: readonly Item[],
  other: readonly Item[],
  maxCount: number,
  compare: (a: Item, b: Item) => number,
): Item[] {
  if (one.length === 0) return other.slice(0, maxCount);
  const merged: Item[] = [];
  let [left, right] = [0, 0];
  while (merged.length < maxCount) {
    const [a, b] = [one[left], other[right]];
    if (a === undefined && b === undefined) break;
    // Stable: of equal items the earlier one goes first.
    if (b === undefined || (a !== undefined && compare(a, b) <= 0)) {
      merged.push(a as Item);
      left += 1;
    } else {
      merged.push(b);
      right += 1;
    }
  }
  return merged;
}
