import * as z from "zod/mini";
import { corpus } from "./corpus.ts";
import { count, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";
import { sourceDay } from "./source.ts";

const duration = z.number().check(z.minimum(0));

/** Milliseconds below which this share of all values lies. */
export const quantiles = z.strictObject({ p50: duration, p95: duration, p99: duration });
export type Quantiles = Shape<typeof quantiles>;

/** The body behind the first page of the dashboard. */
export const overview = z.strictObject({
  at: time,
  started_at: time,
  version: text,
  hours: z
    .array(z.strictObject({ hour: time, requests: count, hits: count, polls: count }))
    .check(z.describe("24 of them, oldest first; the last one is the current hour")),
  scans: z.strictObject({ queued: count, running: count }),
  sources: z.array(sourceDay),
  corpora: z.array(corpus),
  answers_ms: z.nullable(quantiles).check(z.describe("null before the first answer")),
  event_loop_ms: quantiles,
  memory_bytes: count,
  disk: z
    .nullable(z.strictObject({ free_bytes: count, total_bytes: count, database_bytes: count }))
    .check(z.describe("null when it cannot be read")),
});
export type Overview = Shape<typeof overview>;
