import type * as z from "zod/mini";
import { ConfigError, isIndexable, joinPath } from "./error.ts";
import type { Faults } from "./faults.ts";
import type { DeclaredTable } from "./file.ts";

const tableParsing = {
  // Compiling a schema takes longer than interpreting it, and a table is parsed once.
  jitless: true,
  // Only for types for which the schema has no message.
  error: ({ code, expected }: z.core.$ZodRawIssue) => (code === "invalid_type" ? plainTypes[expected] : undefined),
} as const;

/** Null for a table with faults, which are added to `faults`. */
export function parseTable<Schema extends z.ZodMiniType>(
  schema: Schema,
  table: DeclaredTable,
  faults: Faults,
): z.output<Schema> | null {
  const result = schema.safeParse(table.values, tableParsing);
  if (result.success) return result.data;
  for (const issue of result.error.issues) for (const fault of errorsOf(issue, table)) faults.add(fault);
  return null;
}

function errorsOf(issue: z.core.$ZodIssue, { path, values, setBy }: DeclaredTable): ConfigError[] {
  const inner = joinPath(...issue.path.map(String));
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => new ConfigError(joinPath(path, inner, key), "unknown key"));
  const by = setBy.get(inner);
  const key = joinPath(path, inner) + (by === undefined ? "" : ` (from ${by})`);
  const got = issue.path.reduce<unknown>((value, step) => (isIndexable(value) ? value[step] : undefined), values);
  return [new ConfigError(key, got, wantedBy(issue))];
}

/** The messages of our schemas are the text after "want". */
function wantedBy(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_key" && issue.issues[0] !== undefined) return wantedBy(issue.issues[0]);
  return issue.message.replace(/^must be /, "");
}

const plainTypes: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  number: "a number",
  object: "a table",
  record: "a table",
  string: "a text in quotation marks",
};
