import * as z from "zod/mini";
import { atom, severity } from "./finding.ts";
import { indicator } from "./indicator.ts";
import { count, id } from "./scalar.ts";
import type { Shape } from "./shape.ts";

export const exposure = z.strictObject({
  findings: z.array(atom),
  total: count,
  by_severity: z
    .partialRecord(severity, count)
    .check(z.describe("only severities that occur, in the order high, medium, low")),
});
export type Exposure = Shape<typeof exposure>;

/** docs/contract.md 7.1. */
export const disambiguation = z.strictObject({
  required: z.literal(true),
  reason: z.literal(
    "person-resolution gated pending employer-domain disambiguation (R7); v1 returns indicator exposure only, no identity attribution",
  ),
});

/** The answer about an address (docs/contract.md 7). The order of the members is part of the contract. */
export const envelope = z.strictObject({
  request_id: id.check(z.describe("id of the scan that produced the result")),
  status: z.literal("completed"),
  cache: z.enum(["hit", "miss_scan_complete"]),
  indicator,
  exposure,
  disambiguation,
});
export type Envelope = Shape<typeof envelope>;
