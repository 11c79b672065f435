import type { Connection } from "./driver.ts";

type SchemaRow = { type: string; name: string; table: string; sql: string };

/**
 * Compares the schema of a database with `expected`, the schema of a database that xpose made. Returns one text per
 * differing table, index, trigger or view, each with the name of its table; empty when the schemas are equal.
 */
export function schemaFaults(connection: Connection, expected: Connection): string[] {
  const found = schemaOf(connection);
  const wanted = schemaOf(expected);
  const missing = [...wanted].filter(([key]) => !found.has(key));
  const other = [...found].filter(([key, { sql }]) => wanted.has(key) && wanted.get(key)?.sql !== sql);
  const foreign = [...found].filter(([key]) => !wanted.has(key));
  return [
    ...missing.map(([, row]) => `${named(row)} is missing`),
    ...other.map(([, row]) => `${named(row)} is not as xpose makes it`),
    ...foreign.map(([, row]) => `${named(row)} is not one of xpose`),
  ];
}

/** Triggers and views that `expected` does not have. Their code would run with the changes of xpose. */
export function foreignPrograms(connection: Connection, expected: Connection): string[] {
  const wanted = schemaOf(expected);
  return [...schemaOf(connection)]
    .filter(([key, { type, sql }]) => ["trigger", "view"].includes(type) && wanted.get(key)?.sql !== sql)
    .map(([, row]) => named(row));
}

/** By type and name. Without the objects that SQLite makes itself: indexes of keys, statistics. */
function schemaOf(connection: Connection): Map<string, SchemaRow> {
  const rows = connection.prepare<[], SchemaRow>(
    "SELECT type, name, tbl_name AS 'table', sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid",
  );
  // Versions of SQLite leave different white space after ALTER TABLE.
  return new Map(
    rows.all().map((row) => [`${row.type} ${row.name}`, { ...row, sql: row.sql.replaceAll(/\s+/g, " ") }]),
  );
}

function named({ type, name, table }: SchemaRow): string {
  return type === "table" ? `the table "${name}"` : `the ${type} "${name}" of the table "${table}"`;
}
