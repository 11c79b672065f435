import * as z from "zod/mini";

/**
 * Schemas for values that services send in several forms, depending on their database and language (docs/pipeline.md
 * 21.14).
 */

/** true and false, or 1 and 0. */
export const flag = z.lazy(() =>
  z.pipe(
    z.union([z.boolean(), z.literal(0), z.literal(1)]),
    z.transform((value) => value === true || value === 1),
  ),
);

/** The same; a missing value means false. */
export const optionalFlag = z.lazy(() =>
  z.pipe(
    z.nullish(flag),
    z.transform((value) => value ?? false),
  ),
);

/** An id of digits, as text or number; the output is text. */
export const numericId = z.lazy(() =>
  z.pipe(z.union([z.string().check(z.regex(/^\d+$/)), z.int().check(z.minimum(0))]), z.transform(String)),
);

/** A list; a missing value means an empty list. */
export function optionalList<Item>(item: z.ZodMiniType<Item>) {
  return z.pipe(
    z.nullish(list(item)),
    z.transform((items): Item[] => items ?? []),
  );
}

/** A list. PHP writes a list with gaps as an object keyed by position: `{"0":...,"2":...}`. */
export function list<Item>(item: z.ZodMiniType<Item>) {
  const positions = z
    .record(z.string().check(z.regex(/^\d+$/)), item)
    .check(z.refine((items) => Object.keys(items).length > 0));
  return z.pipe(
    z.union([z.array(item), positions]),
    z.transform((items): Item[] => Object.values(items)),
  );
}
