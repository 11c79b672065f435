import * as z from "zod/mini";
import { disambiguation, exposure } from "./envelope.ts";
import { evidenceFinding } from "./finding.ts";
import { indicator } from "./indicator.ts";
import { id, text, time } from "./scalar.ts";
import { sourceRun } from "./scan.ts";
import type { Shape } from "./shape.ts";
import { sourceErrorReason } from "./source.ts";

/** docs/pipeline.md 16.2. */
export const reach = z.enum(["full", "inside"]);
export type Reach = Shape<typeof reach>;

const failedSource = z.strictObject({ source: text, error: sourceErrorReason });
export type FailedSource = Shape<typeof failedSource>;

/** One document for a ticket (docs/pipeline.md 17.2). The order of the members is part of the contract. */
export const completedCase = z.strictObject({
  request_id: id,
  status: z.literal("completed"),
  indicator,
  asked_at: time.check(z.describe("when the scan was asked for")),
  finished_at: time,
  partial: z.boolean().check(z.describe("true when a source failed")),
  reach: reach.check(z.describe("inside: outside sources were not asked")),
  digest: text.check(z.describe("sha256:<hex> of the exposure without its times")),
  failed_sources: z.array(failedSource),
  exposure,
  evidence: z.array(evidenceFinding).check(z.describe("in the order of the envelope")),
  sources: z.array(sourceRun).check(z.describe("by name")),
  disambiguation,
  generator: z.strictObject({ name: z.literal("xpose"), version: text }),
});
export type CompletedCase = Shape<typeof completedCase>;

/** The document for a scan in which no source answered. */
export const failedCase = z.extend(completedCase, {
  status: z.literal("failed"),
  partial: z.null(),
  digest: z.null(),
  exposure: z.null().check(z.describe("null, because silence must not read as clean")),
  evidence: z.array(evidenceFinding).check(z.maxLength(0)),
});
export type FailedCase = Shape<typeof failedCase>;

export type Case = CompletedCase | FailedCase;
