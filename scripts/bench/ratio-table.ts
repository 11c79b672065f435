import { median } from "./percentile.ts";

/** A row of the goals. `unit` is empty for a ratio. */
export type Goal = {
  readonly row: number;
  readonly what: string;
  readonly unit: "" | "ms" | "MiB";
  readonly better: "more" | "less";
  readonly reach: number;
  readonly aim: number;
};

/** One value per round, or the reason why there is none. */
export type Measured = { readonly row: number } & (
  | { readonly values: readonly number[] }
  | { readonly skipped: string }
);

export type Verdict = "aim" | "reach" | "missed";

export type TableRow = Goal &
  (
    | { readonly min: number; readonly median: number; readonly max: number; readonly verdict: Verdict }
    | { readonly skipped: string }
  );

export const goals: readonly Goal[] = [
  goal(1, "hits per second / floor, one core", "more", 0.46, 0.6),
  goal(2, "CPU time per hit / floor", "less", 2, 1.5),
  goal(3, "hit p99 at half of the saturated rate / floor at the same rate", "less", 2, 1.3),
  goal(4, "hit p99 with 100 scans running / without", "less", 2, 1.3),
  goal(5, "hit p99 while a corpus import runs / without", "less", 2.5, 1.5),
  goal(6, "latency of a single sequential client, p50 / floor", "less", 2, 1.4),
  goal(7, "miss with Prefer: wait, corpus only, p50", "less", 10, 3, "ms"),
  goal(8, "start to first 200 / bare compiled Bun.serve", "less", 4, 2.5),
  goal(9, "memory under load / floor", "less", 2.5, 1.7),
  goal(10, "corpus bytes per address / entropy bound", "less", 1.5, 1.15),
  goal(11, "import of combo lines, time / sort -S 2G --parallel=2", "less", 0.2, 0.1),
  goal(12, "import peak memory", "less", 256, 128, "MiB"),
  goal(13, "look-up page reads per segment", "less", 1.01, 1),
  goal(14, "look-up warm p99 / SQLite INTEGER key", "less", 1, 0.6),
  goal(15, "10th import into a large corpus / the first", "less", 2, 1.2),
  goal(16, "scans per second of 5 sources at 50 ms, 400 at once / concurrency / delay", "more", 0.5, 0.9),
];

function goal(
  row: number,
  what: string,
  better: Goal["better"],
  reach: number,
  aim: number,
  unit: Goal["unit"] = "",
): Goal {
  return { row, what, unit, better, reach, aim };
}

export function judge({ better, reach, aim }: Goal, value: number): Verdict {
  const isAtLeast = (bar: number) => (better === "more" ? value >= bar : value <= bar);
  if (isAtLeast(aim)) return "aim";
  return isAtLeast(reach) ? "reach" : "missed";
}

/** The goals in order, without those that were not measured. */
export function tableRows(measured: readonly Measured[]): TableRow[] {
  return goals.flatMap((goal): TableRow[] => {
    const found = measured.find(({ row }) => row === goal.row);
    if (found === undefined) return [];
    if ("skipped" in found) return [{ ...goal, skipped: found.skipped }];
    const middle = median(found.values);
    const range = { min: Math.min(...found.values), median: middle, max: Math.max(...found.values) };
    return [{ ...goal, ...range, verdict: judge(goal, middle) }];
  });
}

/** A Markdown table. Without `isJudged` it has no verdicts, because a run of seconds proves nothing. */
export function renderTable(rows: readonly TableRow[], isJudged: boolean): string {
  const lines = rows.map((row) => {
    const bar = (value: number) => `${row.better === "more" ? ">=" : "<="} ${value}${unitOf(row)}`;
    const name = [row.row, row.what];
    const bars = [bar(row.reach), bar(row.aim)];
    if ("skipped" in row) return [...name, "-", "-", "-", ...bars, `skipped: ${row.skipped}`];
    const figures = [row.min, row.median, row.max].map((value) => `${rounded(value)}${unitOf(row)}`);
    return [...name, ...figures, ...bars, isJudged ? row.verdict : "not judged"];
  });
  const head = ["#", "what", "min", "median", "max", "reach", "aim", "verdict"];
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function unitOf({ unit }: Goal): string {
  return unit === "" ? "" : ` ${unit}`;
}

/** Three significant figures; the machine is no more precise than that. */
function rounded(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
