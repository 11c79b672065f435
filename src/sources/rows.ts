import type * as z from "zod/mini";
import { SourceError } from "../domain/error.ts";

/** The readable rows of an answer, and the number of unreadable rows. */
export type Rows<Row> = { readonly rows: Row[]; readonly unreadableCount: number };

/**
 * Reads the rows of an answer one by one; an invalid row is only counted. Throws `bad_answer` when most rows are
 * invalid, because then another service or version answers (docs/pipeline.md 21.14).
 */
export function readRows<Row>(schema: z.ZodMiniType<Row>, values: readonly unknown[]): Rows<Row> {
  const rows: Row[] = [];
  for (const value of values) {
    const parsed = schema.safeParse(value);
    if (parsed.success) rows.push(parsed.data);
  }
  const unreadableCount = values.length - rows.length;
  if (unreadableCount * 2 > values.length) {
    throw new SourceError("bad_answer", `${unreadableCount} of ${values.length} rows are not of the known shape`);
  }
  return { rows, unreadableCount };
}

/** The text for `missing` about unreadable rows. */
export function tellUnreadable(count: number, of: string): string[] {
  return count === 0 ? [] : [`${count} of the rows of ${of} could not be read`];
}
