import * as z from "zod/mini";
import { count, id, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";

export const keyStatus = z.enum(["active", "revoked", "expired"]);

/** The allowed uses of a key (docs/pipeline.md 14.4). */
export const keyScope = z.enum(["enrich", "read", "watch"]);
export type KeyScope = Shape<typeof keyScope>;

const scopeList = z
  .array(keyScope)
  .check(z.describe("enrich: look-ups, scans may start; read: hits and polls only; watch: watch lists and events"));
const networkList = z
  .array(text)
  .check(z.describe("networks that the key may be used from, as CIDR; an empty list allows any address"));

/** An API key in lists (docs/contract.md 9.2). The order of the members is part of the contract. */
export const key = z.strictObject({
  id,
  name: text,
  prefix: text.check(z.describe("the first 13 characters of the key")),
  status: keyStatus,
  created_at: time,
  created_by: text,
  last_used_at: z.nullable(time).check(z.describe("exact to 60 seconds")),
  expires_at: z.nullable(time),
  revoked_at: z.nullable(time),
  rotated_from: z.nullable(id).check(z.describe("the key that this key replaced")),
  rotated_to: z.nullable(id).check(z.describe("the key that replaced this one")),
  scopes: scopeList,
  allowed_ips: networkList,
});
export type KeyBody = Shape<typeof key>;

/** The answer of minting and of rotating, the only answers that hold a plaintext. */
export const mintedKey = z.extend(key, { key: text.check(z.describe("the plaintext, shown only once")) });
export type MintedKey = Shape<typeof mintedKey>;

export const keyList = z.strictObject({
  keys: z.array(key).check(z.describe("newest first, including revoked keys")),
  next_cursor: z.nullable(text),
});
export type KeyList = Shape<typeof keyList>;

/**
 * The body of a mint request (docs/contract.md 9.3). Unknown members are ignored. `createKey` checks length and time,
 * because the command line needs these checks too and a name is trimmed before it is measured.
 */
export const mintRequest = z.object({
  name: text.check(
    z.meta({ minLength: 1, maxLength: 64 }),
    z.describe("unique among the active keys of the workspace; case does not matter"),
  ),
  expires_at: z.nullish(text.check(z.meta({ format: "date-time" }), z.describe("a future RFC 3339 time"))),
  expires_in: z.nullish(
    text.check(
      z.meta({ examples: ["90d"] }),
      z.describe("in place of expires_at: a duration, a number and s, m, h or d"),
    ),
  ),
  scopes: z.nullish(
    z.array(keyScope).check(z.minLength(1), z.meta({ default: ["enrich", "watch"] }), z.describe("at least one")),
  ),
  allowed_ips: z.nullish(
    z.array(text).check(z.maxLength(100), z.meta({ default: [] }), z.describe("addresses and networks as CIDR")),
  ),
});
export type MintRequest = Shape<typeof mintRequest>;

/** The used budget of each key of a workspace, for the dashboard. */
export const budgets = z.strictObject({
  limit: count.check(z.describe("requests of a key per window; 0: unlimited")),
  window_seconds: count,
  budgets: z.array(z.strictObject({ key_id: id, used: count, resets_in_seconds: count })),
});
export type Budgets = Shape<typeof budgets>;
