import type { ImportProgress } from "../corpus/import.ts";
import type { Output } from "./output.ts";

const barWidth = 30;
const countEveryMs = 250;

/** Shows how far an import is: a bar on a terminal, JSON lines otherwise, both on the standard error. */
export function drawProgress(output: Output) {
  let isDrawn = false;
  let countedAt = performance.now();
  return {
    update({ bytesRead, bytesTotal, read }: ImportProgress): void {
      if (!output.isTerminal) {
        output.err(`${JSON.stringify({ bytes_read: bytesRead, bytes_total: bytesTotal, read })}\n`);
        return;
      }
      isDrawn = true;
      const mebibytes = (bytesRead / 1024 / 1024).toFixed(1);
      const share = bytesTotal === null || bytesTotal === 0 ? null : Math.min(1, bytesRead / bytesTotal);
      const done = Math.round((share ?? 0) * barWidth);
      const bar =
        share === null ? "" : `[${"#".repeat(done)}${" ".repeat(barWidth - done)}] ${Math.floor(share * 100)} % `;
      output.err(`\r\x1b[K${bar}${mebibytes} MiB, ${read} records`);
    },
    /** For work whose end is not known: the number of records so far, at most 4 times per second. */
    count(recordCount: number): void {
      const now = performance.now();
      if (now - countedAt < countEveryMs) return;
      countedAt = now;
      isDrawn = output.isTerminal;
      output.err(
        output.isTerminal ? `\r\x1b[K${recordCount} records` : `${JSON.stringify({ records: recordCount })}\n`,
      );
    },
    /** Leaves the line of the bar. */
    end(): void {
      if (isDrawn) output.err("\n");
      isDrawn = false;
    },
  };
}
