/** The output of a command: results go to `out`, everything else to `err`. */
export type Output = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly isTerminal: boolean;
  /** Columns of the terminal now: people resize it. */
  readonly columns?: () => number;
};

/**
 * Prints one JSON document with `--json`, else `text`. Every call must name the body of `src/wire` that it prints, as
 * in `printResult<KeyList>(...)`; without the name it does not compile.
 */
export function printResult<Body = never>(output: Output, isJson: boolean, body: NoInfer<Body>, text: string): void {
  output.out(isJson ? jsonLine<Body>(body) : `${text}\n`);
}

/** A body as one line of JSON. Every call must name the type of the body. */
export function jsonLine<Body = never>(body: NoInfer<Body>): string {
  return `${JSON.stringify(body)}\n`;
}

/** Rows as aligned columns under a header; `(none)` without rows. */
export function table(header: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  if (rows.length === 0) return "(none)";
  const cells = [header, ...rows.map((row) => row.map((cell) => (cell === null ? "-" : String(cell))))];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => Bun.stringWidth(row[column] ?? ""))));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - Bun.stringWidth(cell)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
