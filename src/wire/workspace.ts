import * as z from "zod/mini";
import { id, text } from "./scalar.ts";
import type { Shape } from "./shape.ts";

export const plan = z.enum(["free", "starter", "team", "enterprise"]);

export const workspace = z.strictObject({
  id,
  name: text,
  plan,
  status: z.enum(["active", "disabled"]),
});
export type WorkspaceBody = Shape<typeof workspace>;

/** The report of `workspaces list`. */
export const workspaceList = z.array(workspace);
export type WorkspaceList = Shape<typeof workspaceList>;
