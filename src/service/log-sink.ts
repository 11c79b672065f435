/** Writes the lines of the log to the standard error. */
export type LogSink = {
  /** Takes whole lines, each with its line end. Never waits for the reader: lines are dropped when there is no room. */
  readonly write: (lines: string) => void;
  /** Number of lines dropped since the start. */
  readonly droppedCount: () => number;
  /** Waits until the reader has taken every line, at most `maxMs`. */
  readonly settle: (maxMs: number) => Promise<void>;
};

/** The writer of the runtime for a descriptor. It writes as much as fits at once, and the rest when there is room. */
type Writer = { readonly write: (text: string) => unknown; readonly flush: () => unknown };

/** Limit of waiting lines, in UTF-16 units (about bytes): some seconds of a busy service. */
const maxWaiting = 1 << 20;

/**
 * Opens the standard error. A pipe without a reader, a paused terminal and a full disk lose lines of the log, but never
 * delay a request (docs/contract.md 12.5a).
 */
export function openLogSink(writer: Writer = Bun.stderr.writer()): LogSink {
  const waiting: string[] = [];
  let waitingLength = 0;
  let droppedCount = 0;
  let isReaderGone = false;
  /** Pending while the reader has taken only a part of the last piece. */
  let taking: Promise<void> | null = null;

  function drop(lines: string): void {
    for (let at = lines.indexOf("\n"); at !== -1; at = lines.indexOf("\n", at + 1)) droppedCount += 1;
  }

  function pass(): void {
    while (taking === null && waiting.length > 0) {
      const lines = waiting.splice(0).join("");
      waitingLength = 0;
      try {
        writer.write(lines);
        const taken = writer.flush();
        if (taken instanceof Promise) taking = whenTaken(taken, lines);
      } catch {
        // The disk is full. The next line may fit again.
        drop(lines);
      }
    }
  }

  async function whenTaken(taken: Promise<unknown>, lines: string): Promise<void> {
    try {
      await taken;
    } catch {
      // The reader has closed its end. From now on the writer of the runtime discards every line without an error.
      isReaderGone = true;
      drop(lines);
    }
    taking = null;
    pass();
  }

  return {
    write(lines) {
      if (isReaderGone || waitingLength + lines.length > maxWaiting) return drop(lines);
      waiting.push(lines);
      waitingLength += lines.length;
      pass();
    },
    droppedCount: () => droppedCount,
    async settle(maxMs) {
      const deadline = performance.now() + maxMs;
      while (taking !== null && performance.now() < deadline) await Promise.race([taking, Bun.sleep(maxMs)]);
    },
  };
}
