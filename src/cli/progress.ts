import type { ImportProgress } from "../corpus/import/import.ts";
import type { ImportProgressLine, RecordProgressLine } from "../wire/corpus.ts";
import { jsonLine, type Output } from "./output.ts";

const maxBarWidth = 30;
/** A shorter bar says nothing. */
const minBarWidth = 5;
const defaultColumns = 80;
const drawEveryMs = 250;
/** For logs and the mails of cron. */
const lineEveryMs = 5_000;

/**
 * Shows the progress of a long command on the standard error: a bar on a terminal; elsewhere a JSON line each 5 s, and for
 * an import a last line at the end. Nothing when `isQuiet`.
 */
export function drawProgress(output: Output, { isQuiet = false, now = () => performance.now() } = {}) {
  const startedAt = now();
  let isDrawn = false;
  let shownAt = startedAt;
  /** The newest line that was not printed yet. */
  let pending: string | null = null;

  /** Prints the newest line when the last one is old enough. */
  function print(line: string): void {
    pending = line;
    if (now() - shownAt < lineEveryMs) return;
    flush();
  }

  function flush(): void {
    if (pending !== null) output.err(pending);
    pending = null;
    shownAt = now();
  }

  function draw(share: number | null, text: string): void {
    isDrawn = true;
    output.err(`\r\x1b[K${fitted(share, text, output.columns?.() || defaultColumns)}`);
  }

  return {
    update(progress: ImportProgress): void {
      if (isQuiet) return;
      const { bytesRead, bytesTotal, read, written } = progress;
      const seconds = (now() - startedAt) / 1000;
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
        print(jsonLine<ImportProgressLine>(line));
        return;
      }
      const mebibytes = (bytesRead / 1024 / 1024).toFixed(1);
      const left = secondsLeft === null ? "" : `, ${secondsLeft} s left`;
      const state = written === null ? `${mebibytes} MiB, ${read} records` : `${written} records written`;
      draw(share, `${state}, ${recordsPerSecond} records/s${left}`);
    },
    /** For work with an unknown total: shows the number of records so far. */
    count(recordCount: number): void {
      if (isQuiet) return;
      if (!output.isTerminal) {
        print(jsonLine<RecordProgressLine>({ records: recordCount }));
        // The result of the command holds the final count.
        pending = null;
        return;
      }
      if (now() - shownAt < drawEveryMs) return;
      shownAt = now();
      draw(null, `${recordCount} records`);
    },
    /**
     * For work in stages with known totals, at most 4 times per second. On a terminal only, so that a scheduled command
     * is silent when it succeeds.
     */
    stage(name: string, done: number, total: number): void {
      if (isQuiet || !output.isTerminal || now() - shownAt < drawEveryMs) return;
      shownAt = now();
      draw(done / Math.max(1, total), name);
    },
    /** Ends the line of the bar, or prints the last line of an import. */
    end(): void {
      if (isDrawn) output.err("\n");
      isDrawn = false;
      flush();
    },
  };
}

/** One line that is shorter than the terminal, so that it never wraps: the bar shrinks first, then the text is cut. */
function fitted(share: number | null, text: string, columns: number): string {
  const room = Math.max(1, columns - 1);
  if (share === null) return text.slice(0, room);
  const percent = `${Math.floor(share * 100)} % `;
  const width = Math.min(maxBarWidth, room - text.length - percent.length - "[] ".length);
  if (width < minBarWidth) return `${percent}${text}`.slice(0, room);
  const done = Math.round(share * width);
  return `[${"#".repeat(done)}${" ".repeat(width - done)}] ${percent}${text}`;
}

/** Reading takes most of the time, writing the rest. */
const readingShare = 0.85;

function shareOf({ bytesRead, bytesTotal, usable, written }: ImportProgress): number | null {
  if (written !== null) return Math.min(1, readingShare + (1 - readingShare) * (written / Math.max(1, usable)));
  return bytesTotal === null || bytesTotal === 0 ? null : Math.min(1, bytesRead / bytesTotal) * readingShare;
}
