import type * as z from "zod/mini";
import { SourceError } from "../domain/error.ts";

/** The rows of an answer that could be read, and how many could not. */
export type Rows<Row> = { readonly rows: Row[]; readonly unreadableCount: number };

/**
 * Reads the rows of an answer one by one: one that is not of the schema costs itself and is counted. Throws `bad_answer`
 * when most are not, because then it is another service that answers, or another version (docs/pipeline.md 21.14).
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

/** What `missing` says of rows that could not be read. */
export function tellUnreadable(count: number, of: string): string[] {
  return count === 0 ? [] : [`${count} of the rows of ${of}: they could not be read`];
}
