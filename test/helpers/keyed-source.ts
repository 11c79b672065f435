import { z } from "zod";
import type { SourceKind } from "../../src/sources/source.ts";

/** An invented kind that needs a key, so that reading keys is tested whatever kinds exist. */
export const keyedSource: SourceKind<{ mode: string }> = {
  kind: "keyed",
  confidence: 0.95,
  isOnline: true,
  auth: "key",
  settings: z.strictObject({ mode: z.enum(["account", "range"]).default("account") }),
  pace: { count: 10, windowMs: 60_000 },
  timeoutMs: 10_000,
  lookup: async () => ({ findings: [] }),
};
