import { afterAll, expect, test } from "vitest";
import { unwatched } from "../../src/store/sqlite/audit-subject.ts";
import { currentVersion, openSchema } from "../../src/store/sqlite/migrate.ts";

const schema = openSchema(currentVersion);
afterAll(() => schema.close());

type Column = {
  readonly name: string;
  readonly notnull: number;
  readonly dflt_value: string | null;
  readonly pk: number;
};

function columnsOf(table: string): Column[] {
  return schema.prepare<[], Column>(`PRAGMA table_info("${table}")`).all();
}

/**
 * The columns that the audit trail watches, by table. A new column of these tables fails here. If it changes without an
 * event, name it in `unwatched`. Otherwise each method that sets it must write an event, and the column is added to the
 * second list: digests leave out null, so only a column that starts as null keeps the digests of older rows.
 */
const watched = {
  workspace: { first: ["id", "name", "folded_name", "plan", "disabled_at"], later: [] },
  api_key: {
    first: [
      ...["id", "workspace_id", "name", "folded_name", "prefix", "hash", "created_at", "created_by", "expires_at"],
      ...["revoked_at", "rotated_from", "rotated_to"],
    ],
    later: ["scopes", "allowed_ips"],
  },
  operator: {
    first: ["id", "workspace_id", "name", "role", "token_hash", "created_at", "revoked_at"],
    later: [],
  },
} as const;

test.each(Object.entries(watched))(
  "every column of %s is watched by the audit trail or named as unwatched",
  (table, columns) => {
    const names = columnsOf(table).map(({ name }) => name);
    const isUnwatched = (name: string) => unwatched.includes(name);
    expect(names.filter((name) => !isUnwatched(name)).sort()).toEqual([...columns.first, ...columns.later].sort());
  },
);

test("every unwatched column exists", () => {
  const names = Object.keys(watched).flatMap((table) => columnsOf(table).map(({ name }) => name));
  expect(unwatched.filter((name) => !names.includes(name))).toEqual([]);
});

test("a column that came after the first release starts as null, so that older digests stay valid", () => {
  for (const [table, { later }] of Object.entries(watched)) {
    for (const { name, notnull, dflt_value } of columnsOf(table).filter((column) =>
      later.includes(column.name as never),
    )) {
      expect([table, name, notnull, dflt_value]).toEqual([table, name, 0, null]);
    }
  }
});
