import * as z from "zod/mini";
import { text } from "./scalar.ts";

export const indicator = z.strictObject({
  type: z.literal("email"),
  value: text.check(z.describe("always in canonical form in an answer")),
});
