import { CorpusError } from "../error.ts";
import { type FormatName, formatNames, type Plan, type Wishes } from "./format.ts";
import { formats } from "./registry.ts";
import type { Sample } from "./sample.ts";

/** The order in which formats are tried: distinctive ones first, the last resort at the end. */
const order: readonly FormatName[] = [
  "dehashed",
  "hibp-domain",
  "jsonl",
  "csv",
  "stealer",
  "ulp",
  "list",
  "combo",
  "any",
];

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
