import { expect } from "vitest";
import type * as z from "zod/mini";

/** Expects a text to be a body as its schema describes it: exactly these members, in this order. Returns the body. */
export function expectBody<Schema extends z.ZodMiniType>(schema: Schema, text: string): z.output<Schema> {
  const parsed = schema.safeParse(JSON.parse(text));
  expect(parsed.error?.issues ?? []).toEqual([]);
  // zod writes the members that it knows in the order of the schema, so a body in another order is another text.
  expect(JSON.stringify(parsed.data)).toBe(text);
  return parsed.data as z.output<Schema>;
}
