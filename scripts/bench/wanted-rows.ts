import { goals } from "./ratio-table.ts";

/** Names for rows that share a preparation. */
const groups: ReadonlyMap<string, readonly number[]> = new Map([
  ["hits", [1, 2, 3, 6, 9]],
  ["scans", [4, 7, 16]],
  ["import", [5]],
  ["start", [8]],
  ["corpus", [10, 11, 12, 13, 14, 15]],
]);

/** The rows of `--only hits,7`. Throws for anything that is neither a row nor a group. */
export function wantedRows(text: string): Set<number> {
  const rows = text.split(",").flatMap((name) => {
    const row = goals.find((goal) => String(goal.row) === name)?.row;
    const group = row === undefined ? groups.get(name) : [row];
    if (group === undefined) {
      throw new Error(
        `--only: got ${JSON.stringify(name)}, want rows from 1 to 16 or ${[...groups.keys()].join(", ")}`,
      );
    }
    return group;
  });
  return new Set(rows);
}
