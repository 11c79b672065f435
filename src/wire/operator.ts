import * as z from "zod/mini";
import { id, text } from "./scalar.ts";
import type { Shape } from "./shape.ts";

export const operatorRole = z.enum(["admin", "viewer"]);

export const operator = z.strictObject({
  id,
  name: text,
  role: operatorRole,
  status: z.enum(["active", "revoked"]),
});
export type OperatorBody = Shape<typeof operator>;

/** The report of `operators list`. */
export const operatorList = z.array(operator);
export type OperatorList = Shape<typeof operatorList>;

/** The report of `operators create`: the token is shown only once. */
export const createdOperator = z.strictObject({ id, name: text, role: operatorRole, token: text });
export type CreatedOperator = Shape<typeof createdOperator>;
