import type * as z from "zod/mini";
import { ConfigError, isIndexable, joinPath } from "./error.ts";
import type { DeclaredTable } from "./file.ts";

const tableParsing = {
  // Compiling a schema takes longer than interpreting it, and a table is parsed once.
  jitless: true,
  // Only for types for which the schema has no message.
  error: ({ code, expected }: z.core.$ZodRawIssue) => (code === "invalid_type" ? plainTypes[expected] : undefined),
} as const;

export function parseTable<Schema extends z.ZodMiniType>(schema: Schema, table: DeclaredTable): z.output<Schema> {
  const result = schema.safeParse(table.values, tableParsing);
  if (result.success) return result.data;
  throw errorOf(result.error, table);
}

function errorOf({ issues }: z.core.$ZodError, { path, values, setBy }: DeclaredTable): ConfigError {
  const [issue] = issues;
  if (issue === undefined) return new ConfigError(path, values, "other settings");
  const inner = joinPath(...issue.path.map(String));
  if (issue.code === "unrecognized_keys")
    return new ConfigError(joinPath(path, inner, issue.keys[0] ?? ""), "unknown key");
  const by = setBy.get(inner);
  const key = joinPath(path, inner) + (by === undefined ? "" : ` (from ${by})`);
  const got = issue.path.reduce<unknown>((value, step) => (isIndexable(value) ? value[step] : undefined), values);
  return new ConfigError(key, got, wantedBy(issue));
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
