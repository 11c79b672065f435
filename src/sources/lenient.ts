import * as z from "zod/mini";

/** Forms that services send for one and the same thing, as databases and languages of theirs change (docs/pipeline.md 21.14). */

/** true and false, or 1 and 0. */
export const flag = z.lazy(() =>
  z.pipe(
    z.union([z.boolean(), z.literal(0), z.literal(1)]),
    z.transform((value) => value === true || value === 1),
  ),
);

/** The same, where no value means no. */
export const optionalFlag = z.lazy(() =>
  z.pipe(
    z.nullish(flag),
    z.transform((value) => value ?? false),
  ),
);

/** An id of digits, as text or as a number; it comes out as text. */
export const numericId = z.lazy(() =>
  z.pipe(z.union([z.string().check(z.regex(/^\d+$/)), z.int().check(z.minimum(0))]), z.transform(String)),
);

/** A list, where no value means none. */
export function optionalList<Item>(item: z.ZodMiniType<Item>) {
  return z.pipe(
    z.nullish(list(item)),
    z.transform((items): Item[] => items ?? []),
  );
}

/** A list. PHP writes one with a gap as an object of its positions: `{"0":...,"2":...}`. */
export function list<Item>(item: z.ZodMiniType<Item>) {
  const positions = z
    .record(z.string().check(z.regex(/^\d+$/)), item)
    .check(z.refine((items) => Object.keys(items).length > 0));
  return z.pipe(
    z.union([z.array(item), positions]),
    z.transform((items): Item[] => Object.values(items)),
  );
}
