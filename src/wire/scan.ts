import * as z from "zod/mini";
import { indicator } from "./indicator.ts";
import { count, id, milliseconds, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";
import { outcome, sourceErrorReason } from "./source.ts";

/** The body of `POST /soc/enrich` (docs/contract.md 3.1). Unknown members are ignored. */
export const enrichRequest = z.object({
  indicator,
  options: z.nullish(
    z.object({
      depth: z.nullish(
        text.check(
          z.minLength(1),
          z.maxLength(64),
          z.meta({ default: "quick" }),
          z.describe("accepted for forward compatibility; has no effect"),
        ),
      ),
      cached_only: z.nullish(
        z.boolean().check(z.meta({ default: false }), z.describe("a miss is 404 not_cached and starts nothing")),
      ),
      max_age: z.nullish(
        z
          .int()
          .check(
            z.minimum(0),
            z.maximum(31_536_000),
            z.describe("seconds; sources whose answer is older are asked again, 0 asks all"),
          ),
      ),
      tlp: z.nullish(
        text.check(
          z.meta({ examples: ["amber"] }),
          z.describe(
            "clear, white, green, amber, amber+strict or red, in any case; above scan.max_tlp_outside only sources inside the perimeter are asked",
          ),
        ),
      ),
    }),
  ),
});
export type EnrichRequest = Shape<typeof enrichRequest>;

/** The body of 202: a scan was started or joined (docs/contract.md 3.5). */
export const accepted = z.strictObject({
  status: z.literal("scanning"),
  request_id: id,
  poll_url: text.check(z.describe("path for polling")),
  indicator,
});
export type Accepted = Shape<typeof accepted>;

export const scanState = z.enum(["queued", "scanning", "running", "completed", "failed"]);
export type ScanState = Shape<typeof scanState>;

/** The state of a scan without an envelope: unfinished or failed (docs/contract.md 6.2, 6.3). */
export const progress = z.strictObject({
  status: z
    .enum(["queued", "scanning", "running", "failed"])
    .check(
      z.describe(
        "queued: not started; scanning: sources are being asked; running: the envelope is being built; failed: no source answered",
      ),
    ),
  request_id: id,
});
export type Progress = Shape<typeof progress>;

/** The result of a source in a scan (docs/contract.md 6.5). */
export const sourceRun = z.strictObject({
  source: text,
  outcome,
  findings: count,
  duration_ms: milliseconds,
  error: z
    .nullable(sourceErrorReason)
    .check(z.describe("set when the outcome is failed; tlp: skipped for the mark of the question")),
  missing: z.array(text).check(z.describe("sub-calls that the plan at the source does not allow")),
  answered_at: z.nullable(time).check(z.describe("when the answer that counts was given, null when there is none")),
  reused: z.boolean().check(z.describe("the answer that counts is kept from an earlier scan")),
  omitted: count.check(z.describe("findings of the source that the envelope leaves out, because it is full")),
});
export type SourceRunBody = Shape<typeof sourceRun>;

/** The body of `/sources`. */
export const scanSources = z.strictObject({
  request_id: id,
  status: scanState,
  sources: z.array(sourceRun).check(z.describe("sources that have finished, sorted by name")),
});
export type ScanSources = Shape<typeof scanSources>;
