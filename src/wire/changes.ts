import * as z from "zod/mini";
import { atom } from "./finding.ts";
import { id, text } from "./scalar.ts";
import type { Shape } from "./shape.ts";

const changedAtom = z.strictObject({ before: atom, after: atom });
export type ChangedAtom = Shape<typeof changedAtom>;

const notComparable = z.strictObject({
  source: text,
  reason: z
    .enum(["failed", "skipped", "reused", "omitted"])
    .check(
      z.describe(
        "in one of the scans: failed or skipped: it did not answer; reused: its answer is from an earlier scan; omitted: the envelope leaves out findings",
      ),
    ),
});
export type NotComparable = Shape<typeof notComparable>;

/** The differences between two scans of one indicator (docs/pipeline.md 17.4). */
export const changes = z.strictObject({
  request_id: id,
  since: z.nullable(id).check(z.describe("the scan that was compared with; null when there is no earlier one")),
  new: z.array(atom),
  gone: z.array(atom),
  changed: z.array(changedAtom).check(z.describe("another severity, corroboration or confidence")),
  not_comparable: z
    .array(notComparable)
    .check(
      z.describe("sources whose findings are in none of the lists, because they did not answer anew in both scans"),
    ),
});
export type Changes = Shape<typeof changes>;
