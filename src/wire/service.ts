import * as z from "zod/mini";
import { id, text } from "./scalar.ts";
import type { Shape } from "./shape.ts";

/** The body of `/healthz` (docs/contract.md 12.1). */
export const health = z.strictObject({ status: z.literal("ok") });
export type Health = Shape<typeof health>;

/** The body of `/readyz`. A full disk is listed in `problems`; the service stays ready. */
export const readiness = z.strictObject({ status: z.literal("ok"), problems: z.optional(z.array(text)) });
export type Readiness = Shape<typeof readiness>;

/** The first line of `serve`. */
export const listening = z.strictObject({ listening: text });
export type Listening = Shape<typeof listening>;

/** The report of `init`: the token is shown only once. */
export const initReport = z.strictObject({ workspace_id: id, operator_token: text });
export type InitReport = Shape<typeof initReport>;

/** The report of `doctor`. */
export const doctorReport = z.strictObject({
  ok: z.boolean(),
  checks: z.array(z.strictObject({ name: text, ok: z.boolean(), message: text })),
});
export type DoctorReport = Shape<typeof doctorReport>;

/** The report of `version`. */
export const versionReport = z.strictObject({ version: text, bun: text });
export type VersionReport = Shape<typeof versionReport>;

/** The report of `completion`. */
export const completionScript = z.strictObject({ shell: z.enum(["bash", "zsh", "fish"]), script: text });
export type CompletionScript = Shape<typeof completionScript>;
