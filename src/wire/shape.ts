import type * as z from "zod/mini";

/** The type of a schema, read-only all the way down: a body is built once and never changed. */
export type Shape<Schema extends z.ZodMiniType> = ReadOnly<z.output<Schema>>;

/**
 * A received body that is not checked yet. For code that checks by hand because a schema would make a hit slower: a
 * misspelled member is still a compile error.
 */
export type Unchecked<Body> = { readonly [Name in keyof Body]?: unknown };

type ReadOnly<Value> = Value extends readonly (infer Item)[]
  ? readonly ReadOnly<Item>[]
  : Value extends object
    ? { readonly [Name in keyof Value]: ReadOnly<Value[Name]> }
    : Value;
