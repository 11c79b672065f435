import * as z from "zod/mini";
import { corpus } from "./corpus.ts";
import { count, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";
import { sourceDay } from "./source.ts";

const duration = z.number().check(z.minimum(0));

/** Quantiles in milliseconds: `p95` is at least as long as 95 % of all values. */
const quantiles = z.strictObject({ p50: duration, p95: duration, p99: duration });
export type Quantiles = Shape<typeof quantiles>;

/** The data of the dashboard's first page. */
export const overview = z.strictObject({
  at: time,
  started_at: time,
  version: text,
  hours: z
    .array(z.strictObject({ hour: time, requests: count, hits: count, polls: count }))
    .check(z.describe("24 hours, oldest first; the last entry is the current hour")),
  scans: z.strictObject({ queued: count, running: count }),
  sources: z.array(sourceDay),
  corpora: z.array(corpus),
  answers_ms: z.nullable(quantiles).check(z.describe("null before the first answer")),
  event_loop_ms: quantiles,
  memory_bytes: count,
  disk: z
    .nullable(z.strictObject({ free_bytes: count, total_bytes: count, database_bytes: count }))
    .check(z.describe("null when the file system cannot be read")),
});
export type Overview = Shape<typeof overview>;
