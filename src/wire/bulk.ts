import * as z from "zod/mini";
import { reach } from "./case.ts";
import { envelope } from "./envelope.ts";
import { errorCode } from "./error.ts";
import { indicator } from "./indicator.ts";
import { count, id, text } from "./scalar.ts";
import { enrichRequest } from "./scan.ts";
import type { Shape } from "./shape.ts";

/** The body of `POST /soc/enrich/bulk` (docs/pipeline.md 19.1). Further members are ignored. */
export const bulkRequest = z.object({
  indicators: z
    .array(indicator)
    .check(z.minLength(1), z.describe("at most server.bulk_limit; equal ones are charged once")),
  options: enrichRequest.shape.options,
});
export type BulkRequest = Shape<typeof bulkRequest>;

const resultMembers = {
  indicator: z
    .strictObject({ type: z.nullable(text), value: z.nullable(text) })
    .check(z.describe("the canonical form; as it was given where it is invalid")),
  status: z.enum(["completed", "scanning", "failed", "invalid", "not_cached"]),
  request_id: z.nullable(id).check(z.describe("the same for equal indicators; null where there is no scan")),
  error: z.nullable(z.strictObject({ code: errorCode, message: text })),
  partial: z.nullable(z.boolean()).check(z.describe("null unless completed")),
  failed_sources: z.array(text).check(z.describe("by name")),
  reach: z.nullable(reach),
  digest: z.nullable(text),
  total: z.nullable(count).check(z.describe("findings; null unless completed")),
};

/** A row of a list (docs/pipeline.md 19.3, 32). */
export const bulkResult = z.strictObject(resultMembers);
export type BulkResult = Shape<typeof bulkResult>;

/** A line of the list as NDJSON (docs/pipeline.md 19.4). */
export const bulkLine = z.strictObject({ ...resultMembers, envelope: z.nullable(envelope) });

/** How far a list is (docs/pipeline.md 19.3). */
export const bulk = z.strictObject({
  bulk_id: id,
  status: z.enum(["running", "completed"]),
  poll_url: text.check(z.describe("path to ask again at")),
  total: count.check(z.describe("rows")),
  counts: z.strictObject({ completed: count, pending: count, failed: count, invalid: count }),
  results: z.array(bulkResult).check(z.describe("in the order of the input")),
});
export type Bulk = Shape<typeof bulk>;
