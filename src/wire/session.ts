import * as z from "zod/mini";
import { operatorRole } from "./operator.ts";
import { count, text, time } from "./scalar.ts";
import type { Shape } from "./shape.ts";
import { workspace } from "./workspace.ts";

/** The body of a log-in (docs/contract.md 9.9). A token that is not a string is treated as an unknown token. */
export const logInRequest = z.object({
  token: z.unknown().check(z.meta({ type: "string" }), z.describe("the token of an operator")),
});
export type LogInRequest = Shape<typeof logInRequest>;

/** Facts for every visitor of the dashboard, logged in or not. */
export const about = z.strictObject({
  licence: z.literal("AGPL-3.0-only"),
  source_url: z.nullable(text),
  has_session: z.boolean(),
});
export type About = Shape<typeof about>;

/** The logged-in operator and the limits of the workspace, for the dashboard. */
export const me = z.strictObject({
  operator: z.strictObject({ name: text, role: operatorRole, created_at: time }),
  workspace,
  api_access: z.boolean().check(z.describe("false below plan team")),
  rate_limit: z
    .nullable(z.strictObject({ limit: count, window_seconds: count }))
    .check(z.describe("calls per window and key; 0: unlimited; null without API access")),
  version: text,
});
export type Me = Shape<typeof me>;
