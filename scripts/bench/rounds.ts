import type { Measured } from "./ratio-table.ts";

/** Collects one value per round and row, and the figures behind the ratios. */
export type Rounds = {
  readonly measured: () => Measured[];
  readonly add: (row: number, value: number) => void;
  readonly skip: (row: number, why: string) => void;
  /** Absolute figures, for checking a ratio. */
  readonly note: (what: string, figures: object) => void;
  readonly notes: readonly { readonly what: string; readonly figures: object }[];
};

/** `wanted` are the requested rows; other rows measured on the way are left out. */
export function openRounds(wanted: ReadonlySet<number>): Rounds {
  const values = new Map<number, number[]>();
  const skipped = new Map<number, string>();
  const notes: { what: string; figures: object }[] = [];
  return {
    notes,
    measured: () => [
      ...[...values].map(([row, values]) => ({ row, values })),
      ...[...skipped].map(([row, skipped]) => ({ row, skipped })),
    ],
    add: (row, value) => {
      if (wanted.has(row)) values.set(row, [...(values.get(row) ?? []), value]);
    },
    skip: (row, why) => {
      if (wanted.has(row)) skipped.set(row, why);
    },
    note: (what, figures) => {
      notes.push({ what, figures });
      console.error(
        `${what}: ${Object.entries(figures)
          .map(([name, value]) => `${name} ${shown(value)}`)
          .join(", ")}`,
      );
    },
  };
}

function shown(value: unknown): string {
  return typeof value === "number" ? String(Math.round(value * 1000) / 1000) : JSON.stringify(value);
}
