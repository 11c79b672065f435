import { CorpusError } from "../error.ts";
import { type FormatName, formatNames, type Plan, type Wishes } from "./format.ts";
import { formats } from "./registry.ts";
import type { Sample } from "./sample.ts";

/** The place of each format in the order in which they are tried: distinctive ones first, the last resort at the end. */
const places: Readonly<Record<FormatName, number>> = {
  dehashed: 1,
  "hibp-domain": 2,
  jsonl: 3,
  csv: 4,
  stealer: 5,
  ulp: 6,
  list: 7,
  combo: 8,
  any: 9,
};

const order = formatNames.toSorted((one, other) => places[one] - places[other]);

/** The plan of the first format that recognises a text; null when none does. */
export function detectPlan(sample: Sample, wishes: Wishes): Plan | null {
  for (const name of order) {
    const plan = formats[name].recognises(sample, wishes);
    if (plan !== null) return plan;
  }
  return null;
}

/** The refusal of a text without any at-sign. */
export function addressless(): CorpusError {
  return new CorpusError("refused", "the file holds no email addresses");
}

/** The refusal of a text that no format recognises. */
export function unrecognised(): CorpusError {
  return new CorpusError(
    "refused",
    `the format cannot be told from the file; give --format, one of ${formatNames.join(", ")}`,
  );
}
