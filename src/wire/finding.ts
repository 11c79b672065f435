import * as z from "zod/mini";
import { confidence, count, id, sha256, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";

export const severity = z.enum(["high", "medium", "low"]);
export type Severity = Shape<typeof severity>;

const tier = z.enum(["high", "medium", "low"]);

/** One statement of a source (docs/contract.md 7.4). The order of the members is part of the contract. */
export const atom = z.strictObject({
  source: text.check(z.describe("name of the source")),
  source_url: z.nullable(text).check(z.describe("page that confirms the finding")),
  source_confidence: confidence.check(
    z.describe("reliability of the source; not of maliciousness or identity, and never changed by corroboration"),
  ),
  source_tier: tier.check(z.describe("high from 0.8 on, medium from 0.6 on, else low")),
  corroboration_count: count.check(z.describe("number of other origins that agree")),
  corroborated_by: z.array(text).check(z.maxLength(5), z.describe("one source per origin that agrees, the first 5")),
  category: text.check(z.describe("a slug, for example breach, infostealer or account")),
  severity,
  title: text,
  indicator_type: z.nullable(text),
  indicator_value: z.nullable(text),
  first_seen: z.nullable(time).check(z.describe("when this workspace first recorded the finding")),
  last_seen: z.nullable(time).check(z.describe("time of the latest answer of the source with this finding")),
});
export type Atom = Shape<typeof atom>;

/** An atom with the details of its source (docs/contract.md 7.8). */
export const evidenceFinding = z.extend(atom, {
  subject: z.nullable(text).check(z.describe("the service or leak concerned")),
  details: z.looseObject({}).check(z.describe("other data of the source, with member names of the source")),
  answered_at: time,
  answer_sha256: sha256.check(z.describe("hash of the canonical JSON of the whole answer of the source")),
});
export type EvidenceFinding = Shape<typeof evidenceFinding>;

/** The body of `/evidence`. */
export const evidence = z.strictObject({
  request_id: id,
  findings: z.array(evidenceFinding).check(z.describe("in the order of the envelope")),
});
export type Evidence = Shape<typeof evidence>;
