import * as z from "zod/mini";
import { confidence, count, milliseconds, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";

/** The outcomes of docs/contract.md 5.7. */
export const outcome = z.enum(["ok", "no_data", "failed", "skipped"]);
export type Outcome = Shape<typeof outcome>;

/** The reasons of docs/contract.md 6.5, and `tlp` of docs/pipeline.md 16.2. */
export const sourceErrorReason = z.enum([
  "not_configured",
  "auth",
  "rate_limited",
  "timeout",
  "unreachable",
  "tls",
  "http_4xx",
  "http_5xx",
  "redirect",
  "too_large",
  "bad_answer",
  "not_installed",
  "unsupported",
  "tlp",
  "internal",
]);
export type SourceErrorReason = Shape<typeof sourceErrorReason>;

export const outcomeCounts = z.strictObject({ ok: count, no_data: count, failed: count, skipped: count });
export type OutcomeCounts = Shape<typeof outcomeCounts>;

const quotaLeft = z.nullable(count).check(z.describe("calls left at the upstream; null when unknown"));

/** The results of a source over the last 24 hours, for the dashboard. */
export const sourceDay = z.strictObject({
  source: text,
  outcomes: outcomeCounts,
  by_hour: z.array(outcomeCounts).check(z.describe("oldest first; the last entry is the current hour")),
  mean_ms: milliseconds,
  last: z.strictObject({
    outcome,
    error: z.nullable(sourceErrorReason),
    at: time,
    quota_left: quotaLeft,
  }),
});
export type SourceDay = Shape<typeof sourceDay>;

/** A source that scans of the workspace ask, for the dashboard. */
const source = z.strictObject({
  name: text,
  kind: text,
  state: z.enum(["enabled", "offline"]),
  confidence,
  origin: text,
  timeout_ms: milliseconds,
  day: z.nullable(sourceDay).check(z.describe("null when the source was not asked")),
});
export type SourceBody = Shape<typeof source>;

export const sourceList = z.strictObject({ sources: z.array(source) });
export type SourceList = Shape<typeof sourceList>;

/** The public breach list, which maps the names of leaks to domains. */
const catalogue = z.strictObject({ breaches: count, as_of: z.nullable(time), error: z.nullable(text) });
export type CatalogueBody = Shape<typeof catalogue>;

/** A source or corpus in `sources list`. */
const listedSource = z.strictObject({
  name: text,
  kind: text,
  state: z.enum(["enabled", "disabled", "offline"]),
  last_outcome: z.nullable(outcome),
  last_error: z.nullable(sourceErrorReason),
  last_at: z.nullable(time),
  missing: z.array(text),
  quota_left: quotaLeft,
  catalogue: z.exactOptional(catalogue),
});
export type ListedSource = Shape<typeof listedSource>;

/** The report of `sources list`. */
export const sourceListing = z.array(listedSource);
export type SourceListing = Shape<typeof sourceListing>;

/** A source in `sources check`. */
const sourceCheck = z.strictObject({
  name: text,
  kind: text,
  ok: z.boolean(),
  outcome,
  error: z.nullable(sourceErrorReason),
  message: text,
});
export type SourceCheck = Shape<typeof sourceCheck>;

/** The report of `sources check`. */
export const sourceChecks = z.strictObject({ ok: z.boolean(), sources: z.array(sourceCheck) });
export type SourceChecks = Shape<typeof sourceChecks>;
