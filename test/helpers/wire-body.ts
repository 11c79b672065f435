import { expect } from "vitest";
import type * as z from "zod/mini";

/** Expects a text to be a body of this schema: exactly its members, in its order. Returns the body. */
export function expectBody<Schema extends z.ZodMiniType>(schema: Schema, text: string): z.output<Schema> {
  const parsed = schema.safeParse(JSON.parse(text));
  expect(parsed.error?.issues ?? []).toEqual([]);
  // zod returns known members in the order of the schema, so a body in another order gives another text.
  expect(JSON.stringify(parsed.data)).toBe(text);
  return parsed.data as z.output<Schema>;
}
