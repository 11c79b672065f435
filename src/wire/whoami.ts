import * as z from "zod/mini";
import { key, keyScope } from "./key.ts";
import { count, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";
import { workspace } from "./workspace.ts";

const budgetLeft = z.strictObject({
  limit: count.check(z.describe("calls per window; 0 is no limit")),
  remaining: z.nullable(count).check(z.describe("null without a limit, and while the counters cannot be read")),
  reset_at: z.nullable(time).check(z.describe("null while no window is open")),
});
export type BudgetLeftBody = Shape<typeof budgetLeft>;

const sourceStanding = z.enum(["ready", "paused", "offline"]);

const askedSource = z.strictObject({
  source: text,
  kind: text,
  outside: z.boolean().check(z.describe("true when asking it tells somebody outside of the perimeter")),
  state: sourceStanding.check(z.describe("paused: its rate is used up, or it asked to wait; offline: scans skip it")),
});
export type AskedSource = Shape<typeof askedSource>;

/** The rights of a key (docs/pipeline.md 15.1). The order of the members is part of the contract. */
export const whoami = z.strictObject({
  workspace: z.pick(workspace, { id: true, name: true, plan: true }),
  key: z.strictObject({
    id: key.shape.id,
    name: text,
    prefix: key.shape.prefix,
    expires_at: key.shape.expires_at,
    scopes: z.array(keyScope),
  }),
  limits: z.strictObject({ requests: budgetLeft, polls: budgetLeft }),
  sources: z.array(askedSource).check(z.describe("what a scan of this workspace asks, by name")),
  version: text,
});
export type Whoami = Shape<typeof whoami>;
