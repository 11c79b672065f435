export type Repeated = {
  /**
   * Ends the repetition and aborts the signal passed to `work`. Resolves when running work has ended. Never rejects.
   */
  readonly stop: () => Promise<void>;
};

/**
 * Runs `work` every `everyMs` milliseconds until it is stopped. With `firstMs`, it also runs once after that time,
 * before the first interval. Runs never overlap: a run that is due while another one is active is skipped. `onError`
 * gets the errors of `work`.
 */
export function repeat(
  work: (signal: AbortSignal) => unknown,
  { everyMs, firstMs, onError }: { everyMs: number; firstMs?: number; onError: (error: unknown) => void },
): Repeated {
  const abort = new AbortController();
  let running: Promise<void> | null = null;
  const turn = () => {
    running ??= (async () => work(abort.signal))()
      .then(() => undefined, onError)
      .finally(() => {
        running = null;
      });
  };
  const first = firstMs === undefined ? undefined : setTimeout(turn, firstMs);
  const timer = setInterval(turn, everyMs);
  return {
    async stop() {
      clearTimeout(first);
      clearInterval(timer);
      abort.abort(new Error("the service stops"));
      await running;
    },
  };
}
