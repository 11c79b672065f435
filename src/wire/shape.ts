import type * as z from "zod/mini";

/** The type of a schema, read-only all the way down: a body is built once and never changed. */
export type Shape<Schema extends z.ZodMiniType> = ReadOnly<z.output<Schema>>;

/**
 * The members of a body that arrived and is not checked yet. For code that checks by hand because a schema would make a
 * hit slower: a member that the body does not have is a compile error there.
 */
export type Unchecked<Body> = { readonly [Name in keyof Body]?: unknown };

type ReadOnly<Value> = Value extends readonly (infer Item)[]
  ? readonly ReadOnly<Item>[]
  : Value extends object
    ? { readonly [Name in keyof Value]: ReadOnly<Value[Name]> }
    : Value;
