import * as z from "zod/mini";
import type { SourceKind } from "../../src/sources/source.ts";

/** An invented kind that needs a key, so that these tests do not depend on the real kinds. */
export const keyedSource: SourceKind<{ mode: string; catalogue: string | null }> = {
  kind: "keyed",
  confidence: 0.95,
  isOnline: true,
  auth: "key",
  ownHeaders: ["x-keyed"],
  defaultBaseUrl: "https://keyed.example/v1",
  settings: z.strictObject({
    mode: z._default(z.enum(["account", "range"]), "account"),
    catalogue: z._default(z.nullable(z.string()), null),
  }),
  pace: { count: 10, windowMs: 60_000 },
  timeoutMs: 10_000,
  lookup: async () => ({ findings: [] }),
};

/** An invented kind without a default URL, because every organisation has its own installation. */
export const placelessSource: SourceKind<Record<string, never>> = {
  kind: "placeless",
  confidence: 0.8,
  isOnline: true,
  auth: "key",
  settings: z.strictObject({}),
  pace: null,
  timeoutMs: 10_000,
  lookup: async () => ({ findings: [] }),
};
