import type { ImportProgress } from "../corpus/import/import.ts";
import type { ImportProgressLine, RecordProgressLine } from "../wire/corpus.ts";
import { jsonLine, type Output } from "./output.ts";

const barWidth = 30;
const countEveryMs = 250;

/** Shows the progress of a long command on the standard error: a bar on a terminal, JSON lines otherwise. */
export function drawProgress(output: Output) {
  const startedAt = performance.now();
  let isDrawn = false;
  let countedAt = performance.now();
  return {
    update(progress: ImportProgress): void {
      const { bytesRead, bytesTotal, read, written } = progress;
      const seconds = (performance.now() - startedAt) / 1000;
      const recordsPerSecond = Math.round(read / Math.max(seconds, 0.001));
      const share = shareOf(progress);
      const secondsLeft = share === null || share === 0 ? null : Math.round((seconds / share) * (1 - share));
      if (!output.isTerminal) {
        const line: ImportProgressLine = {
          bytes_read: bytesRead,
          bytes_total: bytesTotal,
          read,
          written,
          records_per_second: recordsPerSecond,
          seconds_left: secondsLeft,
        };
        output.err(jsonLine<ImportProgressLine>(line));
        return;
      }
      isDrawn = true;
      const mebibytes = (bytesRead / 1024 / 1024).toFixed(1);
      const bar = share === null ? "" : barOf(share);
      const left = secondsLeft === null ? "" : `, ${secondsLeft} s left`;
      const state = written === null ? `${mebibytes} MiB, ${read} records` : `${written} records written`;
      output.err(`\r\x1b[K${bar}${state}, ${recordsPerSecond} records/s${left}`);
    },
    /** For work with an unknown total: shows the number of records so far, at most 4 times per second. */
    count(recordCount: number): void {
      const now = performance.now();
      if (now - countedAt < countEveryMs) return;
      countedAt = now;
      isDrawn = output.isTerminal;
      output.err(
        output.isTerminal ? `\r\x1b[K${recordCount} records` : jsonLine<RecordProgressLine>({ records: recordCount }),
      );
    },
    /**
     * For work in stages with known totals, at most 4 times per second. On a terminal only, so that a scheduled command
     * is silent when it succeeds.
     */
    stage(name: string, done: number, total: number): void {
      const now = performance.now();
      if (!output.isTerminal || now - countedAt < countEveryMs) return;
      countedAt = now;
      isDrawn = true;
      output.err(`\r\x1b[K${barOf(done / Math.max(1, total))}${name}`);
    },
    /** Ends the line of the bar. */
    end(): void {
      if (isDrawn) output.err("\n");
      isDrawn = false;
    },
  };
}

function barOf(share: number): string {
  const done = Math.round(share * barWidth);
  return `[${"#".repeat(done)}${" ".repeat(barWidth - done)}] ${Math.floor(share * 100)} % `;
}

/** Reading takes most of the time, writing the rest. */
const readingShare = 0.85;

function shareOf({ bytesRead, bytesTotal, usable, written }: ImportProgress): number | null {
  if (written !== null) return Math.min(1, readingShare + (1 - readingShare) * (written / Math.max(1, usable)));
  return bytesTotal === null || bytesTotal === 0 ? null : Math.min(1, bytesRead / bytesTotal) * readingShare;
}
