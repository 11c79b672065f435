import * as z from "zod/mini";
import { reach } from "./case.ts";
import { count, id, text, time } from "./scalar.ts";
import { scanState } from "./scan.ts";
import type { Shape } from "./shape.ts";

const number = z
  .nullable(count)
  .check(z.describe("null unless the scan is completed: a 0 means that sources answered"));

/** A look-up as one object of scalars, for clients that see only the body (docs/pipeline.md 30.1). */
export const flat = z.strictObject({
  email: text,
  status: scanState,
  request_id: id,
  headline: z.nullable(text).check(z.describe("one sentence for people; null unless the scan is completed")),
  total: number,
  high: number,
  medium: number,
  low: number,
  partial: z.nullable(z.boolean()).check(z.describe("true when a source failed; null unless the scan is completed")),
  sources_asked: number,
  sources_answered: number,
  sources_failed: z.nullable(text).check(z.describe("names, sorted, a blank between; null while the scan is not over")),
  categories: z.nullable(text).check(z.describe("of the findings, sorted, a blank between")),
  titles: z.nullable(text).check(z.describe("of the first five findings, `; ` between")),
  reach: z.nullable(reach),
  digest: z.nullable(text),
  finished_at: z.nullable(time),
  poll_url: z.nullable(text).check(z.describe("path for polling; null when the scan is over")),
});
export type Flat = Shape<typeof flat>;
