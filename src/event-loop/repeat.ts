export type Repeated = {
  /** Ends the repetition and aborts the signal that `work` got. Resolves when work under way has ended. Never rejects. */
  readonly stop: () => Promise<void>;
};

/**
 * Does `work` every `everyMs` milliseconds, and before that once after `firstMs` when that is given, until it is stopped.
 * Never two at once: a turn that falls due while work is under way is left out. `onError` gets the errors of `work`.
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
