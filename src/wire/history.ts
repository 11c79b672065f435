import * as z from "zod/mini";
import { reach } from "./case.ts";
import { indicator } from "./indicator.ts";
import { count, id, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";

/** The body of `POST /soc/history` (docs/pipeline.md 17.3). Unknown members are ignored. */
export const historyRequest = z.object({ indicator });

const pastScan = z.strictObject({
  request_id: id,
  status: z.enum(["completed", "failed"]),
  finished_at: time,
  partial: z.nullable(z.boolean()).check(z.describe("true when a source failed; null for a failed scan")),
  reach,
  digest: z.nullable(text).check(z.describe("null for a failed scan")),
  total: z
    .nullable(count)
    .check(z.describe("findings; null for a failed scan, because silence must not read as clean")),
});
export type PastScanBody = Shape<typeof pastScan>;

/** The finished scans of an indicator in the workspace. */
export const history = z.strictObject({
  indicator,
  scans: z.array(pastScan).check(z.describe("newest first")),
  next_cursor: z.nullable(text),
});
export type History = Shape<typeof history>;
